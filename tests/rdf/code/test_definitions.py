"""Expressions of users and schemas: what they are made of, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rdf.code.columns import define_columns
from rdf.errors import SchemaError
from rdf.execution.event_loop import use_threads
from rdf.schema.columns import physics_columns
from rdf.schema.model import load_schema
from rdf.schema.tables import Definition, Objects
from rdf.sources.source import open_source
from tests.rdf.code.nano import graph, selected_jets
from tests.rdf.trees import arrays, graph_of, nanoaod, opened

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.compiler]


NO_EXPRESSION = "expected (expression|primary-expression .*)"


def unknown(name: str) -> str:
    return f"(use of undeclared identifier '{name}'|'{name}' was not declared in this scope)"


def test_a_definition_that_is_no_cpp(nano: Path) -> None:
    with pytest.raises(SchemaError, match=rf"^column 'x' = 'MR \+\* \)': {NO_EXPRESSION}; correct the expression$"):
        graph(nano, "x", x="MR +* )")
    with pytest.raises(SchemaError, match=rf"^column 'x' = 'HTT / MR': {unknown('HTT')}; did you mean HT\?$"):
        graph(nano, "x", x="HTT / MR")
    with pytest.raises(SchemaError, match=rf"{unknown('Jet_nuonIdx')}; did you mean Jet_"):
        graph(nano, "x", x="Jet_nuonIdx[0]")
    with pytest.raises(
        SchemaError, match=r"^column 'x' = 'jets\.pt\(\)': .*(no member .*'pt' in .*RVec|RVec.* no member .*'pt')"
    ):
        graph(nano, "x", x="jets.pt()")
    # One that nobody asks for is not compiled.
    assert graph(nano, "MR", x="MR +* )").Count().GetValue() == 40


def test_a_condition_on_objects_that_is_no_cpp(nano: Path) -> None:
    message = rf"^selection of jets \(`where`, .*\), 'Jet_jetID >= 2': {unknown('Jet_jetID')}; did you mean J"
    with pytest.raises(SchemaError, match=message):
        graph(nano, "HT", {"jet": Objects(where="Jet_jetID >= 2")})
    with pytest.raises(SchemaError, match=rf"^selection of jets \(`where`, .*\), 'Jet_jetId >=': {NO_EXPRESSION}"):
        graph(nano, "HT", {"jet": Objects(where="Jet_jetId >=")})
    with pytest.raises(SchemaError, match=r"^selection of jets \(`where`, .*\), 'Jet_pt\[0\] > 30': .*'size'"):
        graph(nano, "HT", {"jet": Objects(where="Jet_pt[0] > 30")})
    with pytest.raises(
        SchemaError, match=rf"^selection of muons \(`where`, .*\), .*: {unknown('Muon_pt_')}; did you mean Muon_pt,"
    ):
        graph(nano, "mll", {"muon": Objects(where="Muon_pt_ > 2")})


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "Jet_pt +* )",
            rf"^quantity 'jet_pt' of the schema, 'Jet_pt \+\* \)': {NO_EXPRESSION}",
        ),
        (
            "Jet_ptt",
            rf"^quantity 'jet_pt' of the schema, .*: {unknown('Jet_ptt')}; did you mean Jet_pt",
        ),
        ("PuppiMET_pt", r"^quantity 'jet_pt' of the schema, 'PuppiMET_pt': "),  # no array
    ],
)
def test_a_schemas_expression_that_is_no_cpp(expression: str, message: str, nano: Path) -> None:
    schema = load_schema("cms_nanoaod")
    quantity = schema.quantities["jet_pt"].model_copy(update={"expression": (expression,)})
    schema = schema.model_copy(update={"quantities": {**schema.quantities, "jet_pt": quantity}})
    with pytest.raises(SchemaError, match=message) as caught:
        graph_of(opened(nano, schema), schema, ["HT"])
    assert "\n" not in str(caught.value)


def test_definitions_are_made_of_canonical_columns_and_of_each_other(nano: Path) -> None:
    definitions = {
        "twice": "2 * MET",
        "again": "twice + 1",
        "leading_btag": "jets.empty() ? -1. : jet_pt[0]",
        "PuppiMET_phi_": "static_cast<double>(PuppiMET_phi)",  # of the file's own
    }
    names = list(definitions)
    schema = load_schema("cms_nanoaod")
    defined = {name: Definition(expression=expression) for name, expression in definitions.items()}
    found = arrays(graph_of(opened(nano, schema), schema, [*names, "MET"], None, defined), [*names, "MET"])
    columns = nanoaod(40, 1)
    met = np.asarray(columns["PuppiMET_pt"], dtype=np.float64)
    np.testing.assert_array_equal(found["MET"], met)
    np.testing.assert_array_equal(found["twice"], 2 * met)
    np.testing.assert_array_equal(found["again"], 2 * met + 1)
    np.testing.assert_array_equal(found["PuppiMET_phi_"], np.asarray(columns["PuppiMET_phi"], dtype=np.float64))
    leading = [max((pt for pt, _ in jets), default=-1) for jets in selected_jets(columns)]
    np.testing.assert_array_equal(found["leading_btag"], leading)


def test_definitions_in_any_order_and_in_a_circle(nano: Path) -> None:
    schema = load_schema("cms_nanoaod")
    source = open_source([str(nano)], schema, nano.parent, [None])
    definitions = {"b": Definition(expression="a * 2"), "a": Definition(expression="HT + 1")}
    columns = physics_columns(schema, source.available, {}, definitions)
    use_threads(1)
    found = define_columns(source.open(), columns, ("HT", "b")).AsNumpy(["HT", "b"])
    np.testing.assert_array_equal(found["b"], (found["HT"] + 1) * 2)
    circle = {"a": Definition(expression="b"), "b": Definition(expression="a")}
    with pytest.raises(SchemaError, match=r"^define: a, b are made of each other; resolve that$"):
        physics_columns(schema, source.available, {}, circle)
