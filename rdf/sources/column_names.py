"""Names of columns that lie beside a table in an HDF5 file: in attributes, in data sets of words, in pickled lists."""

from __future__ import annotations

import pickletools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import h5py
import numpy as np

Label = str | int
"""How a file calls a column: by its name, or by its number where it has none."""

_USUAL = re.compile(
    r".*(columns|columnnames|colnames|featurenames|fieldnames|variablenames|varnames)|"
    r"names|fields|features|variables|header|items"
)
_NO_NAMES = ("DIMENSION_LABELS", "CLASS", "TITLE", "VERSION", "FLAVOR")  # attributes of HDF5 and PyTables themselves
_UNREADABLE = (OSError, RuntimeError, ValueError, TypeError, KeyError)  # what h5py raises of odd attributes

_WORDS = ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "STRING", "BINSTRING", "SHORT_BINSTRING")
_NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1")
_LISTS = ("LIST", "EMPTY_LIST")
_AROUND = ("PROTO", "FRAME", "MARK", "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "APPEND", "APPENDS", "STOP")


def words_of(values: Any) -> list[Label] | None:
    """Return the words, or the whole numbers, of an array of one dimension; None where it holds something else."""
    array = np.asarray(values)
    if array.ndim != 1:
        return None
    if array.dtype.kind in "iu":
        return [int(number) for number in array]
    words = [value.decode(errors="replace") if isinstance(value, bytes) else value for value in array.tolist()]
    return [word.strip() for word in words] if words and all(isinstance(word, str) for word in words) else None


def pickled_labels(pickled: Any) -> list[Label] | None:
    """Return the labels in a pickled list of names or numbers, without unpickling it, which could run any code.

    Returns:
        None where it is anything else than one flat list of such.
    """
    if not isinstance(pickled, bytes):
        return None
    labels: list[Label] = []
    lists = 0
    try:
        for code, value, _ in pickletools.genops(bytes(pickled)):
            if isinstance(value, str | int) and not isinstance(value, bool) and code.name in (*_WORDS, *_NUMBERS):
                labels.append(value)
            elif code.name in _LISTS:
                lists += 1
            elif code.name not in _AROUND:
                return None
    except (ValueError, IndexError, OverflowError, UnicodeDecodeError):
        return None
    return labels if lists == 1 else None


def names_beside(
    table: h5py.Dataset, wanted: Sequence[str], check: Callable[[h5py.Dataset], None]
) -> list[tuple[str, list[str]]]:
    """Return the lists of names that a file has for the columns of a data set of two dimensions.

    They stand in attributes of the data set or its group, or in a data set of words in that group. What is not usually
    called so counts if it has one of the names that are wanted.

    Args:
        table: the data set.
        wanted: names that it should have.
        check: refuses a data set that cannot be read.

    Returns:
        For each list its place, as in "attribute 'columns'", and as many names as there are columns.
    """
    columns, found = table.shape[1], []
    for place, key, values in _candidates(table, check):
        usual = bool(_USUAL.fullmatch(re.sub(r"[^a-z]", "", key.lower())))
        names = _split(values) if isinstance(values, str | bytes) and usual else words_of(values)
        if names is None or len(names) != columns or not all(isinstance(name, str) for name in names):
            continue
        if usual or set(names) & set(wanted):
            found.append((place, [str(name) for name in names]))
    return found


def _candidates(table: h5py.Dataset, check: Callable[[h5py.Dataset], None]) -> Iterator[tuple[str, str, Any]]:
    """Return the place, the key and the values of all that may be names."""
    group = table.parent
    for owner, of in ((table, ""), (group, f" of {group.name!r}")):
        for key in owner.attrs:
            if key not in _NO_NAMES:
                with suppress(*_UNREADABLE):
                    yield f"attribute {key!r}{of}", key, owner.attrs[key]
    for key in group:
        data = group.get(key)
        if isinstance(data, h5py.Dataset) and data.shape == table.shape[1:] and data.dtype.kind in "SO":
            check(data)
            yield f"data set {data.name!r}", key, data[()]


def _split(text: str | bytes) -> list[Label]:
    """Split names that stand in one text, between commas, semicolons or blanks."""
    text = text.decode(errors="replace") if isinstance(text, bytes) else text
    return [name for name in re.split(r"[\s,;:\[\]()\"']+", text) if name]
