"""The scored events on disk: `events.root`, an RNTuple with a row an event; and columns of numbers beside trees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdf import RNode
from rdf.code.interpreter import MACROS, ROOT, first_reason
from rdf.code.library import Library, compile_library, graph_library
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


def write_picks(events: Path, path: Path, with_blocks: bool) -> int:
    """Write run:luminosityBlock:event of the flagged events of an `events.root`, by rising numbers, a line each.

    Args:
        events: the file.
        path: of the text to write; nothing is written where no event is flagged.
        with_blocks: whether the luminosity blocks are known; else a line is run:event.

    Returns:
        The number of lines.

    Raises:
        EventLoopFailed: the text cannot be written.
    """
    graph_library("scores").load()
    try:
        lines = int(ROOT.graph.write_picks(TABLE, str(events), str(path), with_blocks))
    except Exception as error:
        raise EventLoopFailed(f"{path}: {first_reason(error)}; is the disk full?") from error
    if not lines:
        path.unlink()
    return lines


def compile_writer() -> Library:
    """Have what writes columns compiled, which takes a while, before it is needed."""
    source = "sources/column_writer"
    interface = f'#include "{MACROS / source}.hxx"'
    return compile_library(f'#include "{source}.cxx"\n', f"macros/{source}.cxx", interface)


_TYPES = {
    "bool": "bool",
    "float32": "float",
    "float64": "double",
    **{kind: f"std::{kind}_t" for kind in ("int32", "uint32", "uint64")},
}
_ROWS = 100_000


def write_columns(
    path: Path, table: str, columns: Mapping[str, npt.NDArray[Any]], provenance: Provenance, as_ttree: bool = False
) -> None:
    """Write columns of bool, float32, float64, int32, uint32 or uint64 to an RNTuple or a TTree of a new file.

    Args:
        path: of the file.
        table: name of the RNTuple or TTree.
        columns: name -> values, shape (rows,).
        provenance: of the file.
        as_ttree: whether to write a TTree.

    Raises:
        EventLoopFailed: the file cannot be written.
    """
    compile_writer().load()
    types = [_TYPES[values.dtype.name] for values in columns.values()]
    rows = len(next(iter(columns.values())))
    with provenance.created_file(path) as file:
        writer = ROOT.column_writer.Columns(table, list(columns), types, file, as_ttree)
        try:
            for first in range(0, rows, _ROWS):
                portion = [np.ascontiguousarray(values[first : first + _ROWS]) for values in columns.values()]
                writer.write(len(portion[0]), [values.ctypes.data for values in portion])
            writer.close()
        except Exception as error:
            raise EventLoopFailed(f"{path} cannot be written: {first_reason(error)}; is the disk full?") from error
        finally:
            writer.__destruct__()
