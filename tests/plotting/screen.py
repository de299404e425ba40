"""A screen that nobody sees, with a mouse and a keyboard: Xvfb and xdotool."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

WIDTH, HEIGHT = 1400, 900
PATIENCE = 300.0  # seconds that a window has to react

Pixels = NDArray[np.uint8]
"""Red, green and blue of an image, shape (height, width, 3)."""


class Screen:
    """A running X server."""

    def __init__(self, display: str, folder: Path) -> None:
        """Know a server by its display, and by the folder in which it keeps what it shows."""
        self.environment = {**os.environ, "DISPLAY": display}
        self._image = folder / "Xvfb_screen0"

    def pixels(self) -> Pixels:
        """Return what is shown; the file is an X window dump (`XWDFile.h`)."""
        dump = self._image.read_bytes()
        header = struct.unpack(">25I", dump[:100])
        (size, *_), width, height, row, colours = header, header[4], header[5], header[12], header[19]
        pixels = np.frombuffer(dump, dtype=np.uint8, count=row * height, offset=size + 12 * colours)
        return pixels.reshape(height, row)[:, : 4 * width].reshape(height, width, 4)[:, :, 2::-1]

    def until(self, shown: Callable[[Pixels], bool]) -> Pixels:
        """Return what is shown as soon as it is what it is to be."""
        end = time.monotonic() + PATIENCE
        while not shown(pixels := self.pixels()):
            assert time.monotonic() < end, "the screen does not show what it is to show"
            time.sleep(0.1)
        return pixels

    def double_click(self, x: int, y: int) -> None:
        """Double-click at a point of the screen."""
        self._do("mousemove", x, y, "click", "--repeat", 2, "--delay", 60, 1)

    def click(self, x: int, y: int) -> None:
        """Click at a point of the screen."""
        self._do("mousemove", x, y, "click", 1)

    def enter(self, text: str) -> None:
        """Type a line."""
        self._do("type", "--delay", 5, text)
        self._do("key", "Return")

    def has_windows(self) -> bool:
        """Tell whether anything but the server's own root window has a name."""
        found = subprocess.run(
            ["xdotool", "search", "--name", "."], env=self.environment, capture_output=True, check=False
        )
        return bool(found.stdout.strip())

    def _do(self, *command: object) -> None:
        subprocess.run(["xdotool", *map(str, command)], env=self.environment, check=True)


@contextmanager
def running_screen() -> Iterator[Screen]:
    """Start an X server on a free display, and end it with the block."""
    with tempfile.TemporaryDirectory() as folder:
        told, tell = os.pipe()
        options = ["-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-nolisten", "tcp", "-fbdir", folder]
        process = subprocess.Popen(
            ["Xvfb", "-displayfd", str(tell), *options], pass_fds=[tell], stderr=subprocess.DEVNULL
        )
        os.close(tell)
        try:
            with os.fdopen(told) as pipe:
                number = pipe.readline().strip()
            assert number, "Xvfb did not start"
            yield Screen(f":{number}", Path(folder))
        finally:
            process.terminate()
            process.wait()


@pytest.fixture
def screen() -> Iterator[Screen]:
    """A screen; without its programs a test is skipped, but fails where a skip would go unread (CI)."""
    for program, package in (("Xvfb", "xvfb"), ("xdotool", "xdotool")):
        if shutil.which(program) is None:
            reason = f"needs {program}: install the package {package}"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
    with running_screen() as running:
        yield running
