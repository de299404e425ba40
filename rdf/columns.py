"""Columns: canonical quantities and the physics made of them, each a line that wires columns to a kernel of `macros/`.

The tables below say how each column is made of others. A graph gets those that a run asks for and what these need, so
that nothing is compiled that nobody reads.

In the text of a definition RDataFrame takes every word that is the name of a column for that column, also behind `::`.
That is why kernels are called compute_MR and not MR, and why no kernel's namespace is called met: files have columns of
these names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from rdf import RNode
from rdf.errors import CompileError, SchemaError, near_names
from rdf.interpreter import captured_stderr, include_kernels
from rdf.schema import (
    CANONICAL,
    ID_QUANTITIES,
    INTEGERS,
    NAME,
    REALS,
    SOURCE_ROW,
    UNITS,
    Available,
    Definition,
    Objects,
    Schema,
    names_in,
)
from rdf.variations import VARIATIONS

VECTOR = "feature_vector"
"""Column with an event's features as `std::array<float, N>`, made once an event and shared by all detectors."""

KERNELS = ("identifiers", "objects", "razor", "dilepton", "met", "event_shape")
"""Headers in `macros/` that definitions call."""

IDENTITY = (*ID_QUANTITIES, "weight", "label")
"""Quantities that keep their names: they are what they are, whatever is selected or varied."""

_IDENTIFIERS: Mapping[str, str] = {
    "run": "identifiers::as_run",
    "luminosityBlock": "identifiers::as_luminosity_block",
    "event": "identifiers::as_event",
}

FLAVOURS: Mapping[str, int] = {"electron": 11, "muon": 13}
"""Kind of lepton -> its number in the Monte Carlo numbering scheme of the Particle Data Group."""

Table = Mapping[str, tuple[str, ...]]
"""Column -> the expressions that can give it; the first counts whose columns a sample has."""

RAZOR: Table = {
    "megajets": ("razor::compute_megajets(jets)", "razor::Megajets{megajet1, megajet2}"),
    "MR": ("razor::compute_MR(megajets.first, megajets.second)",),
    "MR_2010": ("razor::compute_MR_2010(megajets.first, megajets.second)",),
    "MTR": ("razor::compute_MTR(megajets.first, megajets.second, met_pt, met_phi)",),
    "Rsq": ("razor::compute_Rsq(MTR, MR)", "stored_Rsq"),
    "pt1": ("megajets.first.Pt()",),
    "pt2": ("megajets.second.Pt()",),
    "pt_ratio": ("event_shape::compute_pt_ratio(pt1, pt2)",),
    "dijet_mass": ("objects::invariant_mass(megajets.first + megajets.second)",),
}

DILEPTON: Table = {
    "mll": ("dilepton::compute_mll(leptons)",),
    "pt_ll": ("dilepton::compute_pt_ll(leptons)",),
    "delta_r_ll": ("dilepton::compute_delta_r_ll(leptons)",),
    "delta_phi_ll": ("dilepton::compute_delta_phi_ll(leptons)",),
    "lepton_pt_sum": ("objects::compute_pt_sum(leptons)",),
    "lepton1_pt": ("objects::compute_pt_of(leptons, 0)",),
    "lepton2_pt": ("objects::compute_pt_of(leptons, 1)",),
    "mz1": ("dilepton::compute_mz1(leptons, lepton_charge, lepton_flavour)",),
    "m4l": ("dilepton::compute_m4l(leptons)",),
    "transverse_mass": ("dilepton::compute_transverse_mass(leptons, met_pt, met_phi)",),
}

EVENT_SHAPE: Table = {
    "HT": ("objects::compute_pt_sum(jets)", "stored_HT"),
    "ST": ("event_shape::compute_ST(HT, lepton_pt_sum, met_pt)",),
    "visible": (
        "event_shape::make_visible(jets, leptons)",
        "jets",
        "leptons",
        "objects::Momenta{megajets.first, megajets.second}",
    ),
    "centrality": ("event_shape::compute_centrality(visible)",),
    "sphericity": ("event_shape::compute_sphericity(visible)",),
    "aplanarity": ("event_shape::compute_aplanarity(visible)",),
    "n_jets": ("static_cast<int>(jets.size())",),
    "n_leptons": ("static_cast<int>(leptons.size())",),
    **{f"n_{kind}s": (f"objects::count_flavour(lepton_flavour, {number})",) for kind, number in FLAVOURS.items()},
}

