"""YAML as this toolkit reads and writes it: samples, schemas, configurations and tables of the command line.

Such a file may come from anybody, so it can hold tables, lists, text, numbers, truth values and nothing else: no
anchors and aliases, by which a page becomes gigabytes, and no tags. Its size, depth and number of values are bounded.
Unlike in YAML 1.1, 1e-3 is a number, and 10:20 and 2024-05-01 are text. Names of keys are text as they stand.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from rdf.errors import ToolkitError
from rdf.printable import UNPRINTABLE, printable, shortened

LARGEST_FILE = 4_000_000
"""Bytes of a file."""

MOST_VALUES = 200_000
"""Keys and values of a file."""

DEEPEST = 20
"""Tables and lists inside each other."""

LONGEST_TEXT = 10_000
"""Characters of one value."""

LONGEST_KEY = 200
"""Characters of the name of a key."""

_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a YAML without its C library is ten times as slow

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((same for word in ("true", "yes", "on") for same in (word, word.title(), word.upper())), True),
    **dict.fromkeys((same for word in ("false", "no", "off") for same in (word, word.title(), word.upper())), False),
}
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F][0-9a-fA-F_]*)")
_REAL = re.compile(r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LARGEST_WHOLE = 2**64


class TableError(ToolkitError, ValueError):
    """Text is no YAML, or YAML that is not read here.

    Attributes:
        problem: what is wrong, in words.
        line: number of the line, from 1; None where the problem lies in no single line.
    """

    def __init__(self, problem: str, line: int | None = None) -> None:
        """Say what is wrong, and in which line."""
        super().__init__(f"line {line}: {problem}" if line else problem)
        self.problem, self.line = problem, line


def read_table(path: Path) -> Any:
    """Read a YAML file, and return what it holds; None where it is empty.

    Raises:
        OSError: there is no such file, or it cannot be read, or it is no file but a pipe or a device.
        UnicodeDecodeError: it is no text in UTF-8.
        TableError: it is too large, or as `parse_table` says.
    """
    try:
        # Of a pipe into which nobody writes, opening and reading would never end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:  # a NUL in the path
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device, where a file is expected", str(path))
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise TableError(f"the file is larger than {LARGEST_FILE / 1e6:g} MB")
    return parse_table(content.decode("utf-8-sig"))


def parse_table(text: str) -> Any:
    """Return what a YAML text holds: dict, list, str, int, float, bool, None.

    Raises:
        TableError: it is not valid YAML; has an alias, anchor, tag, second document, or a key twice; is too deep or too
            long; or holds an integer of more than 64 bits, or a character that is no text.
    """
    if odd := UNPRINTABLE.search(text.replace("\r\n", "\n")):
        before = odd.string[: odd.start()]
        raise TableError(f"the character {printable(odd[0])} is no text; remove it", before.count("\n") + 1)
    try:
        return _Reader(iter(yaml.parse(text, _PARSER))).read()
    except yaml.MarkedYAMLError as error:
        line = min(error.problem_mark.line, text.count("\n")) + 1 if error.problem_mark else None
        raise TableError(error.problem or error.context or "it cannot be read", line) from error
    except yaml.YAMLError as error:
        raise TableError(printable(" ".join(str(error).split()))) from error


class _Reader:
    """Makes values of the events of a YAML text."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events, self._values = events, 0

    def read(self) -> Any:
        """Return what the only document holds."""
        value, documents = None, 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise TableError("a second document begins; leave one", _line(event))
                value = self._value(next(self._events), 0, "")
        return value

    def _value(self, event: yaml.Event, depth: int, key: str) -> Any:
        self._values += 1
        if self._values > MOST_VALUES:
            raise TableError(f"there are more than {MOST_VALUES:,} keys and values", _line(event))
        if getattr(event, "anchor", None) is not None or getattr(event, "tag", None) is not None:
            raise TableError(
                "anchors, aliases and tags (&, *, !) are not read; put text that begins like one in quotes",
                _line(event),
            )
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event, key)
        if depth == DEEPEST:
            raise TableError(f"more than {DEEPEST} tables and lists stand inside each other", _line(event))
        return self._list(depth, key) if isinstance(event, yaml.SequenceStartEvent) else self._table(depth)

    def _list(self, depth: int, key: str) -> list[Any]:
        values = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            values.append(self._value(event, depth + 1, key))
        return values

    def _table(self, depth: int) -> dict[str, Any]:
        table: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            self._value(event, depth + 1, "")
            if not isinstance(event, yaml.ScalarEvent):
                raise TableError("the name of a key has to be text", _line(event))
            key = event.value
            if len(key) > LONGEST_KEY:
                raise TableError(f"the name of a key is too long: {shortened(key, 40)}", _line(event))
            if key in table:  # YAML would take the last
                raise TableError(f"key {key!r} stands twice", _line(event))
            table[key] = self._value(next(self._events), depth + 1, key)
        return table


def _line(event: yaml.Event) -> int | None:
    return event.start_mark.line + 1 if event.start_mark else None


def _scalar(event: yaml.ScalarEvent, key: str) -> Any:
    text, place = str(event.value), f"key {key!r}: " if key else ""
    if len(text) > LONGEST_TEXT:
        raise TableError(f"{place}a value is too long: {shortened(text, 40)}", _line(event))
    if odd := UNPRINTABLE.search(text):  # by an escape in quotes
        raise TableError(f"{place}{printable(odd[0])} stands for a character that is no text; remove it", _line(event))
    if event.style:  # quoted, or a block
        return text
    try:
        return _plain(text)
    except TableError as error:
        raise TableError(f"{place}{error.problem}", _line(event)) from error


def _plain(text: str) -> Any:
    """Return what text without quotes stands for."""
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        digits = text.replace("_", "")
        base = 16 if "x" in digits else 10
        if len(digits) > 21 or abs(int(digits, base)) >= _LARGEST_WHOLE:
            raise TableError(f"the number {shortened(text, 40)} has more than 64 bits; put text in quotes")
        return int(digits, base)
    if _REAL.fullmatch(text):
        return float(text.replace("_", ""))
    if _INFINITE.fullmatch(text):  # refused by name of its key
        return float(text.replace(".", ""))
    return text


class _Dumper(yaml.SafeDumper):
    """Quotes text that would be read as something else."""


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    try:
        same = _plain(text) == text
    except TableError:
        same = False
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if same else '"')


_Dumper.add_representer(str, _represent)


def table_text(table: dict[str, Any]) -> str:
    """Return a table as YAML that `parse_table` reads as this very table.

    Raises:
        TableError: it is too large, or holds what `parse_table` refuses.
    """
    text = yaml.dump(table, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    if len(text.encode("utf-8", errors="surrogatepass")) > LARGEST_FILE:
        raise TableError(f"it would be larger than {LARGEST_FILE / 1e6:g} MB")
    parse_table(text)
    return text
