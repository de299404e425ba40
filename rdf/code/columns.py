"""Columns: canonical quantities and the physics made of them.

A graph gets the columns that a run asks for and what these need, so that nothing is compiled that nobody reads.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rdf import RNode
from rdf.code.interpreter import ROOT
from rdf.code.library import Library, compile_library, graph_library
from rdf.errors import CompileError, SchemaError, near_names
from rdf.schema.displayed_objects import OBJECTS
from rdf.schema.model import Schema
from rdf.schema.names import names_in, rename
from rdf.schema.physics import FLAVOURS, MADE_ON_THE_WAY, PHYSICS
from rdf.schema.quantities import ALIASED, CANONICAL, ID_QUANTITIES, IDENTITY, INTEGERS, REALS, SOURCE_ROW, UNITS
from rdf.schema.tables import Available, Definition, Objects, Quantity
from rdf.schema.variations import VARIATIONS

_IDENTIFIERS: Mapping[str, str] = {
    "run": "identifiers::as_run",
    "luminosityBlock": "identifiers::as_luminosity_block",
    "event": "identifiers::as_event",
}

_STATED, _DEFINED = "stated_", "defined_"
"""Begin the names of columns whose expressions others wrote: those of a schema's quantities and of conditions on
objects, which are over the file's columns; and those of definitions, which are over ours too."""

_EVENT = "recorded_event"
"""Column of what names an event and of its float32 columns side by side."""

_RESERVED = re.compile(
    rf"(source|scaled|joined|aliased|unrounded|score|rank|flag|part|recorded|columns)_.*|({_STATED}|{_DEFINED}).*|.*_order|votes|fold"
)
"""Names of columns that are made on the way."""

_MADE_OF = frozenset({*CANONICAL, *MADE_ON_THE_WAY, *PHYSICS})
"""What an expression can name that a sample may not have."""

_OF_GRAPH = frozenset({SOURCE_ROW, *(variation.column for variation in VARIATIONS.values())})
"""What our own expressions name that is not made of a file's columns."""


def effective_selection(schema: Schema, available: Available, configured: Mapping[str, Objects]) -> dict[str, Objects]:
    """Return which objects count: what the configuration says, else what the schema says.

    Of the schema's own conditions those count whose columns the file has.

    Raises:
        SchemaError: the configuration selects objects that the sample does not have.
    """
    for kind in configured:
        if not _has_objects(available, kind):
            raise SchemaError(f"--objects: the sample has no {kind}s; leave them out")
    dropped = dropped_conditions(schema, available, configured)
    selection: dict[str, Objects] = {}
    for kind in sorted({*schema.objects, *configured}):
        default, chosen = schema.objects.get(kind, Objects()), configured.get(kind, Objects())
        if kind in dropped:
            default = default.model_copy(update={"where": None})
        selection[kind] = default.model_copy(update=chosen.model_dump(exclude_unset=True))
    return selection


def dropped_conditions(
    schema: Schema, available: Available, configured: Mapping[str, Objects]
) -> dict[str, tuple[str, str]]:
    """Return the schema's conditions on objects that are dropped, since the file lacks a column of theirs.

    Args:
        schema: of the sample.
        available: what the sample's files offer of it.
        configured: which objects count by the configuration; its own condition takes the place of the schema's.

    Returns:
        Kind of object -> the condition, and the first column that is missing. Objects that the sample does not have are
        not among them.
    """
    dropped = {}
    for kind, objects in schema.objects.items():
        replaced = kind in configured and "where" in configured[kind].model_fields_set
        missing = schema.used_columns(objects.where or "") - available.columns
        if objects.where and missing and not replaced and _has_objects(available, kind):
            dropped[kind] = (objects.where, min(missing))
    return dropped


def _has_objects(available: Available, kind: str) -> bool:
    """Say whether a sample has objects of a kind; electrons and muons may be held together as leptons."""
    held = {name.partition("_")[0] for name in available.quantities}
    return bool(held & ({kind, "lepton"} if kind in FLAVOURS else {kind}))


