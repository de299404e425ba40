"""What the tests that run programs in this process share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import cache_apart, draw_nothing


@pytest.fixture(scope="module")
def apart(opendata: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let programs convert into a cache of their own, and draw nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache_apart(tmp_path_factory.mktemp("cache"))))
        draw_nothing(patch)
        yield
