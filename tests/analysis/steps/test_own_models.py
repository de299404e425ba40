"""Models of this user's own runs are known by a note in a folder that nobody else can write to, or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.steps.own_models import NoNotes, are_own, note_models

ONE, OTHER = "1" * 64, "2" * 64


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "root-anomaly-search"


def test_what_was_noted_is_known(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not are_own(ONE)
    assert not state.exists()  # to ask leaves nothing
    note_models(ONE)
    note_models(ONE)
    assert are_own(ONE)
    assert not are_own(OTHER)
    assert [path.stat().st_mode & 0o777 for path in (state, state / "models")] == [0o700, 0o700]
    assert capsys.readouterr().err == ""


def test_the_folder_of_the_log_is_closed_to_others(state: Path) -> None:
    """It was there before, as umask made it, and nobody else could write to it."""
    (state / "log").mkdir(parents=True)
    state.chmod(0o755)
    note_models(ONE)
    assert state.stat().st_mode & 0o777 == 0o700
    assert are_own(ONE)


def opened(state: Path) -> None:
    state.chmod(0o770)


def opened_within(state: Path) -> None:
    (state / "models").chmod(0o755)


def linked(state: Path) -> None:
    state.rename(state.with_name("elsewhere"))
    state.symlink_to("elsewhere")


def linked_within(state: Path) -> None:
    (state / "models").rename(state / "elsewhere")
    (state / "models").symlink_to("elsewhere")


def of_another_user(_: Path) -> None:
    """Only root could bring that about; the test has the program ask as another user."""


def a_file(state: Path) -> None:
    (state / "models" / ONE).unlink()
    (state / "models").rmdir()
    (state / "models").touch()


@pytest.mark.parametrize("change", [opened, opened_within, linked, linked_within, of_another_user, a_file])
def test_nothing_is_known_where_others_may_have_written(
    state: Path,
    change: Callable[[Path], object],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    note_models(ONE)
    change(state)
    if change is of_another_user:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(NoNotes, match=re.escape(str(state))):
        are_own(ONE)
    note_models(OTHER)
    said = capsys.readouterr().err
    assert said.startswith("these models will not be known as your own: ")
    assert said.count("\n") == 1


def test_a_note_that_is_a_link_is_none(state: Path) -> None:
    note_models(ONE)
    (state / "models" / OTHER).symlink_to(ONE)
    assert not are_own(OTHER)


def test_where_there_can_be_no_notes_a_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    note_models(ONE)
    assert "these models will not be known as your own: " in capsys.readouterr().err
    with pytest.raises(NoNotes, match="Not a directory; make it a folder of your own"):
        are_own(ONE)
