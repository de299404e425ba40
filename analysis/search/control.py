"""A control: events without the signal, on which the cuts of a search must not make a peak."""

from __future__ import annotations

import numpy as np

from analysis.errors import ConfigurationError
from analysis.search.configuration import SearchConfiguration
from analysis.search.events import CutEvents, SearchEvents, read_events
from plotting.results.opened import RunResults, open_results
from plotting.results.search.record import PassingBump
from rdf.statistics.fits import SpectrumFits

LARGEST_BUMP = 3.0
"""Significance of a bump of the passing fraction in a control, above which a cut is not opened."""

REACH = 6.0
"""Distance from a mass to which bins are looked at, in standard deviations of a signal."""

FEWEST_BINS = 6


def read_control(searched: RunResults, configuration: SearchConfiguration) -> SearchEvents | None:
    """Read the events of the control; None where none is declared.

    Args:
        searched: run that is searched.
        configuration: of the search.

    Raises:
        ConfigurationError: the control was scored by other models than the run.
    """
    if configuration.control is None:
        return None
    control = open_results(configuration.control)
    if not isinstance(control, RunResults):
        raise ConfigurationError(f"--control {configuration.control} holds an evaluation; name the folder of a run")
    if control.record.models_sha256 != searched.record.models_sha256:
        raise ConfigurationError(
            f"--control {configuration.control} was scored by other models than {configuration.run}; repeat it with "
            f"--models {configuration.run / 'models'}"
        )
    return read_events(control, configuration)


def passing_bump(events: SearchEvents, cut: CutEvents, fits: SpectrumFits) -> PassingBump:
    """Return the most significant bump of the fraction of events that pass a cut.

    At each mass the fractions of the bins around it are fitted by a parabola and a Gaussian of the signal's width, by
    least squares with binomial errors.

    Args:
        events: of the control.
        cut: the same cut on these.
        fits: with the bins, and with the masses and the width of a signal.
    """
    edges, resolution = fits.edges, fits.shape.resolution
    places = np.clip(np.searchsorted(edges, events.values, side="right") - 1, 0, len(edges) - 2)
    all_events = np.bincount(places, minlength=len(edges) - 1).astype(np.float64)
    passed = np.bincount(places[cut.passed], minlength=len(edges) - 1).astype(np.float64)
    centres = np.sqrt(edges[1:] * edges[:-1])
    best = PassingBump(mass=float(fits.masses[0]), z=0.0)
    for mass in fits.masses:
        x = np.log(centres / mass) / resolution
        near = (np.abs(x) < REACH) & (all_events > 0)
        share = passed[near].sum() / max(all_events[near].sum(), 1)
        if near.sum() < FEWEST_BINS or not 0 < share < 1:
            continue
        x = x[near]
        terms = np.stack([np.exp(-(x**2) / 2), np.ones_like(x), x, x**2])
        weighted = terms * (all_events[near] / (share * (1 - share)))
        covariance = np.linalg.pinv(weighted @ terms.T)
        height = float((covariance @ (weighted @ (passed[near] / all_events[near])))[0])
        z = height / float(np.sqrt(covariance[0, 0]))
        if z > best.z:
            best = PassingBump(mass=float(mass), z=z)
    return best
