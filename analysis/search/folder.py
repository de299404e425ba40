"""The folder of a search: when results get their names, and what is never replaced."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analysis.errors import OutputFolderError
from models.folder import file_sha256
from plotting.results.checksums import CHECKSUMS, list_text
from plotting.results.search.record import SEARCH_JSON, SearchRecord, read_search_record, search_text


def replaced(folder: Path) -> SearchRecord | None:
    """Return the record of the search in a folder, which a new one replaces; None where there is none.

    Raises:
        OutputFolderError: the folder holds something else, or an unblinded result, which is never replaced.
    """
    if not folder.exists():
        return None
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / SEARCH_JSON).is_file()):
        raise OutputFolderError(
            f"{folder} holds what no search wrote; move it away or choose another one with --output"
        )
    if not (folder / SEARCH_JSON).is_file():
        return None
    before = read_search_record(folder / SEARCH_JSON)
    if before.status == "claimed":
        raise OutputFolderError(
            f"{folder} holds a search whose data were looked at, which is not replaced; choose another one with "
            "--output"
        )
    return before


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Yield a folder to write to, which takes the place of the results at the end, all at once.

    Raises:
        OutputFolderError: the folder cannot be made, or something lies there that is not replaced.
    """
    replaced(folder)
    draft, old = (folder.with_name(f".{folder.name}.{os.getpid()}.{kind}") for kind in ("partial", "old"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft.mkdir()
        yield draft
        if folder.exists():
            replaced(folder)  # another search may have ended meanwhile
            folder.rename(old)
        try:
            draft.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    except OSError as error:
        raise OutputFolderError(
            f"cannot write to {folder}: {error.strerror or error}; free some space or choose another one with --output"
        ) from error
    finally:
        for path in (draft, old):
            shutil.rmtree(path, ignore_errors=True)


def publish(staging: Path, record: SearchRecord) -> None:
    """Write search.json and the checksums of all files beside it."""
    (staging / SEARCH_JSON).write_text(search_text(record), encoding="utf-8")
    files = sorted(path for path in staging.rglob("*") if path.is_file())
    checksums = {str(path.relative_to(staging)): {file_sha256(path)} for path in files}
    (staging / CHECKSUMS).write_text(list_text(checksums), encoding="utf-8")
