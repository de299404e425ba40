"""What an output folder holds already: results of earlier runs are replaced, all else is left as it is."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.errors import OutputFolderError
from analysis.output.folder import held_output, staged_output, write_checksums
from tests.analysis.output.generations import FILES, draw, generations, publish_results, whole, write_results

OLDER = dict.fromkeys(("command", "configuration", "started", "versions", "machine"), "a test")
"""run.json of the first versions: without a number of a format."""


def lock_away(folder: Path, name: str) -> None:
    """Put something of the user's own in the place of a result."""
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("mine")


RESULTS = (
    *("run.json", "SHA256SUMS", "SHA256SUMS.drawn", ".publishing", "events.root", "histograms.root", "anomalies.csv"),
    *("objects.json", "latent.csv", "metrics.json", "curves.root", "report.html", "browse.html", "models", "figures"),
    *("figures/thesis.png", "figures/feature_MR.png", "figures/notes.tex", "models/mine.onnx", "models/models.json"),
    *("models/thesis.txt", "models/code.py", "figures/thesis.pdf", "pick.txt", "skim.root", "scores.root"),
)


@pytest.mark.parametrize("after_a_run", [False, True])
@pytest.mark.parametrize("name", RESULTS)
def test_what_no_run_wrote_is_not_replaced(tmp_path: Path, name: str, after_a_run: bool) -> None:
    if after_a_run:
        publish_results(tmp_path)
        if (tmp_path / name).is_dir():
            shutil.rmtree(tmp_path / name)
    lock_away(tmp_path, name)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    place = tmp_path / name
    words = rf"{place.parent} holds {place.name}, which .* delete; move it away or choose another one with --output"
    # Of a run.json or its checksums that were changed, the file that they no longer vouch for may be named first.
    pattern = r"holds (run\.json|SHA256SUMS)," if after_a_run and name in ("run.json", "SHA256SUMS") else words
    with pytest.raises(OutputFolderError, match=pattern), staged_output(tmp_path):
        pytest.fail("a run started that would delete what no run wrote")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_run_json_and_checksums_of_somebody_else_vouch_for_nothing(tmp_path: Path) -> None:
    """The files match the list; but run.json is none that a run of this toolkit wrote."""
    for name in ("run.json", "events.root"):
        (tmp_path / name).write_text('{"run": 1}')
    checksum = hashlib.sha256(b'{"run": 1}').hexdigest()
    (tmp_path / "SHA256SUMS").write_text(f"{checksum}  run.json\n{checksum}  events.root\n")
    with pytest.raises(OutputFolderError, match=r"holds run\.json, which no run wrote"), staged_output(tmp_path):
        pytest.fail("replaced")
    publish_results(tmp_path / "run")
    with (tmp_path / "run" / "SHA256SUMS").open("a") as file:
        file.write(f"{checksum}  thesis.tex\n")
    with pytest.raises(OutputFolderError, match=r"holds .*, which no run wrote"), staged_output(tmp_path / "run"):
        pytest.fail("replaced")


@pytest.mark.parametrize(
    "make",
    [
        lambda place, _: place.mkdir(),
        lambda place, other: place.symlink_to(other),
        lambda place, other: os.link(other, place),
        lambda place, _: os.mkfifo(place),
    ],
    ids=["folder", "symlink", "hard link", "pipe"],
)
@pytest.mark.parametrize("name", ["events.root", "figures/feature_MR.png", "models", "run.json"])
def test_what_is_no_file_of_a_run_is_not_replaced(
    tmp_path: Path, name: str, make: Callable[[Path, Path], None]
) -> None:
    other = tmp_path / "other"
    other.write_text("mine")
    place = tmp_path / "results" / name
    place.parent.mkdir(parents=True)
    make(place, other)
    if place.is_dir():
        (place / "mine.txt").write_text("mine")
    with pytest.raises(OutputFolderError, match=r"holds .*, which no run wrote"), staged_output(tmp_path / "results"):
        pytest.fail("replaced")
    assert os.path.lexists(place)
    assert other.read_text() == "mine"


@pytest.mark.parametrize("name", ["anomalies.csv", "models/a.onnx", "figures/feature_MR.png", "report.html"])
def test_a_result_that_somebody_changed_is_not_replaced(tmp_path: Path, name: str) -> None:
    publish_results(tmp_path)
    draw(tmp_path)
    with (tmp_path / name).open("a") as file:
        file.write(" and mine")
    path = tmp_path / name
    words = rf"{path.parent} holds {path.name}, which was changed after a run had written it"
    with pytest.raises(OutputFolderError, match=words), staged_output(tmp_path):
        pytest.fail("replaced")
    assert path.read_text().endswith(" and mine")
    path.rename(tmp_path / "mine")
    publish_results(tmp_path, "new")
    assert generations(tmp_path) == whole("new") | {"mine": (tmp_path / "mine").read_text()}


