"""A watch in a process of its own: files arrive, some of them bad, it is killed and started again; against one run."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import yaml

from analysis import simulate
from analysis.configuration import RunConfiguration, WatchConfiguration
from analysis.console.program import run_program
from analysis.live.drift import DriftMonitor
from analysis.options import load_configuration, parse_configuration
from analysis.run import run
from analysis.watch import main, option_parser
from models.folder import ModelFolder, read_model_folder
from rdf.code.interpreter import ROOT
from rdf.provenance import Provenance
from tests.analysis.same_results import assert_same_results
from tests.models.trained import write_table

pytestmark = pytest.mark.compiler

FILES, EVENTS = 46, 500
WAIT = 300.0
"""Seconds after which a test gives up."""


class Watch:
    """A watch that runs."""

    def __init__(self, *arguments: str | Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "analysis.watch", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = ""

    def end(self, sent: signal.Signals = signal.SIGINT) -> None:
        """Send a signal, and wait until the process has ended."""
        self.process.send_signal(sent)
        self.said, _ = self.process.communicate(timeout=WAIT)

    @property
    def code(self) -> int:
        return self.process.returncode


def workers(watch: int) -> list[int]:
    """The processes in which a watch scores and merges."""
    children = Path(f"/proc/{watch}/task/{watch}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def wait_until(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < until, f"in vain: {what}"
        time.sleep(0.05)


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def scored_files(output: Path) -> list[str]:
    """The files of the result, in the order in which they were scored; none where it is being replaced."""
    try:
        return [file["path"] for file in read(output / "run.json")["sample"]["files"]]
    except FileNotFoundError:
        return []


def set_aside(output: Path) -> dict[str, str]:
    try:
        with (output / "set_aside.csv").open(newline="") as file:
            return {row["file"]: row["reason"] for row in csv.DictReader(file)}
    except FileNotFoundError:
        return {}


def place(source: Path, target: Path) -> None:
    """Let a file appear as a whole."""
    draft = target.with_name(f".{target.name}")
    shutil.copyfile(source, draft)
    draft.rename(target)


def book_file(events: Any, target: Path) -> Any:
    """Book the writing of events to a file that says, as those of `analysis.simulate` do, that they are simulated."""
    with Provenance("{}", simulated=True).created_file(target):
        pass
    options = ROOT.RDF.RSnapshotOptions()
    options.fLazy = True
    options.fMode = "UPDATE"
    options.fOutputFormat = ROOT.RDF.ESnapshotOutputFormat.kRNTuple
    return events.Snapshot("Events", str(target), events.GetColumnNames(), options)


@pytest.fixture(scope="module")
def made(apart: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated files, and models of two detectors."""
    folder = tmp_path_factory.mktemp("made")
    simulate.main(["qcd", "--events", str(FILES * EVENTS), "-o", str(folder / "all.root")])
    events = ROOT.RDataFrame("Events", str(folder / "all.root"))
    ROOT.RDF.RunGraphs(
        [book_file(events.Range(i * EVENTS, (i + 1) * EVENTS), folder / f"{i:02}.root") for i in range(FILES)]
    )
    simulate.main(["tracks", "--events", "100", "-o", str(folder / "tracks.root")])
    simulate.main(["qcd", "--events", "4000", "--seed", "99", "-o", str(folder / "training.root")])
    options = {"sample": str(folder / "training.root"), "schema": "cms_nanoaod", "threads": 1}
    options |= {"output": str(folder / "trained"), "detectors": "isolation_forest,elliptic_envelope"}
    options |= {"select": {"jets": "n_jets >= 2 && Jet_pt[1] > 25", "hard": "HT > 100"}}
    run(load_configuration(RunConfiguration, options, None), "test")
    return folder


@pytest.fixture(scope="module")
def models(made: Path) -> Path:
    return made / "trained" / "models"


def batch(folder: Path, files: list[str], models: Path, schema: str = "cms_nanoaod", **more: Any) -> Path:
    """Leave what one run over these files leaves; the sample is called `good`, as the watched folders are."""
    sample = {"title": "good", "schema": schema, "files": [{"path": file} for file in files]}
    (folder / "good.yaml").write_text(yaml.safe_dump(sample))
    options = {"sample": str(folder / "good.yaml"), "models": str(models), "output": str(folder / "batch"), **more}
    run(load_configuration(RunConfiguration, options, None), "test")
    return folder / "batch"


