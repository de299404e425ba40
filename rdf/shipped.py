"""What a Dask worker is sent before it has any of this package: the package itself, and the task that it is given.

Its code travels as it stands here, so nothing but the standard library and Dask can be used in it.
"""

from __future__ import annotations

import io
import pickle
import sys
import tarfile
from pathlib import Path
from typing import Any

from distributed import Worker, WorkerPlugin


class Shipped(WorkerPlugin):  # type: ignore[misc]
    """Unpacks the code where the worker keeps its files, and then the task, which is made of it."""

    def __init__(self, archive: bytes, task: bytes) -> None:
        """Take a tar archive of the packages, and the pickled task."""
        self._archive, self._task = archive, task
        self.task: Any = None

    def setup(self, worker: Worker) -> None:
        """Prepare a worker, before its first task."""
        folder = Path(worker.local_directory) / "anomaly-search"
        with tarfile.open(fileobj=io.BytesIO(self._archive)) as archive:
            archive.extractall(folder, filter="data")
        sys.path.insert(0, str(folder))
        self.task = pickle.loads(self._task)
