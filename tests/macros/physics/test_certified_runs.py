"""Certified runs: what is found around a luminosity block, against a search through all ranges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rdf.code.interpreter import ROOT, include_kernels
from rdf.schema.certified import CertifiedRuns, parse_certified

pytestmark = pytest.mark.compiler

LARGEST = 2**32 - 1


def as_cpp(certified: CertifiedRuns) -> Any:
    include_kernels("physics/certified_runs")
    return ROOT.certified_runs.CertifiedRuns(*(ROOT.std.vector["unsigned int"](a) for a in certified.arrays()))


def around(cpp: Any, run: int, block: int) -> tuple[int, int, int, bool]:
    span = cpp.around(run << 32 | block)
    assert span.holds(run << 32 | block)
    return span.run, span.first, span.last, bool(span.certified)


def test_every_block_of_a_list_by_hand() -> None:
    cpp = as_cpp(parse_certified(b'{"7": [[2, 3], [4, 4], [8, 9]], "4294967295": [[0, 4294967295]], "9": []}', "list"))
    found = {block: around(cpp, 7, block) for block in (0, 1, 2, 3, 4, 5, 7, 8, 9, 10, LARGEST)}
    assert found == {
        **dict.fromkeys((0, 1), (7, 0, 1, False)),
        **dict.fromkeys((2, 3), (7, 2, 3, True)),
        4: (7, 4, 4, True),
        **dict.fromkeys((5, 7), (7, 5, 7, False)),
        **dict.fromkeys((8, 9), (7, 8, 9, True)),
        **dict.fromkeys((10, LARGEST), (7, 10, LARGEST, False)),
    }
    for run in (0, 6, 8, 9, LARGEST - 1):
        assert around(cpp, run, 2) == (run, 0, LARGEST, False)
    assert around(cpp, LARGEST, LARGEST) == (LARGEST, 0, LARGEST, True)


def test_a_span_of_nothing_holds_nothing() -> None:
    include_kernels("physics/certified_runs")
    empty = ROOT.certified_runs.Span()
    assert not any(empty.holds(section) for section in (0, 1, 2, 1 << 32))


def test_many_blocks_of_many_runs() -> None:
    random = np.random.default_rng(3)
    blocks = {}
    for run in random.choice(1000, 60, replace=False):
        ends = np.sort(random.choice(400, 2 * int(random.integers(1, 40)), replace=False)).reshape(-1, 2)
        blocks[int(run)] = tuple((int(first), int(last)) for first, last in ends)
    cpp = as_cpp(CertifiedRuns("list", b"", dict(sorted(blocks.items()))))
    for run, block in zip(random.integers(0, 1000, 3000), random.integers(0, 420, 3000), strict=True):
        expected = any(first <= block <= last for first, last in blocks.get(int(run), ()))
        _, first, last, certified = around(cpp, int(run), int(block))
        assert certified == expected
        assert first <= block <= last
        # All that lies within the span is as it is.
        ends = [(a, b) for a, b in blocks.get(int(run), ()) if a <= last and first <= b]
        assert (ends == [(first, last)]) if certified else not ends
