"""Simulated samples: the same by seed, and never without their mark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import uproot

from rdf.errors import SchemaError
from rdf.schema import Schema
from rdf.simulation import simulate
from rdf.sources import open_source

EVENTS = 3000


def read(path: Path) -> dict[str, np.ndarray]:
    with uproot.open(path) as file:
        table = file["events"]
        return {name: table[name].array(library="np") for name in table.keys()}  # noqa: SIM118 - not a dict


@pytest.fixture(scope="module")
def simulated(schema: Schema, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate("razor_multijet", schema, EVENTS, 1, tmp_path_factory.mktemp("simulated"))


def test_the_sample_has_the_published_columns_and_the_truth(simulated: Path, schema: Schema) -> None:
    columns = read(simulated)
    assert set(columns) == {*schema.columns, "source_row", "label"}
    for name, kind in schema.columns.items():
        assert columns[name].dtype == kind, name
    assert columns["Event"].tolist() == list(range(1, EVENTS + 1))
    assert columns["source_row"].tolist() == list(range(EVENTS))
    assert set(columns["Run"].tolist()) == {1}
    assert columns["Lumi"].tolist() == [1] * 1000 + [2] * 1000 + [3] * 1000
    # 3 % of 3000 events, five standard deviations of 9.3.
    assert abs(columns["label"].sum() - 90) < 47
    assert all(np.isfinite(values).all() for values in columns.values())


def test_mr_follows_from_the_momenta_and_rsq_lies_within_its_bounds(simulated: Path) -> None:
    columns = read(simulated)
    p = [np.stack([columns[f"P{axis}{i}"] for axis in "xyz"]) for i in (1, 2)]
    size = sum(np.linalg.norm(momentum, axis=0) for momentum in p)
    MR = np.sqrt(size**2 - (p[0][2] + p[1][2]) ** 2)
    np.testing.assert_allclose(columns["MR"], MR, rtol=1e-10)
    pt_sum = sum(np.hypot(*momentum[:2]) for momentum in p)
    sum_pt = np.hypot(*(p[0] + p[1])[:2])
    low, high = (columns["MET"] * (pt_sum + sign * sum_pt) / 2 / MR**2 for sign in (-1, 1))
    assert np.all(columns["Rsq"] >= low * (1 - 1e-9) - 1e-12)
    assert np.all(columns["Rsq"] <= high * (1 + 1e-9))


def test_the_same_seed_gives_the_same_events_and_another_seed_others(
    simulated: Path, schema: Schema, tmp_path: Path
) -> None:
    first, again = read(simulated), read(simulate("razor_multijet", schema, EVENTS, 1, tmp_path))
    for name, values in first.items():
        assert values.tobytes() == again[name].tobytes(), name
    other = read(simulate("razor_multijet", schema, EVENTS, 2, tmp_path))
    assert not np.isin(other["HT"], first["HT"]).any()
    # Fewer events are the first ones.
    fewer = read(simulate("razor_multijet", schema, 100, 1, tmp_path))
    assert fewer["HT"].tobytes() == first["HT"][:100].tobytes()
    assert len(list(tmp_path.iterdir())) == 3
    assert all(path.name.startswith("SIMULATED-") for path in tmp_path.iterdir())


def test_it_is_simulated_once(simulated: Path, schema: Schema) -> None:
    before = simulated.stat().st_mtime_ns
    assert simulate("razor_multijet", schema, EVENTS, 1, simulated.parent) == simulated
    assert simulated.stat().st_mtime_ns == before
    assert list(simulated.parent.iterdir()) == [simulated]


def test_the_file_says_that_it_is_simulated(simulated: Path, schema: Schema) -> None:
    with uproot.open(simulated) as file:
        assert {"SIMULATED", "provenance", "events"} == set(file.keys(cycle=False))
        assert "seed 1" in file["provenance"].member("fTitle")
    source = open_source([simulated], schema, simulated.parent, [None])
    assert source.simulated
    assert source.entries == EVENTS


def test_an_unknown_simulation(schema: Schema, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"unknown simulation 'razor_multi'; did you mean razor_multijet\?"):
        simulate("razor_multi", schema, 10, 1, tmp_path)
    assert not list(tmp_path.iterdir())
