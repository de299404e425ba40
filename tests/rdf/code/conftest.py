"""What the tests of columns share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rdf.execution.event_loop import use_threads
from tests.rdf.trees import NANOAOD_KINDS, nanoaod, write_ttree


@pytest.fixture
def one_thread() -> Iterator[None]:
    use_threads(1)
    yield
    use_threads(1)


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Path:
    use_threads(1)
    return write_ttree(tmp_path_factory.mktemp("nano") / "nano.root", "Events", nanoaod(40, 1), NANOAOD_KINDS)
