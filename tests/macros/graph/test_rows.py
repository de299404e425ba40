"""Rows collected in memory, against numpy's sort."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rdf.code.interpreter import ROOT, include_kernels

pytestmark = pytest.mark.compiler

include_kernels("graph/rows")


def copied(rows: Any, ids: int, values: int) -> list[tuple[tuple[int, ...], tuple[float, ...]]]:
    """Rows as (ids, values), sorted."""
    size = rows.size()
    all_ids, all_values = np.empty(size * ids, dtype=np.uint64), np.empty(size * values, dtype=np.float32)
    if size:
        rows.copy(all_ids, all_values)
    return sorted(
        zip(
            map(tuple, all_ids.reshape(size, ids).tolist()),
            map(tuple, all_values.reshape(size, values).tolist()),
            strict=True,
        )
    )


def test_all_rows_of_several_slots() -> None:
    rows = ROOT.rows.AllRows(3, 2, 3)
    assert rows.size() == 0
    expected = []
    for i in range(50):
        # 2^63 + i does not survive a detour over a double.
        ids, values = (i, 2**63 + i), (float(i), -0.5 * i, 3e38)
        assert rows.add(i % 2, ids, values)  # the third slot stays empty
        expected.append((ids, tuple(np.float32(value).item() for value in values)))
    assert rows.size() == 50
    assert copied(rows, 2, 3) == sorted(expected)


def test_all_rows_come_slot_after_slot_in_the_order_of_their_arrival() -> None:
    rows = ROOT.rows.AllRows(2, 1, 1)
    for slot, i in ((1, 10), (0, 20), (1, 11), (0, 21)):
        rows.add(slot, [i], [i / 2])
    ids, values = np.empty(4, dtype=np.uint64), np.empty(4, dtype=np.float32)
    rows.copy(ids, values)
    assert ids.tolist() == [20, 21, 10, 11]
    assert values.tolist() == [10, 10.5, 5, 5.5]


def top_by_numpy(ids: np.ndarray, values: np.ndarray, key: int, wanted: int) -> list[Any]:
    """The greatest keys, first value first; of equal keys the smallest ids."""
    order = np.lexsort([*ids.T[::-1], *(-values[:, :key]).T[::-1]])[:wanted]
    return [(tuple(ids[i].tolist()), tuple(values[i].tolist())) for i in order]


def ranked(rows: list[Any], key: int, wanted: int) -> list[Any]:
    return sorted(rows, key=lambda row: (tuple(-value for value in row[1][:key]), row[0]))[:wanted]


@pytest.mark.parametrize("slots", [1, 2, 5])
def test_top_rows_are_those_of_a_sort(slots: int) -> None:
    random = np.random.default_rng(slots)
    # Few different keys, so that there are ties in the first and in both key columns, and at the border.
    values = np.column_stack([random.integers(0, 6, 300), random.integers(0, 4, 300), random.normal(size=300)]).astype(
        np.float32
    )
    ids = np.column_stack([random.integers(1, 4, 300), random.permutation(300)]).astype(np.uint64)
    rows = ROOT.rows.TopRows(slots, 20, 2)
    for i in range(300):
        assert rows.add(int(random.integers(slots)), ids[i].tolist(), values[i].tolist())
    assert rows.size() == 20
    # Whatever the slots, the same events are at the top.
    assert ranked(copied(rows, 2, 3), 2, 20) == top_by_numpy(ids, values, 2, 20)


def test_fewer_rows_than_wanted_are_all_kept() -> None:
    rows = ROOT.rows.TopRows(2, 10, 1)
    assert rows.size() == 0
    for i in range(7):
        rows.add(i % 2, [i], [-float(i), 1.5])
    assert rows.size() == 7
    assert copied(rows, 1, 2) == [((i,), (-float(i), 1.5)) for i in range(7)]


def test_copying_twice_gives_the_same() -> None:
    rows = ROOT.rows.TopRows(1, 3, 1)
    for i in range(9):
        rows.add(0, [i], [float(i)])
    assert copied(rows, 1, 1) == copied(rows, 1, 1) == [((6,), (6.0,)), ((7,), (7.0,)), ((8,), (8.0,))]


def lots_of(seed: int, ids: np.ndarray, values: np.ndarray) -> list[tuple[int, int]]:
    """By Python's own integers, from the published SplitMix64."""
    mask = 2**64 - 1

    def mix(x: int) -> int:
        x = (x + 0x9E3779B97F4A7C15) & mask
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
        return x ^ (x >> 31)

    lots = []
    for row_ids, bits in zip(ids.tolist(), values.view(np.uint32).tolist(), strict=True):
        by_ids = mix(seed)
        for number in row_ids:
            by_ids = mix(by_ids ^ number)
        by_values = by_ids
        for number in bits:
            by_values = mix(by_values ^ number)
        lots.append((by_ids, by_values))
    return lots


def test_the_mixing_is_splitmix64() -> None:
    # The first numbers of the generator with the seed 1234567, as its authors' C code gives them.
    golden = 0x9E3779B97F4A7C15
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [int(ROOT.rows.mix((1234567 + i * golden) % 2**64)) for i in range(3)] == expected


@pytest.mark.parametrize("slots", [1, 2, 5])
@pytest.mark.parametrize("seed", [0, 42, 2**64 - 1])
def test_a_sample_is_that_of_the_least_lots(seed: int, slots: int) -> None:
    random = np.random.default_rng(slots)
    # Ids that are equal in groups, some of them with equal values too, and one that a double does not hold.
    ids = np.column_stack([random.integers(0, 60, 300), np.full(300, 2**63 + 1)]).astype(np.uint64)
    values = np.column_stack([random.integers(0, 3, 300), np.where(random.random(300) < 0.1, np.nan, -0.0)])
    values = values.astype(np.float32)
    rows = ROOT.rows.SampledRows(slots, 50, seed)
    assert rows.size() == 0
    for i in random.permutation(300).tolist():
        assert rows.add(int(random.integers(slots)), ids[i].tolist(), values[i].tolist())
    assert rows.size() == 50
    lots = lots_of(seed, ids, values)
    chosen = sorted(range(300), key=lots.__getitem__)[:50]
    found_ids, found_values = np.empty(100, dtype=np.uint64), np.empty(100, dtype=np.float32)
    rows.copy(found_ids, found_values)
    found = sorted(
        zip(map(tuple, found_ids.reshape(50, 2).tolist()), found_values.view(np.uint64).tolist(), strict=True)
    )
    assert found == sorted((tuple(ids[i].tolist()), values[i].view(np.uint64).item()) for i in chosen)


def test_a_sample_larger_than_what_there_is() -> None:
    rows = ROOT.rows.SampledRows(3, 10, 1)
    for i in range(7):
        rows.add(i % 3, [i % 2], [1.5])  # of equal ids and values all are kept
    assert rows.size() == 7
    assert copied(rows, 1, 1) == [((0,), (1.5,))] * 4 + [((1,), (1.5,))] * 3
