"""Searches in real spectra: what is found, what is blinded, what is refused, and what others read of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyhf
import pytest
import yaml
from hepdata_validator.full_submission_validator import FullSubmissionValidator

from analysis import find_anomalies, search_excess
from analysis.errors import OutputFolderError
from analysis.search import program
from analysis.search.__main__ import main
from analysis.search.events import SearchEvents, read_events
from plotting.results.search.formats import read_search_record, search_text
from plotting.results.search.record import SearchRecord
from tests.condor.pool import Pool
from tests.plotting import cwola_records

pytestmark = pytest.mark.compiler

UPSILON = {
    "observable": "mll",
    "range": "8.5:11.5",
    "resolution": 0.0085,
    "signal_region": "9.1:10.7",
    "toys": 60,
    "threads": 1,
}
Z = {"observable": "mll", "range": "65:115", "resolution": 0.02, "signal_region": "82:100", "toys": 60, "threads": 1}


@pytest.fixture(scope="module")
def runs(apart: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    for sample in ("ymumu2011", "zmumu2011"):
        find_anomalies(sample=sample, detectors=["isolation_forest"], train_events=500, output=folder / sample)
    same_sign = folder / "same_sign"
    pairs = {"same_sign": "Q1 * Q2 > 0"}
    find_anomalies(sample="zmumu2011", select=pairs, detectors=["isolation_forest"], output=same_sign)
    return {"upsilon": folder / "ymumu2011", "z": folder / "zmumu2011", "same_sign": same_sign}


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "draw_search", lambda *_: [])


@pytest.fixture(scope="module")
def claimed(runs: dict[str, Path]) -> Iterator[tuple[Path, SearchRecord]]:
    """The search of the Upsilon region, unblinded after it was blinded, with its figures."""
    output = runs["upsilon"].parent / "claimed"
    blinded = search_excess(run=runs["upsilon"], output=output, **UPSILON)
    assert blinded.status == "blinded"
    return output, search_excess(run=runs["upsilon"], output=output, unblind=True, **UPSILON)


def test_the_upsilon_is_found(claimed: tuple[Path, SearchRecord]) -> None:
    folder, record = claimed
    largest = record.largest
    assert largest is not None
    assert largest.mass == pytest.approx(9.46, abs=0.05)  # 9.4603 GeV (PDG)
    assert largest.z > 30
    assert largest.global_by == "Gross-Vitells"
    assert largest.toys_p == 1 / (1 + largest.toys)
    assert largest.check.z == pytest.approx(largest.z, rel=1e-3)
    assert record == read_search_record(folder / "search.json")
    assert record.blinded_sha256 == record.configuration_sha256
    assert "A blinded search had declared it before." in record.quote
    assert f"local significance {largest.z:.2f}" in record.quote


@pytest.mark.parametrize(
    ("masked", "mass", "least", "most"),
    [
        ("9.1:9.75", 10.023, 4, 15),
        ("9.1:10.2", 10.355, 3.5, 15),
        ("9.1:10.65", None, -1, 3),  # there is no fourth
    ],
)
def test_its_excitations_are_found_behind_it(
    masked: str, mass: float | None, least: float, most: float, runs: dict[str, Path], tmp_path: Path
) -> None:
    options = {**UPSILON, "mask": masked, "known_peak": True, "range": "8.5:11.3", "toys": 20}
    if mass is None:
        options["signal_region"] = None
    record = search_excess(
        run=runs["upsilon"], output=tmp_path / "search", **{k: v for k, v in options.items() if v is not None}
    )
    assert record.largest is not None
    if mass is not None:
        assert record.largest.mass == pytest.approx(mass, abs=0.05)
    assert least < record.largest.z < most
    assert "nothing was blinded" in record.quote


def test_a_function_of_too_few_parameters_is_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    record = search_excess(
        run=runs["upsilon"], output=tmp_path / "search", known_peak=True, parameters="2:3", **UPSILON
    )
    assert record.status == "refused"
    assert record.reason is not None
    assert "no function describes the spectrum (exp-polynomial 1" in record.reason


def test_the_z_boson_is_found(runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    record = search_excess(run=runs["z"], output=tmp_path / "search", known_peak=True, **Z)
    assert record.largest is not None
    assert record.largest.mass == pytest.approx(90.9, abs=0.5)
    assert record.largest.z > 50
    assert [path.name for path in tmp_path.iterdir()] == ["search"]  # HistFactory leaves no file where it was called


def test_pairs_of_the_same_sign_have_no_peak(runs: dict[str, Path], tmp_path: Path) -> None:
    options = {**Z, "range": "60:120", "signal_region": None, "toys": 200}
    record = search_excess(
        run=runs["same_sign"], output=tmp_path, unblind=True, **{k: v for k, v in options.items() if v is not None}
    )
    assert record.largest is not None
    assert record.largest.global_p > 0.05


def _without_timings(folder: Path) -> dict[str, Any]:
    text = (folder / "search.json").read_text()
    table = json.loads(text)
    assert list(table)[-1] == "timings"
    del table["timings"]
    return dict(table)


def test_the_same_seed_gives_the_same_file(
    claimed: tuple[Path, SearchRecord], runs: dict[str, Path], tmp_path: Path
) -> None:
    options = {**UPSILON, "threads": 2}
    search_excess(run=runs["upsilon"], output=tmp_path / "search", **options)
    search_excess(run=runs["upsilon"], output=tmp_path / "search", unblind=True, **options)
    assert _without_timings(tmp_path / "search") == _without_timings(claimed[0])


@pytest.mark.pool
def test_toys_of_a_pool_are_those_of_one_process(runs: dict[str, Path], tmp_path: Path) -> None:
    options = {**UPSILON, "toys": 1600, "known_peak": True}  # the last of four tasks has fewer toys
    search_excess(run=runs["upsilon"], output=tmp_path / "here", **options)
    command = [
        sys.executable,
        "-m",
        "analysis.search",
        "--run",
        str(runs["upsilon"]),
        "--output",
        str(tmp_path / "pool"),
    ]
    for name, value in {**options, "engine": "dask", "cluster": "htcondor", "threads": 2}.items():
        command += [f"--{name.replace('_', '-')}", *([str(value)] if value is not True else [])]
    with Pool(tmp_path / "condor", cpus=2) as pool:
        ended = pool.run(command)
    assert ended.returncode == 0, ended.stderr
    assert _without_timings(tmp_path / "pool") == _without_timings(tmp_path / "here")


@pytest.mark.parametrize("region", ["9.1:10.7", None])
def test_nothing_that_is_blinded_depends_on_the_events_of_the_region(
    region: str | None, runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {**UPSILON, "signal_region": region, "range": "9.0:10.9" if region is None else UPSILON["range"]}
    given = {name: value for name, value in options.items() if value is not None}
    search_excess(run=runs["upsilon"], output=tmp_path / "as_they_are", **given)

    def moved(*arguments: Any) -> SearchEvents:
        events = read_events(*arguments)
        random = np.random.default_rng(1)
        if region is None:
            hidden = ~events.in_tenth
            low, high = 9.0, 10.9
        else:
            low, high = 9.15, 10.65  # bins that the region touches belong to it
            hidden = (events.values > low) & (events.values < high)
        values = np.where(hidden, random.uniform(low, high, len(hidden)), events.values)
        kept = ~hidden | (random.random(len(hidden)) < 0.5)
        (cut,) = events.cuts
        return SearchEvents(values[kept], events.in_tenth[kept], (type(cut)(cut.fraction, None, cut.passed[kept]),))

    monkeypatch.setattr(program, "read_events", moved)
    search_excess(run=runs["upsilon"], output=tmp_path / "moved", **given)
    one, other = _without_timings(tmp_path / "as_they_are"), _without_timings(tmp_path / "moved")
    assert one == other
    assert one["status"] in ("blinded", "refused")
    assert (tmp_path / "as_they_are/search.root").exists() == (one["status"] == "blinded")
    assert one.get("largest") is None
    assert not any(cut["masses"] for cut in one["cuts"])


def test_what_was_looked_at_is_not_replaced(claimed: tuple[Path, SearchRecord], runs: dict[str, Path]) -> None:
    before = (claimed[0] / "search.json").read_bytes()
    with pytest.raises(OutputFolderError, match="whose data were looked at, which is not replaced; choose another one"):
        search_excess(run=runs["upsilon"], output=claimed[0], **UPSILON)
    assert (claimed[0] / "search.json").read_bytes() == before


def test_a_search_by_another_method_is_not_replaced(runs: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "search.json"
    path.write_text(search_text(cwola_records.blinded()), encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(OutputFolderError, match="holds a search by another method, which is not replaced"):
        search_excess(run=runs["upsilon"], output=tmp_path, **UPSILON)
    assert path.read_bytes() == before


def test_what_was_looked_at_before_is_said(runs: dict[str, Path], tmp_path: Path) -> None:
    def search(folder: str, **options: Any) -> SearchRecord:
        return search_excess(run=runs["upsilon"], output=tmp_path / folder, **{**UPSILON, **options})

    assert search("looked", signal_region="8.52:10.7", unblind=True).status == "refused"
    assert search("looked").looked_before
    assert "The data had been looked at before, by a search that made no" in search("looked", unblind=True).quote
    search("other")
    path = tmp_path / "other/search.json"
    text = path.read_text()
    path.write_text(text.replace(json.loads(text)["inputs"]["events_sha256"], "0" * 64))
    assert "A blinded search before was one of other events." in search("other", unblind=True).quote
    search("changed")
    assert "had declared something else" in search("changed", unblind=True, seed=43).quote
    search("same")
    assert "A blinded search had declared it before." in search("same", unblind=True).quote


PROBABILITIES = ("local_p", "global_p", "toys_p", "goodness_p", "likelihood_ratio_p", "gross_vitells_p")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"signal_region": "8.52:10.7"}, "in the sideband below the region, fewer than 20"),
        ({"range": "7.5:11.5", "signal_region": None, "family": "exp-polynomial"}, "the sample itself begins at 7.958"),
        ({"method": "scores", "detector": "isolation_forest", "cuts": "0.5"}, "repeat the run with --folds 2"),
        ({"signal_region": None}, "no function describes the spectrum"),
    ],
)
def test_what_cannot_be_claimed_is_refused(
    options: dict[str, Any], reason: str, runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {**UPSILON, "known_peak": True, **options}
    record = search_excess(
        run=runs["upsilon"], output=tmp_path / "search", **{k: v for k, v in given.items() if v is not None}
    )
    assert record.status == "refused"
    assert record.reason is not None
    assert reason in record.reason
    text = (tmp_path / "search/search.json").read_text()
    assert not any(name in text for name in PROBABILITIES)
    assert sorted(path.name for path in (tmp_path / "search").iterdir()) == ["SHA256SUMS", "search.json"]


def test_a_refusal_ends_the_program_with_four(runs: dict[str, Path], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "analysis.search", "--run", str(runs["upsilon"]), "--output", str(tmp_path / "s")]
    command += ["--observable", "mll", "--range", "8.5:11.5", "--resolution", "0.0085", "--signal-region", "8.52:10.7"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 4
    assert ended.stderr.strip().splitlines()[-1].startswith("error: no statement: cut 1: ")
    assert json.loads((tmp_path / "s/search.json").read_text())["status"] == "refused"


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        ({"--observable": "mlll"}, 2, "--observable mlll: the run has no such column; did you mean mll"),
        ({"--range": "9"}, 2, "'9' is not of the form A:B"),
        ({"--range": "2000:3000"}, 3, "none of 20,000 events has such a mll"),
        ({"--family": "dijet"}, 2, "the dijet family needs the centre-of-mass energy; give sqrt_s"),
        ({"--mask": "9:9.5,9.4:9.6"}, 2, "9:9.5 and 9.4:9.6 overlap; join them"),
        ({"--signal-region": "8:9"}, 2, "8:9 does not lie within the range 8.5:11.5"),
        (
            {"--method": "scores", "--detector": "mlp", "--cuts": "0.5"},
            2,
            "--detector mlp: the run has none of this name",
        ),
        ({"--cuts": "0.5"}, 2, "--method spectrum takes all events"),
        ({"--toys": "1e8"}, 2, "less than or equal to 10000000"),
        ({"--toys": "1.5e-3e"}, 2, "--toys"),
        ({"--control": "nowhere"}, 2, "--control is for --method scores; leave it out"),
        ({"--run": "nowhere"}, 3, "nowhere/run.json: not there"),
    ],
)
def test_errors_are_one_line(
    options: dict[str, str],
    code: int,
    reason: str,
    runs: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    from analysis.console.program import run_program

    given = {"--run": str(runs["upsilon"]), "--observable": "mll", "--range": "8.5:11.5", "--resolution": "0.0085"}
    given |= {"--output": str(tmp_path / "search"), **options}
    assert run_program("analysis.search", main, [part for pair in given.items() for part in pair]) == code
    assert reason in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "search").exists()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the validator leaves files open
def test_exports_are_read_by_others(claimed: tuple[Path, SearchRecord]) -> None:
    folder, record = claimed
    assert record.largest is not None
    exports = folder / "exports"
    files = sorted(path.name for path in exports.iterdir())
    assert files == ["combine.txt", "hepdata", "hs3.json", "pyhf.json", "workspace.root"]
    workspace = json.loads((exports / "pyhf.json").read_text())
    pyhf.schema.validate(workspace, "workspace.json")
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-2))
    model = pyhf.Workspace(workspace).model()
    data = pyhf.Workspace(workspace).data(model)
    fitted = pyhf.infer.mle.fit(data, model)
    assert float(fitted[model.config.poi_index]) == pytest.approx(record.largest.signal, rel=1e-3)
    validator = FullSubmissionValidator(schema_version="1.1.1")
    assert validator.validate(directory=str(exports / "hepdata")), validator.get_messages()
    _, *tables = yaml.safe_load_all((exports / "hepdata/submission.yaml").read_text())
    assert [table["data_file"] for table in tables] == ["spectrum_cut_1.yaml", "scan_cut_1.yaml", "limits_cut_1.yaml"]
    code = (
        "import ROOT, sys; w = ROOT.TFile.Open(sys.argv[1]); "
        "k = [k.GetName() for k in w.GetListOfKeys() if k.GetClassName() == 'RooWorkspace'][0]; "
        "c = w.Get(k).obj('ModelConfig'); print(c.GetParametersOfInterest().first().GetName())"
    )
    opened = subprocess.run(
        [sys.executable, "-c", code, str(exports / "workspace.root")], capture_output=True, text=True, check=True
    )
    assert opened.stdout.strip().splitlines()[-1] == "signal_events"
