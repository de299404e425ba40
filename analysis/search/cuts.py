"""Declared cuts of a search: which may be opened, with what fits, and what describes their spectra."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from analysis.errors import ConfigurationError, SearchRefused
from analysis.search.configuration import SearchConfiguration
from analysis.search.events import TENTH, CutEvents, SearchEvents
from analysis.search.signal import Signal
from analysis.search.tables import tried_table
from rdf.statistics.fits import SpectrumFits
from rdf.statistics.fitted import BackgroundFit, Choice, Rule
from rdf.statistics.functions import Family, SignalShape, Tails, mass_grid
from rdf.statistics.significance import FEWEST_EVENTS
from rdf.statistics.spectrum import FEWEST_BINS, Numbers, Spectrum, mass_edges

FEWEST_SIDEBAND_EVENTS = 20
MOST_WIDTHS = 2500
"""Widths of a signal in a range, at most: there are two bins and four masses of the scan to each."""
GOODNESS, TOYS, LOCAL, INJECTION, LIMITS = range(5)
"""What seeds are for: each kind of toys has random numbers of its own."""


@dataclass(frozen=True, eq=False)
class OpenedCut:
    """A declared cut whose spectrum is looked at.

    Attributes:
        events: that pass.
        spectrum: of these, without masked windows; while blinded that of the sidebands, or the declared tenth's times
            ten.
        sidebands: on which the function was chosen.
        choice: the function.
        fit: of it to the sidebands.
        expectation: the events of the fit, without masked windows.
    """

    events: CutEvents
    spectrum: Spectrum
    sidebands: Spectrum
    choice: Choice
    fit: BackgroundFit
    expectation: Spectrum


class Seeded(Protocol):
    """A configuration that has a seed."""

    @property
    def seed(self) -> int:
        """Seed of all that is random."""


def seed_for(configuration: Seeded, purpose: int, place: int = 0) -> int:
    """Return the seed of the toys that serve one purpose, for the declared cut at a place."""
    return (configuration.seed << 16) + (purpose << 12) + place


def signal_shape(configuration: SearchConfiguration, signal: Signal | None) -> SignalShape:
    """Return the shape of the signal that is looked for."""
    if signal is not None:
        return signal.shape
    assert configuration.resolution is not None
    tails = Tails(**configuration.tails.model_dump()) if configuration.tails else None
    return SignalShape(configuration.resolution, tails)


def make_fits(configuration: SearchConfiguration, shape: SignalShape) -> SpectrumFits:
    """Return the fits of the spectra that are declared."""
    low, high = configuration.range
    if math.log(high / low) / shape.resolution > MOST_WIDTHS:
        raise ConfigurationError(
            f"range: {low:g}:{high:g} has more than {MOST_WIDTHS:,} widths of {shape.resolution:g}; take a narrower one"
        )
    edges = mass_edges(low, high, shape.resolution)
    first, last = configuration.parameters or (0, 0)
    # A signal at the very end of the range is half outside.
    begin, end = configuration.signal_region or (low * (1 + 2 * shape.resolution), high / (1 + 2 * shape.resolution))
    if not begin < end:
        raise ConfigurationError(
            f"range: {low:g}:{high:g} is narrower than four widths of {shape.resolution:g}; take a wider one"
        )
    masses = mass_grid(begin, end, shape.resolution)
    masked = np.zeros(len(masses), dtype=np.bool_)
    for window in configuration.mask:
        masked |= (masses > window[0]) & (masses < window[1])
    if masked.all():
        raise SearchRefused("no mass of the scan lies outside the masked windows; mask less")
    family = Family(configuration.family, first, last, configuration.sqrt_s)
    fits = SpectrumFits(edges, family, shape, masses[~masked])
    seen = fits.shapes[:, _unmasked(configuration, fits, np.zeros(len(edges) - 1)).used].sum(axis=1)
    if not (seen > fits.shapes.sum(axis=1) / 2).any():
        raise SearchRefused("at no mass of the scan half of a signal lies outside the masked windows; mask less")
    return fits


def _spectrum(configuration: SearchConfiguration, fits: SpectrumFits, events: SearchEvents, cut: CutEvents) -> Spectrum:
    """Return the spectrum of a cut; of a declared tenth of its events, times ten, where only that may be looked at."""
    scale = 1
    chosen = cut.passed
    if configuration.takes_tenth:
        chosen, scale = chosen & events.in_tenth, TENTH
    spectrum = Spectrum.of_values(events.values[chosen], fits.edges)
    return _unmasked(configuration, fits, spectrum.counts * scale)


def _unmasked(configuration: SearchConfiguration, fits: SpectrumFits, counts: Numbers) -> Spectrum:
    """Return a spectrum whose bins hold the counts that are given, and which is not used in the masked windows."""
    spectrum = Spectrum(fits.edges, counts)
    for window in configuration.mask:
        spectrum = spectrum.masked(*window)
    return spectrum


def open_cut(
    configuration: SearchConfiguration, fits: SpectrumFits, events: SearchEvents, cut: CutEvents, place: int
) -> OpenedCut | str:
    """Look at a cut's sidebands, choose its function, and open it; or return why it stays closed."""
    spectrum = _spectrum(configuration, fits, events, cut)
    sidebands = spectrum
    if configuration.signal_region is not None:
        sidebands = spectrum.masked(*configuration.signal_region)
        low, high = configuration.signal_region
        for side, looked in (("below", fits.edges[1:] <= low), ("above", fits.edges[:-1] >= high)):
            held = spectrum.counts[looked & sidebands.used].sum()
            if held < FEWEST_SIDEBAND_EVENTS:
                return f"{held:g} events in the sideband {side} the region, fewer than {FEWEST_SIDEBAND_EVENTS}"
    if (bins := int(sidebands.used.sum())) < FEWEST_BINS:
        return f"{bins} bins beside the region and the masked windows, fewer than {FEWEST_BINS}"
    # The rule for functions goes by fluctuations, and those of a tenth of the events are not those of ten times them.
    scale = TENTH if configuration.takes_tenth else 1
    described = Spectrum(sidebands.edges, sidebands.counts / scale, sidebands.used)
    if described.total < FEWEST_SIDEBAND_EVENTS:
        return f"{described.total:g} events beside the region, fewer than {FEWEST_SIDEBAND_EVENTS}"
    if ended := _end_of_sample(described):
        return ended
    choice = fits.choose(described, Rule(), seed_for(configuration, GOODNESS, place))
    if choice.order is None:
        tried = ", ".join(f"{tried.label}: {tried.reason}" for tried in tried_table(choice))
        return f"no function describes the spectrum ({tried})"
    fit = fits.fit(sidebands, choice.order)
    if not fit.converged:
        return f"the fit of {choice.label} does not come to an end"
    expectation = _unmasked(configuration, fits, fit.expected)
    # A spurious signal was found in a tenth of the events; it is proportional to their number.
    choice = replace(choice, spurious=choice.spurious * scale)
    if configuration.is_blind:
        spectrum = sidebands
    return OpenedCut(cut, spectrum, sidebands, choice, fit, expectation)


def _end_of_sample(spectrum: Spectrum) -> str | None:
    """Say at which end of the range the sample itself ends; None where it does not."""
    counts, edges = spectrum.counts[spectrum.used], spectrum.edges[:-1][spectrum.used]
    for end, along, places in (("begins", counts, edges), ("ends", counts[::-1], edges[::-1])):
        before = np.cumsum(along)
        for i in range(2, len(along) - 3):
            # Next to no events, and right beside them ten in each bin: that does not come by chance.
            if before[i - 1] < 0.5 * i and along[i : i + 3].mean() >= FEWEST_EVENTS:
                return f"the sample itself {end} at {places[i]:.4g}; take a range within it"
    return None
