"""Columns as compiled C++: their expressions become one function, whose results the graph gets as its columns."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rdf import RNode
from rdf.code.interpreter import ROOT
from rdf.code.library import Library, compile_library, graph_library
from rdf.errors import CompileError, SchemaError, near_names
from rdf.schema.certified import CERTIFIED, SECTION, CertifiedRuns
from rdf.schema.columns import CUT, DEFINED, OF_GRAPH, STATED, cut_column, named_columns, needed_columns, own_name
from rdf.schema.displayed_objects import DIRECTION, OBJECTS
from rdf.schema.names import rename
from rdf.schema.physics import FLAVOURS
from rdf.schema.quantities import ALIASED, ID_QUANTITIES, SOURCE_ROW
from rdf.schema.tables import ALL

_EVENT = "recorded_event"
"""Column of what names an event and of its float32 columns side by side."""

_PASSED = "recorded_passed"
"""Column of the number of cuts that an event passes, one after the other."""

_WEIGHT = "recorded_weight"
"""Column of the weights of events that have not passed a cut yet."""

AtCut = Callable[[str, RNode], None]
"""Called with the name of a cut and the node of the events that passed it."""


def define_columns(
    events: RNode,
    columns: Mapping[str, str],
    wanted: Sequence[str],
    values: Sequence[str] = (),
    stopwatch: Any = None,
    cuts: Sequence[str] = (),
    *,
    certified: CertifiedRuns | None = None,
    at_cut: AtCut | None = None,
) -> RNode:
    """Apply the cuts, and define the columns that are wanted; columns that nothing is made of cost nothing.

    All columns are one C++ function of the file's columns, compiled once and kept, whose local variables are the
    columns; but `recorded_objects` has a function of its own, which only events run in which it is looked at. The cuts
    have one too, which ends at the first cut that an event does not pass: no other column of such an event is computed.
    Where there is a list of certified runs, all of this is for events of its luminosity blocks alone.
    What calls them in the graph is macros/graph/graph_columns.cxx.

    Args:
        events: head of a graph; has the scales that are varied.
        columns: what there can be, as `physics_columns` gives it.
        wanted: names out of it; DIRECTION is recorded with the event, and no column of its own.
        values: names out of it, of float32 columns, that are wanted too; with those of run, luminosityBlock, event,
            label and weight that are wanted they make the column `recorded_event`, which selections, detectors and
            histograms read.
        stopwatch: the event loop's stopwatch, or None.
        cuts: names of the cuts that events have to pass, in their order.
        certified: list of the luminosity blocks whose events count; SECTION is wanted then. None for all.
        at_cut: told of the node of the events before the first cut, with `recorded_weight` if `weight` is wanted, and
            of that after each cut.

    Raises:
        SchemaError: an expression of the schema's or the user's is not valid C++; with the compiler's first error line.
    """
    needed = needed_columns(columns, (*wanted, *values, *map(cut_column, cuts)))
    head = _Head(frozenset(str(column) for column in events.GetColumnNames()))
    known = head.known
    types = {name: str(events.GetColumnType(head.column(name))) for name in _read(needed, known, values)}
    compiled = _compiled(columns, wanted, values, cuts, head, types)
    graph_library("columns").load()
    try:
        compiled.library.load()
    except CompileError as error:
        column = error.place.removeprefix(_PLACE)
        if column not in needed:
            raise
        # The kernels compile, so it is what the schema or the user has written.
        reason = _LOCAL.sub("", error.reason)
        known = known - columns.keys() if column.startswith(STATED) else known | {*columns}
        message = f"{_origin(column, needed)}: {reason}; {_remedy(reason, known)}"
        raise SchemaError(message.replace("unrounded_", "")) from error
    events = ROOT.RDF.AsRNode(events)
    for function in compiled.functions:
        make = compiled.library.address(function.maker)
        there = [name for name in function.names if name in head.columns]
        events = ROOT.graph.define_columns(
            events, make, function.read, function.names, there, stopwatch or ROOT.nullptr
        )
        if function.names == (SECTION,) and certified is not None:
            graph_library("events").load()
            events = ROOT.graph.select_certified(events, _as_list(certified), SECTION, CERTIFIED)
            if at_cut:
                at_cut(CERTIFIED, events)
        if function.names == (_PASSED,):
            graph_library("events").load()
            for i, name in enumerate(cuts):
                events = ROOT.graph.select_passed(events, i, _PASSED, name)
                if at_cut:
                    at_cut(name, events)
        elif function.names == (_WEIGHT,) and at_cut:
            at_cut(ALL, events)
    return events


def compile_columns(
    columns: Mapping[str, str],
    wanted: Sequence[str],
    values: Sequence[str],
    cuts: Sequence[str],
    types: Mapping[str, str],
) -> None:
    """Have what `define_columns` will need compiled, while the caller does something else.

    Args:
        columns, wanted, values, cuts: as there.
        types: every column that there will be in the graph, with its C++ type.
    """
    graph_library("columns")
    kinds = {name.removeprefix(ALIASED): kind for name, kind in types.items()}
    _compiled(columns, wanted, values, cuts, _Head(frozenset(types)), kinds)


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
    cuts: Sequence[str],
    head: _Head,
    types: Mapping[str, str],
) -> _Compiled:
    """Return columns as C++ that is compiled.

    Weights, cuts and objects stand first: they read columns of the file whose place the columns that follow may take.
    """
    functions = []
    if "weight" in wanted:
        needed = needed_columns(columns, ("weight",))
        read = {name: types[name] for name in _read(needed, head.known, ())}
        functions.append(_function("double", *_body(needed, read, "weight"), read, (_WEIGHT,), head))
    if SECTION in wanted:
        needed = needed_columns(columns, (SECTION,))
        read = {name: types[name] for name in _read(needed, head.known, ())}
        functions.append(_function("unsigned long long", *_body(needed, read, SECTION), read, (SECTION,), head))
    if cuts:
        needed = needed_columns(columns, [cut_column(name) for name in cuts])
        read = {name: types[name] for name in _read(needed, head.known, ())}
        functions.append(_function("unsigned int", *_cuts_body(needed, read, cuts), read, (_PASSED,), head))
    if OBJECTS in wanted:
        needed = needed_columns(columns, (OBJECTS,))
        read = {name: types[name] for name in _read(needed, head.known, ())}
        functions.append(_function("recorded::Objects", *_body(needed, read, OBJECTS), read, (OBJECTS,), head))
    members = [name for name in dict.fromkeys(wanted) if name not in (*values, OBJECTS, SECTION, DIRECTION)]
    if members or values:
        needed = needed_columns(columns, (*members, *values, *(DIRECTION,) * (DIRECTION in wanted)))
        read = {name: types[name] for name in _read(needed, head.known, values)}
        body = _row_body(needed, read, members, values)
        functions.append(_function("auto", *body, read, (_EVENT, *values, *members), head))
    code = "".join(function.code for function in functions)
    # Of expressions that others wrote alone: it takes g++ a while.
    checked = '#include "graph/checked.hxx"\n' if "checked::" in code else ""
    return _Compiled(functions, compile_library(f'#include "graph/columns.hxx"\n{checked}{code}', "columns"))


_PLACE = "column "
"""What the code calls the place of a column's expression, by which an error is told to be in it."""

