"""Text files of events, packed by gzip or not: how they are opened, and where their lines are."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

from rdf.errors import UnreadableFile
from rdf.sources.formats import GZIP_MAGIC


@dataclass(frozen=True)
class Text:
    """An open text file.

    Attributes:
        unpacked: its bytes as text.
        packed: the same where it is not packed, else what it is unpacked from.
    """

    unpacked: BinaryIO
    packed: BinaryIO

    def bytes_read(self) -> int:
        """Return how many bytes of the file on disk are read."""
        return self.packed.tell()


@contextmanager
def opened(source: Path) -> Iterator[Text]:
    """Open a text file, packed by gzip if its first bytes say so.

    Raises:
        UnreadableFile: it is packed, and truncated or damaged; while it is read too.
        OSError: there is none.
    """
    with source.open("rb") as packed:
        is_packed = packed.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        packed.seek(0)
        if not is_packed:
            yield Text(packed, packed)
            return
        try:
            with gzip.open(packed) as unpacked:
                yield Text(cast("BinaryIO", unpacked), packed)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise UnreadableFile(
                f"{source} is packed by gzip, and truncated or damaged ({error}); pack it or get it again"
            ) from error


def line_number(source: Path, row: int, before: int = 0, ignored: str | None = "\r\n") -> int:
    """Return the number of a line, from 1, as an editor counts, where blank ones count as well.

    Args:
        source: the file.
        row: number of the line among those that are not blank, from 0, after the first `before` lines.
        before: lines that do not count.
        ignored: characters that a blank line may hold; None means all kinds of blanks.
    """
    with opened(source) as text, io.TextIOWrapper(text.unpacked, encoding="latin-1", newline="") as lines:
        numbered = islice(enumerate(lines, start=1), before, None)
        filled = (number for number, line in numbered if line.strip(ignored))
        return next(islice(filled, row, None), before + row + 1)