def check_conditions(schema: Schema, available: Available, selection: Mapping[str, Objects]) -> None:
    """Refuse conditions on objects over columns of the schema that the file lacks, as models may bring them.

    Raises:
        SchemaError: names the condition and the column.
    """
    for kind, objects in selection.items():
        if missing := schema.used_columns(objects.where or "") - available.columns:
            raise SchemaError(
                f"{kind}s are selected by {objects.where!r}, and the sample has no column {min(missing)!r}; take "
                "models that were trained without it, or train on this sample"
            )


def physics_columns(
    schema: Schema,
    available: Available,
    selection: Mapping[str, Objects],
    definitions: Mapping[str, Definition],
    varied: Collection[str] = (),
) -> dict[str, str]:
    """Return every column that a sample can have, with the expression that gives it, each after what it is made of.

    Args:
        schema: of the sample.
        available: what the sample's files offer of it.
        selection: kind of object -> which of them count.
        definitions: the user's own columns.
        varied: names of the variations.

    Raises:
        SchemaError: a definition has the name of something else, or an expression is made of what not all files have.
    """
    for expression in [d.expression for d in definitions.values()] + [o.where or "" for o in selection.values()]:
        if partly := sorted(names_in(expression) & available.partly):
            raise SchemaError(
                f"{expression!r}: not every file of the sample has {partly[0]!r}; analyse them separately"
            )
    scales = {name: VARIATIONS[name].column for name in varied}
    columns = _source_columns(schema, available)
    groups = {kind: _group(columns, kind, selection, scales) for kind in ("jet", "electron", "muon", "lepton")}
    leptons = groups["lepton"] or _joined(columns, groups["electron"], groups["muon"])
    for kind, group in (("jet", groups["jet"]), ("lepton", leptons)):
        if group:
            columns |= _selected(kind, group)
    columns |= _met(columns, groups["jet"], scales) | _megajets(columns, scales)
    for name, expressions in PHYSICS.items():
        for expression in expressions:
            if names_in(expression) & _MADE_OF <= columns.keys():
                columns[name] = expression
                break
    for name, definition in schema.define.items():
        if _RESERVED.fullmatch(name):
            raise SchemaError(f"schema {schema.name}: a column {name!r} is made on the way; define it by another name")
        # Its names are those of the file's columns first, which are there.
        if names_in(definition.expression) & _MADE_OF - schema.columns.keys() <= columns.keys():
            columns = _with_definition(columns, name, definition)
    for name, definition in _in_order(definitions).items():
        if name in columns or name in _MADE_OF or _RESERVED.fullmatch(name):
            raise SchemaError(f"define {name!r}: there is a column of that name already; choose another")
        columns = _with_definition(columns, name, definition)
    return columns


def _with_definition(columns: Mapping[str, str], name: str, definition: Definition) -> dict[str, str]:
    """Return the columns with one that is defined, in the place of ours of that name if there is one."""
    made = {f"{_DEFINED}{name}": definition.expression, name: f"{_DEFINED}{name}"}
    items = list(columns.items())
    place = list(columns).index(name) if name in columns else len(items)
    return dict([*items[:place], *made.items(), *items[place + 1 :]])


def _named(name: str, expression: str) -> set[str]:
    """Return the names in the expression of a column that can be those of columns of ours or of the graph's head.

    Names in what others wrote are columns wherever there is a column of that name. Our own expressions name our own
    columns alone: whatever a file's columns or definitions are called, they take the place of no word in them.
    """
    if name.startswith((_STATED, _DEFINED)):
        return names_in(expression)
    return {n for n in names_in(expression) if n in _MADE_OF or n in _OF_GRAPH or _RESERVED.fullmatch(n)}


def _own(name: str) -> str:
    """Return the name under which others know the column that an expression makes."""
    return name.removeprefix(_STATED).removeprefix(_DEFINED).removeprefix("unrounded_")


