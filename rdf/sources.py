"""Sources: whatever a sample is made of becomes the head of an RDataFrame graph, checked against its schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rdf import RNode
from rdf.errors import MissingColumn, NoEvents, UnreadableFile, near_names
from rdf.interpreter import ROOT, captured_stderr, first_reason
from rdf.provenance import SIMULATED
from rdf.schema import ODD_IN_ROOT, Schema
from rdf.tabular import Progress, convert

TEXT_TABLES = (".csv",)
"""Endings of files that are converted to an RNTuple first."""

PACKED = (".gz", ".zip", ".bz2", ".xz", ".zst")
"""Endings of compressed files, which nothing here unpacks."""

_INTEGERS = {
    *("char", "signed char", "unsigned char", "Char_t", "UChar_t", "std::int8_t", "std::uint8_t"),
    *("short", "unsigned short", "int", "unsigned int", "long", "unsigned long", "long long", "unsigned long long"),
    *("Short_t", "UShort_t", "Int_t", "UInt_t", "Long_t", "ULong_t", "Long64_t", "ULong64_t"),
    *(f"std::{sign}int{bits}_t" for sign in ("", "u") for bits in (16, 32, 64)),
}
_REALS = {"float", "double", "Float_t", "Double_t"}


@dataclass(frozen=True)
class Source:
    """Trees on disk that together are one sample.

    Attributes:
        tree: name of the TTree or RNTuple in each file.
        files: the files, in order.
        entries: events in all of them.
        simulated: whether a file says of itself that its events are simulated.
    """

    tree: str
    files: tuple[Path, ...]
    entries: int
    simulated: bool

    def open(self) -> RNode:
        """Return the head of a new graph over all events."""
        return ROOT.RDataFrame(self.tree, [str(file) for file in self.files])


def open_source(
    files: Sequence[Path],
    schema: Schema,
    cache: Path,
    checksums: Sequence[str | None],
    progress: Progress | None = None,
) -> Source:
    """Make a sample's files readable as trees and check that they hold the columns of the schema.

    Args:
        files: ROOT files (TTree or RNTuple) are read as they are; CSV files are converted once to `cache`.
        schema: names the tree and the columns with their types.
        cache: folder of converted files.
        checksums: sha256 of each file where it is known already.
        progress: called with bytes converted and bytes in all.

    Raises:
        SourceError: a file is missing, damaged, of another format or empty; names it and the remedy.
    """
    trees = []
    for file, checksum in zip(files, checksums, strict=True):
        if not file.is_file():
            raise UnreadableFile(f"{file} does not exist; check the path")
        if file.suffix.lower() in PACKED:
            raise UnreadableFile(f"{file} is compressed; unpack it first")
        is_text = file.suffix.lower() in TEXT_TABLES
        trees.append(_converted(file, schema, cache, checksum, progress) if is_text else file)
    counted = [_count_entries(tree, schema.tree) for tree in trees]
    source = Source(
        schema.tree, tuple(trees), sum(entries for entries, _ in counted), any(simulated for _, simulated in counted)
    )
    if not source.entries:
        raise NoEvents(f"{', '.join(map(str, files))}: the tree {schema.tree!r} holds no events; check the file")
    for tree in trees:
        _check_columns(tree, schema)
    return source


def _converted(file: Path, schema: Schema, cache: Path, checksum: str | None, progress: Progress | None) -> Path:
    """Return the converted table, made anew if the one in the cache is damaged."""
    tree = convert(file, schema, cache, checksum, progress)
    try:
        _count_entries(tree, schema.tree)
    except (UnreadableFile, MissingColumn):
        tree.unlink(missing_ok=True)
        tree = convert(file, schema, cache, checksum, progress)
    return tree


def _count_entries(path: Path, tree: str) -> tuple[int, bool]:
    """Return the number of events in the file's TTree or RNTuple, and whether the file says that they are simulated."""
    if odd := sorted(set(str(path)) & ODD_IN_ROOT):
        raise UnreadableFile(
            f"{path}: ROOT takes {odd[0]!r} in a path for something else; rename the file or its folder"
        )
    with captured_stderr() as stderr:
        try:
            file = ROOT.TFile.Open(str(path))
        except OSError:
            file = None
    # ROOT offers what it could recover of a truncated file, which is not what was published.
    if not file or file.IsZombie() or file.TestBit(ROOT.TFile.kRecovered):
        raise UnreadableFile(f"{path} is not a whole ROOT file ({stderr.first_error()}); delete it and get it again")
    with file:
        names = sorted({key.GetName() for key in file.GetListOfKeys()})
        if tree not in names:
            raise MissingColumn(f"{path} has no tree {tree!r}; {near_names(tree, names)}")
        kind = file.GetKey(tree).GetClassName()
        entries = int(file.Get(tree).GetEntries()) if kind == "TTree" else None
    if kind == "ROOT::RNTuple":
        try:
            entries = int(ROOT.RNTupleReader.Open(tree, str(path)).GetNEntries())
        except Exception as error:
            raise UnreadableFile(f"{path}: {first_reason(error)}; delete it and get it again") from error
    if entries is None:
        raise MissingColumn(f"{path}: {tree!r} is a {kind}, not a TTree or RNTuple; name a schema that fits")
    return entries, SIMULATED in names


def _check_columns(path: Path, schema: Schema) -> None:
    """Refuse a file without one of the schema's columns, or with one of another kind."""
    events = ROOT.RDataFrame(schema.tree, str(path))
    present = [str(name) for name in events.GetColumnNames()]
    for name, kind in schema.columns.items():
        if name not in present:
            raise MissingColumn(
                f"{path}: no column {name!r}, which schema {schema.name} needs; {near_names(name, present)}"
            )
        found = str(events.GetColumnType(name))
        fits = found in _INTEGERS if "int" in kind else found in _INTEGERS | _REALS
        if not fits:
            raise MissingColumn(f"{path}: column {name!r} is a {found}, where schema {schema.name} says {kind}")
