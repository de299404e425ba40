"""The HTCondor pool that the tests of a process share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.condor.daemons import Unavailable
from tests.condor.pool import Pool


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """A running pool; without one a test is skipped, but fails where a skip would go unread (CI)."""
    running = Pool(tmp_path_factory.mktemp("pool"))
    try:
        running.start()
    except Unavailable as problem:
        reason = f"needs an HTCondor pool: {problem}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    yield running
    running.stop()
