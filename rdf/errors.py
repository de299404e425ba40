"""What can go wrong between a file and a scored event, each exception named for the cause."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LISTED = 40
"""Names that a message lists at most."""


class ToolkitError(Exception):
    """Root of all errors that this toolkit raises on purpose, in all rooms; the message is one line with the remedy."""


class SourceError(ToolkitError):
    """A file of events is missing, unreadable, malformed or empty; the message names file, row or column and remedy."""


class UnreadableFile(SourceError):
    """The file is missing, truncated, corrupted or of another kind."""


class MissingColumn(SourceError):
    """The file has no such tree, branch or column."""


class CacheUnusable(SourceError):
    """The folder of converted and simulated files cannot be written or is full."""


class TemporaryFolderError(CacheUnusable):
    """The folder for temporary files, TMPDIR, cannot be written or is full."""


class OutOfMemory(CacheUnusable):
    """There is not enough memory for what has to be done, or a limit forbids to use more."""


class MalformedRow(SourceError):
    """A row of a text file has too few or too many fields, or a field that is not a number of its type."""


class NoEvents(SourceError):
    """There is no event to work on, in the file or after the selection."""


class ExecutionError(ToolkitError):
    """An event loop cannot be run to its end, whatever the reason: nothing need be wrong with the events."""


class EventLoopFailed(ExecutionError):
    """Reading, or writing what the loop produces, broke off in the event loop."""


class ClusterError(ExecutionError):
    """A Dask cluster cannot be started, reached or used."""


class SchemaError(ToolkitError):
    """A schema or a choice of features does not fit: unknown names, malformed tables."""


class UnknownSchema(SchemaError):
    """There is no schema of that name."""


class UnknownFeature(SchemaError):
    """The feature is not known, or the sample has not what it is made of."""


class SpectrumError(ToolkitError):
    """A spectrum, a function or a range does not fit a search; the message says what would."""


class ComputationError(ToolkitError):
    """The machinery gave a wrong result, or none: a compiler error, events lost, scores that differ."""


class BrokenInterpreter(ComputationError):
    """Cling cannot compile C++ or computes wrong numbers."""


class CompileError(ComputationError):
    """C++ code of the graph does not compile.

    Attributes:
        what: does not compile.
        reason: the compiler's first error.
        place: file of that error, or what the code calls itself there.
    """

    def __init__(self, what: str, reason: str, place: str = "") -> None:
        """Say what does not compile, and the compiler's reason."""
        super().__init__(what, reason, place)
        self.what, self.reason, self.place = what, reason, place

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}; run `python -m analysis.doctor`"


class LostEvents(ComputationError):
    """The event loop saw another number of events than the files hold."""


class StatisticsFailed(ComputationError):
    """A fit does not come to an end, or another program finds another significance."""


class ScoreMismatch(ComputationError):
    """A detector in the event loop does not give the scores that it gave when it was trained."""


class Interrupted(ToolkitError):
    """The event loop was stopped on request. A program that goes on after other errors has to catch this one first."""


def near_names(name: str, known: Iterable[str]) -> str:
    """Say which of the known names `name` may have meant.

    Returns:
        "did you mean a, b?" with up to three near names, or "known: ..." with all of them, as far as a line holds them,
        when none is near.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return f"did you mean {', '.join(near)}?"
    rest = f", ... ({len(names)} in all)" if len(names) > LISTED else ""
    return f"known: {', '.join(names[:LISTED]) or 'none'}{rest}"
