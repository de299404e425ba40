"""Shares: how many scored events a run, a group of luminosity blocks, a direction has; how many of them are flagged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rdf import RNode
from rdf.code.interpreter import ROOT
from rdf.code.library import graph_library
from rdf.graph.histogram_keys import DIRECTIONS, FLAGGED_DIRECTIONS, RUNS, HistogramKey

BLOCKS_OF_A_GROUP = 100
"""Luminosity blocks that are counted together: 40 minutes of CMS."""


@dataclass(frozen=True)
class Share:
    """Events, and those of them that the ensemble flags."""

    events: int
    flagged: int


@dataclass(frozen=True)
class Shares:
    """What an event loop counts of scored events."""

    counted: Any

    @property
    def booked(self) -> Any:
        """What the event loop has to run."""
        return self.counted.booked()

    def runs(self) -> dict[int, Share]:
        """Return the events of each run, after the loop, in the order of the runs."""
        return {int(number): Share(int(events), int(flagged)) for number, events, flagged in self.counted.runs()}

    def directions(self) -> dict[str, Any]:
        """Return histograms of the directions of leading objects, after the loop, by their path."""
        edges = (
            *(int(ROOT.graph.kEtaBins), -float(ROOT.graph.kLargestEta), float(ROOT.graph.kLargestEta)),
            *(int(ROOT.graph.kPhiBins), -math.pi, math.pi),
        )
        filled = {}
        for key, counts in zip((DIRECTIONS, FLAGGED_DIRECTIONS), self.counted.directions(), strict=True):
            title = "Flagged events" if key == FLAGGED_DIRECTIONS else "Events"
            axes = "#eta of the leading object;#phi of the leading object [rad]"
            histogram = ROOT.TH2D(key.object_name, f"{title};{axes};events", *edges)
            events = np.array(list(counts), dtype=np.float64).reshape(edges[0], edges[3])
            for i, j in zip(*np.nonzero(events), strict=True):
                histogram.SetBinContent(int(i) + 1, int(j) + 1, float(events[i, j]))
            histogram.SetEntries(float(events.sum()))
            filled[key.path] = histogram
        return filled

    def blocks(self) -> dict[int, Share]:
        """Return those of each group of luminosity blocks, by the first block of the group."""
        return {
            int(number) * BLOCKS_OF_A_GROUP: Share(int(events), int(flagged))
            for number, events, flagged in self.counted.groups()
        }


def book_shares(events: RNode, slots: int) -> Shares:
    """Book the counting of events by runs, luminosity blocks and directions.

    Args:
        events: node with `recorded_event` and `recorded_scores`.
        slots: of the event loop.
    """
    graph_library("scores").load()
    return Shares(ROOT.graph.Shares(events, slots, BLOCKS_OF_A_GROUP))


def share_histogram(key: HistogramKey, shares: Mapping[int, Share]) -> Any:
    """Return a histogram of events that are not flagged and that are, in bins with the numbers as labels."""
    what = "run" if key == RUNS else "first luminosity block of a group"
    histogram = ROOT.TH2D(
        key.object_name,
        f"Events by {what};{what};;events",
        max(len(shares), 1),
        0.0,
        float(max(len(shares), 1)),
        2,
        0,
        2,
    )
    for i, label in enumerate(("not flagged", "flagged"), start=1):
        histogram.GetYaxis().SetBinLabel(i, label)
    for i, (number, share) in enumerate(sorted(shares.items()), start=1):
        histogram.GetXaxis().SetBinLabel(i, str(number))
        histogram.SetBinContent(i, 1, share.events - share.flagged)
        histogram.SetBinContent(i, 2, share.flagged)
    histogram.SetEntries(sum(share.events for share in shares.values()))
    return histogram


def shares_of(histogram: Any) -> dict[int, Share]:
    """Return what `share_histogram` made a histogram of."""
    axis, found = histogram.GetXaxis(), {}
    for i in range(1, axis.GetNbins() + 1):
        if label := str(axis.GetBinLabel(i)):
            rest, flagged = (round(histogram.GetBinContent(i, j)) for j in (1, 2))
            found[int(label)] = Share(rest + flagged, flagged)
    return found


def added_shares(key: HistogramKey, one: Any, other: Any) -> Any:
    """Return the histogram of two parts of a sample, whatever runs each of them has."""
    total = shares_of(one)
    for number, share in shares_of(other).items():
        mine = total.get(number, Share(0, 0))
        total[number] = Share(mine.events + share.events, mine.flagged + share.flagged)
    return share_histogram(key, total)
