"""What all tests share: the open data, where it is at hand."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from plotting.drawing.pool import Workers
from rdf.cache import APPLICATION, cache_folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let a test have C++ compiled only if it is marked so: `make check`, which is to be quick, leaves these out."""

    def refuse() -> NoReturn:
        raise AssertionError("this test has C++ compiled: mark it with pytest.mark.compiler")

    with pytest.MonkeyPatch.context() as patch:
        if item.get_closest_marker("compiler") is None:
            patch.setattr("rdf.code.library.find_compiler", refuse)
        return (yield)


def cache_apart(folder: Path) -> Path:
    """Return a folder for XDG_CACHE_HOME that is empty but for what is compiled, which is named by its content."""
    (folder / APPLICATION).mkdir(mode=0o700, parents=True)
    (folder / APPLICATION / "compiled").symlink_to(cache_folder("compiled"))
    return folder


def draw_nothing(patch: pytest.MonkeyPatch) -> None:
    """Let programs that run in this process draw no figure, start no process that would, and map few events.

    The t-SNE map of a thousand events takes as long as the rest of a small run.
    """
    patch.setattr("plotting.drawing.pool.draw_figures", lambda *_: None)
    patch.setattr("plotting.drawing.pool.Workers", partial(Workers, 0))
    patch.setattr("analysis.steps.training.LATENT_EVENTS", 20)


@pytest.fixture(scope="session", autouse=True)
def state_apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let logs, and notes of which models the user's own runs wrote, go to a folder of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def opendata() -> Path:
    """The folder of open data; without it a test is skipped, but fails where a skip would go unread (CI)."""
    folder = os.environ.get("OPENDATA_DIR")
    if folder:
        return Path(folder)
    reason = "needs open data: set OPENDATA_DIR to the folder that holds it"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