def _in_order(definitions: Mapping[str, Definition]) -> dict[str, Definition]:
    """Return definitions each after those that it is made of."""
    waiting, ordered = dict(definitions), dict[str, Definition]()
    while waiting:
        ready = [name for name, d in waiting.items() if not names_in(d.expression) & waiting.keys() - {name}]
        if not ready:
            raise SchemaError(f"define: {', '.join(waiting)} are made of each other; resolve that")
        ordered |= {name: waiting.pop(name) for name in ready}
    return ordered


def _source_columns(schema: Schema, available: Available) -> dict[str, str]:
    """Return the canonical quantities as the file has them, in GeV and radians: `source_<quantity>`.

    What names, weights and labels an event keeps its name. Where there are no event numbers they are the row numbers,
    so that each event can be named.
    """
    columns = {f"{_STATED}{name}": expression for name, (expression, _) in available.quantities.items()}
    for name, (_, unit) in available.quantities.items():
        stated, kind, factor = f"{_STATED}{name}", CANONICAL[name], UNITS[unit]
        if name in IDENTITY:
            columns[name] = _identity(schema.quantities[name], name, stated)
        elif kind == REALS:
            columns[f"source_{name}"] = f"objects::view_reals({stated}, {factor!r})"
        elif kind == INTEGERS:
            part = name.rpartition("_")[2]
            columns[f"source_{name}"] = f'objects::as_{part}s({stated}, "{name}")'
        else:
            columns[f"source_{name}"] = f"static_cast<{kind}>({stated}) * {factor!r}"
    for name in ID_QUANTITIES:
        if name not in columns:
            columns[name] = f"static_cast<{CANONICAL[name]}>({SOURCE_ROW if name == 'event' else 0})"
    return columns


def _identity(quantity: Quantity, name: str, stated: str) -> str:
    """Return the expression of what names, weights or labels an event."""
    if name == "label":
        background = ", ".join(f"{number}" for number in quantity.background or ())
        return f"identifiers::as_signal_flag({stated}{f', {{{background}}}' if background else ''})"
    return f"{_IDENTIFIERS.get(name, f'static_cast<{CANONICAL[name]}>')}({stated})"


@dataclass(frozen=True)
class _Group:
    """All objects of one kind that a file has.

    Attributes:
        parts: what there is of each -> the column, or the expression, that has it; scales applied.
        passes: expression for the mask of those that count.
    """

    parts: dict[str, str]
    passes: str


def _group(
    columns: dict[str, str], kind: str, selection: Mapping[str, Objects], scales: Mapping[str, str]
) -> _Group | None:
    """Add the columns that the objects of a kind need, and return the objects; None where the file has none of them."""
    source = f"source_{kind}"
    has = [name.removeprefix(f"{source}_") for name in columns if name.startswith(f"{source}_")]
    if not has:
        return None
    if "pt" not in has:
        columns[f"{source}_pt"] = f"objects::compute_pt({source}_px, {source}_py)"
        columns[f"{source}_eta"] = f"objects::compute_eta({source}_pt, {source}_pz)"
        columns[f"{source}_phi"] = f"objects::compute_phi({source}_px, {source}_py)"
    if "mass" not in has:
        columns[f"{source}_mass"] = f"objects::compute_mass({source}_energy, {source}_pt, {source}_eta)"
    parts = {part: f"{source}_{part}" for part in ("pt", "eta", "phi", "mass")}
    if scale := scales.get("jes" if kind == "jet" else "lepton"):
        for part in ("pt", "mass"):
            columns[f"scaled_{kind}_{part}"] = f"{source}_{part} * {scale}"
            parts[part] = f"scaled_{kind}_{part}"
    parts |= {part: f"{source}_{part}" for part in ("btag", "charge", "flavour") if part in has}
    if kind == "lepton":
        masks = {f: _mask(columns, parts, f, selection.get(f)) for f in FLAVOURS}
        passes = " && ".join(
            f"objects::where_flavour({parts['flavour']}, {FLAVOURS[f]}, {mask})" for f, mask in masks.items() if mask
        )
    else:
        passes = _mask(columns, parts, kind, selection.get(kind))
    return _Group(parts, passes or f"objects::Mask({parts['pt']}.size(), 1)")


