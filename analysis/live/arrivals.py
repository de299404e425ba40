"""Arrivals: which files of a watched folder are whole, new, and to be scored; and which are set aside, and why."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from analysis.live.set_aside import SetAside, State, read_set_aside, write_set_aside
from models.folder import file_sha256

TRY_AGAIN = "it will be tried again when it changes"


@dataclass(frozen=True)
class Arrival:
    """A file that is to be scored.

    Attributes:
        path: of the file, absolute.
        state: in which it was found, and read for its checksum.
        sha256: checksum of the content.
        seen: when it was first found in that state, by `time.monotonic`.
    """

    path: Path
    state: State
    sha256: str
    seen: float


@dataclass(frozen=True)
class Done:
    """A file that was scored: its size and checksum, and when (seconds since the epoch) that was committed."""

    size: int | None
    sha256: str | None
    committed: float


@dataclass
class _Seen:
    state: State
    since: float


class Arrivals:
    """What arrives in a folder; the folder is only read.

    Attributes:
        folder: that is watched, absolute; files in folders below it are not looked at, nor are hidden ones.
        aside: name of a file, as it is printed -> why it is not scored.
        done: absolute path of a scored file -> what it was.
    """

    def __init__(
        self, folder: Path, settle: float, table: Path, done: Mapping[str, Done], say: Callable[[str], None]
    ) -> None:
        """Begin where an earlier watch ended.

        Args:
            folder: the folder to watch.
            settle: seconds that a file has to stay as it is before it is read.
            table: the file of those set aside; made when there is one.
            done: the files that were scored already.
            say: is told what a user has to know.

        Raises:
            DataError: the table of those set aside cannot be read.
        """
        self.folder, self.done = folder, dict(done)
        self._settle, self._table, self._say = settle, table, say
        self.aside = {line.file: line for line in read_set_aside(table)}
        self._contents = {file.sha256: Path(path).name for path, file in self.done.items()}
        self._seen: dict[str, _Seen] = {}
        self._taken: set[str] = set()
        self._unchanged: dict[str, State] = {}
        self._named: set[str] = set()
        self._lost = False
        self.scan_seconds = 0.0

    def scan(self) -> None:
        """Look at the folder: note what is new or has changed, and what rests."""
        begin = time.monotonic()
        try:
            found = dict(self._listed())
        except OSError as error:
            if not self._lost:
                self._say(f"{self.folder} cannot be read: {error.strerror}; waiting for it")
            self._lost = True
            return
        if self._lost:
            self._say(f"{self.folder} is back")
        self._lost = False
        for name in self._seen.keys() - found.keys():
            del self._seen[name]
        for name, state in found.items():
            known = self._seen.get(name)
            if known is None or known.state != state:
                self._seen[name] = _Seen(state, begin)
        self.scan_seconds = time.monotonic() - begin

    def _listed(self) -> Iterator[tuple[str, State]]:
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                try:
                    status = entry.stat()
                except OSError:  # gone meanwhile, or a link to nothing
                    continue
                if stat.S_ISREG(status.st_mode):
                    yield entry.name, State(status.st_size, status.st_mtime_ns)
                elif entry.name not in self._named:
                    self._named.add(entry.name)
                    what = "a folder; what is in it" if stat.S_ISDIR(status.st_mode) else "no file; it"
                    self._say(f"{printable(entry.name)} is {what} is not watched")

    @property
    def waiting(self) -> int:
        """Number of files that have come and are neither scored nor set aside, whether they are taken or not."""
        return len(self._taken) + sum(1 for _ in self._new())

    def _new(self) -> Iterator[tuple[str, _Seen]]:
        for name, seen in self._seen.items():
            if name in self._taken:  # also if it has changed meanwhile
                continue
            if (line := self.aside.get(printable(name))) and line.state == seen.state:
                continue
            if self._unchanged.get(name) == seen.state or self._was_done(name, seen.state):
                continue
            yield name, seen

    def _was_done(self, name: str, state: State) -> bool:
        """Say whether a file was scored, and name it, once for each change, if it has changed since."""
        path = self.folder / name
        if (done := self.done.get(str(path))) is None:
            return False
        before = self._unchanged.get(name)
        changed = before is not None or done.size != state.size
        if not changed and state.mtime_ns / 1e9 > done.committed:
            try:
                changed = file_sha256(path) != done.sha256
            except OSError:
                return True  # it is going away, or will be looked at again
        self._unchanged[name] = state
        if changed:
            self._say(f"{printable(name)} has changed since it was scored; it is not scored again: give it a new name")
        return True

    def take(self, files: int, size: int) -> list[Arrival]:
        """Take the next files to be scored, in the order in which they came, and at the same time by their names.

        Files whose content is known already are set aside.

        Args:
            files: largest number of files.
            size: bytes at most, but for one file, which may be larger.
        """
        now = time.monotonic()
        resting = [(seen.since, name, seen) for name, seen in self._new() if self._rests(seen, now)]
        taken: list[Arrival] = []
        total = 0
        for since, name, seen in sorted(resting, key=lambda found: found[:2]):
            if len(taken) == files or (taken and total + seen.state.size > size):
                break
            if arrival := self._read(name, seen, since):
                self._taken.add(name)
                self._contents[arrival.sha256] = name
                taken.append(arrival)
                total += seen.state.size
        return taken

    def _rests(self, seen: _Seen, now: float) -> bool:
        # A file whose last change is long past when it is first seen need not be waited for.
        return max(now - seen.since, time.time() - seen.state.mtime_ns / 1e9) >= self._settle

    def _read(self, name: str, seen: _Seen, since: float) -> Arrival | None:
        """Return a file with its checksum; None if it is none to be scored, or none yet."""
        path = self.folder / name
        try:
            str(path).encode()
        except UnicodeEncodeError:
            self._set_aside(name, seen.state, "", "its name is not UTF-8; rename it")
            return None
        try:
            sha256 = file_sha256(path)
            same = state_of(path) == seen.state
        except FileNotFoundError:
            return None
        except OSError as error:
            self._set_aside(name, seen.state, "", f"cannot be read: {error.strerror}; check its permissions")
            return None
        if not same:
            return None
        if (other := self._contents.get(sha256)) not in (None, name):
            self._set_aside(name, seen.state, sha256, f"has the content of {printable(str(other))}; delete one of them")
            return None
        return Arrival(path, seen.state, sha256, since)

    def finish(self, files: Iterable[Arrival], committed: float) -> None:
        """Note that files were scored and committed at that time."""
        for file in files:
            self.done[str(file.path)] = Done(file.state.size, file.sha256, committed)
            self._unchanged[file.path.name] = file.state
            self._taken.discard(file.path.name)
            if self.aside.pop(printable(file.path.name), None):
                write_set_aside(self._table, self.aside.values())

    def give_back(self, files: Iterable[Arrival]) -> None:
        """Note that files were not scored, and are to be looked at again."""
        for file in files:
            self._taken.discard(file.path.name)
            self._forget(file)

    def set_aside(self, file: Arrival, reason: str) -> None:
        """Note that a file is not to be scored, and why."""
        self._taken.discard(file.path.name)
        self._forget(file)
        if not file.path.exists():
            self._say(f"{printable(file.path.name)} went away before it was scored")
            return
        name = file.path.name
        cause = (
            " ".join(reason.replace(str(file.path), name).split()).removeprefix(f"{name} ").removeprefix(f"{name}: ")
        )
        self._set_aside(name, file.state, file.sha256, f"{cause}; {TRY_AGAIN}")

    def _forget(self, file: Arrival) -> None:
        if self._contents.get(file.sha256) == file.path.name:
            del self._contents[file.sha256]

    def _set_aside(self, name: str, state: State, sha256: str, reason: str) -> None:
        since = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        self.aside[printable(name)] = SetAside(printable(name), reason, since, state.size, state.mtime_ns, sha256)
        write_set_aside(self._table, self.aside.values())
        self._say(f"set aside: {printable(name)}: {reason}")


def state_of(path: Path) -> State:
    """Return the state in which a file is now."""
    status = path.stat()
    return State(status.st_size, status.st_mtime_ns)


def printable(name: str) -> str:
    """Return a name as it can be printed on one line, and be written to a UTF-8 file."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in name)