def write_slowly(source: Path, target: Path) -> Iterator[None]:
    """Write a file in pieces, and yield after each."""
    content = source.read_bytes()
    for i in range(4):
        with target.open("ab") as file:
            file.write(content[i * len(content) // 4 : (i + 1) * len(content) // 4])
        yield


def test_good_files_are_scored_once_and_bad_ones_set_aside(made: Path, models: Path, tmp_path: Path) -> None:
    good, output = tmp_path / "good", tmp_path / "output"
    good.mkdir()
    (tmp_path / "runs.json").write_text('{"1": [[1, 3], [5, 100]]}')  # no event of two of the files
    certified = str(tmp_path / "runs.json")
    watch = Watch(good, "--models", models, "--output", output, "--settle", "0.3", "--certified", certified)
    slowly = write_slowly(made / "45.root", good / "slow.root")
    for i in range(45):
        place(made / f"{i:02}.root", good / f"{i:02}.root")
        time.sleep(0.1)
        if i % 10 == 5:
            next(slowly)
        if i == 10:
            (good / "notes.txt").write_text("shift log\n")
            (good / "truncated.root").write_bytes((made / "44.root").read_bytes()[:-9000])
        if i == 20:
            place(made / "00.root", good / "duplicate.root")
            place(made / "tracks.root", good / "tracks.root")
    next(slowly, None)
    bad = {"notes.txt", "truncated.root", "duplicate.root", "tracks.root"}
    wait_until(lambda: len(scored_files(output)) == 46 and set_aside(output).keys() == bad, "46 files, 4 set aside")
    watch.end()
    assert watch.code == 0, watch.said

    files = scored_files(output)
    assert {Path(file).name for file in files} == {*(f"{i:02}.root" for i in range(45)), "slow.root"}
    reasons = set_aside(output)
    assert "has the content of 00.root" in reasons["duplicate.root"]
    assert "has no tree 'Events'" in reasons["tracks.root"]
    assert "is not a whole ROOT file" in reasons["truncated.root"]
    assert "a table has one value an event" in reasons["notes.txt"]
    assert all(name in watch.said for name in bad)
    assert "latency of files p50" in watch.said
    assert "flagged: run 1 luminosityBlock" in watch.said
    assert "drift" not in watch.said
    expected = batch(tmp_path, files, models, certified=certified)
    assert_same_results(output, expected, at_least=FILES * EVENTS // 3)
    assert read(output / "run.json")["counts"]["processed"] == FILES * EVENTS
    assert read(output / "run.json")["sample"]["certified"] == read(expected / "run.json")["sample"]["certified"]
    assert read(output / "run.json")["cutflow"] == read(expected / "run.json")["cutflow"]
    assert sorted(path.name for path in good.iterdir()) == sorted({Path(file).name for file in files} | bad)


def test_killed_at_any_moment_and_started_again_gives_the_same(made: Path, models: Path, tmp_path: Path) -> None:
    good, output = tmp_path / "good", tmp_path / "output"
    good.mkdir()
    names = [f"{i:02}.root" for i in range(20)]
    (good / "notes.txt").write_text("shift log\n")
    draw = random.Random(1)
    waiting = list(names)
    for kill in range(6):
        for name in waiting[:4]:
            place(made / name, good / name)
        waiting = waiting[4:]
        watch = Watch(good, "--models", models, "--output", output, "--settle", "0")
        if kill < 5:
            time.sleep(draw.uniform(2, 6))
            watch.end(signal.SIGKILL)
    wait_until(lambda: len(scored_files(output)) == len(names), "20 files")
    watch.end()
    assert watch.code == 0, watch.said
    files = scored_files(output)
    assert sorted(Path(file).name for file in files) == names
    assert set_aside(output).keys() == {"notes.txt"}
    assert_same_results(output, batch(tmp_path, files, models), at_least=20 * EVENTS // 3)
    assert not (output / ".staging").exists()


def test_ctrl_c_ends_soon_at_any_time_and_the_next_watch_goes_on(made: Path, models: Path, tmp_path: Path) -> None:
    good, output = tmp_path / "good", tmp_path / "output"
    good.mkdir()
    shutil.copyfile(made / "00.root", good / "00.root")
    options = (good, "--models", models, "--output", output, "--settle", "0")
    for seconds, sent in ((1.0, signal.SIGINT), (2.0, signal.SIGTERM), (3.0, signal.SIGINT)):
        watch = Watch(*options)
        time.sleep(seconds)
        watch.end(sent)
        assert watch.code == 130, watch.said
        assert "Traceback" not in watch.said
        assert not (output / ".staging").exists()
    watch, refused = Watch(*options), None
    wait_until(lambda: len(scored_files(output)) == 1, "a file")
    refused = Watch(*options)
    refused.said, _ = refused.process.communicate(timeout=WAIT)
    assert refused.code == 3
    assert f"error: another run is writing to {output}" in refused.said
    # Something arrives, and at once it is to end: what is scored is in the result, what is not is for the next one.
    shutil.copyfile(made / "01.root", good / "01.root")
    shutil.copyfile(made / "02.root", good / "02.root")
    wait_until(lambda: len(list((output / "parts").iterdir())) == 2, "another part")
    watch.end()
    assert watch.code == 0, watch.said
    assert len(scored_files(output)) == 3
    for folder in (output, *(output / "parts").iterdir()):
        subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    assert_same_results(output, batch(tmp_path, scored_files(output), models), at_least=EVENTS)


def test_odd_things_in_a_folder_are_named_once_and_the_watch_goes_on(made: Path, models: Path, tmp_path: Path) -> None:
    good, output = tmp_path / "good", tmp_path / "output"
    good.mkdir()
    ROOT.RDF.RunGraphs(
        [book_file(ROOT.RDataFrame("Events", str(made / "00.root")).Filter("false"), good / "empty.root")]
    )
    (good / "run 7").mkdir()
    (good / ".hidden").write_text("")
    (good / "link").symlink_to(good / "nowhere")
    (good / "line\nbreak.root").write_bytes(b"root")
    shutil.copyfile(made / "01.root", good / "what?.root")
    (good / os.fsdecode(b"latin-\xe4.root")).write_bytes((made / "02.root").read_bytes())
    shutil.copyfile(made / "03.root", good / "größer [1] €.root")
    watch = Watch(good, "--models", models, "--output", output, "--settle", "0")
    wait_until(lambda: len(set_aside(output)) == 3 and len(scored_files(output)) == 2, "3 set aside, 2 scored")
    good.rename(tmp_path / "away")
    time.sleep(0.5)
    (tmp_path / "away").rename(good)
    place(made / "04.root", good / "what.root")  # a pattern would match it
    wait_until(lambda: len(scored_files(output)) == 3, "another file")
    shutil.copyfile(made / "05.root", good / "what.root")
    time.sleep(0.5)
    watch.end()
    lines = watch.said.splitlines()
    reasons = set_aside(output)
    assert "holds no events" in reasons["empty.root"]
    assert "not UTF-8; rename it" in reasons["latin-\\udce4.root"]
    assert "is not a whole ROOT file" in reasons["line\\nbreak.root"]
    said = (
        "run 7 is a folder",
        f"{good} cannot be read",
        f"{good} is back",
        "what.root has changed since it was scored",
    )
    for expected in said:
        assert sum(expected in line for line in lines) == 1, (expected, watch.said)
    assert ".hidden" not in watch.said
    assert "Traceback" not in watch.said


def test_a_file_that_kills_the_process_is_set_aside(made: Path, models: Path, tmp_path: Path) -> None:
    good, output, fatal = tmp_path / "good", tmp_path / "output", tmp_path / "models"
    good.mkdir()
    shutil.copytree(models, fatal)
    table = read(fatal / "models.json")
    table["objects"]["jet"]["where"] = "Jet_jetId >= (run == 13 ? *reinterpret_cast<int*>(8) : 2)"
    write_table(fatal / "models.json", table)
    of_another_run = ROOT.RDataFrame("Events", str(made / "00.root")).Redefine("run", "13u")
    ROOT.RDF.RunGraphs([book_file(of_another_run, good / "00-fatal.root")])
    for i in range(1, 3):
        shutil.copyfile(made / f"{i:02}.root", good / f"{i:02}.root")
    watch = Watch(good, "--models", fatal, "--trust-models", "--output", output, "--settle", "0")
    wait_until(lambda: len(scored_files(output)) == 2 and bool(set_aside(output)), "2 files, 1 set aside")
    for child in workers(watch.process.pid):
        os.kill(child, signal.SIGKILL)  # while it waits
    shutil.copyfile(made / "03.root", good / "03.root")
    wait_until(lambda: len(scored_files(output)) == 3, "another file")
    watch.end()
    assert watch.code == 0, watch.said
    assert sorted(Path(file).name for file in scored_files(output)) == ["01.root", "02.root", "03.root"]
    reason = "it ended the process that read it (signal SIGSEGV); it will be tried again when it changes"
    assert set_aside(output) == {"00-fatal.root": reason}
    assert watch.said.count(f"set aside: 00-fatal.root: {reason}") == 1
    assert_same_results(output, batch(tmp_path, scored_files(output), fatal, trust_models=True), at_least=EVENTS)


def test_tables_are_watched_as_a_configuration_file_says(apart: None, opendata: Path, tmp_path: Path) -> None:
    good, output = tmp_path / "good", tmp_path / "output"
    good.mkdir()
    table = np.load(opendata / "lhco" / "innerdata_train.npy")
    np.save(tmp_path / "training.npy", table[:4000])
    options = {"sample": str(tmp_path / "training.npy"), "schema": "lhco", "threads": 1}
    options |= {"output": str(tmp_path / "trained"), "detectors": "isolation_forest"}
    run(load_configuration(RunConfiguration, options, None), "test")
    models = tmp_path / "trained" / "models"
    for i in range(3):
        np.save(good / f"{i}.npy", table[4000 + 2000 * i : 6000 + 2000 * i])
    (good / "3.csv").write_text("mjj,mj_min\n1,2\n")
    configuration = {"folder": str(good), "models": str(models), "schema": "lhco", "output": str(output), "settle": 0}
    (tmp_path / "watch.yaml").write_text(yaml.safe_dump(configuration))
    watch = Watch("--config", tmp_path / "watch.yaml")
    wait_until(lambda: len(scored_files(output)) == 3 and bool(set_aside(output)), "3 files, 1 set aside")
    watch.end()
    assert watch.code == 0, watch.said
    assert "delta_mj" in set_aside(output)["3.csv"]
    assert read(output / "run.json")["counts"]["processed"] == 6000
    assert_same_results(output, batch(tmp_path, scored_files(output), models, "lhco"), at_least=6000)


@pytest.mark.parametrize(
    ("table", "options"),
    [
        (
            {"folder": "in", "models": "m", "schema": "lhco", "settle": 10, "detectors": ["mlp"], "threads": 2},
            "in --models m --schema lhco --settle 10 --detectors mlp --threads 2",
        ),
        (
            {"replay": "cms2010b", "rate": 2e3, "models": "m", "output": "out"},
            "--replay cms2010b --rate 2000 --models m --output out",
        ),
    ],
)
def test_a_configuration_file_says_what_options_say(table: dict[str, Any], options: str, tmp_path: Path) -> None:
    (tmp_path / "watch.yaml").write_text(yaml.safe_dump(table))
    ways = (["--config", str(tmp_path / "watch.yaml")], options.split())
    one, other = (parse_configuration(option_parser(), WatchConfiguration, way) for way in ways)
    assert one == other
    assert {key: getattr(one, key) for key in ("rate", "settle")} == {
        "rate": table.get("rate"),
        "settle": table.get("settle", 1.0),
    }


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("{tmp}/nowhere",), 3, "nowhere does not exist; name the folder in which files arrive"),
        (("{tmp}/file",), 3, "file is no folder"),
        (("{tmp}", "--output", "{tmp}/out"), 2, "lie within each other; choose another one"),
        (("{tmp}/in", "--output", "{tmp}"), 2, "lie within each other; choose another one"),
        ((), 2, "name either the folder to watch, or a sample with --replay"),
        (("--replay", "cms2010b"), 2, "--replay and --rate go together"),
        (("{tmp}/in", "--seed", "1", "--features", "MR,Rsq"), 2, "--features: with --models"),
        (("{tmp}/in", "--settle", "-1"), 2, "--settle"),
        (("{tmp}/in", "--detectors", "mlp"), 2, "has no mlp, only isolation_forest, elliptic_envelope"),
        (("{tmp}/in", "--schema", "atlas2020"), 2, "was trained on the schema cms_nanoaod"),
        (("--replay", "{tmp}/in.root", "--rate", "5"), 3, "does not exist"),
    ],
)
def test_what_cannot_be_watched_is_said_in_a_line(
    arguments: tuple[str, ...], code: int, said: str, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "file").touch()
    given = [argument.replace("{tmp}", str(tmp_path)) for argument in arguments]
    output = [] if "--output" in given else ["--output", str(tmp_path / "output")]
    assert run_program("analysis.watch", main, [*given, *output, "--models", str(models)]) == code
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    assert said in line


def test_a_replay_is_a_run(made: Path, models: Path, tmp_path: Path) -> None:
    """Its rate is kept, a killed one goes on, and the result is that of a run over the sample."""
    sample, output = made / "training.root", tmp_path / "output"
    options = ("--replay", sample, "--schema", "cms_nanoaod", "--rate", "2000", "--models", models, "--output", output)
    watch = Watch(*options)
    wait_until((output / "parts").is_dir, "its folder")
    time.sleep(2)  # mostly, it is starting ROOT
    watch.end()
    assert watch.code == 130, watch.said
    watch = Watch(*options)
    wait_until(lambda: any((output / "parts").iterdir()), "a part")
    watch.end(signal.SIGKILL)
    begin = time.monotonic()
    watch = Watch(*options)
    watch.said, _ = watch.process.communicate(timeout=WAIT)
    assert watch.code == 0, watch.said
    left = 4000 - int(watch.said.partition("going on after ")[2].partition(" events")[0].replace(",", ""))
    assert time.monotonic() - begin > left / 2000
    alone = {"sample": str(sample), "schema": "cms_nanoaod", "models": str(models), "output": str(tmp_path / "batch")}
    run(load_configuration(RunConfiguration, alone, None), "test")
    assert_same_results(output, tmp_path / "batch", at_least=2000)


def drawn(models: ModelFolder, seed: int, events: int) -> dict[str, np.ndarray]:
    """Events as in the training, each number drawn by itself from its distribution."""
    random = np.random.default_rng(seed)
    tables = {name: (table.ranks, table.values) for name, table in models.feature_quantiles.items()}
    for name, entry in models.detectors.items():
        table = entry.networks[0].rank_table
        tables[f"score_{name}"] = (table.ranks, table.scores)
    return {name: np.interp(random.random(events), *table).astype(np.float32) for name, table in tables.items()}


def test_drift_is_seen_and_chance_is_not(models: Path) -> None:
    folder = read_model_folder(models)
    detectors = tuple(folder.detectors)
    assert set(folder.feature_quantiles) == set(folder.features)
    for seed in range(100):
        monitor = DriftMonitor(folder, detectors)
        for i in range(5):
            assert not monitor.add(drawn(folder, 10 * seed + i, 1000)), seed
    shifted = drawn(folder, 1, 10_000)
    shifted["MR"] *= np.float32(1.3)
    monitor = DriftMonitor(folder, detectors)
    (shift,) = monitor.add(shifted)
    training = drawn(folder, 2, 100_000)["MR"]
    assert shift.name == "MR"
    assert shift.distance == pytest.approx(scipy.stats.ks_2samp(shifted["MR"], training).statistic, abs=0.01)
    assert shift.probability < 1e-6
    assert shift.median == pytest.approx(1.3 * shift.trained, rel=0.05)
    assert not monitor.add(shifted)  # it is told once


def test_models_of_an_earlier_version_do_for_the_scores(models: Path, tmp_path: Path) -> None:
    older = tmp_path / "models"
    shutil.copytree(models, older)
    table = read(older / "models.json")
    del table["feature_quantiles"]
    write_table(older / "models.json", table)
    folder = read_model_folder(older)
    monitor = DriftMonitor(folder, tuple(folder.detectors))
    assert monitor.lacking is not None
    sample = drawn(read_model_folder(models), 3, 5000)
    sample["MR"] *= np.float32(2)
    assert not monitor.add(sample)
    sample = drawn(read_model_folder(models), 4, 10_000)
    sample["score_elliptic_envelope"] *= np.float32(2)
    assert [shift.name for shift in monitor.add(sample)] == ["score_elliptic_envelope"]


def test_another_process_is_drift(made: Path, models: Path, tmp_path: Path) -> None:
    good, output = tmp_path / "good", tmp_path / "output"
    good.mkdir()
    simulate.main(["ttbar", "--events", "4000", "-o", str(good / "top.root")])
    watch = Watch(good, "--models", models, "--output", output, "--settle", "0")
    wait_until(lambda: len(scored_files(output)) == 1, "a file")
    watch.end()
    assert "drift: MET has left its distribution in the training" in watch.said