def _mask(columns: dict[str, str], parts: Mapping[str, str], kind: str, wanted: Objects | None) -> str:
    """Add the column of the condition on objects of a kind, and return the expression for which count; "" for all."""
    if wanted is None or wanted == Objects():
        return ""
    lowest = "-HUGE_VAL" if wanted.pt is None else repr(wanted.pt)
    largest = "HUGE_VAL" if wanted.eta is None else repr(wanted.eta)
    mask = f"objects::passes({parts['pt']}, {parts['eta']}, {lowest}, {largest})"
    if not wanted.where:
        return mask
    columns[f"{_STATED}{kind}_where"] = wanted.where
    return f"objects::passes_also({mask}, {_STATED}{kind}_where)"


def _joined(columns: dict[str, str], electrons: _Group | None, muons: _Group | None) -> _Group | None:
    """Add the columns of electrons and muons together, where a file has them apart, and return these leptons."""
    groups = {flavour: group for flavour, group in (("electron", electrons), ("muon", muons)) if group}
    if not groups:
        return None
    flavours = {f: f"ROOT::RVec<int>({group.parts['pt']}.size(), {FLAVOURS[f]})" for f, group in groups.items()}
    parts = {}
    for part in ("pt", "eta", "phi", "mass", "charge"):
        parts[part] = _concatenated([group.parts[part] for group in groups.values()])
    parts["flavour"] = _concatenated(list(flavours.values()))
    if len(groups) > 1:
        for part, expression in parts.items():
            columns[f"joined_lepton_{part}"] = expression
            parts[part] = f"joined_lepton_{part}"
    return _Group(parts, _concatenated([group.passes for group in groups.values()]))


def _concatenated(expressions: Sequence[str]) -> str:
    return expressions[0] if len(expressions) == 1 else f"objects::concatenate({', '.join(expressions)})"


def _selected(kind: str, group: _Group) -> dict[str, str]:
    """Return the objects that count, by falling pT: four-vectors `<kind>s`, and `<kind>_<part>` for definitions."""
    order = f"{kind}_order"
    pt, eta, phi, mass = (group.parts[part] for part in ("pt", "eta", "phi", "mass"))
    return {
        order: f"objects::by_falling_pt({pt}, {group.passes})",
        f"{kind}s": f"objects::make_momenta({pt}, {eta}, {phi}, {mass}, {order})",
        **{f"{kind}_{part}": f"objects::take({column}, {order})" for part, column in group.parts.items()},
    }


def _met(columns: Mapping[str, str], jets: _Group | None, scales: Mapping[str, str]) -> dict[str, str]:
    """Return `met_pt` and, where MET has a direction, `met_phi`; the jets' scale changes both."""
    if "source_met_px" in columns:
        made = {
            "met_pt": "std::hypot(source_met_px, source_met_py)",
            "met_phi": "std::atan2(source_met_py, source_met_px)",
        }
    else:
        made = {part: f"source_{part}" for part in ("met_pt", "met_phi") if f"source_{part}" in columns}
    if "met_phi" in made and jets and "jes" in scales:
        arguments = f"{made['met_pt']}, {made['met_phi']}, source_jet_pt, source_jet_phi, {scales['jes']}"
        made = {
            "scaled_met": f"missing_pt::with_jets_scaled({arguments})",
            "met_pt": "scaled_met.pt",
            "met_phi": "scaled_met.phi",
        }
    if "met_pt" in made and "met" in scales:
        made["met_pt"] += f" * {scales['met']}"
    return made


def _megajets(columns: Mapping[str, str], scales: Mapping[str, str]) -> dict[str, str]:
    """Return the megajets, MR, HT and Rsq that a schema takes from the file.

    With MET as it is, MTR^2 is proportional to the megajets' scale, and so Rsq = MTR^2 / MR^2 to its inverse.
    """
    jets, met = (f" * {scales[name]}" if name in scales else "" for name in ("jes", "met"))
    made = {}
    if "source_megajet1_px" in columns:
        for i in (1, 2):
            parts = ", ".join(f"source_megajet{i}_{part}" for part in ("px", "py", "pz", "energy"))
            made[f"megajet{i}"] = f"ROOT::Math::PxPyPzEVector({parts}){jets}"
    for name in ("MR", "HT"):
        if f"source_{name}" in columns:
            made[f"stored_{name}"] = f"source_{name}{jets}"
    if "source_Rsq" in columns:
        made["stored_Rsq"] = f"source_Rsq{met}{jets.replace('*', '/')}"
    return made


