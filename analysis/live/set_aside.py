"""set_aside.csv: the files of a watched folder that are not scored, and why. It is written and read here only."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from analysis.errors import DataError
from plotting.results.cells import escaped, unescaped
from rdf.drafts import whole_file

SET_ASIDE = "set_aside.csv"
"""Table in the output folder of the files that are not scored."""


@dataclass(frozen=True)
class State:
    """What tells one content of a file from another without reading it: size in bytes, and time of the last change."""

    size: int
    mtime_ns: int


@dataclass(frozen=True)
class SetAside:
    """A line of set_aside.csv: a file that is not scored as long as it stays as it is.

    The attributes are the columns, in their order.

    Attributes:
        file: its name, as it is printed.
        reason: why it is not scored, in a line.
        since: when it was set aside, in ISO 8601.
        size: bytes of the file at that time.
        mtime_ns: its last change, in nanoseconds since the epoch.
        sha256: checksum of the content; empty where it could not be read.
    """

    file: str
    reason: str
    since: str
    size: int
    mtime_ns: int
    sha256: str

    @property
    def state(self) -> State:
        """Return the state of the file when it was set aside."""
        return State(self.size, self.mtime_ns)

    @property
    def cells(self) -> tuple[str | int, ...]:
        """The cells of the line."""
        return (
            *(escaped(self.file), escaped(self.reason), escaped(self.since)),
            *(self.size, self.mtime_ns, escaped(self.sha256)),
        )

    @classmethod
    def of_cells(cls, cells: Mapping[str, str]) -> SetAside:
        """Return the line that has these cells, by column.

        Raises:
            KeyError: size or time is missing.
            TypeError: another column is missing, or one too many.
            ValueError: size or time is no whole number.
            AttributeError: the line has fewer or more cells than there are columns.
        """
        columns: dict[str, Any] = {name: unescaped(cell) for name, cell in cells.items()}
        return cls(**(columns | {"size": int(columns["size"]), "mtime_ns": int(columns["mtime_ns"])}))


def write_set_aside(table: Path, lines: Iterable[SetAside]) -> None:
    """Write the table anew, which appears when it is whole.

    Raises:
        OSError: it cannot be written.
    """
    with whole_file(table) as draft, draft.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(column.name for column in fields(SetAside))
        writer.writerows(line.cells for line in lines)


def read_set_aside(table: Path) -> list[SetAside]:
    """Read the table; no line where there is none.

    Raises:
        DataError: the file cannot be read, or is no such table.
    """
    try:
        with table.open(newline="", encoding="utf-8") as file:
            return [SetAside.of_cells(row) for row in csv.DictReader(file)]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{table} is no list of files that a watch set aside ({error}); move it away to have its files tried again"
        ) from error
