from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from plotting.errors import MissingResult, UnreadableResult
from plotting.results.run import read_results
from rdf.code.interpreter import ROOT


@pytest.fixture
def copy(run_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run_folder, tmp_path / "run"))


def test_histograms_are_those_of_the_events(results, events) -> None:
    mask = events.flagged
    spectrum = results.spectra["MR"].anomalous
    counts, edges = np.histogram(events.columns["MR"][mask], bins=40, range=(0, 2000))
    np.testing.assert_array_equal(spectrum.values, counts)
    np.testing.assert_array_equal(spectrum.variances, counts)
    np.testing.assert_allclose(spectrum.edges, edges)
    assert spectrum.total == mask.sum()
    assert results.spectra["MR"].all.outside == (events.columns["MR"] >= 2000).sum()
    assert spectrum.title == "M_{R} [GeV]"
    assert list(results.spectra) == ["MR", "Rsq", "MET", "centrality", "mll"]


def test_mean_scores_are_those_of_the_events_and_blank_without(results, events) -> None:
    mean = results.score_planes["isolation_forest", "MR_Rsq"]
    place = (events.columns["MR"], events.columns["Rsq"])
    counts, *_ = np.histogram2d(*place, bins=(20, 25), range=((0, 2000), (0, 0.5)))
    sums, *_ = np.histogram2d(*place, bins=(20, 25), range=((0, 2000), (0, 0.5)), weights=events.score)
    np.testing.assert_array_equal(np.isnan(mean.values), counts == 0)
    filled = counts > 0
    np.testing.assert_allclose(mean.values[filled], sums[filled] / counts[filled], rtol=1e-12)
    assert list(results.planes) == ["MR_Rsq"]
    assert set(results.score_planes) == {("isolation_forest", "MR_Rsq"), ("ensemble", "MR_Rsq")}


def test_cutflow_keeps_names_and_order(results, events) -> None:
    assert results.cutflow.steps == ("all", "finite")
    assert results.cutflow.events == (len(events.score) + 3, len(events.score))


def test_a_cutflow_that_grew_has_no_nameless_steps(copy: Path) -> None:
    # A ROOT axis that extends itself for new labels doubles its bins and leaves the rest without a label.
    file = ROOT.TFile.Open(str(copy / "histograms.root"), "UPDATE")
    grown = ROOT.TH1D("cutflow", "", 1, 0, 1)
    grown.SetCanExtend(ROOT.TH1.kAllAxes)
    for step in ("all", "finite", "positive"):
        grown.Fill(step, 5)
    assert grown.GetNbinsX() == 4
    grown.SetDirectory(ROOT.nullptr)
    file.GetDirectory("cutflow").WriteTObject(grown, "cutflow", "Overwrite")
    file.Close()
    cutflow = read_results(copy).cutflow
    assert cutflow.steps == ("all", "finite", "positive")
    assert cutflow.events == (5, 5, 5)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingResult, match="no such folder"):
        read_results(tmp_path / "none")


@pytest.mark.parametrize("name", ["run.json", "histograms.root"])
def test_missing_file(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(MissingResult, match=f"{name}: not there; repeat the run"):
        read_results(copy)


def test_missing_histogram(copy: Path) -> None:
    file = ROOT.TFile.Open(str(copy / "histograms.root"), "UPDATE")
    file.Get("features").Delete("MET;*")
    file.Close()
    with pytest.raises(MissingResult, match=r"histograms\.root: has no features/MET"):
        read_results(copy)


@pytest.mark.parametrize("kept", [0, 1, 60, 0.3, 0.6, 0.9, 0.99])
def test_truncated_histograms(copy: Path, kept: float) -> None:
    path = copy / "histograms.root"
    data = path.read_bytes()
    path.write_bytes(data[: kept if isinstance(kept, int) else int(kept * len(data))])
    with pytest.raises(UnreadableResult, match=r"histograms\.root: truncated or damaged"):
        read_results(copy)


@pytest.mark.parametrize("text", ["", '{"sample": {"tit', "[]", "{}", '{"sample": 3}'])
def test_damaged_record(copy: Path, text: str) -> None:
    (copy / "run.json").write_text(text)
    with pytest.raises(UnreadableResult, match=r"run\.json"):
        read_results(copy)


def test_a_users_own_file_has_no_doi(copy: Path) -> None:
    record = json.loads((copy / "run.json").read_text())
    record["sample"] |= {"doi": None, "energy": None, "luminosity": None}
    (copy / "run.json").write_text(json.dumps(record))
    caption = read_results(copy).caption
    assert caption.doi is None
    assert (caption.energy, caption.luminosity) == (None, None)
