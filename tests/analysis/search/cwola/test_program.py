"""Searches by weak supervision from a table to search.json: what is found, blinded, refused, and taken up again."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyhf
import pytest
import uproot

from analysis import find_anomalies, open_results
from analysis.errors import ConfigurationError, OutputFolderError, SearchRefused
from analysis.options import load_configuration
from analysis.output.timings import Timings
from analysis.search.cwola import program
from analysis.search.cwola.configuration import CwolaConfiguration
from analysis.search.cwola.events import FeaturedEvents
from analysis.search.cwola.learning import check_features, collect, train
from analysis.search.cwola.program import search_windows
from analysis.search.staging import Searched
from plotting.results.opened import RunResults
from plotting.results.search.cwola import CwolaRecord
from tests.analysis.search.cwola.tables import SEARCH, background, with_signal, write

pytestmark = pytest.mark.compiler


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "draw_search", lambda *_: [])


def search(output: Path, **options: Any) -> Searched[CwolaRecord]:
    given = {**SEARCH, **options, "output": str(output)}
    return search_windows(load_configuration(CwolaConfiguration, given, None))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Searched[CwolaRecord]:
    """A search in 3,000 events of background and 60 of signal, unblinded after it was blinded."""
    folder = tmp_path_factory.mktemp("found")
    sample = write(folder, with_signal(background(3000, 1), 60, 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "draw_search", lambda *_: [])
        assert search(folder / "search", **sample).record.status == "blinded"
        return search(folder / "search", **sample, unblind=True)


def test_a_signal_that_is_hidden_is_found(found: Searched[CwolaRecord]) -> None:
    record, (window,) = found.record, found.record.windows
    plain, cut, finest, weighted = window.cuts
    assert (record.status, record.learned_here) == ("claimed", True)
    assert record.blinded_sha256 == record.configuration_sha256
    assert plain.z is not None
    assert plain.z < 3
    assert cut.z is not None
    assert cut.z > 5
    assert record.largest is not None
    assert record.largest.above == 0
    calibrated = [each.calibrated.z for each in window.cuts if each.calibrated]
    assert record.largest.z == max(calibrated)
    assert (record.largest.cut, record.largest.by_ratio) == ((0.05, False), (1.0, True))[int(np.argmax(calibrated)) - 1]
    assert not finest.opened
    assert "its sidebands hold" in str(finest.reason)
    assert "none of the sets is as significant" in record.quote
    assert f"local p <= {1 / 21:.2g}" in record.quote
    assert (weighted.fraction, weighted.by_ratio, weighted.limit) == (1, True, None)
    assert weighted.z is not None
    assert plain.z < weighted.z < cut.z


def test_the_spectra_are_those_of_the_scored_events(found: Searched[CwolaRecord]) -> None:
    with uproot.open(found.folder / "run" / "events.root") as file:
        events = file["events"].arrays(library="np")
    (window,) = found.record.windows
    for cut in window.cuts[:2]:
        kept = events["rank_cwola_1"] >= np.float32(1 - cut.fraction)
        counts, _ = np.histogram(events["mass"][kept].astype(np.float64), window.edges)
        assert cut.counts == tuple(counts)
        region = (events["mass"] >= 100) & (events["mass"] < 110)
        assert cut.events == int((kept & region).sum())
    # Weights are made of the scores of the loop. All events lie in the window.
    weights = events["score_cwola_1"].astype(np.float64)
    weights /= 1 - weights
    spectrum, _ = np.histogram(events["mass"].astype(np.float64), window.edges, weights=weights)
    np.testing.assert_allclose(window.cuts[3].counts, spectrum * weights.sum() / (weights**2).sum(), rtol=1e-9)
    # The ranks of a fold are spread evenly, whatever its trees give.
    for fold in range(2):
        ranks = events["rank_cwola_1"][(events["event"] % 2 == fold) & (events["mass"] < 120)]
        assert np.mean(ranks >= 0.95) == pytest.approx(0.05, abs=1 / len(ranks))


def test_the_calibration_is_that_of_its_background_only_sets(found: Searched[CwolaRecord]) -> None:
    (window,) = found.record.windows
    largest = found.record.largest
    assert largest is not None
    scaled = []
    for cut in (*window.cuts[:2], window.cuts[3]):
        calibrated = cut.calibrated
        assert calibrated is not None
        nulls = np.array(calibrated.nulls)
        assert len(nulls) == calibrated.sets == 20 - found.record.refused_sets
        assert calibrated.mean == pytest.approx(nulls.mean(), abs=1e-4)
        assert calibrated.width == pytest.approx(nulls.std(ddof=1), abs=1e-4)
        assert cut.z is not None
        assert calibrated.z == pytest.approx((cut.z - nulls.mean()) / nulls.std(ddof=1), rel=1e-3)
        assert calibrated.p == (1 + (nulls >= cut.z).sum()) / (1 + len(nulls))
        scaled.append((nulls - nulls.mean()) / nulls.std(ddof=1))
    above = int((np.max(scaled, axis=0) >= largest.z).sum())
    assert (largest.above, largest.trials) == (above, 3)
    assert largest.global_p == (1 + above) / (1 + len(scaled[0]))


def test_a_run_of_its_models_makes_the_same_statement(found: Searched[CwolaRecord], tmp_path: Path) -> None:
    """The sets that were counted before are taken up again: they are the same, or this would take much longer.

    The order of the report is another one, and nothing else.
    """
    options = {"run": str(found.folder / "run"), "unblind": True}
    record = search(tmp_path / "again", **options, likelihood_ratio="first").record
    plain, cut, finest, weighted = found.record.windows[0].cuts
    assert record.windows == (replace(found.record.windows[0], cuts=(plain, weighted, cut, finest)),)
    assert record.largest == found.record.largest


def test_models_of_another_window_are_refused(found: Searched[CwolaRecord], tmp_path: Path) -> None:
    of_run = {"run": str(found.folder / "run"), "unblind": True}
    with pytest.raises(ConfigurationError, match=r"have mass 100:110 .* and mass 101:110 .* is declared"):
        search(tmp_path / "another", **of_run, signal_region="101:110")
    with pytest.raises(ConfigurationError, match=r"cuts \[1.0, 0.05, 0.005\], and .* cuts \[1.0, 0.1\] is declared"):
        search(tmp_path / "another", **of_run, cuts="0.1")
    with pytest.raises(ConfigurationError, match="have 2; declare that number"):
        search(tmp_path / "another", **of_run, folds=3)


def test_an_unblinded_search_is_never_replaced(found: Searched[CwolaRecord]) -> None:
    with pytest.raises(OutputFolderError, match="which is not replaced"):
        search(found.folder, run=str(found.folder / "run"), unblind=True)


def test_nothing_that_is_written_while_blinded_depends_on_the_region(tmp_path: Path) -> None:
    events = background(2000, 3)
    region = (events.mass >= 100) & (events.mass < 110)
    random = np.random.default_rng(4)
    moved = np.where(region, 100 + 10 * random.random(2000) ** 3, events.mass)
    others = replace(events, mass=moved, a=np.where(region, -events.a, events.a), b=np.where(region, 9.0, events.b))
    texts = []
    for name, each in (("one", events), ("other", others)):
        searched = search(tmp_path / name / "search", **write(tmp_path / name, each))
        table = json.loads(_text(searched.record))
        assert table["status"] == "blinded"
        assert not (searched.folder / "run").exists()
        for key in ("timings", "configuration", "configuration_sha256", "inputs", "sample"):
            table.pop(key)
        texts.append(table)
    assert texts[0] == texts[1]


def _text(record: CwolaRecord) -> str:
    from plotting.results.run_record import as_table

    return json.dumps(as_table(record))


def test_features_that_tell_the_mass_are_refused(tmp_path: Path) -> None:
    searched = search(tmp_path / "search", **write(tmp_path, background(4000, 5, tilt=0.1)), unblind=True)
    assert searched.record.status == "refused"
    assert "the features tell the mass: from a, b a classifier tells the sideband 90:100 from 110:120" in str(
        searched.record.reason
    )
    assert not (searched.folder / "run").exists()
    assert '"p"' not in _text(searched.record)


@pytest.mark.parametrize(
    ("events", "options", "reason"),
    [
        (200, {}, r"the region 100:110 holds \d+ events, fewer than 100"),
        (900, {"range": "99.8:120"}, r"the sideband 99.8:100 holds \d+ events, fewer than 20"),
    ],
)
def test_a_window_with_too_few_events_is_refused(
    events: int, options: dict[str, str], reason: str, tmp_path: Path
) -> None:
    searched = search(tmp_path / "search", **write(tmp_path, background(events, 6)), **options, unblind=True)
    assert searched.record.status == "refused"
    assert searched.record.largest is None
    assert re.search(reason, str(searched.record.reason))


def test_labels_are_not_read(tmp_path: Path) -> None:
    """Classifiers of a table whose labels are turned round are the same, byte for byte."""
    events = with_signal(background(1500, 8), 50, 9)
    networks = []
    for name, each in (("one", events), ("other", replace(events, label=1 - events.label))):
        options = {**SEARCH, **write(tmp_path / name, each)}
        configuration = load_configuration(CwolaConfiguration, options, None)
        collected = collect(configuration, tmp_path / name, Timings())
        assert collected.events.features == ("a", "b")
        models = train(configuration, collected, tmp_path / name / "models", Timings())
        networks.append([network.sha256 for network in models.detectors["cwola_1"].networks])
    assert networks[0] == networks[1]


def test_pyhf_finds_the_same_significance_in_the_export(found: Searched[CwolaRecord]) -> None:
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-3))
    workspace = pyhf.Workspace(json.loads((found.folder / "exports" / "pyhf.json").read_text()))
    model = workspace.model()
    data = workspace.data(model)
    _, free = pyhf.infer.mle.fit(data, model, return_fitted_val=True)
    _, without = pyhf.infer.mle.fixed_poi_fit(0.0, data, model, return_fitted_val=True)
    counting = [cut for cut in found.record.windows[0].cuts if cut.calibrated and not cut.by_ratio]
    cut = max(counting, key=lambda each: each.calibrated.z if each.calibrated else 0.0)
    assert np.sqrt(without - free) == pytest.approx(cut.z, rel=5e-3)


def test_other_events_are_searched_with_cuts_that_were_learned_before(
    found: Searched[CwolaRecord], tmp_path: Path
) -> None:
    """Of classifiers that learned from other events nothing is trained again in background-only sets."""
    models = found.folder / "run" / "models"
    other = write(tmp_path, with_signal(background(3000, 11), 60, 12))
    run = find_anomalies(**other, models=models, output=tmp_path / "run", weights=False)
    record = search(tmp_path / "search", run=str(run.folder), unblind=True).record
    assert not record.learned_here
    assert "had learned from other events" in record.quote
    plain, cut, _, _ = record.windows[0].cuts
    assert plain.z is not None
    assert cut.z is not None
    assert cut.z > plain.z + 2
    assert cut.calibrated is not None
    # Cuts that learned nothing of the events are as wide as chance is.
    assert cut.calibrated.width == pytest.approx(1, abs=4 / np.sqrt(2 * 20))


def test_a_part_of_the_events_that_were_learned_from_is_refused(found: Searched[CwolaRecord], tmp_path: Path) -> None:
    sample = {"sample": str(found.folder.parent / "events.csv"), "schema": str(found.folder.parent / "table.yaml")}
    models = found.folder / "run" / "models"
    run = find_anomalies(**sample, models=models, output=tmp_path / "run", max_events=1500, weights=False)
    record = search(tmp_path / "search", run=str(run.folder), unblind=True).record
    assert record.status == "refused"
    assert "learned from 3,060 events, and some of these are among the 1,500" in str(record.reason)


def test_a_fold_without_events_is_refused() -> None:
    events = background(600, 13)
    featured = FeaturedEvents(
        values=events.mass,
        X=np.stack([events.a, events.b], axis=1).astype(np.float32),
        numbers=2 * np.arange(600, dtype=np.uint64),
        features=("a", "b"),
    )
    configuration = load_configuration(CwolaConfiguration, {**SEARCH, "sample": "lhco"}, None)
    with pytest.raises(SearchRefused, match="fold 1 of 2 has no event in the sideband 90:100"):
        check_features(configuration, featured)


def test_the_spectra_of_parts_add_up(found: Searched[CwolaRecord], tmp_path: Path) -> None:
    models, whole = found.folder / "run" / "models", open_results(found.folder / "run")
    assert isinstance(whole, RunResults)
    sample = {"sample": str(found.folder.parent / "events.csv"), "schema": str(found.folder.parent / "table.yaml")}
    parts = [
        find_anomalies(**sample, models=models, output=tmp_path / name, entries=entries, weights=False)
        for name, entries in (("first", (0, 1000)), ("second", (1000, 3060)))
    ]
    spectra = [part.histogram("spectra/cwola_1").values() for part in parts]
    np.testing.assert_array_equal(sum(spectra), whole.histogram("spectra/cwola_1").values())
    # All events lie in the window, as they were made.
    assert whole.histogram("spectra/cwola_1").values().sum() == 3060
