"""Searches for a signal whose shape, efficiency and systematic errors are those of a simulated one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import uproot

from analysis import find_anomalies, search_excess
from analysis.errors import ConfigurationError, DataError
from analysis.search import program, signal
from analysis.search.configuration import SearchConfiguration
from analysis.search.signal import effect_of, find_signal, read_signal
from analysis.search.wording import variation_words
from plotting.report.page import write_report
from plotting.results.opened import RunResults, open_results
from plotting.results.record_tables import Weights
from plotting.results.search.formats import read_search_record
from plotting.results.search.record import SearchRecord
from tests.analysis.search.dimuons import write_dimuons
from tests.conftest import draw_nothing

pytestmark = pytest.mark.compiler

Numbers = npt.NDArray[np.float64]

MASS, SIGMA = 100.0, 3.0
SCALE = 0.01
"""Of the muons' momenta, and so of the masses of pairs."""

GIVEN = {"observable": "mll", "range": "70:140", "signal_region": "88:112", "toys": 60, "threads": 1}


def signal_masses() -> Numbers:
    """A peak, and one event in five that lies out of the range."""
    random = np.random.default_rng(1)
    return np.concatenate([random.normal(MASS, SIGMA, 4000), random.uniform(150, 170, 1000)])


def data_masses() -> Numbers:
    random = np.random.default_rng(2)
    falling = 60 + random.exponential(25, 30_000)
    return np.concatenate([falling[falling < 180], random.normal(MASS, SIGMA, 400)])