def define_columns(
    events: RNode, columns: Mapping[str, str], wanted: Sequence[str], values: Sequence[str] = (), watch: Any = None
) -> RNode:
    """Define the columns that are wanted; what they are made of is computed with them, other columns cost nothing.

    All of it is one C++ function of the file's columns, compiled once and kept, whose local variables are the columns;
    but `recorded_objects` has a function of its own, which only events run in which it is looked at. What calls them in
    the graph is macros/graph/graph_columns.cxx.

    Args:
        events: head of a graph; has the scales that are varied.
        columns: what there can be, as `physics_columns` gives it.
        wanted: names out of it.
        values: names out of it, of float32 columns, that are wanted too; with those of run, luminosityBlock, event and
            label that are wanted they make the column `recorded_event`, which selections, detectors and histograms
            read.
        watch: the event loop's stopwatch, or None.

    Raises:
        SchemaError: an expression of the schema's or the user's is not valid C++; with the compiler's first error line.
    """
    needed = needed_columns(columns, (*wanted, *values))
    head = _Head(frozenset(str(column) for column in events.GetColumnNames()))
    known = head.known
    types = {name: str(events.GetColumnType(head.column(name))) for name in _read(needed, known, values)}
    compiled = _compiled(columns, wanted, values, head, types)
    graph_library("columns").load()
    try:
        compiled.library.load()
    except CompileError as error:
        column = error.place.removeprefix(_PLACE)
        if column not in needed:
            raise
        # The kernels compile, so it is what the schema or the user has written.
        reason = _LOCAL.sub("", error.reason)
        known = known - columns.keys() if column.startswith(_STATED) else known | {*columns}
        message = f"{_origin(column, needed)}: {reason}; {_remedy(reason, known)}"
        raise SchemaError(message.replace("unrounded_", "")) from error
    events = ROOT.RDF.AsRNode(events)
    for function in compiled.functions:
        make = compiled.library.address(function.maker)
        there = [name for name in function.names if name in head.columns]
        events = ROOT.graph.define_columns(events, make, function.read, function.names, there, watch or ROOT.nullptr)
    return events


def compile_columns(
    columns: Mapping[str, str], wanted: Sequence[str], values: Sequence[str], types: Mapping[str, str]
) -> None:
    """Have what `define_columns` will need compiled, while the caller does something else.

    Args:
        columns, wanted, values: as there.
        types: every column that there will be in the graph, with its C++ type.
    """
    graph_library("columns")
    kinds = {name.removeprefix(ALIASED): kind for name, kind in types.items()}
    _compiled(columns, wanted, values, _Head(frozenset(types)), kinds)


@dataclass(frozen=True)
class _Head:
    """The columns that the head of a graph has.

    Attributes:
        columns: their names in the graph.
    """

    columns: frozenset[str]

    @property
    def known(self) -> frozenset[str]:
        """Names by which expressions know them."""
        return frozenset(name.removeprefix(ALIASED) for name in self.columns)

    def column(self, name: str) -> str:
        """Return the name in the graph of a column that expressions know by a name."""
        return aliased if (aliased := f"{ALIASED}{name}") in self.columns else name


@dataclass(frozen=True)
class _Function:
    """A C++ function that computes columns.

    Attributes:
        maker: name of the C++ function that makes what each slot of an event loop has one of.
        read: names in the graph of the columns that it is made of, in the order of its arguments.
        names: of the columns that it computes.
        code: that defines it and its maker.
    """

    maker: str
    read: Sequence[str]
    names: Sequence[str]
    code: str


@dataclass(frozen=True)
class _Compiled:
    """Columns as C++.

    Attributes:
        functions: in the order in which their columns are defined.
        library: has all of them.
    """

    functions: Sequence[_Function]
    library: Library


