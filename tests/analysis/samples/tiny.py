"""The one file of a tiny sample, as bytes and put into folders."""

from __future__ import annotations

from pathlib import Path

CONTENT = b"Run,Lumi,Event\n147926,1,1\n"


def put(folder: Path, *names: str, content: bytes = CONTENT) -> Path:
    for name in names:
        path = folder / "tiny" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder
