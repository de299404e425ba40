"""Searches in the plane of real events: the counts of the file, what is blinded, refused and left for others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyhf
import pytest
from scipy.stats import spearmanr

from analysis import find_anomalies, open_results, search_excess, search_plane
from analysis.errors import ConfigurationError, OutputFolderError, SearchRefused
from analysis.search.__main__ import find_method, main
from analysis.search.abcd import program
from analysis.search.abcd.configuration import AbcdConfiguration
from analysis.search.abcd.events import PlaneEvents, find_axes, read_plane
from analysis.search.abcd.procedure import search_regions
from plotting.report.page import write_report
from plotting.results.opened import RunResults
from plotting.results.record_tables import Weights
from plotting.results.search.abcd import AbcdRecord
from plotting.results.search.formats import read_search_record

pytestmark = pytest.mark.compiler

PLANE: dict[str, Any] = {"axes": "MR,MET_over_sqrt_HT", "toys": 1000}
QUANTILES = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
PULLS = (-0.94, -0.29, -1.22, -0.76, -0.59, -0.13)
"""Pulls of A in the file by numpy, at these quantiles of both axes."""


@pytest.fixture(scope="module")
def run(apart: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "cms"
    find_anomalies(
        sample="cms2010b",
        features="MR,Rsq,MET_over_sqrt_HT",
        detectors=["isolation_forest"],
        train_events=1000,
        folds=2,
        output=folder,
    )
    return folder


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "draw_search", lambda *_: [])


@pytest.fixture(scope="module")
def opened(run: Path) -> Iterator[tuple[Path, AbcdRecord]]:
    """An unblinded search, after one that was blinded."""
    output = run.parent / "opened"
    given = {**PLANE, "cuts": [1 - quantile for quantile in QUANTILES]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "draw_search", lambda *_: [])
        assert search_plane(run=run, output=output, **given).status == "blinded"
        yield output, search_plane(run=run, output=output, unblind=True, **given)


@pytest.fixture(scope="module")
def columns(opendata: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """MR and MET over the root of HT, from the published file."""
    table = np.genfromtxt(opendata / "cms2010b/MultiJetRun2010B.csv", delimiter=",", names=True)
    return table["MR"], table["MET"] / np.sqrt(table["HT"])


def test_counts_are_those_of_the_file(
    opened: tuple[Path, AbcdRecord], columns: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
) -> None:
    first, second = columns
    folder, record = opened
    assert record == read_search_record(folder / "search.json")
    assert record.events == len(first) == 21_726
    for cut, quantile, pull in zip(record.cuts, QUANTILES, PULLS, strict=True):
        right, above = first > np.quantile(first, quantile), second > np.quantile(second, quantile)
        a, b, c, d = (int(each.sum()) for each in (right & above, right & ~above, ~right & above, ~right & ~above))
        # The file rounds MR to 0.001 GeV, which makes two events at the median equal; here MR is that of the megajets.
        assert (cut.a, cut.b, cut.c, cut.d) == pytest.approx((a, b, c, d), abs=1 if quantile == 0.5 else 0)
        assert cut.expected == pytest.approx(b * c / d, abs=2.1 if quantile == 0.5 else 1e-9)
        assert cut.pull == pytest.approx(pull, abs=0.02)
    assert (record.cuts[2].a, record.cuts[3].a) == (201, 49)
    assert record.largest is not None
    assert record.largest.z == max(cut.z or -9 for cut in record.cuts)
    assert record.largest.global_p > 0.05


def test_what_is_said(opened: tuple[Path, AbcdRecord], run: Path, tmp_path: Path) -> None:
    _, record = opened
    assert "There is no excess." in record.quote
    assert "6 declared cuts, which are nested," in record.quote
    assert "A blinded search had declared it before." in record.quote
    assert "no other one is said to have been looked at" in record.quote
    other = search_plane(run=run, output=tmp_path / "search", pairs_tried=5, unblind=True, **PLANE)
    assert "one of 5 that were looked at, for which no probability is corrected" in other.quote
    assert "No blinded search had declared it before." in other.quote


def test_the_likelihood_is_pyhfs(opened: tuple[Path, AbcdRecord]) -> None:
    folder, record = opened
    assert record.largest is not None
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-4))
    workspace = pyhf.Workspace(json.loads((folder / "exports/pyhf.json").read_text()))
    model = workspace.model()
    data = workspace.data(model)
    bounds = model.config.suggested_bounds()
    bounds[model.config.poi_index] = (-1000, 1000)
    null = pyhf.infer.mle.fixed_poi_fit(0.0, data, model, return_fitted_val=True)[1]
    best = pyhf.infer.mle.fit(data, model, par_bounds=bounds, return_fitted_val=True)[1]
    assert abs(record.largest.z) == pytest.approx(np.sqrt(null - best), rel=5e-3)


def test_an_opened_search_is_not_replaced(opened: tuple[Path, AbcdRecord], run: Path) -> None:
    folder, _ = opened
    with pytest.raises(OutputFolderError, match="holds a search whose data were looked at"):
        search_plane(run=run, output=folder, **PLANE)
    spectrum = {"observable": "MR", "range": "300:900", "resolution": 0.1, "toys": 20}
    with pytest.raises(OutputFolderError, match="holds a search whose data were looked at"):
        search_excess(run=run, output=folder, **spectrum)


def test_the_same_seed_gives_the_same_file(run: Path, tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        search_plane(run=run, output=tmp_path / name, **PLANE)
        table = json.loads((tmp_path / name / "search.json").read_text())
        assert list(table)[-1] == "timings"
        del table["timings"]
        texts.append(json.dumps(table))
    assert texts[0] == texts[1]
    assert '"a":' not in texts[0]
    assert not (tmp_path / "one/exports").exists()


def test_correlated_axes_are_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "search"
    with pytest.raises(SearchRefused, match=r"no statement: the axes are correlated: Spearman's -0\.50"):
        main(["--method", "abcd", "--run", str(run), "--axes", "MR,Rsq", "--unblind", "--output", str(output)])
    record = read_search_record(output / "search.json")
    assert record.status == "refused"
    text = (output / "search.json").read_text()
    assert not any(name in text for name in ("local_p", "global_p", '"probability"', '"z"'))


def test_a_blinded_search_is_in_the_report(run: Path, tmp_path: Path) -> None:
    main(["--method", "abcd", "--run", str(run), "--axes", "MR,MET_over_sqrt_HT", "--cuts", "0.1"])
    page = write_report(run).path.read_text()
    assert "Search for an excess" in page
    assert "Blinded: in the plane of MR and MET_over_sqrt_HT the events beside the loosest cut alone" in page


def test_the_method_is_found_where_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "plane.yaml").write_text("method: abcd\naxes: [MR, Rsq]\n")
    assert find_method([]) == "spectrum"
    assert find_method(["--help", "--method=abcd"]) == "abcd"
    assert find_method(["--config", str(tmp_path / "plane.yaml")]) == "abcd"
    assert find_method(["--config", str(tmp_path / "plane.yaml"), "--method", "scores"]) == "scores"
    with pytest.raises(ConfigurationError, match="--method abc: there is none of this name; did you mean abcd"):
        find_method(["--method", "abc"])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"axes": "MR"}, "--axes: MR is not two columns; give two"),
        ({"axes": "MR,MR"}, "MR is named twice"),
        ({"axes": "MR,Rsqq"}, "axis Rsqq: the run has no such column; did you mean Rsq"),
        ({"axes": "MR,score_mlp"}, "axis score_mlp: the run has no such column"),
        ({"cuts": "0.6,0.1"}, "0.6 of the events leaves too few below it"),
        ({"cuts": "0.0001"}, "a cut keeps a fraction from 0.001 to 1"),
        (
            {"scan_axes": "MR,Rsq"},
            "give one of them: two columns by --axes, or columns to be tested in pairs by --scan-axes",
        ),
        ({"axes": None, "scan_axes": "MR,Rsq,MR"}, "give two columns or more, each once"),
        ({"axes": None, "scan_axes": "MR,Rsq", "unblind": True}, "nothing is opened; leave --unblind out"),
        ({"range": "1:2"}, "unknown option 'range'"),
    ],
)
def test_wrong_options(run: Path, options: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        search_plane(run=run, output=tmp_path / "search", **{**PLANE, **options})


def _read(results: RunResults, axes: tuple[str, str]) -> PlaneEvents:
    return read_plane(results, find_axes(results, axes))


def test_a_signal_that_is_moved_into_real_events_is_found(run: Path) -> None:
    """Real events of the plane once more, moved above both cuts: as many as five standard deviations."""
    results = open_results(run)
    assert isinstance(results, RunResults)
    asked: dict[str, Any] = {"run": run, "axes": ("MR", "MET_over_sqrt_HT"), "unblind": True, "toys": 5000}
    configuration, events = AbcdConfiguration(**asked), _read(results, ("MR", "MET_over_sqrt_HT"))
    before = search_regions(configuration, events, lambda *_: None).cuts[0]
    number = round(5 * np.hypot(np.sqrt(before.expected or 0), before.expected_error or 0))
    copied = np.random.default_rng(1).integers(0, len(events.first), number)
    together = replace(
        events,
        first=np.concatenate([events.first, before.first + events.first[copied]]),
        second=np.concatenate([events.second, before.second + events.second[copied]]),
    )
    outcome = search_regions(configuration, together, lambda *_: None)
    cut, largest = outcome.cuts[0], outcome.largest
    assert cut.signal is not None
    assert cut.signal_error is not None
    assert largest is not None
    # Without it 20 events less than expected lie in A, which is one standard deviation.
    assert cut.signal == pytest.approx(number + (before.signal or 0), abs=cut.signal_error)
    assert cut.signal == pytest.approx(number, abs=2 * cut.signal_error)
    assert largest.z > 3
    assert largest.global_p < 1e-3


def test_axes_that_cannot_be_independent_are_refused(run: Path) -> None:
    results = open_results(run)
    assert isinstance(results, RunResults)
    two = replace(
        results.record, detectors={**results.record.detectors, "hbos": results.record.detectors["isolation_forest"]}
    )
    with pytest.raises(SearchRefused, match="are of detectors that learned from the same features"):
        _read(RunResults(run, two), ("score_hbos", "score_isolation_forest"))
    unfolded = replace(results.record, training=replace(results.record.training, folds=0))
    with pytest.raises(SearchRefused, match=r"the detector of score_isolation_forest was trained on .* --folds 2"):
        _read(RunResults(run, unfolded), ("MR", "score_isolation_forest"))
    weighted = replace(results.record, weights=cast(Weights, "made up"))
    with pytest.raises(SearchRefused, match=r"the events of the run have weights, .* repeat it with --weights false"):
        _read(RunResults(run, weighted), ("MR", "Rsq"))
    scored = _read(results, ("MR", "score_isolation_forest"))
    assert scored.axes[1].column == "rank_isolation_forest"
    assert 0 <= scored.second.min() < scored.second.max() <= 1


def test_pairs_of_axes_are_scanned_beside_their_cuts(
    run: Path, tmp_path: Path, columns: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
) -> None:
    given = {"scan_axes": "MR,Rsq,MET_over_sqrt_HT", "cuts": "0.1"}
    record = search_plane(run=run, output=tmp_path / "search", **given)
    assert record == read_search_record(tmp_path / "search/search.json")
    assert (record.status, record.largest, record.cuts, record.axes) == ("blinded", None, (), ())
    pairs = {pair.axes: pair for pair in record.pairs}
    assert list(pairs) == [("MR", "Rsq"), ("MR", "MET_over_sqrt_HT"), ("Rsq", "MET_over_sqrt_HT")]
    assert "the prediction holds for MR and MET_over_sqrt_HT. A search in one of them is to say --pairs-tried 3." in (
        record.quote
    )
    assert pairs["MR", "Rsq"].reason is not None
    assert "the axes are correlated" in pairs["MR", "Rsq"].reason
    closes = pairs["MR", "MET_over_sqrt_HT"]
    assert closes.reason is None
    assert closes.closure is not None
    first, second = columns
    for place, kept in enumerate((first <= np.quantile(first, 0.9), second <= np.quantile(second, 0.9))):
        expected = spearmanr(first[kept], second[kept]).statistic
        assert closes.closure.correlations[place].value == pytest.approx(expected, abs=1e-3)


def test_events_without_a_value_are_refused(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = open_results(run)
    assert isinstance(results, RunResults)
    arrays = {"MR": np.array([1.0, np.nan, np.inf], dtype=np.float32), "Rsq": np.ones(3, dtype=np.float32)}
    monkeypatch.setattr(RunResults, "events", lambda *_: arrays)
    with pytest.raises(SearchRefused, match="2 of 3 events have no MR; select the events that have one"):
        _read(results, ("MR", "Rsq"))
