"""Columns in memory: the events of numpy's selection, in one order whatever the threads."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rdf.code.columns import define_columns
from rdf.execution.event_loop import EventLoop, use_threads
from rdf.graph.fields import Fields
from rdf.graph.snapshot import Snapshot, book_snapshot
from rdf.schema.columns import rounded
from rdf.schema.model import load_schema
from rdf.schema.quantities import ID_QUANTITIES
from tests.macros.graph.test_rows import lots_of
from tests.rdf.trees import NANOAOD_KINDS, columns_of, nanoaod, opened, write_ttree

pytestmark = pytest.mark.compiler

DETECTOR = "isolation_forest"


@pytest.mark.parametrize("threads", [1, 2])
def test_the_snapshot_is_the_selected_events_in_the_order_of_the_table(
    threads: int, made_up: Any, collected: Any
) -> None:
    found = collected[threads]
    assert found.snapshot.rows.ids == ("source_row", "run", "luminosityBlock", "event")
    assert found.ids[:, 0].tolist() == np.flatnonzero(made_up.finite).tolist()
    assert found.ids[:, 1:].tolist() == made_up.ids[made_up.finite].tolist()
    assert found.snapshot.collected().seen == np.count_nonzero(made_up.finite)
    expected = made_up.matrix(found.snapshot.rows.values)
    assert found.values.dtype == np.float32
    # The last bit of a float32 may fall to either side of a sum that is rounded in another order.
    np.testing.assert_allclose(found.values, expected, rtol=1.2e-7)


def test_one_and_two_threads_give_the_same_bits(collected: Any) -> None:
    assert collected[1].values.tobytes() == collected[2].values.tobytes()
    assert collected[1].ids.tobytes() == collected[2].ids.tobytes()


@pytest.mark.parametrize("threads", [1, 2])
def test_top_events_are_those_of_a_sort(threads: int, made_up: Any, trained: Any, scored: Any) -> None:
    ids, values = scored[threads].top
    names = scored[threads].top_values
    assert names[:3] == ("score_ensemble", f"score_{DETECTOR}", "MR")
    features = made_up.matrix(trained.models.features)
    scores = -trained.detector.forest.score_samples(trained.detector.scaler.transform(features.astype(np.float64)))
    # Of scikit-learn's 25 most anomalous events all are there; equals in float32 would be ordered by their ids.
    order = np.argsort(-scores)[:25]
    gap = np.sort(scores)[::-1][24] - np.sort(scores)[::-1][25]
    assert gap > 1e-6, "the sample has no clear 25th event"
    expected = {tuple(event) for event in made_up.ids[made_up.finite][order].tolist()}
    best = np.lexsort([-values[:, 1], -values[:, 0]])[:25]
    assert {tuple(event) for event in ids[best].tolist()} == expected
    np.testing.assert_allclose(np.sort(values[best, 1]), np.sort(scores[order]), rtol=1e-6)
    # Values stay with their event.
    row_of = {tuple(event): i for i, event in enumerate(made_up.ids.tolist())}
    rows = [row_of[tuple(event)] for event in ids.tolist()]
    np.testing.assert_allclose(values[:, names.index("HT")], made_up.features["HT"][rows], rtol=1.2e-7)
    # In the order of the ids.
    assert ids.tolist() == sorted(ids.tolist())


def test_the_same_top_events_with_one_and_two_threads(scored: Any) -> None:
    tops = []
    for threads in (1, 2):
        ids, values = scored[threads].top
        order = np.lexsort([-values[:, 1], -values[:, 0]])[:25]
        tops.append((ids[order].tolist(), values[order].tobytes()))
    assert tops[0] == tops[1]


def drawn(
    source: Any, schema: Any, threads: int, sample: int | None, seed: int
) -> tuple[Snapshot, NDArray[np.uint64], NDArray[np.float32]]:
    slots = use_threads(threads)
    loop = EventLoop(source, (0, source.events))
    names = ("HT", "MET")
    events = define_columns(loop.events, rounded(columns_of(source, schema), names), ID_QUANTITIES, names)
    snapshot = book_snapshot(events, Fields(tuple(names)), names, slots, sample, seed)
    loop.run([snapshot.booked])
    use_threads(1)
    return snapshot, *snapshot.collected().arrays()


def test_a_sample_is_that_of_the_least_lots_with_any_threads(made_up: Any, schema: Any) -> None:
    _, all_ids, all_values = drawn(made_up.source, schema, 1, None, 0)
    samples = {}
    for seed in (0, 7):
        lots = lots_of(seed, all_ids, all_values)
        chosen = sorted(sorted(range(len(lots)), key=lots.__getitem__)[:300])
        for threads in (1, 2):
            snapshot, ids, values = drawn(made_up.source, schema, threads, 300, seed)
            assert snapshot.collected().seen == len(all_ids) == 2000
            assert ids.tobytes() == all_ids[chosen].tobytes()
            assert values.tobytes() == all_values[chosen].tobytes()
        samples[seed] = set(chosen)
    # Two independent draws of 300 out of 2000 share 45 +- 5.7 events.
    assert 45 - 4 * 5.7 < len(samples[0] & samples[7]) < 45 + 4 * 5.7


@pytest.mark.parametrize("sample", [None, 300, 5000])
def test_rows_of_parts_are_merged_to_those_of_one_loop(sample: int | None, made_up: Any, schema: Any) -> None:
    parts = []
    for entries in ((0, 1), (1, 700), (700, 2000)):
        loop = EventLoop(made_up.source, entries)
        names = ("HT", "MET")
        events = define_columns(loop.events, rounded(columns_of(made_up.source, schema), names), ID_QUANTITIES, names)
        snapshot = book_snapshot(events, Fields(tuple(names)), names, 1, sample, 7)
        loop.run([snapshot.booked])
        # As they come from another process.
        parts.append(pickle.loads(pickle.dumps(snapshot.collected())))
    first, second, third = parts
    _, ids, values = drawn(made_up.source, schema, 1, sample, 7)
    for merged in (first.merged(second).merged(third), third.merged(second.merged(first))):
        found_ids, found_values = merged.arrays()
        assert merged.seen == 2000
        assert found_ids.tobytes() == ids.tobytes()
        assert found_values.tobytes() == values.tobytes()


def test_a_sample_of_more_than_there_is_are_all_events(made_up: Any, schema: Any) -> None:
    _, ids, values = drawn(made_up.source, schema, 2, 5000, 1)
    _, all_ids, all_values = drawn(made_up.source, schema, 1, None, 0)
    assert (ids.tobytes(), values.tobytes()) == (all_ids.tobytes(), all_values.tobytes())


def test_a_sample_has_no_place_or_number_that_it_prefers(made_up: Any, schema: Any) -> None:
    """chi2 of how often each event is drawn, and of how many come from each tenth of the file."""
    counts, draws, size = np.zeros(2000), 60, 200
    slots = use_threads(1)
    loop = EventLoop(made_up.source, (0, made_up.source.events))
    events = define_columns(loop.events, rounded(columns_of(made_up.source, schema), ["HT"]), ID_QUANTITIES, ["HT"])
    snapshots = [book_snapshot(events, Fields(("HT",)), ["HT"], slots, size, seed) for seed in range(draws)]
    loop.run([snapshot.booked for snapshot in snapshots])
    tenths = []
    for snapshot in snapshots:
        rows = snapshot.collected().arrays()[0][:, 0].astype(int)
        assert len(set(rows.tolist())) == size
        counts[rows] += 1
        tenths.append(np.bincount(rows // 200, minlength=10))
    p = size / 2000
    # Each count is binomial; their sum is fixed.
    chi2 = ((counts - draws * p) ** 2).sum() / (draws * p * (1 - p))
    assert abs(chi2 - 1999) < 4 * np.sqrt(2 * 1999)
    # Each draw's numbers are multivariate hypergeometric: 9 degrees of freedom, smaller than multinomial by 1 - p.
    chi2_tenths = ((np.array(tenths) - 20.0) ** 2 / 20).sum() / (1 - p)
    assert abs(chi2_tenths - 9 * draws) < 4 * np.sqrt(2 * 9 * draws)


def test_ids_of_a_source_with_event_numbers_and_duplicates(tmp_path: Any) -> None:
    columns = nanoaod(200, seed=5)
    columns["event"] = np.arange(200) // 4  # each number four times
    schema = load_schema("cms_nanoaod")
    source = opened(write_ttree(tmp_path / "nano.root", "Events", columns, NANOAOD_KINDS), schema)
    snapshot, all_ids, all_values = drawn(source, schema, 1, None, 0)
    assert snapshot.rows.ids == ("run", "luminosityBlock", "event")
    lots = lots_of(3, all_ids, all_values)
    chosen = sorted(sorted(range(200), key=lots.__getitem__)[:90])
    _, ids, values = drawn(source, schema, 1, 90, 3)
    assert ids.tobytes() == all_ids[chosen].tobytes()
    assert values.tobytes() == all_values[chosen].tobytes()
