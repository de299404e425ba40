"""A portal on this machine that can misbehave as portals do, and one file that it publishes."""

from __future__ import annotations

import gzip
import hashlib
import random
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from analysis.samples import SampleFile

CONTENT = random.Random(20101).randbytes(300_000)
PACKED = gzip.compress(CONTENT, mtime=0)
BROKEN_AT = 150_000


class Portal(ThreadingHTTPServer):
    """Serves one file; `asked` records the Range, and `sent` the number of bytes, of every request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.content = PACKED
        self.version: dict[str, str] = {"ETag": '"first"'}
        self.labels: dict[str, str] = {}
        self.status: int | None = None
        self.ranges = True
        self.announced = True
        self.break_at: int | None = None
        self.pause_at: int | None = None
        self.go_on = threading.Event()
        self.asked: list[str | None] = []
        self.conditions: list[str | None] = []
        self.sent: list[int] = []


class Answer(BaseHTTPRequestHandler):
    server: Portal

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        portal = self.server
        asked, condition = self.headers["Range"], self.headers["If-Range"]
        portal.asked.append(asked)
        portal.conditions.append(condition)
        start = 0
        if asked and portal.ranges and (condition is None or condition in portal.version.values()):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        total = len(portal.content)
        if portal.status or start >= total:
            self.send_error(portal.status or 416)
            return
        body = portal.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        length = {"Content-Length": str(len(body))} if portal.announced else {}
        for name, value in {**length, **portal.version, **portal.labels}.items():
            self.send_header(name, value)
        self.end_headers()
        if portal.pause_at is not None:
            self.wfile.write(body[: portal.pause_at])
            portal.go_on.wait()
            body = body[portal.pause_at :]
        body = body[: portal.break_at]
        portal.sent.append(len(body))
        self.wfile.write(body)


def published(portal: Portal, content: bytes = CONTENT, packed: bytes = PACKED, port: int | None = None) -> SampleFile:
    """The catalogue's entry for `content`, published as `packed`."""
    return SampleFile.model_validate(
        {
            "path": "tiny/events.csv",
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "download": {
                "url": f"http://127.0.0.1:{port or portal.server_port}/events.csv.gz",
                "size": len(packed),
                "adler32": f"{zlib.adler32(packed):08x}",
                "compression": "gzip",
            },
        }
    )


def published_plain(portal: Portal, content: bytes = CONTENT, **keys: object) -> SampleFile:
    """The catalogue's entry for `content`, published as it is with what the portal says of it."""
    url = f"http://127.0.0.1:{portal.server_port}/tiny/events.csv"
    entry = {"url": url, "size": len(content), "adler32": f"{zlib.adler32(content):08x}"}
    return SampleFile.model_validate(entry | keys)


def left_in(cache: Path) -> set[str]:
    return {path.name for path in (cache / "tiny").iterdir()} - {"events.csv.lock"}
