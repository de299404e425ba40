"""Colours of what figures show."""

from __future__ import annotations

from collections.abc import Iterable

# Petroff's ten-colour sequence (arXiv:2107.02270), made to be told apart with any colour vision.
NORMAL = "#3f90da"
ANOMALOUS = "#e76300"
EVERYTHING = "#94a4a2"
SIGNAL = "#832db6"
BACKGROUND = "#a96b59"
SYSTEMATIC = "#ffa90e"
WARNING = "#d0021b"
_SEQUENCE = ("#3f90da", "#ffa90e", "#bd1f01", "#832db6", "#a96b59", "#717581", "#b9ac70", "#92dadd")


def sequence_colour(place: int) -> str:
    """Return the colour of one of several curves; the ninth has that of the first again."""
    return _SEQUENCE[place % len(_SEQUENCE)]


def process_colour(place: int) -> str:
    """Return the colour of one of several stacked processes, on which a systematic band can be seen."""
    colours = [colour for colour in _SEQUENCE if colour != SYSTEMATIC]
    return colours[place % len(colours)]


def detector_colours(detectors: Iterable[str]) -> dict[str, str]:
    """Return a colour for each detector, in their order; what all detectors say together, the ensemble, is black."""
    alone = [name for name in detectors if name != "ensemble"]
    # Where there are many, the colours that other figures have for what is anomalous and for everything come last.
    colours = (*_SEQUENCE, ANOMALOUS, EVERYTHING)
    return {name: colours[i % len(colours)] for i, name in enumerate(alone)} | {"ensemble": "black"}
