"""What batch jobs and Dask workers need of the toolkit, as archives: its code, and what was compiled of it."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from analysis.output.provenance import COMMIT_NOTE, git_commit
from plotting.results.run_record import as_table
from rdf.cache import APPLICATION

PACKAGES = ("analysis", "macros", "models", "plotting", "rdf")
"""What a scoring job needs."""

ENDINGS = (".py", ".hxx", ".cxx", ".yaml")


def code_archive() -> bytes:
    """Return a gzipped tar archive of the packages."""
    root = Path(__file__).resolve().parents[2]
    files = [path for package in PACKAGES for path in sorted((root / package).rglob("*")) if path.suffix in ENDINGS]
    contents = {str(path.relative_to(root)): path.read_bytes() for path in files}
    return archive({**contents, COMMIT_NOTE: json.dumps(as_table(git_commit())).encode()})


def cache_archive(libraries: Iterable[Path]) -> bytes:
    """Return a gzipped tar archive of a folder for XDG_CACHE_HOME that has these compiled libraries.

    They are named by all that they depend on: a machine for which they are not made compiles its own.
    """
    return archive({f"{APPLICATION}/compiled/{path.name}": path.read_bytes() for path in libraries})


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return an archive whose bytes depend on names and contents only: a worker tells by them what it has already."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(made.getvalue(), mtime=0)
