"""The text files of the Dark Machines challenge (arXiv:2105.14027): an event a line, each with its own objects.

    event ID;process ID;event weight;MET;METphi;obj1,E1,pt1,eta1,phi1;obj2,E2,pt2,eta2,phi2;...

Energies are in MeV. An object is a jet (j), a b jet (b), an electron (e-, e+), a muon (m-, m+) or a photon (g).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rdf.errors import MalformedRow, NoEvents, SchemaError, near_names
from rdf.schema.model import Schema
from rdf.sources.formats import not_utf8
from rdf.sources.portions import WRITTEN_INFINITY, Portion, Portions, Vectors, portion_bytes
from rdf.sources.text_file import opened

_HEAD: Mapping[str, str | None] = {
    "event": "uint64",
    "process": None,  # a word
    "weight": "float64",
    "met": "float64",
    "met_phi": "float64",
}
_OBJECT = {f"object_{attribute}": "float64[]" for attribute in ("energy", "pt", "eta", "phi")}

COLUMNS: Mapping[str, str] = {
    **{name: kind for name, kind in _HEAD.items() if kind},
    "object_type": "int8[]",
    "object_charge": "int8[]",
    **_OBJECT,
}
"""Column that these files have -> its type. The type of an object is the character j, b, e, m or g."""

_OBJECTS: Mapping[str, tuple[str, int]] = {
    **{name: (name, 0) for name in "jbg"},
    **{f"{name}{sign}": (name, int(f"{sign}1")) for name in "em" for sign in "+-"},
}
"""How a file names an object -> its type and charge."""


def read_portions(source: Path, schema: Schema) -> Portions:
    """Read the columns of the schema.

    Raises:
        SchemaError: the schema lists a column that these files do not have.
        UnreadableFile, MalformedRow, NoEvents: with the line number where there is one.
    """
    for name, kind in schema.columns.items():
        if COLUMNS.get(name) != kind:
            known = (f"{name}: {kind}" for name, kind in COLUMNS.items())
            raise SchemaError(
                f"schema {schema.name}: the layout darkmachines has no column {name}: {kind}; "
                f"{near_names(f'{name}: {kind}', known)}"
            )
    size = source.stat().st_size
    first, events = 1, 0
    with opened(source) as text:
        while block := text.unpacked.readlines(portion_bytes(size)):
            lines = {number: line for number, line in enumerate(block, start=first) if line.strip()}
            first += len(block)
            if lines:
                events += len(lines)
                columns = _read_lines(source, lines)
                yield {name: columns[name] for name in schema.columns}, text.bytes_read()
    if not events:
        raise NoEvents(f"{source} has no events; nothing can be analysed")


def _read_lines(source: Path, lines: Mapping[int, bytes]) -> Portion:
    """Read events, a line each, by the number of the line."""
    texts = []
    for number, line in lines.items():
        try:
            texts.append(line.decode().rstrip("\r\n").removesuffix(";"))
        except UnicodeDecodeError as error:
            raise not_utf8(source, line, f", line {number}") from error
    numbers = np.fromiter(lines, dtype=np.int64)
    fields, counts = _split(texts, ";")
    for i in np.flatnonzero(counts < len(_HEAD)):
        raise _malformed(source, numbers[i], f"{counts[i]} fields, where {len(_HEAD)} precede the objects")
    heads = np.cumsum(counts) - counts  # where the fields of each event begin
    portion: dict[str, NDArray[Any] | Vectors] = {
        name: _as_numbers(source, numbers, name, fields.take(heads + i), kind)
        for i, (name, kind) in enumerate(_HEAD.items())
        if kind
    }
    is_object = np.ones(len(fields), dtype=np.bool_)
    for place in range(len(_HEAD)):
        is_object[heads + place] = False
    return portion | _read_objects(source, numbers, fields.filter(is_object), counts - len(_HEAD))


def _split(texts: Any, separator: str) -> tuple[Any, NDArray[np.int64]]:
    """Split texts; return the pieces of all of them behind each other, a pyarrow array, and how many each one has."""
    pieces = pc.split_pattern(pa.array(texts, pa.string()), separator)
    return pieces.flatten(), pc.list_value_length(pieces).to_numpy().astype(np.int64)


def _read_objects(
    source: Path, numbers: NDArray[np.int64], objects: Any, counts: NDArray[np.int64]
) -> dict[str, Vectors]:
    """Read the objects of events, a given number for each event, by the numbers of their lines."""
    lines = np.repeat(numbers, counts)  # of each object
    cells, lengths = _split(objects, ",")
    for i in np.flatnonzero(lengths != 1 + len(_OBJECT)):
        raise _malformed(source, lines[i], f"object {objects[i].as_py()!r} is not of the form obj,E,pt,eta,phi")
    names, *columns = (cells[i :: 1 + len(_OBJECT)] for i in range(1 + len(_OBJECT)))
    known = pc.index_in(names, pa.array(list(_OBJECTS)))
    for i in np.flatnonzero(known.is_null()):
        name = names[i].as_py()
        raise _malformed(source, lines[i], f"unknown object {name!r} ({near_names(name, _OBJECTS)})")
    types = np.array([ord(kind) for kind, _ in _OBJECTS.values()], dtype=np.int8)
    charges = np.array([charge for _, charge in _OBJECTS.values()], dtype=np.int8)
    return {
        "object_type": Vectors(types[known.to_numpy()], counts),
        "object_charge": Vectors(charges[known.to_numpy()], counts),
        **{
            name: Vectors(_as_numbers(source, lines, name, texts, kind.removesuffix("[]")), counts)
            for (name, kind), texts in zip(_OBJECT.items(), columns, strict=True)
        },
    }


def _as_numbers(source: Path, lines: NDArray[np.int64], name: str, texts: Any, kind: str) -> NDArray[Any]:
    """Convert a pyarrow array of texts to numbers; `lines` are the numbers of their lines."""
    target = pa.type_for_alias(kind)
    try:
        numbers = texts.cast(target).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid as error:
        bad = next(i for i, text in enumerate(texts) if not _is_number(text, target))
        raise _malformed(source, lines[bad], f"{name} is {texts[bad].as_py()!r}, which is not a {kind}") from error
    if kind.startswith("float"):
        for i in np.flatnonzero(np.isinf(numbers)):
            if not WRITTEN_INFINITY.fullmatch(texts[i].as_py()):
                raise _malformed(source, lines[i], f"{name} is {texts[i].as_py()!r}, which is too large for a {kind}")
    return np.asarray(numbers)


def _is_number(text: Any, kind: Any) -> bool:
    try:
        text.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


def _malformed(source: Path, line: np.integer[Any], what: str) -> MalformedRow:
    return MalformedRow(f"{source}, line {line}: {what}; mend or remove the row")
