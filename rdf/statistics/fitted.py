"""What fits, scans, choices and toys of spectra give, as types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from rdf.errors import SpectrumError
from rdf.statistics.spectrum import Numbers, Spectrum

Truths = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rule:
    """How a function is chosen: the first of rising numbers of parameters that meets three conditions.

    A signal in the spectrum is no fault of a function: all fits have one where the function sees its largest excess.

    Attributes:
        likelihood_ratio: least p-value of the likelihood ratio to the function of one parameter more.
        goodness: least p-value of the deviance among toys of the function itself.
        spurious: the largest signal that the function sees in what the next one describes, in units of the signal's
            error, that counts as none.
        spurious_limit: the largest that is taken as an error of the signal; a function with more is refused.
        goodness_toys: their number.
    """

    likelihood_ratio: float = 0.05
    goodness: float = 0.01
    spurious: float = 0.2
    spurious_limit: float = 0.5
    goodness_toys: int = 200


@dataclass(frozen=True, eq=False)
class BackgroundFit:
    """A fit of a function alone.

    Attributes:
        order: index of the function in its family.
        parameters: of the family, in the order of its terms.
        expected: events of each bin, used or not.
        deviance: -2 log of the likelihood ratio to the counts themselves.
        ndf: bins that were used less parameters.
        converged: whether the fit came to an end.
    """

    order: int
    parameters: Numbers
    expected: Numbers
    deviance: float
    ndf: int
    converged: bool


@dataclass(frozen=True, eq=False)
class SignalError:
    """A systematic error of a signal, as a nuisance parameter with a normal constraint of width 1.

    Attributes:
        name: of the error.
        shift: change of the fraction of a signal in each bin by one standard deviation, shape (bins,).
        log_yield: logarithm of the factor on all events.
    """

    name: str
    shift: Numbers
    log_yield: float


@dataclass(frozen=True, eq=False)
class Templates:
    """A fit as templates: the likelihood around its minimum, which is linear in its parameters there.

    Attributes:
        spectrum: that was fitted.
        background: events of each bin without a signal, shape (bins,).
        shifts: change of these for one standard deviation of each of as many independent parameters as the function
            has, shape (parameters, bins).
        shape: fraction of a signal in each bin, shape (bins,).
        mass: of the signal.
        signal: fitted events; 0 for a fit without a signal.
        half_deviance: at the minimum.
        errors: of the signal; none for a fit without one.
    """

    spectrum: Spectrum
    background: Numbers
    shifts: Numbers
    shape: Numbers
    mass: float
    signal: float
    half_deviance: float
    errors: tuple[SignalError, ...] = ()


@dataclass(frozen=True, eq=False)
class MassScan:
    """Fits of a signal at each mass.

    Attributes:
        masses: of the signal, shape (masses,).
        z: signed root of the likelihood ratio; negative where the signal is.
        signal: fitted events.
        signal_error: their error, that of a spurious signal included.
        visible: whether the bins that a fit looks at hold half of the signal at least; where not, there is no fit.
        converged: whether a fit came to an end.
    """

    masses: Numbers
    z: Numbers
    signal: Numbers
    signal_error: Numbers
    visible: Truths
    converged: Truths

    @property
    def best(self) -> int:
        """Index of the mass of the largest significance."""
        return int(np.nanargmax(np.where(self.converged, self.z, -np.inf)))


@dataclass(frozen=True, eq=False)
class Verdict:
    """What the rule says of one function.

    Attributes:
        label: of the function.
        likelihood_ratio_p: probability of as large a likelihood ratio to the function of one parameter more.
        deviance: of the fit, which has a signal at the largest excess of the function.
        goodness_p: fraction of toys of the function with at least this deviance.
        spurious: largest spurious signal of all masses, in units of the signal's error.
        converged: whether the fit came to an end.
    """

    label: str
    likelihood_ratio_p: float
    deviance: float
    goodness_p: float
    spurious: float
    converged: bool


@dataclass(frozen=True, eq=False)
class Choice:
    """The function that the rule chooses.

    Attributes:
        order: index of the function; None where none passes.
        label: of the function, "" for none.
        spurious: error of the signal at each mass by the spurious signal [events]; empty where it counts as none.
        verdicts: on the functions that were tried, from the first on.
        critical: for each function but the last, half the deviance that a good fit does not exceed.
    """

    order: int | None
    label: str
    spurious: Numbers
    verdicts: tuple[Verdict, ...]
    critical: Numbers


@dataclass(frozen=True, eq=False)
class Limits:
    """Upper limits on the events of a signal at 95 % confidence level.

    Attributes:
        masses: of the signal, shape (masses,).
        observed: shape (masses,).
        expected: without a signal at -2, -1, 0, 1 and 2 standard deviations, shape (masses, 5).
        toys: that were thrown; 0 for the asymptotic formula.
    """

    masses: Numbers
    observed: Numbers
    expected: Numbers
    toys: int = 0


@dataclass(frozen=True, eq=False)
class Cut:
    """One declared cut, as toys of it are thrown.

    Attributes:
        expected: events of each bin without a signal.
        used: whether the scan looks at a bin.
        sidebands: whether the choice of the function looks at a bin.
        choice: the function of the data, and what the rule needs to choose it again.
        fixed: whether the function of the data holds for each toy; else the choice is repeated.
    """

    expected: Numbers
    used: Truths
    sidebands: Truths
    choice: Choice
    fixed: bool = False


@dataclass(frozen=True, eq=False)
class Toys:
    """What scans of toys found, over all masses and cuts.

    Attributes:
        first: number of the first toy.
        z: largest significance of each, shape (toys,).
        mass: its index.
        cut: the cut of it, by index.
        order: of the function of the first cut.
        crossings: of the level, upwards, in all cuts.
        failed: fits that did not come to an end.
        refused: whether no function passes in some cut.
    """

    first: int
    z: Numbers
    mass: Integers
    cut: Integers
    order: Integers
    crossings: Integers
    failed: Integers
    refused: Truths

    @classmethod
    def joined(cls, parts: Sequence[Toys]) -> Toys:
        """Join toys whose numbers follow each other.

        Raises:
            SpectrumError: they do not.
        """
        for one, other in pairwise(parts):
            if one.first + len(one.z) != other.first:
                raise SpectrumError(
                    f"toys end at {one.first + len(one.z)} and go on at {other.first}; merge all of them"
                )
        rows = ("z", "mass", "cut", "order", "crossings", "failed", "refused")
        return cls(
            first=parts[0].first, **{row: np.concatenate([getattr(part, row) for part in parts]) for row in rows}
        )
