"""Functions that describe a smooth background, and shapes of a signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rdf.errors import SpectrumError
from rdf.statistics.spectrum import Numbers

FamilyName = Literal["dijet", "exp-polynomial"]

PARAMETERS: dict[FamilyName, tuple[int, int]] = {"dijet": (3, 6), "exp-polynomial": (2, 6)}
"""Numbers of parameters, from and to, of the functions of a family; the last only tests the one before it."""


@dataclass(frozen=True)
class Family:
    """Functions of rising numbers of parameters.

    Attributes:
        name: "dijet" for falling spectra of jets at the TeV scale, "exp-polynomial" for masses near narrow peaks.
        first: least number of parameters.
        last: largest.
        sqrt_s: centre-of-mass energy, in the unit of the observable, which the dijet family needs.
    """

    name: FamilyName
    first: int = 0
    last: int = 0
    sqrt_s: float | None = None

    def __post_init__(self) -> None:
        """Fill in the numbers of parameters, and check them.

        Raises:
            SpectrumError: there are no such functions.
        """
        low, high = PARAMETERS[self.name]
        object.__setattr__(self, "first", self.first or low)
        object.__setattr__(self, "last", self.last or high)
        if not low <= self.first < self.last <= high:
            raise SpectrumError(
                f"{self.name} with {self.first} to {self.last} parameters; give two numbers from {low} to {high}, "
                "of which the second only tests the functions before it"
            )
        if self.name == "dijet" and not self.sqrt_s:
            raise SpectrumError("the dijet family needs the centre-of-mass energy; give sqrt_s")

    def scale(self, edges: Numbers) -> float:
        """Return the mass in units of which the terms are written.

        Raises:
            SpectrumError: the range ends above the centre-of-mass energy.
        """
        if self.name == "exp-polynomial":
            return float(edges[-1])
        assert self.sqrt_s is not None
        if edges[-1] >= self.sqrt_s:
            raise SpectrumError(f"the range ends at {edges[-1]:g}, above the centre-of-mass energy {self.sqrt_s:g}")
        return self.sqrt_s

    def label(self, order: int) -> str:
        """Return what a function is called: "dijet f4", "exp-polynomial 3"."""
        parameters = self.first + order
        return f"dijet f{parameters}" if self.name == "dijet" else f"exp-polynomial {parameters - 1}"


@dataclass(frozen=True)
class Tails:
    """Power tails of a two-sided Crystal Ball: where they begin, in standard deviations, and their powers."""

    alpha_low: float
    power_low: float
    alpha_high: float
    power_high: float

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            SpectrumError: a tail begins at or below 0, or has no integral.
        """
        if min(self.alpha_low, self.alpha_high) <= 0 or min(self.power_low, self.power_high) <= 1:
            raise SpectrumError("a tail begins above 0 standard deviations and has a power above 1")


@dataclass(frozen=True)
class Systematic:
    """What one standard deviation of one systematic error does to a signal; all of it moves together.

    Attributes:
        name: of the error.
        log_yield: logarithm of the factor on the number of events.
        peak: shift of the peak, relative to the mass.
        width: change of the width, relative to it.
    """

    name: str
    log_yield: float = 0.0
    peak: float = 0.0
    width: float = 0.0


@dataclass(frozen=True)
class SignalShape:
    """A narrow signal at any mass.

    Attributes:
        resolution: standard deviation of its core, relative to the mass.
        tails: of a two-sided Crystal Ball; None for a Gaussian.
        systematics: each a nuisance parameter of all fits, with a normal constraint of width 1.
    """

    resolution: float
    tails: Tails | None = None
    systematics: tuple[Systematic, ...] = ()


STEP = 0.25
"""Distance of two masses of a scan in standard deviations of a signal: half of it loses 1 % of Z at the worst."""


def mass_grid(low: float, high: float, resolution: float) -> Numbers:
    """Return the masses of a scan.

    Args:
        low: begin of the range.
        high: its end.
        resolution: as in `SignalShape`.
    """
    steps = int(np.floor(np.log(high / low) / (STEP * resolution)))
    return np.asarray(low * np.exp(STEP * resolution * np.arange(steps + 1)))
