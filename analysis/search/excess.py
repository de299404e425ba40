"""The largest excess of all cuts and masses of a search, and how probable it is."""

from __future__ import annotations

import numpy as np

from analysis.console.progress import Move
from analysis.errors import SearchRefused
from analysis.search.configuration import SearchConfiguration
from analysis.search.cuts import LOCAL, TOYS, OpenedCut, seed_for
from analysis.search.toys import ToySource, throw_toys
from plotting.results.search.record import Checked, Largest
from rdf.errors import StatisticsFailed
from rdf.statistics.fits import SpectrumFits
from rdf.statistics.fitted import Cut, MassScan
from rdf.statistics.significance import FEWEST_EVENTS, expected_near, freedom, global_p, local_p, z_of

MOST_FAILED = 0.01
"""Fraction of toys with a fit that does not come to an end, above which a search is refused."""
CLOSE = 0.01
"""Relative difference of a significance by another program, above which a search fails its check."""


def largest_excess(
    configuration: SearchConfiguration,
    fits: SpectrumFits,
    cuts: list[OpenedCut],
    scans: list[MassScan],
    progress: Move,
) -> tuple[Largest, tuple[int, int]]:
    """Find the largest excess, and how probable it is.

    Args:
        configuration: of the search.
        fits: of the spectra.
        cuts: that were opened.
        scans: of these.
        progress: told the toys that are done, and their number.

    Returns:
        The excess; and the index of its mass, and that of its cut.

    Raises:
        SearchRefused: it is at the end of the range, or toys of the cuts cannot be fitted.
        StatisticsFailed: another program finds another significance.
    """
    number = max(range(len(scans)), key=lambda place: scans[place].z[scans[place].best])
    scan, cut = scans[number], cuts[number]
    best = scan.best
    if not scan.converged.any():
        raise SearchRefused("no fit of a signal comes to an end; take a range with more events")
    # Beyond a declared region lie bins that tell a rise at its end from a peak.
    if configuration.signal_region is None and best in (0, len(scan.masses) - 1) and scan.z[best] > 1:
        raise SearchRefused(
            f"the largest excess lies at the end of the scan, {scan.masses[best]:.4g}; take a wider range, or leave "
            "out where the spectrum begins"
        )
    z = float(scan.z[best])
    check = _check(fits, cut, best, z)
    thrown = tuple(Cut(cut.fit.expected, cut.spectrum.used, cut.sidebands.used, cut.choice) for cut in cuts)
    seed = seed_for(configuration, TOYS)
    toys = throw_toys(
        ToySource(fits.edges, fits.family, fits.shape, fits.masses, thrown, seed), configuration, progress
    )
    failed = float((toys.failed > 0).mean())
    if failed > MOST_FAILED:
        raise SearchRefused(f"a fit of {failed:.1%} of the toys does not come to an end; take a range with more events")
    if toys.refused.all():
        raise SearchRefused("in all toys no function describes the spectrum; take another family or range")
    assert cut.choice.order is not None
    here = local_p(fits, cut.choice, cut.expectation, mass=best, z=z, seed=seed_for(configuration, LOCAL))
    everywhere = global_p(
        toys,
        z,
        len(cuts),
        freedom(fits, cut.choice.order, cut.fit.expected, best),
        local=here.p,
        asymptotic=all(_is_asymptotic(fits, each, found) for each, found in zip(cuts, scans, strict=True)),
    )
    largest = Largest(
        mass=float(scan.masses[best]),
        cut=cut.events.fraction,
        z=z,
        signal=float(scan.signal[best]),
        signal_error=float(scan.signal_error[best]),
        local_p=here.p,
        local_by=here.by,
        local_toys=here.toys,
        local_above=here.above,
        global_p=everywhere.p,
        global_z=z_of(everywhere.p),
        global_by=everywhere.by,
        toys=everywhere.toys,
        above=everywhere.above,
        refused_toys=int(toys.refused.sum()),
        toys_p=everywhere.toys_p,
        gross_vitells_p=everywhere.gross_vitells_p,
        trials=len(cuts) * int(scan.visible.sum()),
        check=check,
    )
    return largest, (best, number)


def _is_asymptotic(fits: SpectrumFits, cut: OpenedCut, scan: MassScan) -> bool:
    """Say whether enough events are expected at all masses for formulas."""
    return all(expected_near(fits, cut.expectation, int(i)) >= FEWEST_EVENTS for i in np.flatnonzero(scan.visible))


def _check(fits: SpectrumFits, cut: OpenedCut, mass: int, z: float) -> Checked:
    """Have another program find the significance of the largest excess."""
    from rdf.statistics.histfactory import cross_check

    by, order = "HistFactory", cut.choice.order
    assert order is not None
    centre = float(fits.masses[mass])
    near = expected_near(fits, cut.expectation, mass)
    if near < FEWEST_EVENTS or cut.fit.expected[cut.spectrum.used].min() < 1:
        return Checked(by=by, reason=f"{near:.3g} background events within two standard deviations, or a bin below 1")
    if len(cut.choice.spurious):
        # The other program has no error of a spurious signal: both go without.
        plain = fits.scan(cut.spectrum, order)
        z = float(plain.z[mass])
    found = cross_check(
        fits.templates(cut.spectrum, order, mass, False), fits.templates(cut.spectrum, order, mass, True)
    )
    difference = abs(found.z - z) / max(abs(z), 1.0)
    if difference > CLOSE:
        raise StatisticsFailed(
            f"{by} finds Z = {found.z:.3f} at {centre:.4g}, where the scan finds {z:.3f}; report this with search.json"
        )
    return Checked(by=by, z=found.z, difference=difference)
