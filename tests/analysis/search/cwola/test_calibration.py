"""Background-only sets and counts against numpy and scipy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2, pearsonr

from analysis.search.cwola.calibration import BackgroundOnly, calibrate
from models.weak_supervision.window import Window

WINDOW = Window(observable="mass", low=100, high=110, begin=90, end=120, cuts=[1.0, 0.25, 0.1])


def source(events: int, seed: int = 3) -> BackgroundOnly:
    """Return sets of features that are normal deviates, and of masses that fall linearly between 85 and 125."""
    random = np.random.default_rng(seed)
    edges = np.linspace(85, 125, 41)
    return BackgroundOnly(
        random.normal(0, 1, (events, 2)).astype(np.float32),
        np.arange(events) % 2,
        {"cwola_1": WINDOW},
        edges,
        np.linspace(150, 50, 40),
        seed,
    )


def test_masses_are_drawn_from_the_background_fit() -> None:
    """The masses of 50,000 events follow the expected counts in bins, and are even within a bin."""
    of = source(50_000)
    masses = of.masses(7)
    expected = of.expected / of.expected.sum() * 50_000
    counts, _ = np.histogram(masses, of.edges)
    assert chi2.sf(((counts - expected) ** 2 / expected).sum(), 39) > 0.001
    within = np.histogram(masses % 1, np.linspace(0, 1, 11))[0]
    assert chi2.sf(((within - 5000) ** 2 / 5000).sum(), 9) > 0.001
    # A feature of the data keeps nothing of the mass.
    assert pearsonr(masses, of.X[:, 0]).pvalue > 0.001


def test_a_set_follows_from_its_number_and_the_seed() -> None:
    of, again, other = source(600), source(600), source(600, 4)
    np.testing.assert_array_equal(of.masses(1), again.masses(1))
    assert not np.array_equal(of.masses(1), of.masses(2))
    assert not np.array_equal(of.masses(1), other.masses(1))
    np.testing.assert_array_equal(of.counts(1)["cwola_1"], again.counts(1)["cwola_1"])
    assert (of.sha256() == again.sha256(), of.sha256() == other.sha256()) == (True, False)


def test_any_seed_gives_trees() -> None:
    assert source(300, 2**32 - 1).counts(5)["cwola_1"].sum() > 0


def test_a_set_is_counted_in_the_window_alone() -> None:
    of = source(2000)
    masses = of.masses(4)
    plain, quarter, tenth = of.counts(4)["cwola_1"]
    assert plain.sum() == ((masses >= 90) & (masses < 120)).sum()
    # Events of the same score pass together or not at all, and a cut keeps no more than its fraction.
    assert 0.2 * plain.sum() < quarter.sum() <= 0.25 * plain.sum()
    assert 0.07 * plain.sum() < tenth.sum() <= 0.1 * plain.sum()


def test_sets_that_are_kept_are_those_that_would_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    of = source(400)
    first = calibrate(of, 2, 1, lambda *_: None, lambda _: None)
    (kept,) = tmp_path.rglob("*.jsonl")
    damaged = ("null", "[1]", '{"set": 2}', '{"set": 2, "counts": []}', '{"set": 2, "counts": {"cwola_1": [[1]]}}')
    kept.write_text("\n".join((kept.read_text(), *damaged, '{"set": 2, "counts": {"cwo')))  # an interrupted search
    again = calibrate(of, 3, 1, lambda *_: None, lambda _: None)
    for number in (0, 1):
        np.testing.assert_array_equal(first[number]["cwola_1"], again[number]["cwola_1"])
    for number in (1, 2):
        np.testing.assert_array_equal(again[number]["cwola_1"], of.counts(number)["cwola_1"])
