"""Columns: canonical quantities and the physics made of them, each with the C++ expression that gives it.

A graph gets the columns that a run asks for and what these need, so that nothing is compiled that nobody reads.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rdf.errors import SchemaError
from rdf.schema.model import Schema
from rdf.schema.names import names_in, rename
from rdf.schema.physics import FLAVOURS, INTERMEDIATE, PHYSICS
from rdf.schema.quantities import (
    CANONICAL,
    EXTRAS,
    ID_QUANTITIES,
    IDENTITY,
    INTEGERS,
    MASSLESS,
    OBJECTS,
    REALS,
    SOURCE_ROW,
    UNITS,
)
from rdf.schema.tables import Available, Definition, Objects, Overlap, Quantity
from rdf.schema.variations import VARIATIONS

STATED, DEFINED = "stated_", "defined_"
CUT = f"{DEFINED}cut__"
"""Begin the names of columns whose expressions others wrote: those of a schema's quantities and of conditions on
objects, which are over the file's columns; and those of definitions and cuts, which are over ours too."""

_IDENTIFIERS: Mapping[str, str] = {
    "run": "identifiers::as_run",
    "luminosityBlock": "identifiers::as_luminosity_block",
    "event": "identifiers::as_event",
}

RESERVED = re.compile(
    rf"(source|scaled|joined|apart|aliased|unrounded|score|rank|flag|part|recorded|columns)_.*|({STATED}|{DEFINED}).*|.*_order|votes|fold"
)
"""Names of intermediate columns, which no definition may take."""

_MADE_OF = frozenset({*CANONICAL, *INTERMEDIATE, *PHYSICS})
"""What an expression can name that a sample may not have."""

OF_GRAPH = frozenset({SOURCE_ROW, *(variation.column for variation in VARIATIONS.values())})
"""What our own expressions name that is not made of a file's columns."""


def physics_columns(
    schema: Schema,
    available: Available,
    selection: Mapping[str, Objects],
    definitions: Mapping[str, Definition],
    varied: Collection[str] = (),
    cuts: Mapping[str, str] | None = None,
    *,
    overlap: Sequence[Overlap] = (),
) -> dict[str, str]:
    """Return every column that a sample can have, with the expression that gives it, each after what it is made of.

    Args:
        schema: of the sample.
        available: what the sample's files offer of it.
        selection: kind of object -> which of them count.
        definitions: the user's own columns.
        varied: names of the variations.
        cuts: name of a cut on events -> its expression; its column is `cut_column(name)`.
        overlap: which of the objects that count are dropped near others.

    Raises:
        SchemaError: a definition has the name of something else, or an expression is made of what not all files have.
    """
    cuts = cuts or {}
    conditions = (o.where or "" for o in selection.values())
    for expression in (*(d.expression for d in definitions.values()), *conditions, *cuts.values()):
        if partly := sorted(names_in(expression) & available.partly):
            raise SchemaError(
                f"{expression!r}: not every file of the sample has {partly[0]!r}; analyse them separately"
            )
    scales = {name: VARIATIONS[name].column for name in varied}
    columns = _source_columns(schema, available)
    groups = {kind: _group(columns, kind, selection, scales) for kind in OBJECTS}
    groups["lepton"] = groups["lepton"] or _joined(columns, groups["electron"], groups["muon"])
    found = {kind: group for kind, group in groups.items() if group and kind not in FLAVOURS}
    for kind, group in _apart(columns, found, overlap).items():
        columns |= _selected(kind, group)
    columns |= _met(columns, groups["jet"], scales) | _megajets(columns, scales)
    for name, expressions in PHYSICS.items():
        for expression in expressions:
            if names_in(expression) & _MADE_OF <= columns.keys():
                columns[name] = expression
                break
    for name, definition in schema.define.items():
        if RESERVED.fullmatch(name):
            raise SchemaError(f"schema {schema.name}: {name!r} names an intermediate column; choose another name")
        # Its names are those of the file's columns first, which are there.
        if names_in(definition.expression) & _MADE_OF - schema.columns.keys() <= columns.keys():
            columns = _with_definition(columns, name, definition)
    for name, definition in _in_order(definitions).items():
        if name in columns or name in _MADE_OF or RESERVED.fullmatch(name):
            raise SchemaError(f"define {name!r}: there is a column of that name already; choose another")
        columns = _with_definition(columns, name, definition)
    return columns | {cut_column(name): expression for name, expression in cuts.items()}


def cut_column(name: str) -> str:
    """Return the column that has the value of a cut's expression."""
    return f"{CUT}{name}"


