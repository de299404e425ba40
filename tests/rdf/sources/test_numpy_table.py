"""numpy files: every value comes back, what does not fit is refused, and nothing pickled is read."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from numpy.typing import NDArray

from rdf.errors import MalformedRow, MissingColumn, NoEvents, SchemaError, SourceError, UnreadableFile
from rdf.schema.model import Schema, load_schema
from rdf.sources.tabular import convert


def schema_of(**columns: str) -> Schema:
    return Schema(name="table", title="a table", tree="events", columns=columns, quantities={}, features="razor")


TABLE = schema_of(mass="float64", jets="int32", event="uint64")


def read(path: Path) -> dict[str, NDArray[Any]]:
    with uproot.open(path) as file:
        table = file["events"]
        return {name: table[name].array(library="np") for name in table.keys()}  # noqa: SIM118 - not a dict


def saved(path: Path, array: NDArray[Any], *, allow_pickle: bool = False) -> Path:
    np.save(path, array, allow_pickle=allow_pickle)
    return path


@pytest.mark.parametrize(("file", "events", "signal"), [("test", 62_124, 377), ("train", 60_000, 395)])
def test_the_published_table_is_copied_bit_by_bit(
    file: str, events: int, signal: int, opendata: Path, tmp_path: Path
) -> None:
    path = opendata / "lhco" / f"innerdata_{file}.npy"
    converted = convert(path, load_schema("lhco"), tmp_path)
    # The published file's bytes, without numpy's reader: a header of 128 bytes, then the rows.
    values = np.frombuffer(path.read_bytes(), dtype="<f8", offset=128).reshape(events, 6)
    found = read(converted)
    for i, name in enumerate(("mjj", "mj_min", "delta_mj", "tau21_light", "tau21_heavy", "label")):
        assert found[name].tobytes() == values[:, i].tobytes()
    assert found["label"].sum() == signal
    assert found["source_row"].tolist() == list(range(events))
    # Several clusters for each of many cores.
    with uproot.open(converted) as tree:
        assert len(tree["events"].cluster_summaries) >= 32


RANDOM = np.random.default_rng(4)
COLUMNS = {
    "mass": RANDOM.normal(size=20_000),
    "jets": RANDOM.integers(-(2**31), 2**31, 20_000).astype(np.int32),
    "event": RANDOM.integers(0, 2**64, 20_000, dtype=np.uint64),
}
COLUMNS["mass"][:4] = np.nan, np.inf, -np.inf, -0.0


def structured(path: Path) -> Path:
    kinds = [("left_out", "U3"), ("event", "u8"), ("jets", ">i4"), ("mass", "f8")]
    table = np.zeros(20_000, dtype=kinds)
    for name, values in COLUMNS.items():
        table[name] = values
    return saved(path.with_suffix(".npy"), table)


def archive(path: Path) -> Path:
    np.savez(path.with_suffix(".npz"), left_out=np.array(["a"]), **dict(reversed(COLUMNS.items())))
    return path.with_suffix(".npz")


def packed_archive(path: Path) -> Path:
    np.savez_compressed(path.with_suffix(".npz"), **COLUMNS)
    return path.with_suffix(".npz")


@pytest.mark.parametrize("save", [structured, archive, packed_archive])
def test_columns_by_name_come_back_bit_by_bit(save: Callable[[Path], Path], tmp_path: Path) -> None:
    converted = convert(save(tmp_path / "table"), TABLE, tmp_path / "cache")
    found = read(converted)
    assert list(found) == ["mass", "jets", "event", "source_row"]
    for name, values in COLUMNS.items():
        assert found[name].tobytes() == values.tobytes()
    assert found["source_row"].tolist() == list(range(20_000))
    with uproot.open(converted) as file:
        assert len(file["events"].cluster_summaries) > 1


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["f2", "f4", ">f8", "i1", "u2", ">i4", "i8", "?"])
@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_columns_by_their_order(ending: str, kind: str, order: Any, tmp_path: Path) -> None:
    whole = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0], [0, 0, 1]])
    array = np.array(whole, dtype=kind, order=order)
    path = tmp_path / f"table.{ending}"
    if ending == "npy":
        np.save(path, array)
    else:
        np.savez(path, array)
    found = read(convert(path, TABLE, tmp_path / "cache"))
    assert [found[name].dtype for name in TABLE.columns] == [np.float64, np.int32, np.uint64]
    assert np.column_stack([found[name] for name in TABLE.columns]).tolist() == whole.tolist()


def test_real_numbers_are_rounded_and_not_finite_ones_let_through(tmp_path: Path) -> None:
    array = np.array([[0.1, np.nan], [1e38, np.inf], [1e-50, -np.inf]])
    found = read(convert(saved(tmp_path / "a.npy", array), schema_of(a="float32", b="float32"), tmp_path / "cache"))
    # The float32 next to 0.1 is 13421773 / 2^27.
    assert found["a"].astype(float).tolist() == [13421773 / 2**27, float(np.float32(1e38)), 0.0]
    np.testing.assert_array_equal(found["b"], [np.nan, np.inf, -np.inf])


@pytest.mark.parametrize(
    ("kind", "dtype", "fits", "not_"),
    [
        ("bool", "f8", 1.0, 0.5),
        ("bool", "i8", 0, 2),
        ("bool", "i8", 1, -1),
        ("int8", "i8", -128, -129),
        ("int8", "f8", 127.0, 128.0),
        ("int32", "f8", -2147483648.0, 2.5),
        ("int32", "f8", 2147483647.0, np.nan),
        ("int32", "f4", -7.0, np.inf),
        ("int32", "u8", 2**31 - 1, 2**31),
        ("uint64", "i8", 0, -1),
        ("uint64", "f8", 2.0**63, 2.0**64),
        ("uint64", "f2", 65504.0, -1.0),
        ("int64", "f8", -(2.0**63), 2.0**63),
        ("int64", "u8", 2**63 - 1, 2**63),
        ("float32", "f8", 3.4e38, 1e39),
        ("float32", "f8", -3.4e38, -1e39),
    ],
)
def test_values_that_their_type_cannot_hold(kind: str, dtype: str, fits: float, not_: float, tmp_path: Path) -> None:
    schema = schema_of(other="float64", value=kind)
    table = np.zeros(30_000, dtype=[("other", "f8"), ("value", dtype)])
    table["value"][7] = fits
    found = read(convert(saved(tmp_path / "good.npy", table), schema, tmp_path / "cache"))
    assert found["value"].dtype == kind
    assert found["value"][7] == np.array(fits).astype(kind)
    table["value"][23_456] = not_
    with pytest.raises(MalformedRow) as caught:
        convert(saved(tmp_path / "bad.npy", table), schema, tmp_path / "cache")
    value = np.array(not_, dtype=dtype)[()]
    assert str(caught.value) == (
        f"{tmp_path / 'bad.npy'}, row 23456 (from 0): column 'value' holds {value}, which no {kind} can be; "
        "mend or remove the row"
    )
    assert len(list((tmp_path / "cache").glob("*.root"))) == 1


class Payload:
    """Would leave a file if it was unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("ending", ["npy", "npz"])
