"""The scored events on disk: `events.root`, an RNTuple with a row an event."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rdf import RNode
from rdf.code.interpreter import ROOT
from rdf.errors import EventLoopFailed, LostEvents
from rdf.local_files import LONGEST_OUTPUT, too_long_for_output
from rdf.provenance import Provenance
from rdf.schema.quantities import ID_QUANTITIES

TABLE = "events"


def book_events(events: RNode, path: Path, columns: Sequence[str], provenance: Provenance) -> Any:
    """Book the writing of run, luminosityBlock, event and these columns to an RNTuple, in a file that says its origin.

    An RNTuple that was not completed cannot be opened.

    Raises:
        EventLoopFailed: the path is too long for ROOT.
    """
    if too_long_for_output(path):
        raise EventLoopFailed(f"{path}: the path is too long for ROOT, which takes {LONGEST_OUTPUT} bytes; shorten it")
    # In this order: ROOT cannot add anything to a file that RNTuple has created by itself.
    with provenance.created_file(path):
        pass
    return ROOT.graph.book_snapshot(events, TABLE, str(path), [*ID_QUANTITIES, *columns])


def check_events(path: Path, expected: int) -> None:
    """Refuse a file that does not hold the number of events that were selected.

    Raises:
        LostEvents: it holds another number.
    """
    written = int(ROOT.RNTupleReader.Open(TABLE, str(path)).GetNEntries())
    if written != expected:
        raise LostEvents(f"{path} holds {written} events, {expected} were selected; run again, with more disk space")