_LOCAL = re.compile(rf"\b(?:column|file)_(?:{STATED}|{DEFINED})?(?=\w)|; did you mean '\w+'\?$")
"""What of an error is about the code's local variables, which the user does not know."""


def _read(needed: Mapping[str, str], known: Collection[str], values: Sequence[str]) -> list[str]:
    """Return which of the columns that there are already the expressions read."""
    read: dict[str, None] = {}
    made: set[str] = set()
    for name, expression in needed.items():
        names = named_columns(name, expression)
        if not name.startswith(STATED):
            names = names - made if name.startswith(DEFINED) else names & OF_GRAPH
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
    made, local = _statements(needed, read)
    row = local.get(SOURCE_ROW, "0")
    ids = [local[name] if name in members else "0" for name in ID_QUANTITIES]
    label = local["label"] if "label" in members else "-1"
    weight = local["weight"] if "weight" in members else "1"
    direction = f"{{{local[DIRECTION]}.eta, {local[DIRECTION]}.phi}}" if DIRECTION in needed else "{}"
    event = f"recorded::Event{{{', '.join([row, *ids, label])}, nullptr, {weight}, {direction}}}"
    array = f"std::array<float, {len(values)}>{{{', '.join(local[name] for name in values)}}}"
    row = ", ".join([array, event, *(local[name] for name in members)])
    return "".join(made.values()), f'#line 1 "row"\n   return columns::make_row({row});'


