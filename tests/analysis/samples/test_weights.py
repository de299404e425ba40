"""Weights and their normalisation, of files as ATLAS and CMS publish them, against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.samples.weights import Production, Weighting, settle_weights
from rdf.code.columns import define_columns
from rdf.code.interpreter import ROOT
from rdf.errors import SchemaError
from rdf.schema.columns import physics_columns
from rdf.schema.model import Schema, load_schema
from rdf.schema.tables import Available, Normalisation
from rdf.sources.source import Source
from tests.rdf.tables import table_of
from tests.rdf.trees import arrays

EVENTS = 50


def settled(
    schema: Schema, source: Source, production: Production, luminosity: float | None
) -> tuple[Weighting | None, str | None]:
    return settle_weights(schema, source.available, production, luminosity, lambda: None)


def table(folder: Path, name: str) -> tuple[Source, Schema, dict[str, np.ndarray]]:
    """A table of a schema's columns of weights, and what it holds."""
    schema, random = load_schema(name), np.random.default_rng(1)
    words = ("weight", "factor", "sect", "xsec", "kfac", "filteff")
    columns = {n: kind for n, kind in schema.columns.items() if any(word in n.lower() for word in words)}
    sets = {n: random.uniform(0.5, 2, EVENTS).astype(kind) for n, kind in columns.items()}
    sets["mcWeight"] *= np.where(np.arange(EVENTS) % 7 == 0, -1, 1).astype(np.float32)
    weight = schema.model_dump()["quantities"]["weight"]
    parts = {"columns": columns, "quantities": {"weight": weight}, "normalisation": schema.normalisation}
    source, made = table_of(folder, sets, **parts)
    return source, made, sets


def weights_of(source: Source, schema: Schema, weighting: Weighting) -> np.ndarray:
    columns = weighting.columns(physics_columns(schema, source.available, {}, {}))
    events = define_columns(ROOT.RDF.AsRNode(source.open()), columns, ["weight"])
    found = arrays(events, ["source_row", "weight"])
    return found["weight"][np.argsort(found["source_row"])]


@pytest.mark.compiler
@pytest.mark.parametrize(
    ("name", "factors", "production"),
    [
        (
            "atlas2020",
            ("mcWeight", "scaleFactor_PILEUP", "scaleFactor_ELE", "scaleFactor_MUON", "scaleFactor_LepTRIGGER"),
            ("XSection",),
        ),
        (
            "atlas2025",
            ("mcWeight", *(f"ScaleFactor_{of}" for of in ("PILEUP", "JVT", "ELE", "MUON", "LepTRIGGER"))),
            ("xsec", "kfac", "filteff"),
        ),
    ],
)
def test_weights_of_atlas(name: str, factors: tuple[str, ...], production: tuple[str, ...], tmp_path: Path) -> None:
    source, schema, sets = table(tmp_path, name)
    sums = {"atlas2020": "SumWeights", "atlas2025": "sum_of_weights"}[name]
    weight = np.prod([sets[factor].astype(float) for factor in factors], axis=0)
    plain, why = settled(schema, source, Production(), None)
    assert plain is not None
    assert (plain.luminosity, plain.factor) == (None, 1)
    assert "no luminosity is known" in (why or "")
    np.testing.assert_allclose(weights_of(source, schema, plain), weight, rtol=1e-13)
    assert (weight < 0).any()

    normalised, why = settled(schema, source, Production(), 10.0)
    assert normalised is not None
    assert (normalised.luminosity, why) == (10, None)
    per_event = np.prod([sets[factor].astype(float) for factor in production], axis=0) / sets[sums].astype(float)
    np.testing.assert_allclose(weights_of(source, schema, normalised), weight * per_event * 1e4, rtol=1e-13)

    said = Production(cross_section=3.0, k_factor=1.2, filter_efficiency=0.5, sum_of_weights=7e5)
    stated, _ = settled(schema, source, said, 10.0)
    assert stated is not None
    assert (stated.per_event, stated.sum_of_weights) == (None, 7e5)
    np.testing.assert_allclose(weights_of(source, schema, stated), weight * (1e4 * 3 * 1.2 * 0.5 / 7e5), rtol=1e-13)


def test_weights_of_files_without_scale_factors() -> None:
    schema = load_schema("atlas2020")
    available = schema.resolve(schema.columns.keys() - {"scaleFactor_ELE", "XSection"}, "file.root")
    weighting, why = settle_weights(schema, available, Production(), 10.0, lambda: None)
    assert weighting == Weighting("mcWeight")
    assert "no cross section is known" in (why or "")


NANOAOD = Available({"weight": ("genWeight", "")}, frozenset({"genWeight"}))


def test_a_sum_of_weights_is_that_of_the_sample_before_that_of_the_files() -> None:
    schema = load_schema("cms_nanoaod")
    assert schema.normalisation == Normalisation(tree="Runs", sum_of_weights=("genEventSumw", "genEventSumw_"))
    production = Production(cross_section=2.0)
    of_files, _ = settle_weights(schema, NANOAOD, production, 3.0, lambda: 400.0)
    assert of_files == Weighting("genWeight", None, 2.0 * 3000 / 400, 3.0, 400.0)
    of_sample, _ = settle_weights(
        schema, NANOAOD, Production(cross_section=2.0, sum_of_weights=50.0), 3.0, lambda: 400.0
    )
    assert of_sample is not None
    assert of_sample.sum_of_weights == 50
    unknown, why = settle_weights(schema, NANOAOD, production, 3.0, lambda: None)
    assert unknown == Weighting("genWeight")
    assert "no sum of weights is known" in (why or "")


def test_events_that_all_weigh_the_same() -> None:
    schema, nothing = load_schema("cms_nanoaod"), Available({}, frozenset())
    assert settle_weights(schema, nothing, Production(), None, lambda: None)[0] is None
    assert settle_weights(schema, nothing, Production(cross_section=2.0), 3.0, lambda: None)[0] is None
    normalised, _ = settle_weights(
        schema, nothing, Production(cross_section=2.0, sum_of_weights=100.0), 3.0, lambda: None
    )
    assert normalised == Weighting(None, None, 60.0, 3.0, 100.0)
    assert normalised is not None
    assert normalised.columns({})["weight"] == "60.0"


def test_a_weight_that_not_all_files_have_is_refused() -> None:
    partly = Available({"weight": ("genWeight", "")}, frozenset(), frozenset({"genWeight"}))
    with pytest.raises(SchemaError, match=r"^weight 'genWeight': not every file of the sample has 'genWeight'"):
        settle_weights(load_schema("cms_nanoaod"), partly, Production(), None, lambda: None)


@pytest.mark.parametrize(
    "wrong", [{}, {"tree": "Runs"}, {"sum_of_weights": ["a"]}, {"expression": "a", "tree": "Runs"}]
)
def test_a_normalisation_is_of_one_form(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="give either an `expression`, or both `tree` and `sum_of_weights`"):
        Normalisation.model_validate(wrong)
