"""Data against simulation in one histogram: chi2 and ratio against numpy and scipy, and what toys of them are like."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from plotting.figures.stack import agreement_text
from plotting.results.histograms import Spectrum
from plotting.stack.comparison import LEAST, compare
from plotting.stack.processes import Process, Stack, scaled

Array = NDArray[np.float64]

EDGES = np.linspace(0, 10, 41)


def filled(values: Array, weights: Array | None = None) -> Spectrum:
    weights = np.ones(len(values)) if weights is None else weights
    sums, squares = (np.histogram(values, EDGES, weights=weights**power)[0].astype(float) for power in (1, 2))
    return Spectrum(EDGES, sums, squares, float(weights.sum() - sums.sum()), "x [GeV]")


def drawn(random: np.random.Generator, factor: float = 1.0) -> Stack:
    """Three processes of known shapes, one with weights of both signs, and data drawn from their sum.

    Args:
        random: of all draws.
        factor: by which the cross section of the largest is wrong in the simulation.
    """
    shapes = (lambda n: random.exponential(2, n), lambda n: random.normal(4, 1, n), lambda n: random.uniform(0, 10, n))
    events = (4_000, 900, 500)
    data = np.concatenate([shape(random.poisson(n)) for shape, n in zip(shapes, events, strict=True)])
    processes = []
    for i, (shape, n) in enumerate(zip(shapes, events, strict=True)):
        generated = random.poisson(12_000)  # as many as pass a selection of few
        signs = np.where(random.uniform(size=generated) < 0.1, -1.0, 1.0) if i == 1 else np.ones(generated)
        weights = signs * n / (12_000 * (0.8 if i == 1 else 1.0)) * (factor if i == 0 else 1.0)
        processes.append(Process(f"process {i}", filled(shape(generated), weights)))
    return Stack("x", filled(data), tuple(processes[::-1]), ())


def test_chi2_and_ratio_are_those_of_numpy_and_scipy() -> None:
    stack = drawn(np.random.default_rng(1))
    found = compare(stack)
    places = np.searchsorted(EDGES, found.edges)
    assert EDGES[places].tolist() == found.edges.tolist()
    assert (places[0], places[-1]) == (0, 40)
    data, simulated, variance = (
        np.array([contents[a:b].sum() for a, b in pairwise(places)])
        for contents in (
            stack.data.values,
            sum(process.spectrum.values for process in stack.processes),
            sum(process.spectrum.variances for process in stack.processes),
        )
    )
    assert (simulated >= LEAST).all()
    pulls = (data - simulated) / np.sqrt(simulated + variance)
    np.testing.assert_allclose(found.pulls, pulls, rtol=1e-12)
    assert found.chi2 == pytest.approx((pulls**2).sum(), rel=1e-12)
    assert found.ndf == len(data)
    assert found.probability == pytest.approx(stats.chi2.sf((pulls**2).sum(), len(data)), rel=1e-9)
    np.testing.assert_allclose(found.ratio, data / simulated, rtol=1e-12)
    np.testing.assert_allclose(found.ratio_errors, np.sqrt(data) / simulated, rtol=1e-12)
    np.testing.assert_allclose(found.simulation_errors, np.sqrt(variance) / simulated, rtol=1e-12)
    ratio = data.sum() / simulated.sum()
    assert found.scale == pytest.approx(ratio, rel=1e-12)
    error = ratio * np.sqrt(1 / data.sum() + variance.sum() / simulated.sum() ** 2)
    assert found.scale_error == pytest.approx(error, rel=1e-12)
    assert f"chi2/ndf = {found.chi2:.1f}/{found.ndf} (p = " in agreement_text(found)


def test_toys_agree_as_often_as_chi2_says_and_their_ratios_are_right_within_their_errors() -> None:
    random = np.random.default_rng(2)
    found = [compare(drawn(random)) for _ in range(150)]
    # Each is within three standard deviations of chi2, and their mean within as many of its own.
    assert np.mean([abs(toy.chi2 / toy.ndf - 1) <= 3 * np.sqrt(2 / toy.ndf) for toy in found]) > 0.98
    mean = np.mean([toy.chi2 / toy.ndf for toy in found])
    assert abs(mean - 1) < 3 * np.sqrt(2 / found[0].ndf / len(found))
    pulls = np.array([(toy.scale - 1) / toy.scale_error for toy in found])
    assert abs(pulls.mean()) < 3 / np.sqrt(len(pulls))
    assert pulls.std() == pytest.approx(1, abs=3 / np.sqrt(2 * len(pulls)))


def test_a_wrong_cross_section_is_seen() -> None:
    """That of the largest process is 20 % too large in the simulation: 5,400 events against 6,200."""
    found = compare(drawn(np.random.default_rng(3), factor=1.2))
    assert found.probability < 1e-6
    assert abs(found.scale - 5_400 / 6_200) < 2 * found.scale_error


def test_data_with_weights_have_errors_of_their_own() -> None:
    random = np.random.default_rng(4)
    stack = drawn(random)
    weights = random.uniform(0.5, 1.5, 5_000)
    data = filled(random.exponential(2, 5_000), weights)
    found = compare(Stack("x", data, stack.processes, ()))
    first = int(np.searchsorted(EDGES, found.edges[1]))
    simulated = sum(process.spectrum.values[:first].sum() for process in stack.processes)
    variance = sum(process.spectrum.variances[:first].sum() for process in stack.processes)
    pull = (data.values[:first].sum() - simulated) / np.sqrt(data.variances[:first].sum() + variance)
    assert found.pulls[0] == pytest.approx(pull, rel=1e-12)


def test_too_few_events_for_a_chi2() -> None:
    few = filled(np.array([1.0, 2.0, 3.0]))
    found = compare(Stack("x", few, (Process("process", scaled(few, 2.0)),), ()))
    assert (found.ndf, found.chi2, found.probability) == (0, 0, 1)
    assert found.scale == 0.5
    assert "too few events for a chi2" in agreement_text(found)
