"""Sources: whatever a sample is made of becomes the head of an RDataFrame graph, checked against its schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rdf import RNode
from rdf.code.interpreter import ROOT, captured_stderr, first_reason, include_kernels, open_file
from rdf.code.library import graph_library
from rdf.errors import MissingColumn, NoEvents, SchemaError, SourceError, UnreadableFile, near_names
from rdf.local_files import LocalFiles, is_address
from rdf.provenance import SIMULATED
from rdf.schema.model import Schema
from rdf.schema.quantities import ALIASED, BESIDE, ENTRY, SOURCE_ROW
from rdf.schema.tables import Available
from rdf.sources.formats import is_root, other_format
from rdf.sources.tabular import Progress, convert, is_table

PACKED = (".gz", ".zip", ".bz2", ".xz", ".zst")
"""Endings of compressed files, which nothing here unpacks."""

_INTEGERS = {
    *("bool", "Bool_t", "char", "signed char", "unsigned char", "Char_t", "UChar_t", "std::int8_t", "std::uint8_t"),
    *("short", "unsigned short", "int", "unsigned int", "long", "unsigned long", "long long", "unsigned long long"),
    *("Short_t", "UShort_t", "Int_t", "UInt_t", "Long_t", "ULong_t", "Long64_t", "ULong64_t"),
    *(f"std::{sign}int{bits}_t" for sign in ("", "u") for bits in (16, 32, 64)),
}
_REALS = {"float", "double", "Float_t", "Double_t", "Float16_t", "Double32_t"}
_ARRAY = re.compile(r"(?:ROOT::VecOps::RVec|ROOT::RVec|std::vector|vector)<(.+?)(?:,.*)?>")


@dataclass(frozen=True)
class Source:
    """Trees on disk that together are one sample.

    Attributes:
        tree: name of the TTree or RNTuple in each file.
        files: paths or root:// addresses of the files, in order.
        entries: events in each file.
        available: what they offer of the schema.
        simulated: whether a file says of itself that its events are simulated.
        skipped: events of the sample before the first of these files.
        types: C++ type of each column that the schema knows.
        local: gives ROOT the paths by which it opens the files.
        aliases: names of columns that are called otherwise in these files -> what they are called there.
    """

    tree: str
    files: tuple[str, ...]
    entries: tuple[int, ...]
    available: Available
    simulated: bool
    skipped: int = 0
    types: Mapping[str, str] = field(compare=False, default_factory=dict)
    local: LocalFiles = field(compare=False, default_factory=LocalFiles)
    absent_friends: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def paths(self) -> list[str]:
        """Paths or addresses by which ROOT opens the files, as long as this source lives."""
        return [self.local.path_of(file) for file in self.files]

    @property
    def head_types(self) -> dict[str, str]:
        """C++ type of each column that the schema knows, by the name that the head of a graph has for it."""
        return {f"{ALIASED}{name}" if name in self.aliases else name: kind for name, kind in self.types.items()}

    @property
    def events(self) -> int:
        """Number of events in all files."""
        return sum(self.entries)

    def open(self, with_entries: bool = False) -> RNode:
        """Return the head of a new graph over all events; where these have no numbers, with `source_row` for them.

        Args:
            with_entries: whether the graph is to have the column `entry_column`.

        Raises:
            UnreadableFile: a TTree is damaged in a way by which ROOT would crash, or read nonsense.
        """
        graph_library("events").load()
        columns = [self.aliases.get(name, name) for name in self.types]
        for file, path in zip(self.files, self.paths, strict=True):
            if not is_address(file):  # over a network each basket would be a request
                with reading(file, self.local):
                    ROOT.graph.check_baskets(path, self.tree, columns)
        return self.numbered(ROOT.graph.open(self.tree, self.paths), with_entries)

    @property
    def entry_column(self) -> str:
        """Column of a graph that has the place of an event in the sample, if the graph was asked for it."""
        return SOURCE_ROW if self.needs_numbers else ENTRY

    @property
    def needs_numbers(self) -> bool:
        """Whether events are numbered by their place in the sample, and the files do not say it."""
        converted = SOURCE_ROW in self.available.columns
        return "event" not in self.available.quantities and not (
            converted and len(self.files) == 1 and not self.skipped
        )

    def numbered(self, head: RNode, with_entries: bool = False) -> RNode:
        """Return the head of a graph over these files, with aliases, and `source_row` where it names the events.

        Args:
            head: of the graph.
            with_entries: whether the graph is to have the column `entry_column`.
        """
        graph_library("events").load()
        for name, stored in self.aliases.items():
            head = head.Alias(f"{ALIASED}{name}", stored)
        if not self.needs_numbers and not with_entries:
            return head
        first = [self.skipped + sum(self.entries[:i]) for i in range(len(self.files))]
        # Of an address RDataFrame names what is before its options, where that is a TTree.
        without_options = [path.partition("?")[0] if is_address(path) else path for path in self.paths]
        trees = [f"{path}/{self.tree}" for path in (*self.paths, *without_options)]
        return ROOT.graph.number_entries(ROOT.RDF.AsRNode(head), trees, 2 * first, self.entry_column)


def open_source(
    files: Sequence[str],
    schema: Schema,
    cache: Path,
    checksums: Sequence[str | None],
    progress: Progress | None = None,
    skipped: int = 0,
) -> Source:
    """Make a sample's files readable as trees and check that they hold the columns of the schema.

    Args:
        files: paths or root:// addresses. ROOT files (TTree or RNTuple) are read as they are; tables (CSV, HDF5, numpy,
            Parquet) are converted once to `cache`.
        schema: names the tree and the columns with their types.
        cache: folder of converted files.
        checksums: sha256 of each file where it is known already.
        progress: called with bytes converted and bytes in all.
        skipped: events of the sample before the first of these files.

    Raises:
        SourceError: a file is missing, damaged, of another format or empty; names it and the remedy.
    """
    trees = [_as_tree(file, schema, cache, checksum, progress) for file, checksum in zip(files, checksums, strict=True)]
    for i, tree in enumerate(trees):
        if tree in trees[:i]:
            raise UnreadableFile(f"{files[i]} is listed twice; list each file once")
    local = LocalFiles()
    found = [_find_tree(tree, schema.tree, local) for tree in trees]
    if not sum(tree.entries for tree in found):
        raise NoEvents(f"{', '.join(files)}: the tree {schema.tree!r} holds no events; check the file")
    absent = tuple(dict.fromkeys(friend for tree in found for friend in tree.absent_friends))
    try:
        offers, types = zip(*(_available(tree, schema, local) for tree in trees), strict=True)
    except MissingColumn as error:
        if absent:
            raise MissingColumn(f"{error} (a friend of the tree is missing: {', '.join(absent)})") from error
        raise
    offers = tuple(_without_what_some_lack(offers))
    unlike: set[str] = set()
    stored = _branch_types(trees[0], schema.tree, local) if found[0].kind == "TTree" and len(trees) > 1 else {}
    for i in range(1, len(trees)):
        if found[i].kind != found[0].kind:
            raise UnreadableFile(
                f"{trees[i]} holds a {found[i].kind}, {trees[0]} a {found[0].kind}; analyse such files separately"
            )
        unlike |= _unlike_columns(schema, trees[0], offers[0], trees[i], offers[i])
        if stored:  # RNTuple converts; a TTree's branch of another type gives numbers that mean nothing
            unlike |= _unlike_branches(schema, offers[0], trees[0], stored, trees[i], local)
    return Source(
        schema.tree,
        tuple(trees),
        tuple(tree.entries for tree in found),
        Available(offers[0].quantities, offers[0].columns - unlike, frozenset(unlike)),
        any(tree.simulated for tree in found),
        skipped,
        types[0],
        local,
        absent,
        {}
        if SOURCE_ROW in offers[0].columns
        else {n: s for n, s in schema.aliases.items() if n in offers[0].columns - unlike},
    )


_CPP = {"bool": "bool", "float32": "float", "float64": "double"}


def expected_source(files: Sequence[str], schema: Schema) -> Source | None:
    """Return what tables will be once they are converted, if they have all that the schema knows, and no event.

    Returns:
        None if there are other files than tables, or none at all.
    """
    if not files or not all(is_table(file) for file in files):
        return None
    types = {}
    for name, kind in {**schema.columns, SOURCE_ROW: "uint64"}.items():
        number = kind.removesuffix("[]")
        cpp = _CPP.get(number, f"std::{number}_t")
        types[name] = cpp if number == kind else f"ROOT::VecOps::RVec<{cpp}>"
    return Source(schema.tree, tuple(files), (), schema.resolve(types, files[0]), False, types=types)


def _as_tree(file: str, schema: Schema, cache: Path, checksum: str | None, progress: Progress | None) -> str:
    """Return the path or address of the tree that a file is, or is converted to."""
    if is_address(file):
        return file
    path = Path(file)
    if not path.is_file():
        raise UnreadableFile(f"{file} does not exist; check the path")
    if is_table(path):
        return str(convert(path, schema, cache, checksum, progress))
    if path.suffix.lower() in PACKED:
        raise UnreadableFile(f"{file} is compressed; unpack it first")
    return str(path.resolve())


@dataclass(frozen=True)
class _Tree:
    """A TTree or RNTuple in a file, its events, whether the file says that they are simulated, and friends gone."""

    kind: str
    entries: int
    simulated: bool
    absent_friends: tuple[str, ...]


def _find_tree(path: str, tree: str, local: LocalFiles) -> _Tree:
    """Open a file and find its tree, or say why it cannot be read."""
    local.note(path)
    absent: tuple[str, ...] = ()
    try:
        file = open_file(local.path_of(path))
    except OSError as error:
        reason = local.named(str(error))
        local.check_unchanged()
        if is_address(path):
            raise UnreadableFile(f"{path} cannot be read ({reason}); check the address, or download it") from error
        if not is_root(Path(path)):
            raise other_format(Path(path), "a ROOT file") from error
        raise UnreadableFile(f"{path} is not a whole ROOT file ({reason}); delete it and get it again") from error
    with reading(path, local), file:
        simulated = bool(file.GetKey(SIMULATED))
        directory, _, name = tree.rpartition("/")
        folder = file.GetDirectory(directory) if directory else file
        names = sorted({key.GetName() for key in (folder or file).GetListOfKeys()})
        if not folder or name not in names:
            raise MissingColumn(f"{path} has no tree {tree!r}; {near_names(name if folder else tree, names)}")
        kind = str(folder.GetKey(name).GetClassName())
        if kind == "ROOT::RNTuple":
            entries = int(ROOT.RNTupleReader.Open(tree, local.path_of(path)).GetNEntries())
        elif _is_ttree(kind):
            found = folder.Get(name)
            kind, entries, absent = "TTree", int(found.GetEntries()), _absent_friends(found)
        else:
            raise MissingColumn(f"{path}: {tree!r} is a {kind}, not a TTree or RNTuple; name a schema that fits")
    return _Tree(kind.removeprefix("ROOT::"), entries, simulated, absent)


_ABSENT_FRIEND = "absent friend"
"""Name of what a tree, read without a friend that is gone, says of that friend."""


def _absent_friends(tree: Any) -> tuple[str, ...]:
    """Return which friends of a TTree are gone; from then on trees are read without such friends, and say so."""
    absent = [str(info.GetTitle()) for info in tree.GetUserInfo() if info.GetName() == _ABSENT_FRIEND]
    if tree.GetListOfFriends():
        include_kernels("sources/friends")
        absent += [str(friend) for friend in ROOT.friends.absent(tree)]
        ROOT.friends.forget_absent(_ABSENT_FRIEND)
    return tuple(absent)


def _is_ttree(kind: str) -> bool:
    """Say whether objects of a class are TTrees that hold their events; a TChain is a list of other files."""
    found = ROOT.TClass.GetClass(kind)
    return bool(found) and found.InheritsFrom("TTree") and not found.InheritsFrom("TChain")


@contextmanager
def reading(file: str, local: LocalFiles) -> Iterator[None]:
    """Turn whatever ROOT says or throws while it reads a file into one line about that file."""
    include_kernels("sources/read_errors")
    sentry = ROOT.read_errors.Sentry()
    try:
        with captured_stderr():
            yield
    except (SourceError, SchemaError):
        raise
    except Exception as error:
        local.check_unchanged()
        raise UnreadableFile(f"{file} is damaged ({local.named(first_reason(error))}); get it again") from error
    finally:
        sentry.__destruct__()


def _available(file: str, schema: Schema, local: LocalFiles) -> tuple[Available, dict[str, str]]:
    """Find out what a file offers of the schema, and the types of its columns; refuse columns of another kind."""
    with reading(file, local):
        # And not the compiled graph's, which may not be ready yet.
        events = ROOT.RDataFrame(schema.tree, local.path_of(file))
        stored = {str(name) for name in events.GetColumnNames()}
        available = schema.resolve(schema.named(stored, file), file)
        types = {
            name: str(events.GetColumnType(name if name in stored else schema.stored(name)))
            for name in (*schema.columns, SOURCE_ROW)
            if name in available.columns
        }
    used = {name for expression in _expressions(schema, available) for name in schema.used_columns(expression)}
    for name in sorted(used & available.columns):
        wanted, found = schema.columns[name], types[name]
        array = _ARRAY.fullmatch(found)
        kind = array[1].strip() if array else found
        numbers = _INTEGERS if "int" in wanted or wanted.startswith("bool") else _INTEGERS | _REALS
        if bool(array) != wanted.endswith("[]") or kind not in numbers:
            raise MissingColumn(
                f"{file}: column {name!r} is a {found}, where schema {schema.name} says {wanted}; "
                "name the schema that fits, or mend it"
            )
    return available, types


_APART = "analyse such files separately"


def _without_what_some_lack(offers: Sequence[Available]) -> list[Available]:
    """Leave out photons, taus and large-radius jets that not all files have, or that some have by other columns."""
    first = offers[0].quantities
    unlike = {
        name.partition("_")[0]
        for offer in offers
        for name in {*first, *offer.quantities}
        if offer.quantities.get(name) != first.get(name)
    } & {*BESIDE}
    return [
        replace(offer, quantities={n: q for n, q in offer.quantities.items() if n.partition("_")[0] not in unlike})
        for offer in offers
    ]


def _unlike_columns(schema: Schema, first: str, offer: Available, file: str, other: Available) -> frozenset[str]:
    """Return the columns that only one of two files of a sample has.

    Raises:
        MissingColumn: the schema needs one of them.
    """
    for name in sorted({*offer.quantities, *other.quantities}):
        if offer.quantities.get(name) != other.quantities.get(name):
            raise MissingColumn(f"{file} gives {name} by other columns than {first}, or not at all; {_APART}")
    unlike = offer.columns ^ other.columns
    for condition in schema.conditions():
        if differing := sorted(schema.used_columns(condition) & unlike):
            raise MissingColumn(
                f"{file} and {first}: only one has {differing[0]!r}, by which objects are selected; {_APART}"
            )
    return unlike


def _unlike_branches(
    schema: Schema, offer: Available, first: str, stored: Mapping[str, str], file: str, local: LocalFiles
) -> set[str]:
    """Return the branches of a TTree that are stored in another way than in the first file of the sample.

    Raises:
        MissingColumn: the schema needs one of them.
    """
    types = _branch_types(file, schema.tree, local)
    unlike = {name for name in types.keys() & stored.keys() if types[name] != stored[name]}
    unlike |= {name for name, branch in schema.aliases.items() if branch in unlike}
    used = {name for expression in _expressions(schema, offer) for name in schema.used_columns(expression)}
    if differing := sorted({schema.stored(name) for name in used} & unlike):
        name = differing[0]
        raise MissingColumn(f"{file}: {name!r} is stored as {types[name]}, in {first} as {stored[name]}; {_APART}")
    return unlike


def _branch_types(file: str, tree: str, local: LocalFiles) -> dict[str, str]:
    """Return for each branch of a TTree how it is stored: the type and, for an array, what counts its elements."""
    types = {}
    with reading(file, local), ROOT.TFile.Open(local.path_of(file)) as opened:
        for leaf in opened.Get(tree).GetListOfLeaves():
            counter = leaf.GetLeafCount()
            counted = f" counted by {counter.GetName()}" if counter else ""
            branch = str(leaf.GetBranch().GetFullName())
            for name in (branch, f"{branch}.{leaf.GetName()}"):  # RDataFrame knows a leaf by both
                types[name] = f"{leaf.GetTypeName()}{counted}"
    return types


def _expressions(schema: Schema, available: Available) -> list[str]:
    """Return what is read of a file whatever a run asks for."""
    quantities = [expression for expression, _ in available.quantities.values()]
    return [*quantities, *(definition.expression for definition in schema.define.values()), *schema.conditions()]
