"""events.root, read by uproot and by ROOT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from rdf.code.interpreter import ROOT
from rdf.errors import LostEvents
from rdf.graph.events import check_events

pytestmark = pytest.mark.compiler

FEATURES = ("MR", "Rsq", "HT", "MET", "pt1", "pt2", "MET_over_HT", "pt_ratio", "dijet_mass", "centrality")
TYPES = {
    "run": np.uint32,
    "luminosityBlock": np.uint32,
    "event": np.uint64,
    **dict.fromkeys(FEATURES, np.float32),
    "score_isolation_forest": np.float32,
    "rank_isolation_forest": np.float32,
    "flag_isolation_forest": np.bool_,
    "votes": np.int32,
    "score_ensemble": np.float32,
    "flag_ensemble": np.bool_,
}


@pytest.fixture(params=[1, 2])
def path(request: pytest.FixtureRequest, scored: Any) -> Path:
    found: Path = scored[request.param].folder / "events.root"
    return found


def test_columns_and_types(path: Path) -> None:
    with uproot.open(path) as file:
        assert file.classnames()["events;1"] == "ROOT::RNTuple"
        table = file["events"]
        assert table.keys() == list(TYPES)
        for name, kind in TYPES.items():
            assert table[name].array(library="np").dtype == kind, name


def test_every_selected_event_is_there_once_with_its_features(path: Path, made_up: Any) -> None:
    with uproot.open(path) as file:
        table = file["events"]
        ids = np.column_stack([table[name].array(library="np") for name in ("run", "luminosityBlock", "event")])
        features = {name: table[name].array(library="np") for name in FEATURES}
    expected = made_up.ids[made_up.finite]
    order, expected_order = np.lexsort(ids.T[::-1]), np.lexsort(expected.T[::-1])
    np.testing.assert_array_equal(ids[order], expected[expected_order])
    for name, values in features.items():
        np.testing.assert_allclose(
            values[order], made_up.features[name][made_up.finite][expected_order], rtol=1.2e-7, err_msg=name
        )


def test_it_opens_in_root(path: Path) -> None:
    events = ROOT.RDataFrame("events", str(path))
    assert {str(name) for name in events.GetColumnNames()} == set(TYPES)
    assert events.Count().GetValue() == 1990


def test_provenance_lies_beside_the_events(scored: Any) -> None:
    for threads, simulated in ((1, False), (2, True)):
        with uproot.open(scored[threads].folder / "events.root") as file:
            names = set(file.keys(cycle=False))
            assert names == {"events", "provenance"} | ({"SIMULATED"} if simulated else set())
            assert file["provenance"].member("fTitle") == '{"sample": "made up"}'


def test_a_wrong_number_of_events_is_refused(path: Path) -> None:
    check_events(path, 1990)
    for expected in (0, 1989, 1991):
        with pytest.raises(LostEvents, match=rf"events\.root holds 1990 events, {expected} were selected"):
            check_events(path, expected)