def test_what_came_while_the_run_went_on_is_not_replaced_and_the_results_are_kept(tmp_path: Path) -> None:
    publish_results(tmp_path)
    for number in ("", "-2"):

        def change() -> None:
            with staged_output(tmp_path) as staging:
                write_results(staging, "new")
                (tmp_path / "anomalies.csv").write_text("mine")

        with pytest.raises(OutputFolderError, match=rf"the results are in {tmp_path}/unpublished{number}: .*anomalies"):
            change()
        found = generations(tmp_path / f"unpublished{number}")
        assert found == whole("new")
        assert (tmp_path / "anomalies.csv").read_text() == "mine"
        (tmp_path / "anomalies.csv").write_text("old")
    assert {generations(tmp_path)[name] for name in FILES} == {"old"}


@pytest.mark.parametrize("name", ["events.root", "data/part.root", "models/a.onnx"])
@pytest.mark.parametrize("through", ["itself", "symlink", "hard link"])
def test_a_folder_that_holds_an_input_is_refused(tmp_path: Path, name: str, through: str) -> None:
    folder = publish_results(tmp_path / "results")
    path = folder / name
    if not path.exists():
        path.parent.mkdir()
        path.write_text("data")
    given = path if through == "itself" else tmp_path / "input.root"
    if through == "symlink":
        given.symlink_to(path)
    elif through == "hard link":
        os.link(path, given)
        if name == "data/part.root":  # what is removed nowhere may have two names
            with held_output(folder, [given]):
                return
    before = generations(folder)
    with (
        pytest.raises(
            OutputFolderError, match=rf"{folder} holds {given}, which is an input of this run; choose another"
        ),
        held_output(folder, [tmp_path / "elsewhere.root", given]),
    ):
        pytest.fail("a run started that would delete its input")
    assert generations(folder) == before


def test_models_of_the_folder_itself_may_score_again(tmp_path: Path) -> None:
    folder = publish_results(tmp_path)
    with staged_output(folder, [folder / "models"]) as staging:
        write_results(staging, "new")
    assert generations(folder) == whole("new")


def test_an_older_folder_is_a_runs_own_by_its_checksums_and_the_names_of_its_figures(tmp_path: Path) -> None:
    """Before there was a list of what is drawn, run.json had no key `figures`."""

    def older(folder: Path) -> Path:
        folder.mkdir()
        write_results(folder, "old")
        quantities = {"features": [{"name": "MR"}], "observables": [{"name": "mll"}], "detectors": {"mlp": {}}}
        (folder / "run.json").write_text(json.dumps(OLDER | quantities))
        write_checksums(folder)
        (folder / "figures").mkdir()
        for name in ("cutflow", "feature_MR", "plane_MR_mll", "plane_MR_mll_score_mlp", "score_ensemble", "display_3"):
            (folder / "figures" / f"{name}.png").write_text("drawn")
        page = Path(__file__).parents[3] / "plotting" / "templates" / "report.html"
        shutil.copyfile(page, folder / "report.html")
        return folder

    folder = older(tmp_path / "own")
    publish_results(folder, "new")
    assert generations(folder) == whole("new")
    for place, name in enumerate(("figures/thesis.png", "figures/feature_mine.png", "report.html", "figures/a.txt")):
        folder = older(tmp_path / str(place))
        (folder / name).write_text("mine")
        with pytest.raises(OutputFolderError, match=rf"holds {Path(name).name}, which no run wrote"):
            publish_results(folder, "new")
        assert (folder / name).read_text() == "mine"


@pytest.mark.parametrize("number", [{}, {"format": 2}])
def test_results_of_an_older_and_of_a_newer_version_are_replaced(tmp_path: Path, number: dict[str, int]) -> None:
    publish_results(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps(number | OLDER | {"figures": {}}))
    write_checksums(tmp_path)
    draw(tmp_path)
    publish_results(tmp_path, "new")
    assert generations(tmp_path) == whole("new")


def test_drafts_of_killed_drawing_are_in_nobodys_way(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    publish_results(tmp_path)
    draw(tmp_path)
    drafts = [f"figures/.feature_MR.png.{ended.pid}.partial", f".report.html.{ended.pid}.partial"]
    for name in drafts:
        (tmp_path / name).write_text("half")
    publish_results(tmp_path, "new")
    assert generations(tmp_path) == whole("new")