MET: Table = {
    "MET": ("met_pt",),
    "MET_over_HT": ("missing_pt::compute_MET_over_HT(met_pt, HT)",),
    "MET_over_sqrt_HT": ("missing_pt::compute_MET_over_sqrt_HT(met_pt, HT)",),
    "MET_over_ST": ("missing_pt::compute_MET_over_ST(met_pt, ST)",),
    "MET_over_pt_ll": ("missing_pt::compute_MET_over_pt_ll(met_pt, pt_ll)",),
    "delta_phi_met_jet": ("missing_pt::compute_delta_phi_met_jet(met_phi, jets)",),
    "delta_phi_met_ll": ("missing_pt::compute_delta_phi_met_ll(met_phi, leptons)",),
}

PHYSICS: Table = {**RAZOR, **DILEPTON, **EVENT_SHAPE, **MET}

_ELEMENT = re.compile(r"(?<![\w.:])([A-Za-z_]\w*)\s*\[")
_RESERVED = re.compile(
    r"(source|scaled|joined|unrounded|score|rank|flag|moment|part)_.*|.*_order|votes|non_finite|feature_vector"
)
"""Names of columns that are made on the way."""

_MADE_OF = frozenset({*CANONICAL, "jets", "leptons", "megajet1", "megajet2", "stored_HT", "stored_Rsq", *PHYSICS})
"""What an expression can name that a sample may not have."""


def define(events: RNode, name: str, expression: str) -> RNode:
    """Define a column, also where the file has one of that name, whose place it then takes.

    Raises:
        CompileError: the expression is not valid C++ over the columns there are; with the compiler's first error line.
    """
    with captured_stderr() as stderr:
        try:
            return events.Redefine(name, expression) if events.HasColumn(name) else events.Define(name, expression)
        except Exception as error:  # noqa: BLE001 - cppyy raises TypeError and std::runtime_error alike
            failure = error
    reason = stderr.first_error() if stderr.text.strip() else str(failure).splitlines()[-1].strip()
    raise CompileError(f"column {name!r} = {expression!r}", reason) from failure


def effective_selection(schema: Schema, available: Available, configured: Mapping[str, Objects]) -> dict[str, Objects]:
    """Return which objects count: what the configuration says, else what the schema says.

    Of the schema's own conditions those count whose columns the file has.

    Raises:
        SchemaError: the configuration selects objects that the sample does not have.
    """
    held = {name.partition("_")[0] for name in available.quantities}
    for kind in configured:
        if not held & ({kind, "lepton"} if kind in FLAVOURS else {kind}):
            raise SchemaError(f"--objects: the sample has no {kind}s; leave them out")
    selection: dict[str, Objects] = {}
    for kind in sorted({*schema.objects, *configured}):
        default, chosen = schema.objects.get(kind, Objects()), configured.get(kind, Objects())
        if default.where and not schema.used_columns(default.where) <= available.columns:
            default = default.model_copy(update={"where": None})
        selection[kind] = default.model_copy(update=chosen.model_dump(exclude_unset=True))
    return selection


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
    columns = _source_columns(available)
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
        # Its names are those of the file's columns first, which are there.
        if names_in(definition.expression) & _MADE_OF - schema.columns.keys() <= columns.keys():
            columns[name] = with_checked_access(definition.expression)
    for name, definition in _in_order(definitions).items():
        if name in columns or name in _MADE_OF or _RESERVED.fullmatch(name):
            raise SchemaError(f"define {name!r}: there is a column of that name already; choose another")
        columns[name] = with_checked_access(definition.expression)
    return columns


def _in_order(definitions: Mapping[str, Definition]) -> dict[str, Definition]:
    """Return definitions each after those that it is made of."""
    waiting, ordered = dict(definitions), dict[str, Definition]()
    while waiting:
        ready = [name for name, d in waiting.items() if not names_in(d.expression) & waiting.keys() - {name}]
        if not ready:
            raise SchemaError(f"define: {', '.join(waiting)} are made of each other; resolve that")
        ordered |= {name: waiting.pop(name) for name in ready}
    return ordered


