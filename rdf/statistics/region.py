"""The excess of events in one region of a spectrum over what is expected there from its sidebands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from rdf.statistics.fits import SpectrumFits
from rdf.statistics.fitted import Choice, Limits, Rule
from rdf.statistics.functions import Family, SignalShape
from rdf.statistics.significance import FEWEST_EVENTS, LOCAL_TOYS, SMALLEST
from rdf.statistics.spectrum import Numbers, Spectrum

NARROW = 1 / 40
"""Standard deviation of the signal of the fits, in widths of the region: all of it lies in the region's bin."""


@dataclass(frozen=True, eq=False)
class RegionExcess:
    """Events of a region, and what is expected from the sidebands.

    Attributes:
        expected: events of each bin by the fit to the sidebands.
        background: that of the region.
        background_error: of that, by the parameters of the fit.
        deviance: of the fit to the sidebands.
        ndf: bins of the sidebands less parameters.
        z: signed root of the likelihood ratio of a signal in the region to none; NaN where a fit has no end.
        signal: fitted events.
        signal_error: of these.
    """

    expected: Numbers
    background: float
    background_error: float
    deviance: float
    ndf: int
    z: float
    signal: float
    signal_error: float


class RegionFits:
    """Fits of spectra in which one bin is the region where a signal is looked for, whatever its shape there.

    The likelihood is that of the sidebands' bins and of one count in the region, of which the signal is free: its
    significance is that of a count with a background that has the error of the fit (G. Cowan et al., arXiv:1007.1727).
    """

    def __init__(self, edges: Numbers, region: int, family: Family) -> None:
        """Prepare the fits.

        Args:
            edges: of the bins, shape (bins + 1,).
            region: index of the bin that is the region.
            family: of functions.

        Raises:
            SpectrumError: the functions do not fit the bins.
        """
        self.edges, self.region = edges, region
        low, high = edges[region], edges[region + 1]
        centre = (low + high) / 2
        self.fits = SpectrumFits(edges, family, SignalShape(NARROW * (high - low) / centre), np.array([centre]))

    def spectrum(self, counts: Numbers) -> Spectrum:
        """Return counts of shape (bins,) as a spectrum."""
        return Spectrum(self.edges, np.asarray(counts, dtype=np.float64))

    def sidebands(self, counts: Numbers) -> Spectrum:
        """Return counts of shape (bins,) as a spectrum whose region no fit looks at."""
        used = np.ones(len(counts), dtype=np.bool_)
        used[self.region] = False
        return Spectrum(self.edges, np.where(used, counts, 0.0), used)

    def choose(self, counts: Numbers, seed: int) -> Choice:
        """Choose a function on the sidebands, by the rule.

        Args:
            counts: of all bins, shape (bins,); that of the region is not looked at.
            seed: of the toys of the goodness of fit.
        """
        return self.fits.choose(self.sidebands(counts), Rule(), seed)

    def choose_again(self, counts: Numbers, first: Choice) -> tuple[int | None, Numbers]:
        """Choose a function for another data set, as `SpectrumFits.choose_again`."""
        return self.fits.choose_again(self.sidebands(counts), first)

    def excess(self, counts: Numbers, order: int, spurious: Numbers | None = None) -> RegionExcess | None:
        """Return the excess of the region; None where the fit to the sidebands does not come to an end.

        Args:
            counts: of all bins, shape (bins,).
            order: of the function.
            spurious: error of the signal [events], shape (1,); none by default.
        """
        sidebands = self.sidebands(counts)
        fit = self.fits.fit(sidebands, order)
        if not fit.converged:
            return None
        found = self.fits.scan(self.spectrum(counts), order, spurious)
        shifts = self.fits.templates(sidebands, order, 0, False).shifts
        return RegionExcess(
            expected=fit.expected,
            background=float(fit.expected[self.region]),
            background_error=float(np.sqrt((shifts[:, self.region] ** 2).sum())),
            deviance=fit.deviance,
            ndf=fit.ndf,
            z=float(found.z[0]) if found.converged[0] else np.nan,
            signal=float(found.signal[0]),
            signal_error=float(found.signal_error[0]),
        )

    def local_p(self, excess: RegionExcess, order: int, spurious: Numbers | None, seed: int) -> float:
        """Return the probability of at least this excess: by toys where fewer than ten events are expected.

        Args:
            excess: of the region.
            order: of the function.
            spurious: as above.
            seed: of the toys.
        """
        if excess.background >= FEWEST_EVENTS:
            return max(float(norm.sf(excess.z)), SMALLEST)
        toys = range(LOCAL_TOYS)
        thrown = self.fits.toys_at(order, excess.expected, 0, spurious=spurious, seed=seed, toys=toys)
        good = thrown.z[np.isfinite(thrown.z)]
        return (1 + int((good >= excess.z).sum())) / (1 + len(good))

    def limit(
        self, counts: Numbers, order: int, *, spurious: Numbers | None = None, seed: int, toys: int, threads: int
    ) -> Limits:
        """Return the upper limit on signal events in the region: by toys where fewer than ten events are expected.

        Args:
            counts: of all bins, shape (bins,); expected ones for what a blinded search expects.
            order: of the function.
            spurious: as above.
            seed: of the toys.
            toys: of each number of signal events that is tried.
            threads: that share them.

        Raises:
            SpectrumError: the limit cannot be found.
        """
        spectrum = self.spectrum(counts)
        if self.fits.fit(self.sidebands(counts), order).expected[self.region] >= FEWEST_EVENTS:
            return self.fits.limits(spectrum, order, spurious)
        return self.fits.toy_limits(spectrum, order, 0, spurious=spurious, seed=seed, toys=toys, threads=threads)
