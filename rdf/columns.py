"""Columns: each function takes a node, wires canonical columns to a kernel of `macros/` and gives a node back.

In the text of a definition RDataFrame takes every word that is the name of a column for that column, also behind `::`.
That is why kernels are called compute_MR and not MR, and why no kernel's namespace is called met: files have columns of
these names.
"""

from __future__ import annotations

from collections.abc import Sequence

from rdf import RNode
from rdf.errors import CompileError
from rdf.interpreter import captured_stderr, include_kernels
from rdf.schema import CANONICAL, ID_QUANTITIES, SOURCE_ROW, UNITS, Schema

VECTOR = "feature_vector"
"""Column with an event's features as `std::array<float, N>`, made once an event and shared by all detectors."""


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
    raise CompileError(f"column {name!r} = {expression!r}: {reason}") from failure


def _defined(events: RNode) -> set[str]:
    """Names of the columns of this graph; a file's own columns may mean anything and do not count."""
    return {str(name) for name in events.GetDefinedColumnNames()}


def define_quantities(events: RNode, schema: Schema) -> RNode:
    """Define the canonical quantities that the schema has, in GeV and radians.

    A table without event numbers gets its row numbers for them, so that each event can be named.
    """
    include_kernels("identifiers")
    hidden = []  # behind columns of the file, which stay what they are until every expression has been read
    for name, quantity in schema.quantities.items():
        kind, factor = CANONICAL[name], UNITS[quantity.unit]
        value = (
            f'identifiers::exactly<{kind}>({quantity.expression}, "{name}")'
            if name in ID_QUANTITIES
            else f"static_cast<{kind}>({quantity.expression})"
        )
        target = name
        if events.HasColumn(name):
            target = f"canonical_{name}"
            hidden.append(name)
        events = define(events, target, f"{value} * {factor!r}" if factor != 1 else value)
    for name in hidden:
        events = define(events, name, f"canonical_{name}")
    for name, kind in ID_QUANTITIES.items():
        if name not in schema.quantities:
            is_row = name == "event" and events.HasColumn(SOURCE_ROW)
            events = define(events, name, f"static_cast<{kind}>({SOURCE_ROW if is_row else 0})")
    return events


def define_megajets(events: RNode) -> RNode:
    """Define `megajet1` and `megajet2` as four-vectors, where the sample has megajets."""
    if "megajet1_px" not in _defined(events):
        return events
    for i in (1, 2):
        parts = ", ".join(f"megajet{i}_{part}" for part in ("px", "py", "pz", "energy"))
        events = define(events, f"megajet{i}", f"ROOT::Math::PxPyPzEVector({parts})")
    return events


def define_razor(events: RNode) -> RNode:
    """Define MR [GeV], and MTR [GeV] and Rsq where MET has a direction; else Rsq stays the file's own, if any."""
    include_kernels("razor")
    defined = _defined(events)
    if "megajet1" in defined:
        events = define(events, "MR", "razor::compute_MR(megajet1, megajet2)")
        if {"met_pt", "met_phi"} <= defined:
            events = define(events, "MTR", "razor::compute_MTR(megajet1, megajet2, met_pt, met_phi)")
            events = define(events, "Rsq", "razor::compute_Rsq(MTR, MR)")
    return events


def define_event_shape(events: RNode) -> RNode:
    """Define pt1, pt2 [GeV], pt_ratio, dijet_mass [GeV] and centrality of the two megajets."""
    include_kernels("event_shape")
    if "megajet1" in _defined(events):
        events = define(events, "pt1", "megajet1.Pt()")
        events = define(events, "pt2", "megajet2.Pt()")
        events = define(events, "pt_ratio", "event_shape::compute_pt_ratio(pt1, pt2)")
        events = define(events, "dijet_mass", "event_shape::compute_dijet_mass(megajet1, megajet2)")
        events = define(events, "centrality", "event_shape::compute_centrality(pt1 + pt2, megajet1.E() + megajet2.E())")
    return events


def define_met(events: RNode) -> RNode:
    """Define MET [GeV] and, where there is HT, MET_over_HT."""
    include_kernels("met")
    defined = _defined(events)
    if "met_pt" in defined:
        events = define(events, "MET", "met_pt")
        if "HT" in defined:
            events = define(events, "MET_over_HT", "missing_pt::compute_MET_over_HT(met_pt, HT)")
    return events


def define_physics(events: RNode, schema: Schema) -> RNode:
    """Define every column that the sample has the objects for."""
    events = define_quantities(events, schema)
    for define_topic in (define_megajets, define_razor, define_event_shape, define_met):
        events = define_topic(events)
    return events


def define_feature_vector(events: RNode, features: Sequence[str], observables: Sequence[str]) -> RNode:
    """Round features and observables to float32 and define the vector of the features.

    Detectors are trained on float32 and score float32: rounding here, once, makes both see the same numbers, and what
    is written is what was scored.
    """
    for name in (*features, *observables):
        events = define(events, name, f"static_cast<float>({name})")
    return define(events, VECTOR, f"std::array<float, {len(features)}>{{{', '.join(features)}}}")
