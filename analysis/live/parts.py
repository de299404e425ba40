"""The parts that a watch leaves: each an output folder of a run over some entries, which together are all that came.

A part has its entries for a name, and appears under it whole. Several that adjoin are merged to one now and then, which
takes their place: a part whose entries another one holds as well is of no more use.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from analysis.errors import DamagedPart
from analysis.live.arrivals import Done
from plotting.errors import UnreadableResult
from plotting.results.root_file import EVENTS_ROOT
from plotting.results.run_record import RUN_JSON, RunRecord, read_run_record

FAN_IN = 8
"""Parts of about the same size that become one."""

REMEDY = "choose another --output to score all anew"
_NAME = re.compile(r"(\d{12,})-(\d{12,})")


@dataclass(frozen=True)
class ScoredPart:
    """A part.

    Attributes:
        folder: output folder of the part.
        entries: half-open range of the sample's entries that it holds.
        level: 0 for one that an event loop left, 1 for a merge of `FAN_IN` of these, and so on.
        size: bytes of its events.root.
    """

    folder: Path
    entries: tuple[int, int]
    level: int
    size: int

    def record(self) -> RunRecord:
        """Return its run.json.

        Raises:
            DamagedPart: it cannot be read, or is of another version of the toolkit.
        """
        try:
            return read_run_record(
                self.folder / RUN_JSON, "choose another --output, or move this one away to score all anew"
            )
        except UnreadableResult as error:
            raise DamagedPart(f"part {error}") from error

    def done(self) -> Iterator[tuple[str, Done]]:
        """Yield the paths of the files that it was made of, each with what it was."""
        committed = (self.folder / RUN_JSON).stat().st_mtime
        for file in self.record().sample.files:
            yield file.path, Done(file.size, file.sha256, committed)


class ScoredParts:
    """All parts of a watch, in the order of their entries, which begin at 0 and have no gaps."""

    def __init__(self, folder: Path) -> None:
        """Find the parts that earlier watches left, and remove those that a merge has taken the place of.

        Raises:
            DamagedPart: one is missing, or none of a watch.
        """
        self._folder = folder
        folder.mkdir(exist_ok=True)
        self._parts: list[ScoredPart] = []
        named = [(match, path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
        ranges = sorted(((int(match[1]), int(match[2])), path) for match, path in named)
        for entries, path in sorted(ranges, key=lambda found: (found[0][0], -found[0][1])):
            if entries[1] <= self.entries:
                shutil.rmtree(path)
            elif entries[0] != self.entries:
                raise DamagedPart(
                    f"{folder} has no part with the entries {self.entries}:{entries[0]}; bring it back, or choose "
                    "another --output to score all anew"
                )
            else:
                self._parts.append(_read(path, entries))

    def __iter__(self) -> Iterator[ScoredPart]:
        return iter(self._parts)

    @property
    def entries(self) -> int:
        """Number of entries in all parts."""
        return self._parts[-1].entries[1] if self._parts else 0

    @property
    def size(self) -> int:
        """Bytes of all their events."""
        return sum(part.size for part in self._parts)

    def commit(self, staging: Path, events: int) -> ScoredPart:
        """Make a part of a finished folder of this disk, for the entries that come next."""
        entries = (self.entries, self.entries + events)
        part = _read(staging.rename(self._folder / _name(entries)), entries)
        self._parts.append(part)
        return part

    def to_merge(self) -> list[ScoredPart]:
        """Return adjoining parts that are to become one; none if there are not enough of them."""
        for i in range(len(self._parts) - FAN_IN, -1, -1):
            run = self._parts[i : i + FAN_IN]
            if len({part.level for part in run}) == 1:
                return run
        return []

    def replace(self, parts: list[ScoredPart], staging: Path) -> None:
        """Put the merge of some adjoining parts, a finished folder of this disk, in their place."""
        entries = (parts[0].entries[0], parts[-1].entries[1])
        first = self._parts.index(parts[0])
        self._parts[first : first + len(parts)] = [_read(staging.rename(self._folder / _name(entries)), entries)]
        for part in parts:
            shutil.rmtree(part.folder, ignore_errors=True)


def _name(entries: tuple[int, int]) -> str:
    return f"{entries[0]:012}-{entries[1]:012}"


def _read(folder: Path, entries: tuple[int, int]) -> ScoredPart:
    try:
        size = (folder / EVENTS_ROOT).stat().st_size
    except OSError as error:
        raise DamagedPart(f"part {folder}: {EVENTS_ROOT} cannot be read; {REMEDY}") from error
    merged = ScoredPart(folder, entries, 0, size).record().merged
    of, level = merged.parts if merged else 1, 0
    while of >= FAN_IN:
        of, level = of // FAN_IN, level + 1
    return ScoredPart(folder, entries, level, size)