@pytest.fixture(scope="module")
def runs(apart: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Data, simulated signal with a varied scale, the same scored as the data are, and a mixture with labels."""
    folder = tmp_path_factory.mktemp("runs")
    masses = data_masses()
    labels = np.concatenate([np.zeros(len(masses) - 400), np.ones(400)])
    samples = {
        "data": write_dimuons(folder, "data", masses),
        "signal": write_dimuons(folder, "signal", signal_masses(), simulated=True),
        "mixture": write_dimuons(folder, "mixture", masses, simulated=True, labels=labels),
    }
    asked: dict[str, dict[str, Any]] = {"data": {"folds": 2}, "signal": {"vary": {"lepton": SCALE}}, "mixture": {}}
    with pytest.MonkeyPatch.context() as patch:
        draw_nothing(patch)
        for name, sample in samples.items():
            options = {"features": "mll,lepton1_pt", "detectors": ["isolation_forest"], "train_events": 500}
            find_anomalies(sample=sample, output=folder / "run" / name, **options, **asked[name])
        models = folder / "run/data/models"
        find_anomalies(sample=samples["signal"], models=models, output=folder / "run/scored")
    return {name: folder / "run" / name for name in (*samples, "scored")}


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "draw_search", lambda *_: [])


@pytest.fixture(scope="module")
def blinded(runs: dict[str, Path]) -> SearchRecord:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "draw_search", lambda *_: [])
        return search_excess(run=runs["data"], signal=runs["signal"], **GIVEN)


@pytest.fixture(scope="module")
def claimed(runs: dict[str, Path], blinded: SearchRecord) -> SearchRecord:
    assert blinded.status == "blinded"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "draw_search", lambda *_: [])
        return search_excess(run=runs["data"], signal=runs["signal"], unblind=True, **GIVEN)


def test_the_shape_is_that_of_the_simulated_events(claimed: SearchRecord) -> None:
    found, masses = claimed.signal, signal_masses()
    masses = masses[(masses >= 70) & (masses < 140)]
    assert found is not None
    assert found.tails is None
    assert found.events == len(masses)
    assert found.mass == pytest.approx(masses.mean(), abs=0.1 * SIGMA / np.sqrt(len(masses)))
    assert found.resolution * found.mass == pytest.approx(masses.std(), rel=0.005)
    assert found.mass_error == pytest.approx(SIGMA / np.sqrt(len(masses)), rel=0.05)
    edges = np.array(claimed.edges)
    assert np.log(edges[1:] / edges[:-1]).max() <= found.resolution / 2 + 1e-9


def test_a_varied_scale_moves_peak_and_width(claimed: SearchRecord) -> None:
    """All masses are multiplied by 1.01 or 0.99, and so are peak and width; no event enters or leaves the range."""
    assert claimed.signal is not None
    (varied,) = claimed.signal.variations
    assert (varied.name, varied.size) == ("lepton", SCALE)
    effects = {effect.what: effect for effect in varied.effects}
    in_widths = SCALE / claimed.signal.resolution
    assert effects["peak"].size == pytest.approx(in_widths, rel=0.02)
    assert effects["peak"].up == pytest.approx(in_widths, rel=0.02)
    assert effects["peak"].down == pytest.approx(-in_widths, rel=0.02)
    assert effects["width"].size == pytest.approx(SCALE, abs=0.003)
    assert effects["yield"].pruned
    assert not any(effects[what].pruned for what in ("peak", "width"))
    assert "below 0.5 %: lepton yield" in variation_words(claimed.signal)


def test_the_efficiency_is_the_fraction_that_passes(claimed: SearchRecord) -> None:
    (cut,) = claimed.cuts
    found = cut.efficiency
    assert found is not None
    masses = signal_masses()
    passed = ((masses >= 70) & (masses < 140)).sum()
    assert (found.passed, found.of, found.relative_to) == (passed, 5000, "read")
    assert found.value == passed / 5000
    assert found.error == pytest.approx(np.sqrt(0.8 * 0.2 / 5000), rel=1e-3)
    assert cut.produced is not None
    nearest = min(cut.limits, key=lambda limit: abs(limit.mass - MASS))
    assert nearest.observed is not None
    assert cut.produced.mass == nearest.mass
    assert cut.produced.observed == pytest.approx(nearest.observed * 5000 / passed, rel=1e-4)
    assert cut.produced.expected == pytest.approx(nearest.expected[2] * 5000 / passed, rel=1e-4)
    assert f"With its efficiency of {passed / 5000:.3g}" in claimed.quote


def test_what_is_claimed_agrees_with_histfactory(claimed: SearchRecord, runs: dict[str, Path]) -> None:
    largest = claimed.largest
    assert largest is not None
    assert largest.mass == pytest.approx(MASS, abs=SIGMA)
    assert largest.check.z == pytest.approx(largest.z, rel=3e-3)
    assert [row.factor for row in claimed.width_scan] == [0.5, 1.5]
    for row in claimed.width_scan:
        assert row.z is not None
        assert 0.7 * largest.z < row.z < largest.z  # by a factor of two in width 12 to 16 per cent of Z are lost
    workspace = json.loads((runs["data"] / "search/exports/pyhf.json").read_text())
    modifiers = [(each["type"], each["name"]) for each in workspace["channels"][0]["samples"][0]["modifiers"]]
    assert modifiers == [("normfactor", "signal_events"), ("histosys", "lepton")]
    assert read_search_record(runs["data"] / "search/search.json") == claimed


def test_errors_of_a_signal_make_limits_worse(
    claimed: SearchRecord, blinded: SearchRecord, runs: dict[str, Path], tmp_path: Path
) -> None:
    (cut,), found = claimed.cuts, claimed.signal
    assert found is not None
    given = {**GIVEN, "resolution": found.resolution, "unblind": True}
    without = search_excess(run=runs["data"], output=tmp_path / "search", **given)
    assert without.signal is None
    for with_errors, plain in zip(cut.limits, without.cuts[0].limits, strict=True):
        assert with_errors.mass == plain.mass
        assert with_errors.expected[2] > plain.expected[2]
    assert blinded.signal == found
    assert blinded.width_scan == ()
    assert blinded.cuts[0].produced is not None
    assert blinded.cuts[0].produced.observed is None


def test_the_report_shows_the_signal(claimed: SearchRecord, runs: dict[str, Path]) -> None:
    assert claimed.signal is not None
    write_report(runs["data"])
    text = (runs["data"] / "report.html").read_text()
    assert "Pairs of signal" in text
    assert "peak, in widths" in text
    assert "pruned" in text


def configuration(runs: dict[str, Path], of: str, **more: Any) -> SearchConfiguration:
    given = {"run": runs["data"], "signal": runs[of], "observable": "mll", "range": (70, 140)}
    return SearchConfiguration(**{**given, **more})


def test_of_a_run_with_labels_the_signal_alone_counts(runs: dict[str, Path]) -> None:
    asked = configuration(runs, "mixture")
    source = read_signal(open_results(runs["data"]), asked)
    assert source is not None
    np.testing.assert_allclose(np.sort(source.events.values), np.sort(data_masses()[-400:]), rtol=1e-6)
    found = find_signal(source, asked)
    assert found.shape.resolution == pytest.approx(SIGMA / MASS, rel=0.15)
    (efficiency,) = found.efficiencies
    assert (efficiency.passed, efficiency.of, efficiency.relative_to) == (400, 400, "selected")


def test_a_cut_on_scores_keeps_what_the_same_models_rank_high(runs: dict[str, Path]) -> None:
    asked = configuration(runs, "scored", method="scores", detector="isolation_forest", cuts=(1, 0.3))
    source = read_signal(open_results(runs["data"]), asked)
    assert source is not None
    everything, selected = find_signal(source, asked).efficiencies
    with uproot.open(runs["scored"] / "events.root") as file:
        columns = file["events"].arrays(["mll", "rank_isolation_forest"], library="np")
    inside = (columns["mll"] >= 70) & (columns["mll"] < 140)
    passed = (inside & (columns["rank_isolation_forest"] >= 1 - 0.3)).sum()
    assert 0 < passed < inside.sum()
    assert everything.passed == inside.sum()
    assert (selected.passed, selected.of, selected.value) == (passed, 5000, passed / 5000)


class Weighted(RunResults):
    """Results whose events weigh what their mass says."""

    def events(self, *columns: str) -> dict[str, npt.NDArray[Any]]:
        found = super().events(*(name for name in (*columns, "mll") if name != "weight"))
        return {**found, "weight": found["mll"] / 100}


def test_weights_count(runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    plain = open_results(runs["signal"])
    assert isinstance(plain, RunResults)
    weights = Weights(expression="genWeight", per_event=None, factor=1.0, luminosity=None, sum_of_weights=None)
    first, *others = plain.record.cutflow
    cutflow = (replace(first, weighted=6000.0, negative=0), *others)
    doctored = Weighted(plain.folder, replace(plain.record, weights=weights, cutflow=cutflow, variations={}))
    monkeypatch.setattr(signal, "open_results", lambda _: doctored)
    asked = configuration(runs, "signal")
    source = read_signal(open_results(runs["data"]), asked)
    assert source is not None
    (efficiency,) = find_signal(source, asked).efficiencies
    masses = signal_masses()
    masses = masses[(masses >= 70) & (masses < 140)]
    assert efficiency.passed == pytest.approx(masses.sum() / 100, rel=1e-5)
    assert efficiency.of == 6000
    assert efficiency.value == pytest.approx(masses.sum() / 100 / 6000, rel=1e-5)
    weighted_mean = np.average(masses, weights=masses)
    assert find_signal(source, asked).record.mass == pytest.approx(weighted_mean, abs=0.01)


def test_the_histograms_of_variations_are_those_that_are_compared(runs: dict[str, Path]) -> None:
    with uproot.open(runs["signal"] / "histograms.root") as file:
        names = ("features/mll", "variations/lepton_up/features/mll", "variations/lepton_down/features/mll")
        nominal, up, down = (file[name].values() for name in names)
        edges = file["features/mll"].axis().edges()
    # A range that ends within the peak: events leave it as the scale rises.
    asked = configuration(runs, "signal", range=(70, 112))
    inside = (edges[:-1] + edges[1:] > 140) & (edges[:-1] + edges[1:] < 224)
    source = read_signal(open_results(runs["data"]), asked)
    assert source is not None
    (varied,) = find_signal(source, asked).record.variations
    effect = next(effect for effect in varied.effects if effect.what == "yield")
    assert effect.up == pytest.approx(up[inside].sum() / nominal[inside].sum() - 1, abs=1e-9)
    assert effect.down == pytest.approx(down[inside].sum() / nominal[inside].sum() - 1, abs=1e-9)


@pytest.mark.parametrize(
    ("what", "up", "down", "size", "one_sided", "pruned"),
    [
        ("yield", 0.1, -0.1, (np.log(1.1) - np.log(0.9)) / 2, False, False),
        ("yield", 0.004, -0.005, (np.log(1.004) - np.log(0.995)) / 2, False, True),
        ("peak", 0.3, -0.1, 0.2, False, False),
        ("peak", 0.3, 0.1, 0.3, True, False),
        ("width", 0.1, 0.3, -0.3, True, False),
        ("width", -0.2, -0.1, -0.2, True, False),
        ("width", 0.0, 0.02, -0.02, True, False),
        ("width", 0.0, 0.0, 0.0, False, True),
    ],
)
def test_effects_are_the_same_in_both_directions(
    what: Any, up: float, down: float, size: float, one_sided: bool, pruned: bool
) -> None:
    found = effect_of(what, up, down)
    assert found.size == pytest.approx(size)
    assert (found.one_sided, found.pruned) == (one_sided, pruned)


Doctor = Callable[[RunResults], RunResults]


def doctored(**changes: Any) -> Doctor:
    return lambda results: replace(results, record=replace(results.record, **changes))


@pytest.mark.parametrize(
    ("of", "options", "doctor", "reason"),
    [
        ("data", {}, doctored(), "its events are data without labels; name a run over simulated signal"),
        ("mixture", {"range": (1000, 2000)}, doctored(), "none of .* events has such a mll"),
        ("mixture", {"observable": "pt_ll"}, doctored(), "signal .*: --observable pt_ll: the run has no such column"),
        (
            "signal",
            {"method": "scores", "detector": "ensemble", "cuts": (0.5,)},
            doctored(),
            "was scored by other models than .*; repeat it with --models",
        ),
        ("signal", {}, doctored(define={"mll": {"expression": "1"}}), "its mll is defined otherwise than in"),
    ],
)
def test_runs_that_are_no_signal_are_refused(
    of: str,
    options: dict[str, Any],
    doctor: Doctor,
    reason: str,
    runs: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results = open_results(runs[of])
    assert isinstance(results, RunResults)
    monkeypatch.setattr(signal, "open_results", lambda _: doctor(results))
    searched = open_results(runs["data"])
    assert isinstance(searched, RunResults)
    with pytest.raises((ConfigurationError, DataError), match=reason):
        read_signal(searched, configuration(runs, of, **options))


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("COARSEST", "the bins of its mll are too wide to show what lepton does to a width of 3"),
        ("FARTHEST", "lepton moves the peak by 0.33 of its width, too far to interpolate; vary less"),
    ],
)
def test_what_variations_cannot_say_is_refused(
    limit: str, reason: str, runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, limit, 0.1)
    asked = configuration(runs, "signal")
    source = read_signal(open_results(runs["data"]), asked)
    assert source is not None
    with pytest.raises(ConfigurationError, match=reason):
        find_signal(source, asked)


def test_variations_with_background_are_refused(runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    mixture, varied = open_results(runs["mixture"]), open_results(runs["signal"])
    assert isinstance(mixture, RunResults)
    assert isinstance(varied, RunResults)
    both = replace(mixture, record=replace(mixture.record, variations=varied.record.variations))
    monkeypatch.setattr(signal, "open_results", lambda _: both)
    with pytest.raises(ConfigurationError, match="hold background too; simulate the signal alone"):
        read_signal(open_results(runs["data"]), configuration(runs, "mixture"))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "give the width of a signal by --resolution, or a run over signal by --signal"),
        ({"resolution": 0.03, "signal": "there"}, "give the width of a signal by --resolution, or"),
        (
            {"signal": "there", "tails": {"alpha_low": 1, "power_low": 2, "alpha_high": 1, "power_high": 2}},
            "tails: those of --signal are taken; leave them out",
        ),
    ],
)
def test_a_signal_is_described_once(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        search_excess(run="run", observable="mll", range="70:140", **options)
