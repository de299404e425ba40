"""What the header of each figure says of the sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from plotting.results.record_tables import SampleHeader


@dataclass(frozen=True)
class Caption:
    """What the header of each figure of a run says.

    Attributes:
        title: the sample, in words.
        doi: its DOI without prefix, or None for a user's own file.
        energy: centre-of-mass energy with its unit, such as "7 TeV", or None.
        luminosity: integrated luminosity in 1/fb, or None.
        simulated: True if the events are the embedded simulation in place of real ones.
        uncertified: True if the sample's list of certified runs was not applied.
    """

    title: str
    doi: str | None = None
    energy: str | None = None
    luminosity: float | None = None
    simulated: bool = False
    uncertified: bool = False

    @classmethod
    def of(cls, sample: SampleHeader) -> Self:
        """Return what run.json says of the sample."""
        return cls(
            *(sample.title, sample.doi or None, sample.energy or None, sample.luminosity),
            simulated=sample.simulated,
            uncertified=sample.uncertified,
        )
