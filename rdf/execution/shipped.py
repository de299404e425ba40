"""What a Dask worker is sent before it has any of this package: the package itself, and the task that it is given.

Its code travels as it stands here, so nothing but the standard library and Dask can be used in it.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import os
import pickle
import sys
import tarfile
from pathlib import Path
from typing import Any

from distributed import Worker, WorkerPlugin


class Shipped(WorkerPlugin):  # type: ignore[misc]
    """Unpacks code and cache where the worker keeps its files, and then the task, which is made of the code."""

    def __init__(self, code: bytes, cache: bytes, task: bytes) -> None:
        """Take tar archives of our packages and of our cache, and the pickled task."""
        self._archives, self._task = {"code": code, "cache": cache}, task
        self.task: Any = None

    def setup(self, worker: Worker) -> None:
        """Prepare a worker, before its first task of a run; it may have worked for an earlier run.

        What an earlier run had the worker unpack is loaded: it stays as it is, since to write over a library that is
        loaded ends the process.

        Raises:
            RuntimeError: the worker has loaded other code of the toolkit.
        """
        folder = Path(worker.local_directory) / "anomaly-search"
        unpacked = folder / f"code-{hashlib.sha256(self._archives['code']).hexdigest()[:16]}"
        if any(other != unpacked for other in folder.glob("code-*")):
            raise RuntimeError("a worker has loaded another version of the toolkit and has to be restarted")
        if not unpacked.exists():
            draft = folder / "draft"
            with tarfile.open(fileobj=io.BytesIO(self._archives["code"])) as archive:
                archive.extractall(draft, filter="data")
            draft.rename(unpacked)
            sys.path.insert(0, str(unpacked))
        cache = folder / "cache"
        with tarfile.open(fileobj=io.BytesIO(self._archives["cache"])) as archive:
            new = [member for member in archive if not (cache / member.name).exists()]
            archive.extractall(cache, new, filter="data")
        os.environ["XDG_CACHE_HOME"] = str(cache)
        importlib.import_module("rdf.execution.distributed")  # it makes our action known to ROOT
        self.task = pickle.loads(self._task)
