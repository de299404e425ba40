"""What a search refuses to state, each reason on an input made for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from analysis import find_anomalies, search_excess
from analysis.errors import SearchRefused
from analysis.search.configuration import SearchConfiguration
from analysis.search.events import CutEvents, SearchEvents
from analysis.search.procedure import search_spectra
from analysis.simulate import main as simulate
from plotting.errors import UnreadableResult
from plotting.report.page import write_report
from tests.conftest import draw_nothing

pytestmark = pytest.mark.compiler

Values = npt.NDArray[np.float64]


def falling(events: int, slope: float, seed: int = 1) -> Values:
    """Masses of an exponential spectrum from 300 GeV on."""
    values = 300 + np.random.default_rng(seed).exponential(slope, 2 * events)
    return values[values < 1200][:events]


def searched(values: Values, fractions: tuple[float, ...] = (1.0,), **options: Any) -> Any:
    """Search in these masses for a signal of 5 %; each cut keeps the first events."""
    given = {"range": (300, 1200), "resolution": 0.05, "family": "dijet", "sqrt_s": 7000, "toys": 200, "threads": 1}
    given |= {"run": "made up", "observable": "mass", "known_peak": True}
    cuts = tuple(
        CutEvents(fraction, "made up", np.arange(len(values)) < fraction * len(values)) for fraction in fractions
    )
    events = SearchEvents(values, np.ones(len(values), dtype=np.bool_), cuts)
    return search_spectra(SearchConfiguration(**{**given, **options}), events, None, None, lambda *_: None)


def with_peak(mass: float, events: int) -> Values:
    return np.concatenate([falling(20_000, 250), np.random.default_rng(2).normal(mass, 0.05 * mass, events)])


@pytest.mark.parametrize(
    ("values", "options", "reason"),
    [
        (with_peak(698, 250), {"signal_region": (700, 1000)}, "the largest excess lies at the end of the scan, 700; "),
        (falling(100, 120), {"parameters": (5, 6)}, "of the toys does not come to an end; take a range with more "),
        (
            falling(60, 120, 5),
            {"parameters": (3, 4)},
            "no function describes .* a spurious signal of 0.62 of its",
        ),
        (with_peak(1195, 400), {}, "no function describes the spectrum .* one parameter more describes .* better"),
        (falling(15, 250), {}, "15 events beside the region, fewer than 20"),
        (
            falling(20_000, 50),
            {"signal_region": (700, 1100)},
            "cut 1: [0-9] events in the sideband above the region, fewer than 20",
        ),
        (falling(20_000, 250)[falling(20_000, 250) > 400], {}, "the sample itself begins at "),
        (falling(20_000, 250)[falling(20_000, 250) < 900], {}, "the sample itself ends at "),
    ],
)
def test_spectra_without_a_statement(values: Values, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(SearchRefused, match=reason):
        searched(values, **options)


def test_a_cut_of_too_few_events_is_named_and_left_closed() -> None:
    outcome = searched(np.random.default_rng(3).permutation(falling(4000, 250)), (1.0, 0.004))
    first, second = outcome.cuts
    assert first.opened
    assert not second.opened
    assert second.reason == "16 events beside the region, fewer than 20"
    assert second.counts == second.masses == ()


@pytest.fixture(scope="module")
def weighted(apart: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over simulated events that have weights."""
    folder = tmp_path_factory.mktemp("weighted")
    assert simulate(["qcd", "--events", "3000", "--seed", "1", "-o", str(folder / "qcd.root")]) == 0
    produced = "cross_section: 3.1\nsum_of_weights: 3000\nluminosity: 0.7\n"
    (folder / "qcd.yaml").write_text(f"schema: cms_nanoaod\n{produced}files:\n  - path: qcd.root\n")
    with pytest.MonkeyPatch.context() as patch:
        draw_nothing(patch)
        find_anomalies(sample=folder / "qcd.yaml", detectors=["isolation_forest"], output=folder / "run")
    return folder / "run"


def test_weighted_events_are_refused(weighted: Path, tmp_path: Path) -> None:
    record = search_excess(
        run=weighted, observable="HT", range="200:800", resolution=0.1, unblind=True, output=tmp_path / "search"
    )
    assert record.status == "refused"
    assert record.reason is not None
    assert "the events of the run have weights" in record.reason


def test_a_search_of_another_run_is_not_reported(weighted: Path) -> None:
    """A run that was made anew by other means leaves a search that says nothing of it."""
    search_excess(run=weighted, observable="HT", range="200:800", resolution=0.1)
    text = (weighted / "search/search.json").read_text()
    write_report(weighted)
    of_run = text.partition('"run_json_sha256": "')[2][:64]
    (weighted / "search/search.json").write_text(text.replace(of_run, "0" * 64))
    with pytest.raises(UnreadableResult, match=r"search\.json was made from another run\.json; move .*search away"):
        write_report(weighted)
