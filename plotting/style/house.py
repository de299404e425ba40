"""How every figure looks: matplotlib's parameters, while a figure is made and drawn.

The look is mplhep's ROOT style with a quieter type size and STIX. STIX because it is TrueType, where the CFF fonts of
the stock styles end up in a PDF under a TrueType label, which strict readers and some journals refuse; and because it
has no large layout tables, which make the embedding of other TrueType fonts four times slower.

This room imports matplotlib where a figure is drawn, and not before: the report, which has the titles and the captions
of figures, does without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

FAMILY = "STIXGeneral"
"""The family of all fonts."""

_CHANGES: dict[str, Any] = {
    "font.family": FAMILY,
    "mathtext.fontset": "stix",
    "mathtext.default": "it",
    "font.size": 15.5,
    "axes.labelsize": 17,
    "axes.linewidth": 1.2,
    "axes.labelpad": 5,
    "axes.unicode_minus": True,
    "xtick.labelsize": 15,
    "ytick.labelsize": 15,
    "xtick.major.size": 7,
    "ytick.major.size": 7,
    "xtick.minor.size": 3.5,
    "ytick.minor.size": 3.5,
    "legend.fontsize": 14,
    "axes.formatter.limits": (-3, 5),
    "figure.dpi": 200,  # also for the PNG: text that was measured for the layout is not measured again
    "pdf.fonttype": 42,
}


@cache
def house_parameters() -> dict[Any, Any]:
    """Return what matplotlib's parameters are, beyond its own defaults, while a figure is made and drawn."""
    import mplhep

    return {**mplhep.style.ROOT, **_CHANGES}


@contextmanager
def house_style() -> Iterator[None]:
    """Set matplotlib's parameters for one figure, whatever the caller's are, and put the caller's back."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(house_parameters())
        yield