@pytest.mark.parametrize("named", [True, False])
def test_pickled_objects_are_not_read(ending: str, named: bool, tmp_path: Path) -> None:
    trap = np.array([[1.0, 2, Payload(tmp_path / "sprung")]], dtype=object)
    if named:
        trap = np.array([tuple(trap[0])], dtype=[("mass", "f8"), ("jets", "i4"), ("event", "O")])
    path = tmp_path / f"trap.{ending}"
    if ending == "npy":
        np.save(path, trap, allow_pickle=True)
    else:
        np.savez(path, trap)
    with pytest.raises(UnreadableFile, match=r"trap\.np. holds pickled Python objects, .* save arrays of numbers"):
        convert(path, TABLE, tmp_path / "cache")
    assert not (tmp_path / "sprung").exists()
    loaded = np.load(path, allow_pickle=True)
    assert ending == "npy" or loaded["arr_0"].size
    assert (tmp_path / "sprung").exists()  # the trap is one


GOOD = np.arange(12.0).reshape(4, 3)
ROW = GOOD[0]


@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        (GOOD[:, :2], MissingColumn, "has shape (4, 2), where schema table needs (events, 3), the columns mass, jets"),
        (np.zeros((4, 5)), MissingColumn, "has shape (4, 5), where schema table needs (events, 3)"),
        (np.zeros(3), MissingColumn, "has shape (3,), where"),
        (np.zeros((2, 3, 1)), MissingColumn, "has shape (2, 3, 1), where"),
        (np.float64(1), MissingColumn, "has shape (), where"),
        (np.zeros((0, 3)), NoEvents, "has no rows; nothing can be analysed"),
        (np.array([["a", "b", "c"]]), MissingColumn, "column 'mass' holds <U1, not numbers; save it as numbers"),
        (GOOD.astype(complex), MissingColumn, "column 'mass' holds complex128, not numbers"),
        (GOOD.astype("M8[s]"), MissingColumn, "column 'mass' holds datetime64[s], not numbers"),
        (
            np.zeros(3, dtype=[("mass", "f8"), ("njets", "i4"), ("event", "u8")]),
            MissingColumn,
            "no column 'jets', which schema table needs; did you mean njets?",
        ),
        (
            np.zeros(3, dtype=[("mass", "f8"), ("jets", "i4", (2,)), ("event", "u8")]),
            MissingColumn,
            "column 'jets' has shape (3, 2); save one number an event",
        ),
        (np.zeros(0, dtype=[("mass", "f8"), ("jets", "i4"), ("event", "u8")]), NoEvents, "has no rows"),
    ],
)
@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_arrays_of_another_form(
    ending: str, array: NDArray[Any], error: type[SourceError], message: str, tmp_path: Path
) -> None:
    path = tmp_path / f"table.{ending}"
    if ending == "npy":
        np.save(path, array)
    else:
        np.savez(path, array)
    with pytest.raises(error) as caught:
        convert(path, TABLE, tmp_path / "cache")
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        ({"mass": ROW, "jets": ROW}, MissingColumn, "no column 'event', which schema table needs; known: jets, mass"),
        ({"mass": ROW, "jet": ROW, "event": ROW}, MissingColumn, "no column 'jets', .* did you mean jet\\?"),
        ({"mass": ROW, "jets": ROW, "event": ROW[:2]}, MalformedRow, "'event' has 2 values, column 'mass' 3; save one"),
        ({"mass": ROW, "jets": GOOD, "event": ROW}, MissingColumn, r"column 'jets' has shape \(4, 3\); save one"),
        ({"mass": ROW, "jets": np.float64(1), "event": ROW}, MissingColumn, r"column 'jets' has shape \(\);"),
        ({"mass": ROW, "jets": ROW, "event": ROW.astype("U3")}, MissingColumn, "column 'event' holds <U3, not numbers"),
        (dict.fromkeys(TABLE.columns, ROW[:0]), NoEvents, "has no rows"),
        ({}, MissingColumn, "no column 'mass', .* known: none"),
    ],
)
def test_archives_of_another_form(
    arrays: dict[str, NDArray[Any]], error: type[SourceError], message: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "table.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(error, match=rf"table\.npz: .*{message}|table\.npz {message}"):
        convert(tmp_path / "table.npz", TABLE, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; download it again"),
        (
            b"mass,jets,event\n1,2,3\n",
            "is text, not a numpy array; if it is a table, give it the ending .csv; read are ROOT",
        ),
        (b"\x93NUMPY", "is truncated or damaged"),
        (b"\x93NUMPY\x01\x00\x76\x00{'descr': (", "is truncated or damaged"),
    ],
)
def test_what_is_not_a_numpy_file(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "table.npy").write_bytes(content)
    with pytest.raises(UnreadableFile, match=rf"table\.npy {message}"):
        convert(tmp_path / "table.npy", TABLE, tmp_path / "cache")
    (tmp_path / "table.npz").write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"table\.npz is (empty|text|a numpy array, not .* the ending \.npy)"):
        convert(tmp_path / "table.npz", TABLE, tmp_path / "cache")


