"""What search.json says of a cut, from the fits of its spectrum."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from analysis.console.progress import Move
from analysis.search.events import CutEvents, Truths, Values
from plotting.results.search.record import Injected, Limit, ScannedMass, Sculpting, SearchedCut, Slice, Tried
from plotting.results.search.signal import OtherWidth
from rdf.statistics.fits import SpectrumFits
from rdf.statistics.fitted import BackgroundFit, Choice, MassScan, Rule
from rdf.statistics.significance import FEWEST_EVENTS, asymptotic_p, expected_near, freedom
from rdf.statistics.spectrum import Spectrum

SLICES = 10
LEAST_EXPECTED = 0.1
"""Background events within two standard deviations, below which there are no limits."""
STRENGTHS = (0.0, 2.0, 4.0)
INJECTION_TOYS = 500
LIMIT_TOYS = 1000
"""Number of toys for each number of signal events that is tried; with them a limit is known to 1 or 2 %."""
LIMIT_STRIDE = 4
"""Steps of the scan from one limit by toys to the next."""
OTHER_WIDTHS = (0.5, 1.5)
"""Factors on a signal's width; the significance with them shows how far the largest excess depends on it."""


def refused_cut(cut: CutEvents, reason: str) -> SearchedCut:
    """Return what is said of a cut that is not opened."""
    return SearchedCut(fraction=cut.fraction, selection=cut.selection, opened=False, reason=reason)


def tried_table(choice: Choice) -> tuple[Tried, ...]:
    """Return the functions that were tried, with the reason for which all but the chosen one were not taken."""
    rule = Rule()
    found = []
    for order, verdict in enumerate(choice.verdicts):
        reason = None
        if not verdict.converged:
            reason = "the fit does not come to an end"
        elif math.isnan(verdict.likelihood_ratio_p):
            reason = "the fit of one parameter more does not come to an end"
        elif not verdict.likelihood_ratio_p > rule.likelihood_ratio:
            reason = "one parameter more describes the spectrum better"
        elif verdict.deviance / 2 > choice.critical[order]:
            reason = "the deviance is larger than that of toys"
        elif verdict.spurious > rule.spurious_limit:
            reason = f"a spurious signal of {verdict.spurious:.2f} of its error"
        elif order != choice.order:
            reason = f"a spurious signal of {verdict.spurious:.2f} of its error, and another function has less"
        found.append(
            Tried(
                label=verdict.label,
                deviance=verdict.deviance,
                likelihood_ratio_p=_number(verdict.likelihood_ratio_p),
                goodness_p=verdict.goodness_p,
                spurious=_number(verdict.spurious),
                reason=reason,
            )
        )
    return tuple(found)


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _moving_p(fits: SpectrumFits, fit: BackgroundFit, scan: MassScan, mass: int) -> float | None:
    """Return the local probability where errors move the signal's shape; None where that of the significance holds."""
    free = freedom(fits, fit.order, fit.expected, mass)
    return asymptotic_p(free, float(scan.z[mass])) if len(free) and math.isfinite(scan.z[mass]) else None


def scan_table(
    fits: SpectrumFits, fit: BackgroundFit, expectation: Spectrum, scan: MassScan
) -> tuple[ScannedMass, ...]:
    """Return the scan, mass by mass."""
    return tuple(
        ScannedMass(
            mass=float(scan.masses[i]),
            z=_number(scan.z[i]),
            signal=_number(scan.signal[i]),
            signal_error=_number(scan.signal_error[i]),
            background=expected_near(fits, expectation, i),
            p=_moving_p(fits, fit, scan, i),
        )
        for i in range(len(scan.masses))
    )


def limit_table(
    fits: SpectrumFits,
    spectrum: Spectrum,
    expectation: Spectrum,
    choice: Choice,
    *,
    is_blind: bool,
    seed: int,
    threads: int,
    progress: Move,
) -> tuple[Limit, ...]:
    """Return the limits: by the asymptotic formula where ten background events are expected, elsewhere by toys.

    Of the masses that take toys each fourth one has a limit, and the last: these stand one standard deviation apart,
    and a limit changes little within it. Where next to nothing is expected there is none: it would be three events.

    Args:
        fits: of the spectrum.
        spectrum: that was fitted.
        expectation: of it without a signal.
        choice: the function.
        is_blind: whether the expectation takes the place of the spectrum.
        seed: of the toys.
        threads: that share them.
        progress: told the toys of the masses that are done, and those of all.
    """
    assert choice.order is not None
    if is_blind:
        spectrum = expectation
    visible = np.flatnonzero(fits.scan(spectrum, choice.order, choice.spurious).visible)
    near = {int(i): expected_near(fits, expectation, int(i)) for i in visible}
    few = [i for i in near if near[i] < FEWEST_EVENTS]
    some = [i for i in few if near[i] >= LEAST_EXPECTED]
    by_toys = {*some[::LIMIT_STRIDE], *some[-1:]}
    rows, done = [], 0
    for i in near:
        if i in by_toys:
            progress(done * LIMIT_TOYS, len(by_toys) * LIMIT_TOYS, "limits by toys")
            done += 1
            found = fits.toy_limits(
                spectrum, choice.order, i, spurious=choice.spurious, seed=seed, toys=LIMIT_TOYS, threads=threads
            )
        elif i in few:
            continue
        else:
            found = fits.limits(spectrum, choice.order, choice.spurious, slice(i, i + 1))
        low, below, median, above, high = map(float, found.expected[0])
        rows.append(
            Limit(
                mass=float(fits.masses[i]),
                observed=None if is_blind else float(found.observed[0]),
                expected=(low, below, median, above, high),
                by="toys" if found.toys else "asymptotic",
                toys=found.toys,
            )
        )
    return tuple(rows)


