"""The TBrowser: what it shows on a screen under the mouse, how it ends, and where there is no screen."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from plotting.__main__ import main
from rdf.code.interpreter import ROOT
from tests.plotting.browsable import BINS, FALLING, write_browsable
from tests.plotting.screen import PATIENCE, Pixels, Screen, screen

pytestmark = pytest.mark.screen

__all__ = ["screen"]

CODE = Path(__file__).parents[3]
MACRO = CODE / "macros" / "browse.C"

# Where things are in a TBrowser without a window manager, in pixels.
ROW, FIRST_ROW, ROW_HEIGHT = 80, 90, 18
CANVAS = (slice(60, 620), slice(260, 1190))
COMMAND_LINE = (700, 672)
MENU, CLOSE_WINDOW = (27, 13), (60, 217)

# Rows of the tree: the file, its provenance, agreement and then these.
FEATURES, MR, ANOMALOUS, ANOMALOUS_MR = 3, 4, 5, 6

GREY, ORANGE = (0xCC, 0xCC, 0xCC), (0xFF, 0xCC, 0x99)  # areas below all events, and below anomalous ones


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_browsable(tmp_path_factory.mktemp("browse") / "run")


@contextmanager
def browsing(folder: Path, screen: Screen) -> Iterator[subprocess.Popen[str]]:
    """The program, with its window open and a first histogram drawn."""
    process = subprocess.Popen(
        [sys.executable, "-m", "plotting", "browse", folder],
        cwd=CODE,
        env=screen.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        screen.until(lambda pixels: process.poll() is not None or is_colourful(pixels))
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def is_colourful(pixels: Pixels) -> bool:
    """Tell whether the canvas has a plane: many pixels that are neither grey nor white."""
    canvas = pixels[CANVAS].astype(int)
    return bool((np.ptp(canvas, axis=2) > 40).mean() > 0.05)


def area(pixels: Pixels, colour: tuple[int, int, int]) -> float:
    """Return the fraction of the canvas that has a colour."""
    return float((pixels[CANVAS] == colour).all(axis=2).mean())


def double_click_row(screen: Screen, row: int) -> None:
    screen.double_click(ROW, FIRST_ROW + row * ROW_HEIGHT)


def test_double_clicks_open_directories_and_draw_histograms(folder: Path, screen: Screen, tmp_path: Path) -> None:
    with browsing(folder, screen) as process:
        Image.fromarray(screen.pixels()).save(tmp_path / "first.png")
        double_click_row(screen, FEATURES)
        double_click_row(screen, MR)
        Image.fromarray(screen.until(lambda pixels: area(pixels, GREY) > 0.1)).save(tmp_path / "spectrum.png")
        double_click_row(screen, ANOMALOUS)
        double_click_row(screen, ANOMALOUS_MR)
        Image.fromarray(screen.until(lambda pixels: area(pixels, ORANGE) > 0.1)).save(tmp_path / "anomalous.png")
        screen.click(*COMMAND_LINE)
        screen.enter(f'gPad->SaveAs("{tmp_path}/drawn.root")')
        screen.until(lambda _: (tmp_path / "drawn.root").exists())
        screen.click(*MENU)
        screen.click(*CLOSE_WINDOW)
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert not [line for line in said.splitlines() if "drawn.root" not in line]
    with ROOT.TFile.Open(str(tmp_path / "drawn.root")) as file:
        (canvas,) = (key.ReadObj() for key in file.GetListOfKeys())
        (drawn,) = (found for found in canvas.GetListOfPrimitives() if found.InheritsFrom("TH1"))
        assert str(drawn.GetTitle()) == "M_{R}, anomalous events"
        assert [drawn.GetBinContent(i) for i in range(1, BINS + 1)] == (FALLING // 20).tolist()
        assert (canvas.GetLogy(), canvas.GetLogz()) == (1, 0)  # the plane before it had a logarithmic z axis
        assert not str(canvas.GetTitle()).startswith("SIMULATED")


def test_it_ends_by_ctrl_c(folder: Path, screen: Screen) -> None:
    with browsing(folder, screen) as process:
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert said.splitlines() == ["interrupted; nothing was left half written"]
    assert not screen.has_windows()


def test_the_window_goes_when_its_caller_is_killed(folder: Path, screen: Screen) -> None:
    with browsing(folder, screen) as process:
        process.kill()
        process.wait()
        screen.until(lambda _: not screen.has_windows())


def test_the_macro_in_root_itself(folder: Path, screen: Screen) -> None:
    program = Path(sys.executable).with_name("root")

    def run(argument: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, "--web=off", "-l", "-q", f"{MACRO}{argument}"],
            cwd=folder,
            env=screen.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    done = run("")  # of the folder that one is in
    assert done.returncode == 0
    assert "rror" not in done.stdout + done.stderr
    assert "Error in <browse>: nowhere has no histograms.root or curves.root" in run('("nowhere")').stderr


def refusal(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the line with which the program refuses a folder."""
    assert main(["browse", str(folder)]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_without_a_display(folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    assert f"python -m plotting page {folder}" in refusal(folder, capfd)
    monkeypatch.setenv("DISPLAY", ":9999")
    line = refusal(folder, capfd)
    assert "DISPLAY is :9999" in line
    assert f"python -m plotting page {folder}" in line


@pytest.mark.parametrize("verb", ["browse", "page"])
def test_folders_that_have_nothing_to_browse(
    verb: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused() -> str:
        assert main([verb, str(tmp_path / "out")]) == 3
        (line,) = capsys.readouterr().err.splitlines()
        return line

    assert "no such folder" in refused()
    (tmp_path / "out").mkdir()
    assert "has no histograms.root or curves.root" in refused()
    path, whole = tmp_path / "out" / "histograms.root", (folder / "histograms.root").read_bytes()
    for damaged in (b"", b"root", whole[:300], whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(damaged)
        line = refused()
        assert str(path) in line
        assert "truncated" in line
        assert "repeat what wrote it" in line
    with ROOT.TFile.Open(str(path), "RECREATE"):
        pass
    assert "holds no histogram" in refused()