def test_a_file_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    whole = saved(tmp_path / "whole.npy", GOOD).read_bytes()
    cut = tmp_path / "cut.npy"
    for length in range(1, len(whole)):
        cut.write_bytes(whole[:length])
        with pytest.raises(UnreadableFile, match=r"cut\.npy is truncated or damaged"):
            convert(cut, TABLE, tmp_path / "cache")
    cut.write_bytes(whole + whole)
    with pytest.raises(UnreadableFile, match=r"cut\.npy holds more than one array; save them as \.npz"):
        convert(cut, TABLE, tmp_path / "cache")


def test_a_truncated_or_altered_archive(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "whole.npz", **COLUMNS)
    whole = (tmp_path / "whole.npz").read_bytes()
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableFile, match=r"damaged\.npz is truncated or damaged; download it again"):
        convert(damaged, TABLE, tmp_path / "cache")
    for place in range(1000, len(whole) - 1000, 40_000):
        damaged.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(UnreadableFile, match=r"damaged\.npz is truncated or damaged \(.*\); download it again"):
            convert(damaged, TABLE, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    for names in (["mass", "jets", "event"], ["read_me.txt"]):
        with zipfile.ZipFile(tmp_path / "table.npz", "w") as file:
            for name in names:
                file.writestr(name, "1 2 3")
        with pytest.raises(UnreadableFile, match=r"table\.npz.* save it with numpy\.savez"):
            convert(tmp_path / "table.npz", TABLE, tmp_path / "cache")


def test_a_schema_of_vectors_does_not_fit(tmp_path: Path) -> None:
    schema = schema_of(a="float64", b="float32[]")
    for path in (saved(tmp_path / "table.npy", GOOD), tmp_path / "table.csv"):
        path.touch()
        with pytest.raises(SchemaError, match=r"table\..*: a table has one value an event, schema table several of"):
            convert(path, schema, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_an_interrupted_conversion_leaves_nothing_and_progress_ends_at_the_size(tmp_path: Path) -> None:
    path = archive(tmp_path / "table")

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(path, TABLE, tmp_path / "cache", progress=interrupt)
    assert not list((tmp_path / "cache").iterdir())
    seen: list[tuple[int, int]] = []
    convert(path, TABLE, tmp_path / "cache", progress=lambda done, total: seen.append((done, total)))
    size = path.stat().st_size
    assert len(seen) > 1
    assert seen == sorted(seen)
    assert seen[-1] == (size, size)


def test_a_table_is_converted_once(tmp_path: Path) -> None:
    path = saved(tmp_path / "table.npy", GOOD)
    first = convert(path, TABLE, tmp_path / "cache")
    before = first.stat().st_mtime_ns
    assert convert(path, TABLE, tmp_path / "cache") == first
    assert first.stat().st_mtime_ns == before
    # The order of columns is part of what the schema says of an array without names.
    turned = schema_of(event="uint64", jets="int32", mass="float64")
    second = convert(path, turned, tmp_path / "cache")
    assert second != first
    assert read(second)["mass"].tolist() == [2, 5, 8, 11]