def injected_table(fits: SpectrumFits, expectation: Spectrum, choice: Choice, seed: int) -> tuple[Injected, ...]:
    """Put signals of 0, 2 and 4 standard deviations into toys at three masses, and return what is found of them.

    The masses are among those where ten background events are expected: elsewhere an error says little of a signal.

    Args:
        fits: of the spectrum.
        expectation: of it without a signal.
        choice: the function.
        seed: of the toys.
    """
    assert choice.order is not None
    expected = fits.scan(expectation, choice.order, choice.spurious)
    masses = [
        int(i) for i in np.flatnonzero(expected.visible) if expected_near(fits, expectation, int(i)) >= FEWEST_EVENTS
    ]
    rows = []
    for place in (1, 2, 3) if masses else ():
        mass = masses[len(masses) * place // 4]
        error = float(expected.signal_error[mass])
        for number, strength in enumerate(STRENGTHS):
            found = fits.toys_at(
                choice.order,
                expectation.counts,
                mass,
                signal=strength * error,
                spurious=choice.spurious,
                used=expectation.used,
                seed=seed,
                toys=range(INJECTION_TOYS * (3 * place + number), INJECTION_TOYS * (3 * place + number + 1)),
            )
            good = found.converged & np.isfinite(found.signal_error)
            pulls = (found.signal[good] - strength * error) / found.signal_error[good]
            rows.append(
                Injected(
                    mass=float(fits.masses[mass]),
                    strength=strength,
                    events=strength * error,
                    toys=int(good.sum()),
                    found=float(found.signal[good].mean()),
                    pull_mean=float(pulls.mean()),
                    pull_width=float(pulls.std(ddof=1)),
                    z=float(found.z[good].mean()),
                )
            )
    return tuple(rows)


def width_table(fits: SpectrumFits, spectrum: Spectrum, choice: Choice, mass: int) -> tuple[OtherWidth, ...]:
    """Return the significance at a mass of signals that are half as wide, and half as wide again.

    Args:
        fits: of the spectrum.
        spectrum: that was scanned.
        choice: the function.
        mass: index of the mass.
    """
    assert choice.order is not None
    spurious = choice.spurious[mass : mass + 1] if len(choice.spurious) else None
    rows = []
    for factor in OTHER_WIDTHS:
        shape = replace(fits.shape, resolution=factor * fits.shape.resolution)
        other = SpectrumFits(fits.edges, fits.family, shape, fits.masses[mass : mass + 1])
        z = _number(other.scan(spectrum, choice.order, spurious).z[0])
        rows.append(OtherWidth(factor=factor, resolution=shape.resolution, z=z))
    return tuple(rows)


def sculpting_table(values: Values, passed: Truths, whole: tuple[float, float]) -> Sculpting:
    """Return how the fraction that passes a cut depends on the observable, in slices that hold equal numbers of events.

    Args:
        values: of the observable, shape (events,).
        passed: whether an event passes, shape (events,).
        whole: range of the observable.
    """
    edges = np.unique(np.quantile(values, np.linspace(0, 1, SLICES + 1)))
    edges[0], edges[-1] = whole
    places = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    events = np.bincount(places, minlength=len(edges) - 1)
    selected = np.bincount(places[passed], minlength=len(edges) - 1)
    share = selected.sum() / events.sum()
    variance = events * share * (1 - share)
    chi2 = float((((selected - share * events) ** 2)[variance > 0] / variance[variance > 0]).sum())
    fractions = selected / np.maximum(events, 1)
    return Sculpting(
        slices=tuple(
            Slice(low=float(edges[i]), high=float(edges[i + 1]), events=int(events[i]), passed=int(selected[i]))
            for i in range(len(events))
        ),
        chi2=chi2,
        ndf=len(events) - 1,
        ratio=float(fractions.max() / fractions.min()) if fractions.min() > 0 else None,
    )
