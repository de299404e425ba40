"""Parts of a sample put together, against one run over all of it; and parts that are not whole, or not of it."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from analysis import simulate
from analysis.configuration import RunConfiguration
from analysis.errors import ConfigurationError, DamagedPart
from analysis.options import load_configuration
from analysis.output.folder import write_checksums
from analysis.output.merging import merge_parts
from analysis.output.parts import check_part
from analysis.run import run
from rdf.code.interpreter import ROOT
from rdf.errors import NoEvents
from tests.analysis.output.contents import bins, ordered_events, read_columns, read_histograms, record
from tests.analysis.output.damage import empty, flip, rewrite, set_in, truncate
from tests.analysis.same_results import assert_same_results

pytestmark = pytest.mark.compiler

EVENTS = 24_000
RANGES = ((0, 3_000), (3_000, 11_111), (11_111, EVENTS))
PLAN = "plan 7"
OPTIONS = {"schema": "cms_nanoaod", "vary": "jes"}
FILES = ("SHA256SUMS", "anomalies.csv", "events.root", "histograms.root", "objects.json", "pick.txt", "run.json")
MODELS = ("isolation_forest", "isolation_forest_contributions", "elliptic_envelope", "elliptic_envelope_contributions")
ALL_FILES = (*FILES, "models/models.json", *(f"models/{name}.onnx" for name in MODELS))
MAY_DIFFER = (
    *("command", "threads", "started", "machine", "timings", "loop_seconds", "events_per_second"),
    *("plan", "merged", "entries"),
)
"""Keys of run.json and of the configuration in it."""


def scored(output: Path, **options: Any) -> Path:
    run(load_configuration(RunConfiguration, {**OPTIONS, "output": str(output), "threads": 1, **options}, None), "test")
    return output


@pytest.fixture(scope="module")
def folder(apart: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated events in two files, models of one of them, and a sample file of both."""
    folder = tmp_path_factory.mktemp("merging")
    for name, events, seed in (("a", 9_000, 1), ("b", 15_000, 2)):
        mixture = ["squark", "--background", "qcd", "--signal-fraction", "0.05"]
        simulate.main([*mixture, "--events", str(events), "--seed", str(seed), "-o", str(folder / f"{name}.root")])
    train = {"sample": str(folder / "a.root"), "train_events": 2_000, "vary": {}}
    scored(folder / "trained", **train, detectors="isolation_forest,elliptic_envelope")
    (folder / "mine.yaml").write_text(
        "title: My events\nschema: cms_nanoaod\ndoi: 10.5/MINE\nsimulated: true\nfiles:\n"
        "  - {path: a.root, events: 9000}\n  - {path: b.root, events: 15000}\n"
    )
    return folder


@pytest.fixture(scope="module")
def whole(folder: Path) -> Path:
    """The one run over all."""
    sample = {"sample": str(folder / "mine.yaml"), "schema": None}
    return scored(folder / "whole", models=str(folder / "trained" / "models"), threads=2, **sample)


@pytest.fixture(scope="module")
def parts(folder: Path) -> list[Path]:
    sample = {"sample": str(folder / "mine.yaml"), "schema": None, "models": str(folder / "trained" / "models")}
    return [
        scored(folder / f"part{i}", entries=f"{first}:{last}", plan=PLAN, **sample)
        for i, (first, last) in enumerate(RANGES)
    ]


@pytest.fixture(scope="module")
def merged(folder: Path, parts: list[Path]) -> Path:
    """The parts put together, named in no order."""
    merge_parts([parts[i] for i in (2, 0, 1)], folder / "merged", "merge", (0, EVENTS), PLAN)
    return folder / "merged"


def test_every_event_is_there_once_with_the_same_scores(whole: Path, merged: Path) -> None:
    expected, found = ordered_events(whole), ordered_events(merged)
    assert list(found) == list(expected)
    assert len(found["event"]) > EVENTS / 2
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
        assert found[name].dtype == values.dtype


