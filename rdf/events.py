"""The scored events on disk: `events.root`, an RNTuple with a row an event."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rdf import RNode
from rdf.errors import LostEvents
from rdf.interpreter import ROOT
from rdf.schema import ID_QUANTITIES

TABLE = "events"


def book_events(events: RNode, path: Path, columns: Sequence[str]) -> Any:
    """Book the writing of run, luminosityBlock, event and these columns to an RNTuple.

    An RNTuple that was not completed cannot be opened.
    """
    options = ROOT.RDF.RSnapshotOptions()
    options.fLazy = True
    options.fOutputFormat = ROOT.RDF.ESnapshotOutputFormat.kRNTuple
    return events.Snapshot(TABLE, str(path), [*ID_QUANTITIES, *columns], options)


def check_events(path: Path, expected: int) -> None:
    """Refuse a file that does not hold the number of events that were selected.

    Raises:
        LostEvents: it holds another number.
    """
    written = int(ROOT.RNTupleReader.Open(TABLE, str(path)).GetNEntries())
    if written != expected:
        raise LostEvents(f"{path} holds {written} events, {expected} were selected; run again, with more disk space")