def with_checked_access(expression: str) -> str:
    """Return an expression in which an element that an event does not have, as in `jet_pt[5]`, is NaN.

    RVec's own [] reads whatever lies there.
    """
    match = _ELEMENT.search(expression)
    if not match:
        return expression
    depth, end = 1, match.end()
    while depth and end < len(expression):
        depth += {"[": 1, "]": -1}.get(expression[end], 0)
        end += 1
    index = with_checked_access(expression[match.end() : end - 1])
    rest = with_checked_access(expression[end:])
    return f"{expression[: match.start()]}objects::at({match[1]}, {index}){rest}"


def _source_columns(available: Available) -> dict[str, str]:
    """Return the canonical quantities as the file has them, in GeV and radians: `source_<quantity>`.

    What names and weights an event comes last and keeps its name: a file may have columns of these names, which the
    other expressions read. Where there are no event numbers they are the row numbers, so that each event can be named.
    """
    columns = {}
    for name, (expression, unit) in available.quantities.items():
        kind, factor = CANONICAL[name], UNITS[unit]
        if kind == REALS:
            columns[f"source_{name}"] = f"objects::as_reals({expression}, {factor!r})"
        elif kind == INTEGERS:
            columns[f"source_{name}"] = f"objects::as_integers({expression})"
        elif name not in IDENTITY:
            columns[f"source_{name}"] = f"static_cast<{kind}>({expression}) * {factor!r}"
    for name in IDENTITY:
        kind = CANONICAL[name]
        if name in available.quantities:
            columns[name] = f"{_IDENTIFIERS.get(name, f'static_cast<{kind}>')}({available.quantities[name][0]})"
        elif name in ID_QUANTITIES:
            columns[name] = f"static_cast<{kind}>({SOURCE_ROW if name == 'event' else 0})"
    return columns


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
        masks = {f: _mask(parts, selection.get(f)) for f in FLAVOURS}
        passes = " && ".join(
            f"objects::where_flavour({parts['flavour']}, {FLAVOURS[f]}, {mask})" for f, mask in masks.items() if mask
        )
    else:
        passes = _mask(parts, selection.get(kind))
    return _Group(parts, passes or f"objects::Mask({parts['pt']}.size(), 1)")


def _mask(parts: Mapping[str, str], wanted: Objects | None) -> str:
    """Return the expression for which objects count; empty where all do."""
    if wanted is None or wanted == Objects():
        return ""
    lowest = "-HUGE_VAL" if wanted.pt is None else repr(wanted.pt)
    largest = "HUGE_VAL" if wanted.eta is None else repr(wanted.eta)
    mask = f"objects::passes({parts['pt']}, {parts['eta']}, {lowest}, {largest})"
    return f"objects::passes_also({mask}, {wanted.where})" if wanted.where else mask


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
    return expressions[0] if len(expressions) == 1 else f"Concatenate({', '.join(expressions)})"


def _selected(kind: str, group: _Group) -> dict[str, str]:
    """Return the objects that count, by falling pT: four-vectors `<kind>s`, and `<kind>_<part>` for definitions."""
    order = f"{kind}_order"
    pt, eta, phi, mass = (group.parts[part] for part in ("pt", "eta", "phi", "mass"))
    return {
        order: f"objects::by_falling_pt({pt}, {group.passes})",
        f"{kind}s": f"objects::make_momenta({pt}, {eta}, {phi}, {mass}, {order})",
        **{f"{kind}_{part}": f"Take({column}, {order})" for part, column in group.parts.items()},
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
            "met_with_jets": f"missing_pt::with_jets_scaled({arguments})",
            "met_pt": "met_with_jets.pt",
            "met_phi": "met_with_jets.phi",
        }
    if "met_pt" in made and "met" in scales:
        made["met_pt"] += f" * {scales['met']}"
    return made