def test_a_part_without_a_selected_event(folder: Path, whole: Path) -> None:
    """Entries of which none passes the cuts are a part as good as others; a whole sample of them is an error."""
    with uproot.open(folder / "a.root") as file:
        names = file["Events"]["event"].array(library="np")
    kept = set(read_columns(whole)["event"].tolist())
    dropped = next(i for i, name in enumerate(names.tolist()) if name not in kept)
    sample = {"sample": str(folder / "mine.yaml"), "schema": None, "models": str(folder / "trained" / "models")}
    ranges = ((0, dropped), (dropped, dropped + 1), (dropped + 1, EVENTS))
    found = [
        scored(folder / f"with_none{i}", entries=f"{first}:{last}", **sample)
        for i, (first, last) in enumerate(ranges)
        if first < last
    ]
    empty = folder / "with_none1"
    assert record(empty)["counts"]["selected"] == 0
    assert (empty / "anomalies.csv").read_text().count("\n") == 1
    merge_parts(found, folder / "with_none", "merge", (0, EVENTS))
    assert_same_results(folder / "with_none", whole, at_least=EVENTS // 2)
    merge_parts([empty], folder / "none_again", "merge", as_part=True)
    merge_parts([found[0], folder / "none_again", found[-1]], folder / "merged_again", "merge", (0, EVENTS))
    assert_same_results(folder / "merged_again", whole, at_least=EVENTS // 2)
    with pytest.raises(NoEvents, match="no event has finite features in any part; check the sample"):
        merge_parts([empty], folder / "nothing", "merge")


def test_every_histogram_is_the_same_bin_by_bin(whole: Path, merged: Path) -> None:
    expected, found = bins(whole), bins(merged)
    assert len(expected) > 100
    assert {path for path in found if not path.startswith("remainders/")} == set(expected)
    for path, histogram in expected.items():
        for what, values in histogram.items():
            assert found[path][what] == values, (path, what)


def test_anomalies_are_the_same_line_by_line(whole: Path, merged: Path) -> None:
    lines = (whole / "anomalies.csv").read_text().splitlines()
    assert len(lines) == 101
    assert (merged / "anomalies.csv").read_text().splitlines() == lines


def test_the_record_is_that_of_one_run(whole: Path, merged: Path) -> None:
    expected, found = record(whole), record(merged)
    assert set(found) == set(expected)
    for one, other in zip(expected["sample"]["files"], found["sample"]["files"], strict=True):
        sha256 = hashlib.sha256(Path(one["path"]).read_bytes()).hexdigest()
        # Parts that share a file do not each read the whole of it.
        assert (one["sha256"], other["sha256"] in (None, sha256)) == (sha256, True)
        one["sha256"] = other["sha256"]
    for key in expected:
        if key == "configuration":
            own = {"output", *MAY_DIFFER}
            one, other = ({k: v for k, v in table[key].items() if k not in own} for table in (expected, found))
            assert other == one
        elif key not in MAY_DIFFER:
            assert found[key] == expected[key], key
    assert found["sample"]["title"] == "My events"
    assert [file["path"].rpartition("/")[2] for file in found["sample"]["files"]] == ["a.root", "b.root"]
    assert (found["plan"], found["merged"], found["entries"]) == (PLAN, {"parts": 3}, [0, EVENTS])
    assert (found["command"], found["configuration"]["output"]) == ("merge", str(merged))


def test_times_are_added(parts: list[Path], merged: Path) -> None:
    found, records = record(merged), [record(part) for part in parts]
    for table in ("timings", "loop_seconds"):
        for stage, seconds in found[table].items():
            assert seconds == pytest.approx(sum(part[table][stage] for part in records), abs=1e-6), stage
    assert found["events_per_second"] == round(EVENTS / found["timings"]["scoring_loop"])
    assert found["started"] == min(part["started"] for part in records)


def test_simulated_events_stay_marked(merged: Path) -> None:
    for name in ("events.root", "histograms.root"):
        with uproot.open(merged / name) as file:
            assert "SIMULATED" in file
            assert json.loads(file["provenance"].member("fTitle"))["sample"] == record(merged)["sample"]
    with uproot.open(merged / "histograms.root") as file:
        assert file["features/MR"].title.startswith("SIMULATED M_{R}")
    with (merged / "anomalies.csv").open(newline="") as file:
        assert {row["sample"] for row in csv.DictReader(file)} == {"mine (SIMULATED)"}


def test_scores_of_signal_and_of_background(whole: Path, merged: Path) -> None:
    """Of one run and of parts put together, against the events with their labels."""
    for output in (whole, merged):
        columns = read_columns(output)
        with uproot.open(output / "histograms.root") as file:
            for name in ("score_ensemble", "score_isolation_forest", "score_elliptic_envelope"):
                inner = file[f"scores/{name}"].axis().edges()
                edges = np.concatenate([[-np.inf], inner, [np.inf]])
                for kind, label in (("signal", 1), ("background", 0)):
                    chosen = columns[name][columns["label"] == label].astype(float)
                    histogram = file[f"scores/{kind}/{name}"]
                    expected = np.histogram(chosen[chosen < edges[-2]], edges)[0]
                    expected[-1] += (chosen >= edges[-2]).sum()  # ROOT does not close the last bin
                    assert histogram.values(flow=True).tolist() == expected.tolist()
                    assert histogram.values(flow=True).sum() == histogram.member("fEntries") == len(chosen) > 100
                    assert histogram.axis().edges().tolist() == inner.tolist()
                for varied in ("jes_up", "jes_down"):
                    labelled = (file[f"variations/{varied}/scores/{kind}{name}"] for kind in ("signal/", "background/"))
                    total = file[f"variations/{varied}/scores/{name}"].values(flow=True)
                    assert sum(h.values(flow=True) for h in labelled).tolist() == total.tolist()


def test_it_opens_in_root(merged: Path) -> None:
    assert ROOT.RDataFrame("events", str(merged / "events.root")).Count().GetValue() == len(
        ordered_events(merged)["event"]
    )


def test_a_merge_of_merges_is_the_merge(parts: list[Path], merged: Path, tmp_path: Path) -> None:
    merge_parts(parts[:2], tmp_path / "first", "merge", (0, RANGES[1][1]), PLAN, as_part=True)
    merge_parts([tmp_path / "first", parts[2]], tmp_path / "all", "merge", (0, EVENTS), PLAN)
    assert record(tmp_path / "first")["merged"] == {"parts": 2}
    expected, found = record(merged), record(tmp_path / "all")
    assert found["merged"] == {"parts": 3}
    for key in ("counts", "cutflow", "means", "agreement", "variations", "detectors", "non_finite", "sample"):
        assert found[key] == expected[key], key
    of_merges = bins(tmp_path / "all")
    for path, histogram in bins(merged).items():
        assert of_merges[path] == histogram, path
    assert (tmp_path / "all" / "anomalies.csv").read_bytes() == (merged / "anomalies.csv").read_bytes()


@pytest.mark.parametrize("name", ["whole", "part1", "merged"])
def test_sha256sum_agrees(name: str, folder: Path, whole: Path, merged: Path) -> None:
    check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(check, cwd=folder / name, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    listed = {line.partition(":")[0] for line in done.stdout.splitlines()}
    assert listed == set(ALL_FILES) - {"SHA256SUMS"}


def test_parts_are_whole(parts: list[Path]) -> None:
    for part, entries in zip(parts, RANGES, strict=True):
        assert check_part(part, entries, PLAN).entries == entries


def test_200_parts_cost_no_more_than_to_read_them_one_and_a_half_times(parts: list[Path], tmp_path: Path) -> None:
    """In seconds of the processor, which other processes do not change."""
    many = []
    for i in range(200):
        many.append(shutil.copytree(parts[1], tmp_path / f"part{i}"))
        size = RANGES[1][1] - RANGES[1][0]
        rewrite(many[-1], set_in("entries", value=[i * size, (i + 1) * size]))
    merge_parts(many[:2], tmp_path / "out", "merge")  # what happens once in a process

    def took(work: Callable[[Path], object], folders: list[Path]) -> float:
        begin = time.process_time()
        for folder in folders:
            work(folder)
        return time.process_time() - begin

    to_read = took(lambda part: (read_columns(part), read_histograms(part)), many)
    to_merge = took(lambda out: merge_parts(many, out, "merge"), [tmp_path / "out"])
    assert to_merge < 1.5 * to_read


# --- what is refused


@pytest.fixture
def copies(parts: list[Path], tmp_path: Path) -> list[Path]:
    """The parts, to be damaged."""
    return [shutil.copytree(part, tmp_path / part.name) for part in parts]


def refuse(parts: list[Path], tmp_path: Path, fault: str, **expected: Any) -> None:
    """Make sure that parts are not merged, for this reason, and that nothing is left under a final name."""
    with pytest.raises(DamagedPart, match=fault):
        merge_parts(parts, tmp_path / "out", "merge", **expected)
    assert not (tmp_path / "out" / "run.json").exists()


@pytest.mark.parametrize("damage", [flip, truncate, empty, Path.unlink])
@pytest.mark.parametrize("name", ALL_FILES)
def test_a_damaged_file_is_named(name: str, damage: Callable[[Path], None], copies: list[Path], tmp_path: Path) -> None:
    damage(copies[1] / name)
    words = {flip: "is not as it was written", truncate: "is not as it was written", empty: "is empty"}
    fault = rf"part {copies[1]}: {name} {words.get(damage, 'is missing')}.*; run this part again$"
    if name == "SHA256SUMS" and damage in (flip, truncate):  # what it says of some file is not so
        fault = rf"part {copies[1]}: .+; run this part again$"
    refuse(copies, tmp_path, fault)


def test_every_byte_of_the_checksums_counts(parts: list[Path], tmp_path: Path) -> None:
    part = shutil.copytree(parts[0], tmp_path / "part")
    content = (part / "SHA256SUMS").read_bytes()
    random = np.random.default_rng(6)
    for place in random.choice(len(content), 60, replace=False):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(random.integers(8))
        (part / "SHA256SUMS").write_bytes(damaged)
        with pytest.raises(DamagedPart, match=rf"^part {part}: "):
            check_part(part)


def test_a_missing_part_is_named(copies: list[Path], tmp_path: Path) -> None:
    shutil.rmtree(copies[1])
    refuse(copies, tmp_path, rf"^part {copies[1]} is missing; run this part again$")


def test_a_gap_is_named(parts: list[Path], tmp_path: Path) -> None:
    between = f"no part holds the entries 3000:11111, between {parts[0]} and {parts[2]}; add it"
    refuse([parts[0], parts[2]], tmp_path, f"^{between}$")
    refuse(parts[:2], tmp_path, "hold the entries 0:11111, where 0:24000 are expected", entries=(0, EVENTS))
    refuse(parts[1:], tmp_path, "hold the entries 3000:24000, where 0:24000 are expected", entries=(0, EVENTS))


def test_events_that_are_there_twice_are_named(copies: list[Path], tmp_path: Path) -> None:
    twice = rf"^parts {copies[1]} \(entries 3000:11111\) and {copies[1]} \(entries 3000:11111\) hold the same events"
    refuse([*copies, copies[1]], tmp_path, twice)

    def overlap(table: dict[str, Any]) -> None:
        table["entries"] = [2_999, 11_110]

    rewrite(copies[1], overlap)
    refuse(copies, tmp_path, rf"^parts {copies[0]} \(entries 0:3000\) and {copies[1]} \(entries 2999:11110\) hold the")


def test_a_part_of_another_plan_is_named(copies: list[Path], tmp_path: Path) -> None:
    rewrite(copies[2], lambda table: table.update(plan="plan 8"))
    refuse(
        copies, tmp_path, rf"^part {copies[2]} is of another plan than {copies[0]}: plan differs; run this part again$"
    )
    fault = rf"^part {copies[2]}: run\.json says that it is of the plan plan 8, not of plan 7; run this part again$"
    refuse(copies, tmp_path, fault, plan=PLAN)


def test_other_entries_than_expected_are_named(parts: list[Path]) -> None:
    fault = rf"^part {parts[1]} holds the entries 3000:11111, 3000:11112 are expected; run this part again$"
    with pytest.raises(DamagedPart, match=fault):
        check_part(parts[1], (3_000, 11_112), PLAN)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (set_in("models_sha256", value="0" * 64), "was scored by other models than {0}: models_sha256 differs"),
        (set_in("sample", "doi", value="10.5/HERS"), r"is of another sample than {0}: sample \(doi\) differs"),
        (
            set_in("configuration", "vary", value={}),
            r"was configured otherwise than {0}: configuration \(vary\) differs",
        ),
        (set_in("left_out", value=["mll"]), "has other columns than {0}: left_out differs"),
        (set_in("min_votes", value=2), "was scored otherwise than {0}: min_votes differs"),
    ],
)
def test_a_part_of_something_else_is_named(
    change: Callable[[dict[str, Any]], None], fault: str, copies: list[Path], tmp_path: Path
) -> None:
    rewrite(copies[1], change)
    refuse(copies, tmp_path, f"^part {copies[1]} {fault.format(copies[0])}.*; run this part again$")


def test_another_file_of_the_same_name_is_named(copies: list[Path], tmp_path: Path) -> None:
    rewrite(copies[2], lambda table: table["sample"]["files"][0].update(size=1))
    refuse(copies, tmp_path, rf"^part {copies[2]} was made of another .*/b\.root than the others; run this part again$")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (set_in("counts", "processed", value=8_110), ": run.json counts 8110 events for entries 3000:11111"),
        (set_in("counts", "selected", value=1), r": run.json counts \d+ events for 1 selected"),
        (set_in("cutflow", value=[{"name": "all", "events": 5}]), ": run.json counts 5 events for 8111 processed"),
        (lambda table: table.pop("merged"), ": run.json has no 'merged', so no run of this version left it"),
    ],
)
def test_counts_that_contradict_each_other_are_named(
    change: Callable[[dict[str, Any]], None], fault: str, copies: list[Path], tmp_path: Path
) -> None:
    rewrite(copies[1], change)
    refuse(copies, tmp_path, f"^part {copies[1]}{fault}; run this part again$")


def test_events_that_are_not_those_that_were_counted_are_named(copies: list[Path], tmp_path: Path) -> None:
    """As after a run that was not interrupted, but whose file is another's."""
    selected = [record(part)["counts"]["selected"] for part in copies]
    shutil.copyfile(copies[0] / "events.root", copies[1] / "events.root")
    write_checksums(copies[1])
    fault = (
        f"^part {copies[1]}: events.root holds {selected[0]} events, run.json says {selected[1]}; run this part again$"
    )
    refuse(copies, tmp_path, fault)


def test_histograms_that_do_not_fit_are_named(copies: list[Path], folder: Path, tmp_path: Path) -> None:
    shutil.copyfile(folder / "trained" / "histograms.root", copies[2] / "histograms.root")
    write_checksums(copies[2])
    refuse(copies, tmp_path, rf"^parts that do not fit together: {copies[2]}/histograms\.root has no histogram '")


def test_nothing_to_merge(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no part to merge; name the output folders of some runs"):
        merge_parts([], tmp_path, "merge")
