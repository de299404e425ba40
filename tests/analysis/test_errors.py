"""All errors of the toolkit are one family, so that who calls it from Python catches one."""

from __future__ import annotations

import ast
import builtins
from pathlib import Path

import pytest

import analysis.errors
import condor.errors
import models.errors
import plotting.errors
import rdf.errors
from rdf.errors import ToolkitError

PROJECT = Path(__file__).parents[2]
ROOMS = ("analysis", "condor", "models", "plotting", "rdf")


def _bases(node: ast.ClassDef) -> set[str]:
    return {ast.unparse(base) for base in node.bases}


def test_no_class_but_the_root_descends_from_an_exception_of_python_alone() -> None:
    of_python = {
        name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)
    }
    found = {
        f"{path.relative_to(PROJECT)}: {node.name}"
        for room in ROOMS
        for path in sorted((PROJECT / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and _bases(node) & of_python and "ToolkitError" not in _bases(node)
    }
    assert found == {"rdf/errors.py: ToolkitError"}


@pytest.mark.parametrize("room", [analysis.errors, condor.errors, models.errors, plotting.errors, rdf.errors])
def test_every_error_of_a_room_is_caught_by_the_root(room: object) -> None:
    errors = [kind for kind in vars(room).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert errors
    assert all(issubclass(error, ToolkitError) for error in errors)


def test_what_ends_an_event_loop_is_no_fault_of_the_events() -> None:
    for error in (rdf.errors.EventLoopFailed, rdf.errors.ClusterError):
        assert issubclass(error, rdf.errors.ExecutionError)
        assert not issubclass(error, rdf.errors.SourceError)