def _megajets(columns: Mapping[str, str], scales: Mapping[str, str]) -> dict[str, str]:
    """Return megajets, HT and Rsq of a file that has these and not the jets.

    With MET as it is, MTR^2 is proportional to the megajets' scale, and so Rsq = MTR^2 / MR^2 to its inverse.
    """
    jets, met = (f" * {scales[name]}" if name in scales else "" for name in ("jes", "met"))
    made = {}
    if "source_megajet1_px" in columns:
        for i in (1, 2):
            parts = ", ".join(f"source_megajet{i}_{part}" for part in ("px", "py", "pz", "energy"))
            made[f"megajet{i}"] = f"ROOT::Math::PxPyPzEVector({parts}){jets}"
    if "source_HT" in columns:
        made["stored_HT"] = f"source_HT{jets}"
    if "source_Rsq" in columns:
        made["stored_Rsq"] = f"source_Rsq{met}{jets.replace('*', '/')}"
    return made


def define_columns(events: RNode, columns: Mapping[str, str], wanted: Iterable[str]) -> RNode:
    """Define the columns that are wanted, and those that they are made of; others cost nothing.

    Args:
        events: head of a graph; has the scales that are varied.
        columns: what there can be, as `physics_columns` gives it.
        wanted: names out of it.

    Raises:
        SchemaError: an expression of the schema's or the user's is not valid C++; with the compiler's first error line.
    """
    for topic in KERNELS:
        include_kernels(topic)
    for name, expression in needed_columns(columns, wanted).items():
        try:
            events = define(events, name, expression)
        except CompileError as error:
            # The kernels compile, so it is what the schema or the user has written.
            known = {str(column) for column in events.GetColumnNames()}
            # A quantity or a condition is over the file's columns, any other definition over ours too.
            known = (
                known - columns.keys() if name.startswith("source_") or name.endswith("_order") else known | {*columns}
            )
            message = f"{_origin(name)} {expression!r}: {error.reason}; {_remedy(error, known)}"
            raise SchemaError(message.replace("unrounded_", "")) from error
    return events


def needed_columns(columns: Mapping[str, str], wanted: Iterable[str]) -> dict[str, str]:
    """Return the columns that are wanted and those that they are made of, in their order."""
    needed: set[str] = set()
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            made_of = names_in(columns[name]) & columns.keys() - {name}
            # These are made of the file's columns, which may have the names of ours.
            waiting += [n for n in made_of if n.startswith("source_")] if name.startswith("source_") else made_of
    return {name: expression for name, expression in columns.items() if name in needed}


def _origin(name: str) -> str:
    """Say where the expression of a column comes from."""
    if name.startswith("source_"):
        return f"quantity {name.removeprefix('source_')!r} of the schema,"
    if name.endswith("_order"):
        return f"selection of {name.removesuffix('_order')}s (`where`, over the file's own columns),"
    return f"column {name.removeprefix('unrounded_')!r} ="


def _remedy(error: CompileError, known: Collection[str]) -> str:
    unknown = re.search(r"undeclared identifier '(\w+)'", error.reason)
    if not unknown:
        return "correct the expression"
    seen = (name for name in known if not name.startswith(("source_", "scaled_", "joined_")))
    return near_names(unknown[1].removeprefix("unrounded_"), seen)


def rounded(columns: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """Return the columns with these ones as float32; what is made of them is still made of the unrounded ones.

    Detectors are trained on float32 and score float32: rounding here, once, makes both see the same numbers, and what
    is written is what was scored.
    """
    exact = {name: f"unrounded_{name}" for name in names}
    result = {}
    for name, expression in columns.items():
        # A column's own name in its expression is that of a column of the file, as all names are in those of quantities
        # and of conditions on objects.
        of_file = name.startswith("source_") or name.endswith("_order")
        renamed = {} if of_file else {old: new for old, new in exact.items() if old != name}
        result[exact.get(name, name)] = NAME.sub(partial(_renamed, renamed), expression)
        if name in exact:
            result[name] = f"static_cast<float>({exact[name]})"
    return result


def _renamed(names: Mapping[str, str], found: re.Match[str]) -> str:
    return names.get(found[0], found[0])


def define_feature_vector(events: RNode, features: Sequence[str]) -> RNode:
    """Define the vector of an event's features, which are float32 columns."""
    return define(events, VECTOR, f"std::array<float, {len(features)}>{{{', '.join(features)}}}")
