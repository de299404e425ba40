"""Changes of parts: of what run.json says, with the checksums, and of files without."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from analysis.output.folder import write_checksums, write_record
from tests.analysis.output.contents import record


def rewrite(part: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change run.json, and the checksums with it."""
    table = record(part)
    change(table)
    write_record(part, table)
    write_checksums(part)


def flip(path: Path) -> None:
    """Flip a bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size * 2 // 3)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def set_in(*keys: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(table: dict[str, Any]) -> None:
        for key in keys[:-1]:
            table = table[key]
        table[keys[-1]] = value

    return change