def _compiled(
    columns: Mapping[str, str],
    wanted: Sequence[str],
    values: Sequence[str],
    head: _Head,
    types: Mapping[str, str],
) -> _Compiled:
    """Return columns as C++ that is compiled; the objects first, since columns may take the place of the file's."""
    functions = []
    if OBJECTS in wanted:
        needed = needed_columns(columns, (OBJECTS,))
        read = {name: types[name] for name in _read(needed, head.known, ())}
        functions.append(_function("recorded::Objects", *_objects_body(needed, read), read, (OBJECTS,), head))
    members = [name for name in dict.fromkeys(wanted) if name not in (*values, OBJECTS)]
    if members or values:
        needed = needed_columns(columns, (*members, *values))
        read = {name: types[name] for name in _read(needed, head.known, values)}
        body = _row_body(needed, read, members, values)
        functions.append(_function("auto", *body, read, (_EVENT, *values, *members), head))
    code = "".join(function.code for function in functions)
    # Of expressions that others wrote alone: it takes g++ a while.
    checked = '#include "graph/checked.hxx"\n' if "checked::" in code else ""
    return _Compiled(functions, compile_library(f'#include "graph/columns.hxx"\n{checked}{code}', "columns"))


_PLACE = "column "
"""What the code calls the place of a column's expression, by which an error is told to be in it."""

_LOCAL = re.compile(rf"\b(?:column|file)_(?:{_STATED}|{_DEFINED})?(?=\w)|; did you mean '\w+'\?$")
"""What of an error is about the code's local variables, which the user does not know."""


def _read(needed: Mapping[str, str], known: Collection[str], values: Sequence[str]) -> list[str]:
    """Return which of the columns that there are already the expressions read."""
    read: dict[str, None] = {}
    made: set[str] = set()
    for name, expression in needed.items():
        names = _named(name, expression)
        if not name.startswith(_STATED):
            names = names - made if name.startswith(_DEFINED) else names & _OF_GRAPH
        read |= dict.fromkeys(sorted(names & {*known}))
        made.add(name)
    if values and SOURCE_ROW in known:
        read[SOURCE_ROW] = None
    return list(read)


def _function(
    kind: str, statements: str, result: str, read: Mapping[str, str], names: Sequence[str], head: _Head
) -> _Function:
    """Return a C++ function, see macros/graph/columns.hxx.

    Args:
        kind: C++ type of the result.
        statements, result: C++ that computes it.
        read: columns that there are already, and that are read, with their C++ types.
        names: of the columns that the result has.
        head: all columns that there are already.
    """
    function = f"""({_parameters(read)})
{{
{statements}{result}
}}
"""
    space = f"columns_{hashlib.sha256(f'{kind}{function}'.encode()).hexdigest()[:16]}"
    code = f"""
namespace {space} {{
{kind} compute{function}}} // namespace {space}

extern "C" recorded::Computation *make_{space}() {{ return new columns::Computed<&{space}::compute>; }}
"""
    return _Function(f"make_{space}", [head.column(name) for name in read], names, code)


def _row_body(
    needed: Mapping[str, str], read: Mapping[str, str], members: Sequence[str], values: Sequence[str]
) -> tuple[str, str]:
    """Return the C++ that computes an event and its columns.

    Args:
        needed: each column with its expression, after those that it is made of.
        read: columns that there are already, and that are read, with their C++ types.
        members: columns that are wanted as what they are.
        values: columns that are wanted as float32.
    """
    statements, local = _statements(needed, read)
    row = local.get(SOURCE_ROW, "0")
    ids = [local[name] if name in members else "0" for name in ID_QUANTITIES]
    label = local["label"] if "label" in members else "-1"
    event = f"recorded::Event{{{', '.join([row, *ids, label])}, nullptr}}"
    array = f"std::array<float, {len(values)}>{{{', '.join(local[name] for name in values)}}}"
    made = ", ".join([array, event, *(local[name] for name in members)])
    return statements, f'#line 1 "row"\n   return columns::make_row({made});'


