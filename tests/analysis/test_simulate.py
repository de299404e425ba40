"""The program that simulates, as a user starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from analysis.errors import ConfigurationError, OutputFolderError
from analysis.simulate import main

pytestmark = pytest.mark.compiler

PROJECT = Path(__file__).resolve().parents[2]


def command(*options: object) -> list[str]:
    return [sys.executable, "-m", "analysis.simulate", *map(str, options)]


def simulate(*options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*options), cwd=PROJECT, capture_output=True, text=True)


def test_squark_pairs(tmp_path: Path) -> None:
    output = tmp_path / "file.root"
    done = simulate("squark", "--events", "1e4", "--mass", 900, "--lsp", 100, "--seed", 3, "-o", output)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "SIMULATED pairs of squarks of 900 GeV, each to a jet and an invisible particle of 100 GeV" in said
    assert "10,000: 10,000 signal (label 1), 0 background (label 0)" in said
    assert "(m^2 - lsp^2) / m = 888.9 GeV" in said
    assert f"{output} (RNTuple Events," in said
    assert "seed 3" in said
    assert [path.name for path in tmp_path.iterdir()] == ["file.root"]
    with uproot.open(output) as file:
        assert set(file.keys(cycle=False)) == {"SIMULATED", "provenance", "Events"}
        record = json.loads(file["provenance"].member("fTitle"))
        events = file["Events"].arrays(["event", "label", "MET_pt"])
    assert (record["events"], record["seed"]) == (10_000, 3)
    assert record["simulation"].startswith("pairs of squarks of 900 GeV")
    assert record["command"].startswith("python -m analysis.simulate squark --events 1e4 --mass 900")
    assert ak.to_list(events.event) == list(range(1, 10_001))
    assert ak.all(events.label == 1)

    # Only what is simulated itself is replaced.
    done = simulate("zprime", "--background", "zjets", "--events", 5000, "--format", "ttree", "-o", output)
    assert done.returncode == 0, done.stderr
    with uproot.open(output) as file:
        assert file["Events"].num_entries == 5000
        signal_events = int(ak.sum(file["Events/label"].array()))
    assert abs(signal_events - 50) < 36  # five standard deviations of 1 % of 5000
    assert f"5,000: {signal_events:,} signal (label 1)" in " ".join(done.stdout.split())
    assert "mll of the signal peaks at 1500 GeV" in done.stdout


def test_tracks(tmp_path: Path) -> None:
    done = simulate("tracks", "--events", 3000, "--signal-fraction", 0.5, "-o", tmp_path / "t.root")
    assert done.returncode == 0, done.stderr
    tracks = uproot.open(tmp_path / "t.root")["tracks"].arrays()
    assert abs(ak.mean(tracks.label) - 0.5) < 5 * np.sqrt(0.25 / 3000)


def test_a_file_that_is_not_simulated_is_kept(tmp_path: Path) -> None:
    with uproot.recreate(tmp_path / "data.root") as file:
        file["Events"] = {"x": np.arange(3)}
    before = (tmp_path / "data.root").read_bytes()
    done = simulate("qcd", "-o", tmp_path / "data.root")
    assert done.returncode == 3
    assert "data.root is there already and is no file of simulated events; choose another one" in done.stderr
    assert (tmp_path / "data.root").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["data.root"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("squrk -o a.root", "unknown process 'squrk'; did you mean squark?"),
        ("qcd --lsp 100 -o a.root", "qcd has no option --lsp; it has --events, --seed, --output, --format"),
        ("zprime --lsp 1 -o a.root", "zprime has no option --lsp; it has .*--mass, --background, --signal-fraction"),
        ("tracks --mass 1 -o a.root", "tracks has no option --mass; it has .*--signal-fraction"),
        ("squark --maas 1 -o a.root", "unknown option --maas; did you mean --mass"),
        ("squark", "no file to write; name one with --output"),
        ("squark --events 0 -o a.root", "--events 0: a whole number from 1 up is expected"),
        ("squark --events 1.5 -o a.root", "--events 1.5: a whole number from 1 up"),
        ("squark --events 1e99 -o a.root", "--events 1e99: a whole number"),
        ("squark --events inf -o a.root", "--events inf: a whole number"),
        ("squark --events many -o a.root", "--events many: not a number"),
        ("squark --seed -1 -o a.root", "--seed -1: a whole number from 0 up"),
        ("squark --mass 5 -o a.root", "--mass 5: a mass from 50 to 6000 GeV is expected"),
        ("squark --mass nan -o a.root", "--mass nan: a mass from 50 to 6000 GeV is expected"),
        ("squark --mass 100 --lsp 100 -o a.root", "--lsp 100: a mass from 0 to below 100 GeV is expected"),
        ("squark --lsp -1 -o a.root", "--lsp -1: a mass from 0 to below 700 GeV is expected"),
        ("squark --signal-fraction 0.1 -o a.root", "--signal-fraction: of what. name .* --background"),
        ("squark --background qcd --signal-fraction 1 -o a.root", "--signal-fraction 1: a number between 0 and 1"),
        ("squark --background zprime -o a.root", "--background zprime: .*qcd, ttbar, zjets"),
        ("squark --format tree -o a.root", "--format tree: did you mean ttree"),
    ],
)
def test_bad_commands(options: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=message):
        main(options.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("nowhere/a.root", r"there is no folder .*/nowhere; make it or name another --output"),
        ("folder", "folder is a folder; name a file in it"),
        ("a#b.root", "ROOT takes '#' in a path for something else"),
        ("a|b.root", "ROOT takes '|' in a path for something else"),
    ],
)
def test_files_that_cannot_be_written(
    output: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputFolderError, match=message):
        main(["qcd", "-o", output])
    monkeypatch.setattr(os, "access", lambda *_: False)  # to root, every folder is writable
    with pytest.raises(OutputFolderError, match=r"the folder .* cannot be written; name another --output"):
        main(["qcd", "-o", "a.root"])
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_exit_code_and_one_line_for_a_bad_command() -> None:
    done = simulate("qcd", "--mass", 3, "-o", "a.root")
    assert done.returncode == 2
    assert done.stderr.strip() == "error: qcd has no option --mass; it has --events, --seed, --output, --format"


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_leaves_no_file(signal_number: int, tmp_path: Path) -> None:
    output = tmp_path / "a.root"
    process = subprocess.Popen(
        command("zjets", "--events", "1e7", "-o", output), cwd=PROJECT, stderr=subprocess.PIPE, text=True
    )
    try:
        while not (parts := list(tmp_path.glob(".*.partial"))) or parts[0].stat().st_size < 1_000_000:
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        # ROOT ignores Ctrl-C for the moments in which it writes to a file (TFile::WriteBuffer): one that falls into
        # such a moment is lost, and a user presses the keys again.
        for _ in range(6):
            process.send_signal(signal_number)
            with suppress(subprocess.TimeoutExpired):
                _, said = process.communicate(timeout=300)
                break
    finally:
        process.kill()
    assert process.returncode == 130
    assert said.splitlines()[-1] == "interrupted; no result was left under its final name"
    assert not list(tmp_path.iterdir())