def _with_definition(columns: Mapping[str, str], name: str, definition: Definition) -> dict[str, str]:
    """Return the columns with one that is defined, in the place of ours of that name if there is one."""
    made = {f"{DEFINED}{name}": definition.expression, name: f"{DEFINED}{name}"}
    items = list(columns.items())
    place = list(columns).index(name) if name in columns else len(items)
    return dict([*items[:place], *made.items(), *items[place + 1 :]])


def named_columns(name: str, expression: str) -> set[str]:
    """Return the names in the expression of a column that can be those of columns of ours or of the graph's head.

    Names in what others wrote are columns wherever there is a column of that name. Our own expressions name our own
    columns alone: whatever a file's columns or definitions are called, they take the place of no word in them.
    """
    if name.startswith((STATED, DEFINED)):
        return names_in(expression)
    return {n for n in names_in(expression) if n in _MADE_OF or n in OF_GRAPH or RESERVED.fullmatch(n)}


def own_name(name: str) -> str:
    """Return the name under which others know the column that an expression makes."""
    return name.removeprefix(STATED).removeprefix(DEFINED).removeprefix("unrounded_")


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
    columns = {f"{STATED}{name}": expression for name, (expression, _) in available.quantities.items()}
    for name, (_, unit) in available.quantities.items():
        stated, kind, factor = f"{STATED}{name}", CANONICAL[name], UNITS[unit]
        if name in IDENTITY:
            columns[name] = _identity(schema.quantities[name], name, stated)
        elif kind == REALS:
            columns[f"source_{name}"] = f"objects::view_reals({stated}, {factor!r})"
        elif kind == INTEGERS:
            attribute = name.rpartition("_")[2]
            columns[f"source_{name}"] = f'objects::as_{attribute}s({stated}, "{name}")'
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
        attributes: name of an attribute -> the column, or the expression, that has it; scales applied.
        passes: expression for the mask of those that count.
    """

    attributes: dict[str, str]
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
        massless, made = f"objects::Reals({source}_pt.size(), 0.)", f"{source}_energy, {source}_pt, {source}_eta"
        columns[f"{source}_mass"] = massless if kind in MASSLESS else f"objects::compute_mass({made})"
    attributes = {attribute: f"{source}_{attribute}" for attribute in ("pt", "eta", "phi", "mass")}
    if scale := scales.get(_SCALED_BY.get(kind, "")):
        for attribute in ("pt", "mass"):
            columns[f"scaled_{kind}_{attribute}"] = f"{source}_{attribute} * {scale}"
            attributes[attribute] = f"scaled_{kind}_{attribute}"
    attributes |= {attribute: f"{source}_{attribute}" for attribute in EXTRAS[kind] if attribute in has}
    passes = _mask(columns, attributes, kind, selection.get(kind))
    if kind == "lepton":
        masks = {f: _mask(columns, attributes, f, selection.get(f)) for f in FLAVOURS}
        of_flavours = (
            f"objects::where_flavour({attributes['flavour']}, {FLAVOURS[f]}, {mask})"
            for f, mask in masks.items()
            if mask
        )
        passes = " && ".join(filter(None, (passes, *of_flavours)))
    return _Group(attributes, passes or f"objects::Mask({attributes['pt']}.size(), 1)")


_SCALED_BY: Mapping[str, str] = {"jet": "jes", **dict.fromkeys((*FLAVOURS, "lepton"), "lepton")}
"""Kind of object -> the variation that scales it."""


def _mask(columns: dict[str, str], attributes: Mapping[str, str], kind: str, wanted: Objects | None) -> str:
    """Add the column of the condition on objects of a kind, and return the expression for which count; "" for all."""
    if wanted is None or wanted == Objects():
        return ""
    lowest = "-HUGE_VAL" if wanted.pt is None else repr(wanted.pt)
    largest = "HUGE_VAL" if wanted.eta is None else repr(wanted.eta)
    mask = f"objects::passes({attributes['pt']}, {attributes['eta']}, {lowest}, {largest})"
    if not wanted.where:
        return mask
    columns[f"{STATED}{kind}_where"] = wanted.where
    return f"objects::passes_also({mask}, {STATED}{kind}_where)"


def _joined(columns: dict[str, str], electrons: _Group | None, muons: _Group | None) -> _Group | None:
    """Add the columns of electrons and muons together, where a file has them apart, and return these leptons."""
    groups = {flavour: group for flavour, group in (("electron", electrons), ("muon", muons)) if group}
    if not groups:
        return None
    flavours = {f: f"ROOT::RVec<int>({group.attributes['pt']}.size(), {FLAVOURS[f]})" for f, group in groups.items()}
    attributes = {}
    for attribute in ("pt", "eta", "phi", "mass", "charge"):
        attributes[attribute] = _concatenated([group.attributes[attribute] for group in groups.values()])
    attributes["flavour"] = _concatenated(list(flavours.values()))
    if len(groups) > 1:
        for attribute, expression in attributes.items():
            columns[f"joined_lepton_{attribute}"] = expression
            attributes[attribute] = f"joined_lepton_{attribute}"
    return _Group(attributes, _concatenated([group.passes for group in groups.values()]))


def _concatenated(expressions: Sequence[str]) -> str:
    return expressions[0] if len(expressions) == 1 else f"objects::concatenate({', '.join(expressions)})"


def _apart(columns: dict[str, str], groups: Mapping[str, _Group], overlap: Sequence[Overlap]) -> dict[str, _Group]:
    """Add a column for each step of the removal of overlaps, with what it leaves, and return what all of them leave."""
    left = dict(groups)
    for i, step in enumerate(overlap):
        of_lepton = {"lepton", *FLAVOURS}
        kind, other = ("lepton" if name in of_lepton else name for name in (step.drop, step.near))
        if kind not in left or other not in left:
            continue
        group, near = left[kind], left[other]
        dropped, staying = _of_kind(group, step.drop), _of_kind(near, step.near)
        pt, eta, phi = (group.attributes[name] for name in ("pt", "eta", "phi"))
        if step.drop == step.near:
            removed = f"overlaps::find_softer({dropped}, {pt}, {eta}, {phi}, {step.within!r})"
        else:
            place = f"{near.attributes['eta']}, {near.attributes['phi']}"
            removed = f"overlaps::find_near({dropped}, {eta}, {phi}, {staying}, {place}, {step.within!r})"
        columns[f"apart_{i}"] = f"({group.passes}) && !{removed}"
        left[kind] = replace(group, passes=f"apart_{i}")
    return left


def _of_kind(group: _Group, kind: str) -> str:
    """Return the expression for the mask of the objects of a group that count and are of a kind."""
    if kind in FLAVOURS:
        return f"(({group.passes}) && {group.attributes['flavour']} == {FLAVOURS[kind]})"
    return f"({group.passes})"


def _selected(kind: str, group: _Group) -> dict[str, str]:
    """Return the objects that count, by falling pT: four-vectors `<kind>s`, for definitions `<kind>_<attribute>`."""
    order = f"{kind}_order"
    pt, eta, phi, mass = (group.attributes[attribute] for attribute in ("pt", "eta", "phi", "mass"))
    return {
        order: f"objects::by_falling_pt({pt}, {group.passes})",
        f"{kind}s": f"objects::make_momenta({pt}, {eta}, {phi}, {mass}, {order})",
        **{
            f"{kind}_{attribute}": f"objects::take({column}, {order})" for attribute, column in group.attributes.items()
        },
    }


def _met(columns: Mapping[str, str], jets: _Group | None, scales: Mapping[str, str]) -> dict[str, str]:
    """Return `met_pt` and, where MET has a direction, `met_phi`; the jets' scale changes both."""
    if "source_met_px" in columns:
        made = {
            "met_pt": "std::hypot(source_met_px, source_met_py)",
            "met_phi": "std::atan2(source_met_py, source_met_px)",
        }
    else:
        made = {name: f"source_{name}" for name in ("met_pt", "met_phi") if f"source_{name}" in columns}
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
            coordinates = ", ".join(f"source_megajet{i}_{attribute}" for attribute in ("px", "py", "pz", "energy"))
            made[f"megajet{i}"] = f"ROOT::Math::PxPyPzEVector({coordinates}){jets}"
    for name in ("MR", "HT"):
        if f"source_{name}" in columns:
            made[f"stored_{name}"] = f"source_{name}{jets}"
    if "source_Rsq" in columns:
        made["stored_Rsq"] = f"source_Rsq{met}{jets.replace('*', '/')}"
    return made


def needed_columns(columns: Mapping[str, str], wanted: Iterable[str]) -> dict[str, str]:
    """Return the columns that are wanted and those that they are made of, in their order."""
    needed: set[str] = set()
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            if not name.startswith(STATED):  # made of the file's columns, which may have the names of ours
                waiting += named_columns(name, columns[name]) & columns.keys() - {name, own_name(name)}
    return {name: expression for name, expression in columns.items() if name in needed}


def rounded(columns: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """Return the columns with these ones as float32; what is made of them is still made of the unrounded ones.

    Detectors are trained on float32 and score float32: rounding here, once, makes both see the same numbers, and what
    is written is what was scored.
    """
    exact = {name: f"unrounded_{name}" for name in names}
    result = {}
    for name, expression in columns.items():
        # A column's own name in its expression is that of a column of the file.
        names = set() if name.startswith(STATED) else named_columns(name, expression) - {name, own_name(name)}
        result[exact.get(name, name)] = rename(expression, {old: exact[old] for old in names & exact.keys()})
        if name in exact:
            result[name] = f"static_cast<float>({exact[name]})"
    return result