def _body(needed: Mapping[str, str], read: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return the C++ that computes one column."""
    made, local = _statements(needed, read)
    return "".join(made.values()), f'#line 1 "{name}"\n   return {local[name]};'


def _cuts_body(needed: Mapping[str, str], read: Mapping[str, str], cuts: Sequence[str]) -> tuple[str, str]:
    """Return the C++ that counts the cuts which an event passes; a column is computed when the first cut needs it."""
    waiting, local = _statements(needed, read)
    statements = []
    for i, cut in enumerate(cuts):
        column = cut_column(cut)
        for name in needed_columns(needed, (column,)):
            if name in waiting:
                statements.append(waiting.pop(name))
        test = f"if (!columns::passes({local[column]}))\n      return {i};\n"
        statements.append(f'#line 1 "{_PLACE}{column}"\n   {test}')
    return "".join(statements), f"   return {len(cuts)};"


def _statements(needed: Mapping[str, str], read: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the C++ that computes each column, in order, and how it calls them and the columns that are read."""
    read_names, made = {name: f"file_{name}" for name in read}, dict[str, str]()
    statements: dict[str, str] = {}
    for name, expression in needed.items():
        # In a definition a name is that of a column made before, else of one that is read.
        local = read_names if name.startswith(STATED) else read_names | made
        local = {n: local[n] for n in named_columns(name, expression) & local.keys()}
        renamed = rename(expression, local)
        kind, value = "auto", f"({renamed}\n   )"
        if renamed in local.values():
            kind = "auto &"  # another name for a column is no copy of it
        elif name.startswith((STATED, DEFINED)):
            views = ", ".join(f"{column} = checked::view({column})" for column in sorted(local.values()))
            value = f"checked::evaluate([{views}] {{ namespace ROOT = checked::root; return {value}; }})"
        statements[name] = f'#line 1 "{_PLACE}{name}"\n   const {kind} column_{name} = {value};\n'
        made[name] = f"column_{name}"
    return statements, read_names | made


def _as_list(certified: CertifiedRuns) -> Any:
    """Return a list of certified runs as C++ asks it, see macros/physics/certified_runs.hxx."""
    return ROOT.certified_runs.CertifiedRuns(*(ROOT.std.vector["unsigned int"](a) for a in certified.arrays()))


def _parameters(read: Mapping[str, str]) -> str:
    """Return the parameters of a C++ function of columns that there are already."""
    return ", ".join(f"const {kind} &file_{name}" for name, kind in read.items())


def _origin(name: str, needed: Mapping[str, str]) -> str:
    """Say where the expression of a column comes from, and what it is."""
    if name.startswith(CUT):
        return f"select {name.removeprefix(CUT)!r}, {needed[name]!r}"
    own = own_name(name)
    if own.endswith("_order") or (name.startswith(STATED) and own.endswith("_where")):
        kind = own.rpartition("_")[0]
        kinds = FLAVOURS if kind == "lepton" else (kind,)
        conditions = [needed[where] for k in kinds if (where := f"{STATED}{k}_where") in needed]
        return f"selection of {kind}s (`where`, over the file's own columns), {', '.join(map(repr, conditions))}"
    quantity = own.removeprefix("source_")
    if (stated := f"{STATED}{quantity}") in needed:
        return f"quantity {quantity!r} of the schema, {needed[stated]!r}"
    return f"column {own!r} = {needed.get(f'{DEFINED}{own}', needed[name])!r}"


def _remedy(reason: str, known: Collection[str]) -> str:
    # Cling's words, and g++'s.
    unknown = re.search(r"undeclared identifier '(\w+)'|[‘'](\w+)[’'] was not declared", reason)
    if not unknown:
        return "correct the expression"
    ours = ("source_", "scaled_", "joined_", STATED, DEFINED)
    seen = (name for name in known if not name.startswith(ours))
    return near_names((unknown[1] or unknown[2]).removeprefix("unrounded_"), seen)
