"""Pages in headless Chromium, driven over its DevTools protocol: what a page draws, logs and asks the network for.

The messages are those of https://chromedevtools.github.io/devtools-protocol.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websocket import WebSocket, create_connection

PATIENCE = 300.0  # seconds that Chromium has for an answer


class Page:
    """A page that was opened.

    Attributes:
        complaints: errors and warnings of the console, and exceptions that nothing caught.
        requests: addresses that the page asked for, its own first; `data:` is no request.
    """

    def __init__(self, connection: WebSocket) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._connection = connection
        self._sent = 0
        self._loaded = False

    def ask(self, method: str, **parameters: Any) -> Any:
        """Send a command of the protocol and return its result."""
        self._sent += 1
        self._connection.send(json.dumps({"id": self._sent, "method": method, "params": parameters}))
        while (message := self._receive()).get("id") != self._sent:
            pass
        assert "error" not in message, f"{method}: {message['error']}"
        return message["result"]

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page; a promise is waited for."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def click(self, x: float, y: float, times: int = 1) -> None:
        """Click at a point of the window, in its pixels; twice for a double click."""
        for count in range(1, times + 1):
            for kind in ("mousePressed", "mouseReleased"):
                self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=count)

    def screenshot(self, path: Path, *, whole: bool = False) -> Path:
        """Write a PNG of the window, or of the whole page."""
        part = {}
        if whole:
            size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
            part = {"captureBeyondViewport": True, "clip": {**size, "scale": 1}}
        answer = self.ask("Page.captureScreenshot", **part)
        path.write_bytes(base64.b64decode(answer["data"]))
        return path

    def pdf(self, path: Path) -> Path:
        """Print the page on A4."""
        answer = self.ask("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, preferCSSPageSize=True)
        path.write_bytes(base64.b64decode(answer["data"]))
        return path

    def open(self, address: str, width: int, height: int) -> None:
        """Open an address in a window of a size, and wait until all of it is there."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        # A tool's own addresses say nothing of the page.
        self.complaints.clear()
        self.requests.clear()
        answer = self.ask("Page.navigate", url=address)
        assert "errorText" not in answer, f"{address}: {answer['errorText']}"
        while not self._loaded:
            self._receive()

    def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._connection.recv())
        content = message.get("params", {})
        match message.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(content["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if content["type"] in ("error", "warning", "assert"):
                self.complaints.append(" ".join(str(value.get("value")) for value in content["args"]))
            case "Log.entryAdded" if content["entry"]["level"] in ("error", "warning"):
                self.complaints.append(content["entry"]["text"])
            case "Network.requestWillBeSent" if not content["request"]["url"].startswith("data:"):
                self.requests.append(content["request"]["url"])
        return message


class Chromium:
    """A running Chromium without a window."""

    def __init__(self, port: int, browser: str) -> None:
        """Know a browser by the port of its DevTools and by the path of its own address there."""
        self._port = port
        self._browser = browser

    @contextmanager
    def page(self, address: str, width: int, height: int = 900) -> Iterator[Page]:
        """Open an address in a window of a size in pixels, in a page of its own."""
        with self._connected(self._browser) as browser:
            target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
            with self._connected(f"/devtools/page/{target}") as page:
                page.open(address, width, height)
                yield page
            browser.ask("Target.closeTarget", targetId=target)

    @contextmanager
    def _connected(self, path: str) -> Iterator[Page]:
        connection = create_connection(f"ws://127.0.0.1:{self._port}{path}", PATIENCE, suppress_origin=True)
        try:
            yield Page(connection)
        finally:
            connection.close()


@contextmanager
def running_chromium(program: str) -> Iterator[Chromium]:
    """Start Chromium with a profile of its own, and end it with the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ["--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-dev-shm-usage"]
        options += ["--remote-debugging-port=0", f"--user-data-dir={profile}"]
        options += ["--no-sandbox"] if os.geteuid() == 0 else []  # root has no sandbox to go to
        process = subprocess.Popen(
            [program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            yield Chromium(*_listening(Path(profile) / "DevToolsActivePort", process))
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # its helpers too
            process.wait()


def _listening(note: Path, process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Wait until Chromium has written where it listens."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        if note.exists() and (lines := note.read_text().splitlines())[1:]:
            return int(lines[0]), lines[1]
        time.sleep(0.05)
    pytest.fail("chromium did not start; see what `chromium --headless` says")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """Headless Chromium; without it a test is skipped, but fails where a skip would go unread (CI)."""
    program = shutil.which("chromium")
    if program is None:
        reason = "needs Chromium: install the package chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with running_chromium(program) as browser:
        yield browser
