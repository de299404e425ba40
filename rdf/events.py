"""The scored events on disk: `events.root`, an RNTuple with a row an event."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rdf import RNode
from rdf.errors import LostEvents
from rdf.interpreter import ROOT
from rdf.provenance import Provenance
from rdf.schema import ID_QUANTITIES

TABLE = "events"


def book_events(events: RNode, path: Path, columns: Sequence[str], provenance: Provenance) -> Any:
    """Book the writing of run, luminosityBlock, event and these columns to an RNTuple, in a file that says its origin.

    An RNTuple that was not completed cannot be opened.
    """
    # In this order: ROOT cannot add anything to a file that RNTuple has created by itself.
    with provenance.created_file(path):
        pass
    options = ROOT.RDF.RSnapshotOptions()
    options.fLazy = True
    options.fMode = "UPDATE"
    # Small clusters bound what is lost to memory by each thread, and what a nearly full disk has to take at the end.
    options.fApproxZippedClusterSize = 16_000_000
    options.fMaxUnzippedClusterSize = 32_000_000
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