def _objects_body(needed: Mapping[str, str], read: Mapping[str, str]) -> tuple[str, str]:
    """Return the C++ that computes an event's objects."""
    statements, local = _statements(needed, read)
    return statements, f'#line 1 "objects"\n   return {local[OBJECTS]};'


def _statements(needed: Mapping[str, str], read: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return the C++ that computes columns, and how it calls them and the columns that are read."""
    of_file, made = {name: f"file_{name}" for name in read}, dict[str, str]()
    statements = []
    for name, expression in needed.items():
        # In a definition a name is that of a column made before, else of one that is read.
        local = of_file if name.startswith(_STATED) else of_file | made
        local = {n: local[n] for n in _named(name, expression) & local.keys()}
        renamed = rename(expression, local)
        kind, value = "auto", f"({renamed}\n   )"
        if renamed in local.values():
            kind = "auto &"  # another name for a column is no copy of it
        elif name.startswith((_STATED, _DEFINED)):
            views = ", ".join(f"{column} = checked::view({column})" for column in sorted(local.values()))
            value = f"checked::evaluate([{views}] {{ namespace ROOT = checked::root; return {value}; }})"
        statements.append(f'#line 1 "{_PLACE}{name}"\n   const {kind} column_{name} = {value};\n')
        made[name] = f"column_{name}"
    return "".join(statements), of_file | made


def _parameters(read: Mapping[str, str]) -> str:
    """Return the parameters of a C++ function of columns that there are already."""
    return ", ".join(f"const {kind} &file_{name}" for name, kind in read.items())


def needed_columns(columns: Mapping[str, str], wanted: Iterable[str]) -> dict[str, str]:
    """Return the columns that are wanted and those that they are made of, in their order."""
    needed: set[str] = set()
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            if not name.startswith(_STATED):  # made of the file's columns, which may have the names of ours
                waiting += _named(name, columns[name]) & columns.keys() - {name, _own(name)}
    return {name: expression for name, expression in columns.items() if name in needed}


def _origin(name: str, needed: Mapping[str, str]) -> str:
    """Say where the expression of a column comes from, and what it is."""
    own = _own(name)
    if own.endswith("_order") or (name.startswith(_STATED) and own.endswith("_where")):
        kind = own.rpartition("_")[0]
        kinds = FLAVOURS if kind == "lepton" else (kind,)
        conditions = [needed[where] for k in kinds if (where := f"{_STATED}{k}_where") in needed]
        return f"selection of {kind}s (`where`, over the file's own columns), {', '.join(map(repr, conditions))}"
    quantity = own.removeprefix("source_")
    if (stated := f"{_STATED}{quantity}") in needed:
        return f"quantity {quantity!r} of the schema, {needed[stated]!r}"
    return f"column {own!r} = {needed.get(f'{_DEFINED}{own}', needed[name])!r}"


def _remedy(reason: str, known: Collection[str]) -> str:
    # Cling's words, and g++'s.
    unknown = re.search(r"undeclared identifier '(\w+)'|[‘'](\w+)[’'] was not declared", reason)
    if not unknown:
        return "correct the expression"
    ours = ("source_", "scaled_", "joined_", _STATED, _DEFINED)
    seen = (name for name in known if not name.startswith(ours))
    return near_names((unknown[1] or unknown[2]).removeprefix("unrounded_"), seen)


def rounded(columns: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """Return the columns with these ones as float32; what is made of them is still made of the unrounded ones.

    Detectors are trained on float32 and score float32: rounding here, once, makes both see the same numbers, and what
    is written is what was scored.
    """
    exact = {name: f"unrounded_{name}" for name in names}
    result = {}
    for name, expression in columns.items():
        # A column's own name in its expression is that of a column of the file.
        names = set() if name.startswith(_STATED) else _named(name, expression) - {name, _own(name)}
        result[exact.get(name, name)] = rename(expression, {old: exact[old] for old in names & exact.keys()})
        if name in exact:
            result[name] = f"static_cast<float>({exact[name]})"
    return result
