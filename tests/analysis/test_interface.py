"""The Python interface: functions that print nothing, raise one family of exceptions, and return what was found."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import hist
import numpy as np
import pytest
import uproot

import analysis
from analysis import ToolkitError, evaluate_detectors, find_anomalies, list_samples, open_results
from analysis.errors import ConfigurationError
from plotting.results.opened import EvaluationResults, RunResults
from rdf.graph.histogram_keys import HistogramKey

pytestmark = pytest.mark.compiler

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def results(apart: None, opendata: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResults:
    folder = tmp_path_factory.mktemp("interface") / "run"
    return find_anomalies(sample="cms2010b", detectors=["isolation_forest"], max_events=5000, output=folder)


def test_an_import_takes_nothing_with_it() -> None:
    code = (
        "import analysis, sys; print(sorted({'ROOT', 'torch', 'matplotlib', 'sklearn', 'pydantic'} & set(sys.modules)))"
        "; print(sorted(analysis.__all__) == [name for name in dir(analysis) if name in analysis.__all__])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert ended.stdout.split() == ["[]", "True"]


@pytest.mark.parametrize("name", analysis.__all__)
def test_every_name_is_there_and_is_documented(name: str) -> None:
    assert getattr(analysis, name).__doc__


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="'analysis' has no attribute 'find_anomaly'"):
        _ = analysis.find_anomaly


def test_nothing_is_printed(results: RunResults, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    find_anomalies(sample="cms2010b", models=results.models, max_events=2000, output=tmp_path / "scored")
    assert capfd.readouterr() == ("", "")


def test_events_are_those_of_the_file(results: RunResults) -> None:
    with uproot.open(results.folder / "events.root") as file:
        expected = file["events"].arrays(library="np")
    assert results.events().keys() == expected.keys()
    chosen = results.events("MR", "score_isolation_forest", "event")
    assert list(chosen) == ["MR", "score_isolation_forest", "event"]
    for name, values in chosen.items():
        np.testing.assert_array_equal(values, expected[name])
    assert results.record.counts.selected == len(expected["MR"]) == 5000
    assert results.record.counts.anomalous == expected["flag_ensemble"].sum()


def test_histograms_are_those_of_the_events(results: RunResults) -> None:
    events = results.events("MR", "Rsq", "score_ensemble", "flag_ensemble")
    for selection, chosen in (("normal", ~events["flag_ensemble"]), ("anomalous", events["flag_ensemble"])):
        spectrum = results.histogram(f"features/{selection}/MR")
        assert isinstance(spectrum, hist.Hist)
        np.testing.assert_array_equal(spectrum.values(), np.histogram(events["MR"][chosen], spectrum.axes[0].edges)[0])
    mean = results.histogram("planes/score_ensemble_MR_Rsq")
    edges = [axis.edges for axis in mean.axes]
    counts = np.histogram2d(events["MR"], events["Rsq"], edges)[0]
    sums = np.histogram2d(events["MR"], events["Rsq"], edges, weights=events["score_ensemble"].astype(np.float64))[0]
    np.testing.assert_array_equal(mean.counts(), counts)
    filled = counts > 0
    np.testing.assert_allclose(mean.values()[filled], sums[filled] / counts[filled], rtol=1e-12)
    paths = {key.path for key in results.histogram_keys}
    assert {"features/MR", "agreement/votes", "cutflow/cutflow"} <= paths
    key = next(key for key in results.histogram_keys if key.path == "features/anomalous/MR")
    assert isinstance(key, HistogramKey)
    assert results.histogram(key) == results.histogram("features/anomalous/MR")


def test_anomalies_are_the_rows_of_the_table(results: RunResults) -> None:
    with (results.folder / "anomalies.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [dict(row) for row in results.anomalies] == rows
    assert len(rows) == 100


@pytest.mark.parametrize(
    ("read", "fault"),
    [
        (lambda results: results.events("MR2"), r"has no column 'MR2'; .*MR"),
        (lambda results: results.histogram("features/Rsqq"), r"has no histogram 'features/Rsqq'; .*features/Rsq"),
    ],
)
def test_what_is_not_there_is_told_with_what_is_near(read: object, fault: str, results: RunResults) -> None:
    with pytest.raises(ToolkitError, match=fault):
        read(results)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"sample": "cms2010b", "detector": ["mlp"]}, "unknown option 'detector'; did you mean detectors, "),
        ({}, "no sample"),
        ({"sample": "cms2010"}, "cms2010b"),
        ({"sample": "cms2010b", "threads": 0}, "--threads"),
    ],
)
def test_wrong_options_are_errors_of_one_family(options: dict[str, object], fault: str, tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match=fault):
        find_anomalies(**options, **({"output": tmp_path / "out"} if options else {}))


def test_a_configuration_or_options() -> None:
    configuration = analysis.Configuration.model_validate({"sample": "cms2010b"})
    with pytest.raises(ConfigurationError, match="a configuration and options"):
        find_anomalies(configuration, threads=1)


def test_samples_of_the_catalogue() -> None:
    samples = list_samples()
    assert samples["cms2010b"].title.startswith("CMS 2010 Run B")


def test_an_evaluation(apart: None, opendata: Path, tmp_path: Path) -> None:
    found = evaluate_detectors(sample="higgs_csv", detectors=["decision_tree"], output=tmp_path / "evaluation")
    assert isinstance(found, EvaluationResults)
    again = open_results(str(found.folder))
    assert again.record == found.record
    events = json.loads((found.folder / "metrics.json").read_text())
    assert found.detectors["decision_tree"].metrics["auc"].value == events["decision_tree"]["auc"]["value"]
    assert 0.5 < found.detectors["decision_tree"].metrics["auc"].value < 1


@pytest.mark.parametrize(
    ("content", "fault"),
    [(None, "run.json: not there"), ("{}", "has no number of a format"), ('{"format": 99}', "newer version")],
)
def test_folders_that_cannot_be_opened(content: str | None, fault: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(ToolkitError, match=fault):
        open_results(tmp_path)
