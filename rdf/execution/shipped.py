"""What a Dask worker is sent before it has any of this package: the package itself, and the task that it is given.

Its code travels as it stands here, so nothing but the standard library and Dask can be used in it.
"""

from __future__ import annotations

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
        """Prepare a worker, before its first task."""
        folder = Path(worker.local_directory) / "anomaly-search"
        for name, content in self._archives.items():
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                archive.extractall(folder / name, filter="data")
        sys.path.insert(0, str(folder / "code"))
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        importlib.import_module("rdf.execution.distributed")  # it makes our action known to ROOT
        self.task = pickle.loads(self._task)
