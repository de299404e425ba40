"""Shares by run and luminosity block: written, read and added up, whatever runs the parts have."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdf.graph.histogram_keys import BLOCKS, RUNS
from rdf.graph.histograms import write_histograms
from rdf.graph.merging import add_histograms
from rdf.graph.shares import Share, added_shares, share_histogram, shares_of
from rdf.provenance import Provenance

pytestmark = pytest.mark.compiler

SOME = {149181: Share(1000, 40), 147926: Share(3, 3)}
MORE = {149181: Share(7, 0), 2**32 - 1: Share(10, 1)}
TOGETHER = {147926: Share(3, 3), 149181: Share(1007, 40), 2**32 - 1: Share(10, 1)}


@pytest.mark.parametrize("shares", [SOME, {}, {0: Share(5, 0)}])
def test_a_histogram_holds_the_events_of_each_run(shares: dict[int, Share]) -> None:
    histogram = share_histogram(RUNS, shares)
    assert shares_of(histogram) == shares
    assert list(shares_of(histogram)) == sorted(shares)
    assert histogram.GetEntries() == sum(share.events for share in shares.values())


def test_parts_with_different_runs_add_up() -> None:
    one, other, nothing = (share_histogram(RUNS, shares) for shares in (SOME, MORE, {}))
    assert shares_of(added_shares(RUNS, one, other)) == TOGETHER
    assert list(shares_of(added_shares(RUNS, other, one))) == list(TOGETHER)
    assert shares_of(added_shares(RUNS, nothing, one)) == SOME


def test_files_of_parts_with_different_runs_add_up(tmp_path: Path) -> None:
    files = [tmp_path / "one.root", tmp_path / "other.root"]
    for file, shares in zip(files, (SOME, MORE), strict=True):
        write_histograms(
            file, {key.path: share_histogram(key, shares) for key in (RUNS, BLOCKS)}, Provenance("{}", False)
        )
    total = add_histograms(files)
    assert [shares_of(total[key.path]) for key in (RUNS, BLOCKS)] == [TOGETHER, TOGETHER]
