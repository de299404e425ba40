"""Warnings of results that are not sane: each on counts that deserve it, and silent on such that do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats

from analysis.output.sanity import MASS, dropped_warnings, share_warnings, training_warnings
from models.collinearity import collinear
from plotting.results.histograms import chi2_probability, compare_shares
from plotting.results.record_tables import Counts, Cut, RecordedWarning
from rdf.schema.features import FEATURES

ROUND = np.full(20, 1000.0)


def kinds(warnings: Any) -> list[str]:
    return [warning.kind for warning in warnings]


@pytest.mark.parametrize("freedom", [1, 2, 3, 7, 28, 101])
@pytest.mark.parametrize("chi2", [0.0, 0.3, 1.6, 20.0, 150.0, 6161.3])
def test_probability_of_a_chi2_is_scipys(chi2: float, freedom: int) -> None:
    expected = scipy.stats.chi2.sf(chi2, freedom)
    assert chi2_probability(chi2, freedom) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_shares_are_compared_by_pearsons_chi2() -> None:
    events, flagged = np.array([500.0, 800.0, 1200.0]), np.array([30.0, 60.0, 40.0])
    test = compare_shares(events, flagged)
    assert test is not None
    table = np.stack([flagged, events - flagged])
    chi2, probability, freedom, _ = scipy.stats.chi2_contingency(table, correction=False)
    assert (test.chi2, test.freedom) == (pytest.approx(chi2), freedom)
    assert test.probability == pytest.approx(probability)
    assert (test.smallest, test.largest) == (pytest.approx(40 / 1200), pytest.approx(60 / 800))


def test_bins_with_few_events_go_to_their_neighbours() -> None:
    """5 % of 200 events are ten; what is left at the end belongs to the last bin."""
    events, flagged = [100.0, 100.0, 150.0, 50.0, 300.0, 20.0, 280.0], [5.0, 4.0, 9.0, 2.0, 14.0, 1.0, 15.0]
    test = compare_shares(events, flagged)
    joined = compare_shares([200.0, 200.0, 300.0, 300.0], [9.0, 11.0, 14.0, 16.0])
    assert test == joined
    assert compare_shares([150.0, 30.0], [5.0, 4.0]) is None
    assert compare_shares(ROUND, 0 * ROUND) is None
    assert compare_shares(ROUND, ROUND) is None


def test_a_share_that_depends_on_the_run_is_said() -> None:
    uneven = np.where(np.arange(20) == 7, 150.0, 50.0)
    (warning,) = share_warnings({"the run": (ROUND, uneven), "m4l": (ROUND, np.full(20, 50.0))})
    assert warning == RecordedWarning(
        kind="share",
        sentence="the flagged share depends on the run: 5.0% of the events in one bin are flagged, 15.0% in another "
        "(chi2 182.8 for 19)",
    )
    (sculpted,) = share_warnings({"the run": (ROUND, 0 * ROUND), "m4l": (ROUND, uneven)})
    assert sculpted.kind == "sculpting"
    assert sculpted.sentence.startswith("the score sculpts m4l: 5.0% of")


def test_neither_a_significant_nor_a_large_dependence_alone_is_said() -> None:
    many = 1e4 * ROUND
    slight = 0.05 * many * np.linspace(0.9, 1.1, 20)
    test = compare_shares(many, slight)
    assert test is not None
    assert test.probability < 1e-9
    assert test.largest < 1.5 * test.smallest
    few = np.where(np.arange(20) == 7, 102.0, 50.0)
    once = compare_shares(ROUND, few)
    assert once is not None
    assert once.largest > 1.5 * once.smallest
    checks = {f"x{i}": (ROUND, np.full(20, 50.0)) for i in range(9)}
    assert once.probability < 1e-4 < 10 * once.probability
    assert kinds(share_warnings({"y": (ROUND, few)})) == ["sculpting"]
    assert kinds(share_warnings({"y": (ROUND, few), "x": (many, slight), **checks})) == []


def test_the_runs_of_the_main_sample_do_not_differ() -> None:
    """Those of cms2010b, each with the events that an ensemble flagged."""
    events, flagged = [4102.0, 494.0, 4706.0, 12424.0], [189.0, 25.0, 205.0, 595.0]
    test = compare_shares(events, flagged)
    assert test is not None
    assert (round(test.chi2, 1), test.freedom) == (1.6, 3)
    assert kinds(share_warnings({"the run": (events, flagged)})) == []


@pytest.mark.parametrize(
    ("selected", "non_finite", "expected"),
    [
        (5000, {"mll": 5000}, []),
        (
            4999,
            {"MET": 3, "mll": 4900, "HT": 0},
            ["mll is the feature that is most often not finite, in 4,900"],
        ),
    ],
)
def test_most_events_dropped(selected: int, non_finite: dict[str, int], expected: list[str]) -> None:
    counts = Counts(expected=10_000, processed=10_000, selected=selected, normal=selected, anomalous=0)
    cutflow = (Cut(name="all", events=10_000), Cut(name="finite", events=selected))
    said = [warning.sentence for warning in dropped_warnings(counts, cutflow, non_finite)]
    assert said == [f"5,001 of 10,000 events are dropped, more than half: {reason}" for reason in expected]


def test_the_cut_that_drops_most_is_named() -> None:
    counts = Counts(expected=10_000, processed=10_000, selected=900, normal=900, anomalous=0)
    cutflow = tuple(
        Cut(name=name, events=events)
        for name, events in {"all": 10_000, "trigger": 9000, "window": 1000, "finite": 900}.items()
    )
    (warning,) = dropped_warnings(counts, cutflow, {"mll": 100})
    assert warning.sentence == "9,100 of 10,000 events are dropped, more than half: the cut window drops 8,000"


class Trained:
    """What models.json says of a training."""

    def __init__(self, events: int, dependent: str | None) -> None:
        self.training, self.collinear = self, dependent
        self.events = events


def test_few_training_events_and_dependent_features() -> None:
    assert kinds(training_warnings(Trained(1000, None))) == []  # type: ignore[arg-type]
    few, dependent = training_warnings(Trained(999, "MR, HT"))  # type: ignore[arg-type]
    assert few.sentence.startswith("the detectors were trained on 999 events, fewer than 1,000")
    assert dependent == RecordedWarning(kind="collinear", sentence="MR, HT")


@pytest.mark.parametrize(("noise", "index"), [(0.05, (10, 100)), (0.003, (100, 1000))])
def test_dependent_features_go_by_the_condition_number(noise: float, index: tuple[int, int]) -> None:
    random = np.random.default_rng(4)
    X = random.normal(size=(2000, 3))
    X[:, 2] = 300 + 5 * X[:, 0] + 5 * noise * random.normal(size=2000)
    low, high = index
    assert low**2 < np.linalg.cond(np.corrcoef(X.T)) < high**2
    said = collinear(("MR", "Rsq", "HT"), X.astype(np.float32))
    assert (said is None) == (high == 100)
    assert said is None or said.startswith("the features MR, HT are nearly linearly dependent")


def test_masses_are_known_by_their_titles() -> None:
    masses = {name for name, feature in FEATURES.items() if MASS.fullmatch(feature.title)}
    assert masses >= {"MR", "dijet_mass", "mll", "mz1", "m4l", "transverse_mass"}
    assert not masses & {"Rsq", "MET", "HT", "pt1", "pt_ll"}
    assert MASS.fullmatch("m_{l^{+}l^{-}}")
    assert not MASS.fullmatch("m_{1} - m_{2}")
