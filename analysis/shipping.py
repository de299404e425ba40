"""The toolkit's own code as an archive, for machines that do not have it: batch jobs and Dask workers."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

PACKAGES = ("analysis", "macros", "models", "plotting", "rdf")
"""What a scoring job needs."""

ENDINGS = (".py", ".hxx", ".cxx", ".yaml")


def code_archive() -> bytes:
    """Return a gzipped tar archive of the packages."""
    root = Path(__file__).resolve().parent.parent
    files = [path for package in PACKAGES for path in sorted((root / package).rglob("*")) if path.suffix in ENDINGS]
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for path in files:
            entry = tarfile.TarInfo(str(path.relative_to(root)))
            entry.size = path.stat().st_size
            with path.open("rb") as content:
                archive.addfile(entry, content)
    return made.getvalue()
