"""What a run leaves for work on its sample: flagged events whole, their numbers, scores as a friend of its trees."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from heapq import merge
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analysis.errors import DamagedPart
from analysis.output.folder import OTHER_RESULTS_BYTES, check_room
from plotting.results.root_file import EVENTS_ROOT, SCORES_ROOT, SKIM_ROOT
from plotting.results.tables import PICK_TXT
from rdf.graph.fields import FOLD, TYPES, VOTES, score_fields

if TYPE_CHECKING:
    from rdf.code.library import Library
    from rdf.graph.snapshot import Entries
    from rdf.provenance import Provenance
    from rdf.sources.source import Source

SCORES, SELECTED = "scores", "selected"
"""Name of the friend, and of its column that says whether an event passed the cuts and has scores."""

NONE = -1
"""Votes and fold of an event that has no scores."""


def compile_writers(skim: bool, friend: bool) -> list[Library]:
    """Have what writes skim.root and scores.root compiled, which takes a while, before it is needed."""
    from rdf.graph.events import compile_writer
    from rdf.sources.skim import compile_skim

    return [compile() for wanted, compile in ((skim, compile_skim), (friend, compile_writer)) if wanted]


def write_picks(staging: Path, source: Source) -> None:
    """Write the numbers of the flagged events, where a sample has run and event numbers of its own, to pick.txt."""
    from rdf.graph import events

    if {"run", "event"} <= source.available.quantities.keys():
        with_blocks = "luminosityBlock" in source.available.quantities
        events.write_picks(staging / EVENTS_ROOT, staging / PICK_TXT, with_blocks)


def write_skim(
    staging: Path,
    source: Source,
    size: int,
    entries: Entries,
    provenance: Provenance,
    progress: Callable[[int, int], None],
) -> tuple[str, ...]:
    """Write the flagged events of a source to skim.root.

    Args:
        staging: folder for the file.
        source: the trees.
        size: bytes of their files, as far as known.
        entries: scored events, by their places in the sample.
        provenance: of the file.
        progress: called with the events written and the events in all.

    Returns:
        Branches that are not written, since not all files have them in the same way.

    Raises:
        OutputFolderError: the disk has no room.
        SourceError, ExecutionError: as `rdf.sources.skim.write_skim` says.
    """
    from rdf.sources import skim

    flagged = entries.flagged
    check_room(staging, round(_BYTES_PER_BYTE * size * len(flagged) / source.events) + OTHER_RESULTS_BYTES)
    return skim.write_skim(source, flagged, staging / SKIM_ROOT, provenance, progress)


_BYTES_PER_BYTE = 2
"""Events that are taken out of a file may need that many times their share of it: few of them pack worse than many."""


def write_friend(
    staging: Path, source: Source, rows: tuple[int, int], entries: Entries, provenance: Provenance
) -> None:
    """Write what the detectors say of each entry, in the order of the sample, to scores.root.

    Entries that were not read or did not pass the cuts have `selected` false, NaN for scores and ranks, and no flags.

    Args:
        staging: folder for the file.
        source: the trees, which the friend is of the kind of.
        rows: entries of the sample that the friend has, half-open.
        entries: scored events, by their places in the sample, with all that the detectors say of them.
        provenance: of the file.

    Raises:
        ExecutionError: as `rdf.graph.events.write_columns` says.
    """
    from rdf.graph.events import write_columns
    from rdf.sources.skim import is_ntuple

    first, last = rows
    check_room(staging, (last - first) * 4 * (1 + len(entries.names)) + OTHER_RESULTS_BYTES)
    places = entries.numbers - np.uint64(first)
    columns = {SELECTED: np.zeros(last - first, bool)}
    columns[SELECTED][places] = True
    kinds = {name: field.kind for name, field in score_fields(_detectors(entries.names)).items()}
    for i, name in enumerate(entries.names):
        kind = np.dtype(TYPES.get(kinds[name], "float32"))
        absent: Any = NONE if name in (VOTES, FOLD) else np.nan if kind.kind == "f" else False
        values: npt.NDArray[Any] = np.full(last - first, absent, kind)
        values[places] = entries.values[:, i].astype(kind)
        columns[name] = values
    write_columns(staging / SCORES_ROOT, SCORES, columns, provenance, as_ttree=not is_ntuple(source))


def _detectors(names: Sequence[str]) -> tuple[str, ...]:
    flag = "flag_"
    return tuple(name.removeprefix(flag) for name in names if name.startswith(flag) and name != f"{flag}ensemble")


def join_entries(
    folders: Sequence[Path], staging: Path, provenance: Provenance, flagged: int, entries: tuple[int, int]
) -> None:
    """Write skim.root, scores.root and pick.txt of parts, each as one run over all of them would have left it.

    Args:
        folders: of the parts, in the order of their entries.
        staging: folder for the files.
        provenance: of the whole.
        flagged: number of flagged events of all parts.
        entries: of all parts, half-open.

    Raises:
        DamagedPart: a part lacks what another one has, or its files do not fit.
    """
    from rdf.errors import ExecutionError, SourceError
    from rdf.sources.skim import join_trees

    for name, expected in ((SKIM_ROOT, flagged), (SCORES_ROOT, entries[1] - entries[0])):
        has = [(folder / name).is_file() for folder in folders]
        if not any(has):
            continue
        if not all(has):
            raise DamagedPart(f"part {folders[has.index(False)]}: has no {name}, which other parts have; run it again")
        try:
            found = join_trees([folder / name for folder in folders], staging / name, provenance)
        except (SourceError, ExecutionError) as error:
            raise DamagedPart(f"parts that do not fit together: {error}") from error
        if found != expected:
            raise DamagedPart(f"{name} of the parts holds {found} entries, {expected} are expected; run them again")
    _join_picks([folder / PICK_TXT for folder in folders if (folder / PICK_TXT).is_file()], staging / PICK_TXT)


def _join_picks(parts: Sequence[Path], target: Path) -> None:
    """Merge lists of numbers that rise; a part without flagged events has none."""
    if not parts:
        return
    with ExitStack() as files, target.open("w", encoding="ascii") as file:
        lines: list[Iterator[str]] = [files.enter_context(part.open(encoding="ascii")) for part in parts]
        file.writelines(merge(*lines, key=lambda line: tuple(map(int, line.split(":")))))
