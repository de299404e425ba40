"""What a search refuses to state, each reason on an input made for it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from analysis import find_anomalies, search_excess
from analysis.errors import ConfigurationError, SearchRefused
from analysis.search import tables
from analysis.search.configuration import SearchConfiguration
from analysis.search.events import CutEvents, SearchEvents
from analysis.search.procedure import search_spectra
from analysis.search.wording import claimed_quote
from analysis.simulate import main as simulate
from plotting.errors import UnreadableResult
from plotting.report.page import write_report
from tests.conftest import draw_nothing

pytestmark = pytest.mark.compiler

Values = npt.NDArray[np.float64]

GIVEN: dict[str, Any] = {"range": (300, 1200), "resolution": 0.05, "family": "dijet", "sqrt_s": 7000, "toys": 200}
GIVEN |= {"run": "made up", "observable": "mass", "known_peak": True, "threads": 1}


def falling(events: int, slope: float, seed: int = 1) -> Values:
    """Masses of an exponential spectrum from 300 GeV on."""
    values = 300 + np.random.default_rng(seed).exponential(slope, 2 * events)
    return values[values < 1200][:events]


def searched(values: Values, fractions: tuple[float, ...] = (1.0,), **options: Any) -> Any:
    """Search in these masses for a signal of 5 %; each cut keeps the first events."""
    cuts = tuple(
        CutEvents(fraction, "made up", np.arange(len(values)) < fraction * len(values)) for fraction in fractions
    )
    events = SearchEvents(values, np.ones(len(values), dtype=np.bool_), cuts)
    return search_spectra(SearchConfiguration(**{**GIVEN, **options}), events, None, None, lambda *_: None)


def with_peak(mass: float, events: int) -> Values:
    return np.concatenate([falling(20_000, 250), np.random.default_rng(2).normal(mass, 0.05 * mass, events)])


@pytest.mark.parametrize(
    ("values", "options", "reason"),
    [
        (with_peak(330, 300), {}, "the largest excess lies at the end of the scan, 330; take a wider range"),
        (with_peak(1090, 150), {}, "the largest excess lies at the end of the scan, 1082; take a wider range"),
        (
            falling(20_000, 250),
            {"mask": ((310, 690), (720, 1195))},
            "no mass .* half of a signal lies outside the masked",
        ),
        (falling(20_000, 250), {"mask": ((350, 710), (715, 1180))}, "10|[0-9] bins beside the region and the masked"),
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


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"range": (600, 620)}, "range: 600:620 is narrower than four widths of 0.05; take a wider one"),
        ({"range": (1, 10_000), "resolution": 0.0006}, "range: 1:10000 has more than 2,500 widths of 0.0006"),
    ],
)
def test_ranges_that_hold_no_search(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        searched(falling(200, 250), **options)


def test_a_region_may_have_its_largest_excess_at_its_end() -> None:
    outcome = searched(with_peak(698, 250), signal_region=(700, 1000), toys=20)
    assert outcome.largest.mass == 700


def test_a_deficit_everywhere_is_no_excess() -> None:
    """The largest significance of a narrow region may be negative, and all toys above it."""
    values = falling(20_000, 250)
    kept = values[(np.abs(values - 600) > 40) | (np.random.default_rng(4).uniform(size=len(values)) < 0.85)]
    outcome = searched(kept, signal_region=(575, 625), toys=20)
    assert outcome.largest.z < 0
    assert outcome.largest.global_p == pytest.approx(1, abs=0.2)
    assert outcome.largest.global_z is None or outcome.largest.global_z < 0.5
    record = SimpleNamespace(
        looked_before=False, blinded_sha256=None, blinded_events_sha256=None, configuration_sha256="", inputs=None
    )
    said = claimed_quote(SearchConfiguration(**GIVEN), outcome, record)
    assert said.startswith("There is no excess. The smallest deficit in mass")


def test_few_events_have_no_extrapolated_probability(monkeypatch: pytest.MonkeyPatch) -> None:
    """Toys alone tell a probability there, and the global one is not below the local one; limits are not looked at."""
    monkeypatch.setattr(tables, "LIMIT_TOYS", 20)
    few = np.concatenate([falling(300, 60), np.full(5, 900.0)])
    outcome = searched(few, toys=40, parameters=(3, 4))
    largest = outcome.largest
    assert largest.mass == pytest.approx(900, rel=0.03)
    assert largest.z > 3
    assert largest.global_by == largest.local_by == "toys"
    assert largest.gross_vitells_p is None
    assert largest.global_p >= max(largest.local_p, 1 / (1 + largest.toys))


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
