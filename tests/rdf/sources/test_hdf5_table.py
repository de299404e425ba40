"""HDF5 files: every value comes back whichever way it is stored, and what does not fit is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import uproot
from numpy.typing import NDArray

from rdf.errors import MalformedRow, MissingColumn, NoEvents, SourceError, UnreadableFile
from rdf.schema.model import Schema, load_schema
from rdf.sources.tabular import convert


def schema_of(dataset: str | None = None, **columns: str) -> Schema:
    table = {"columns": columns, "quantities": {}, "dataset": dataset}
    return Schema(name="table", title="a table", tree="events", features="razor", **table)  # type: ignore[arg-type]


KINDS = {"mass": "float64", "jets": "int32", "event": "uint64"}
TABLE = schema_of(**KINDS)


def read(path: Path) -> dict[str, NDArray[Any]]:
    with uproot.open(path) as file:
        table = file["events"]
        return {name: table[name].array(library="np") for name in table.keys()}  # noqa: SIM118 - not a dict


def written(path: Path, sets: Mapping[str, Any], **options: Any) -> Path:
    """A file with these data sets, by their paths."""
    with h5py.File(path, "w") as file:
        for name, values in sets.items():
            file.create_dataset(name, data=values, **options)
    return path


@pytest.fixture(scope="module")
def published(opendata: Path) -> NDArray[np.float64]:
    """The labelled HIGGS table by numpy's own reader."""
    table = np.loadtxt(opendata / "higgs" / "sas_higgs.csv", delimiter=",", skiprows=1)
    assert table.shape == (10_984, 29)
    return table


@pytest.mark.parametrize("ending", ["h5", "hdf5", "hdf"])
@pytest.mark.parametrize("chunks", [None, (1000, 29), (4096, 3)])
def test_a_data_set_of_two_dimensions(
    published: NDArray[np.float64], chunks: tuple[int, int] | None, ending: str, tmp_path: Path
) -> None:
    options = {"chunks": chunks, "compression": "gzip", "shuffle": True} if chunks else {}
    path = written(tmp_path / f"higgs.{ending}", {"table": published}, **options)
    schema = load_schema("higgs_csv")
    converted = convert(path, schema, tmp_path / "cache")
    found = read(converted)
    for i, name in enumerate(schema.columns):
        assert found[name].tolist() == published[:, i].tolist()
    assert found["source_row"].tolist() == list(range(10_984))
    # Several clusters for each of many cores.
    with uproot.open(converted) as file:
        assert len(file["events"].cluster_summaries) >= 32


@pytest.mark.parametrize("group", ["", "data/train"])
@pytest.mark.parametrize("kind", ["float64", ">f8"])
def test_a_data_set_for_each_variable(published: NDArray[np.float64], kind: str, group: str, tmp_path: Path) -> None:
    schema = load_schema("higgs_csv")
    sets = {f"{group}/{name}": published[:, i].astype(kind) for i, name in enumerate(schema.columns)}
    sets[f"{group}/label"] = sets[f"{group}/label"].astype("int8")
    path = written(tmp_path / "higgs.h5", {"readme": "a text", **dict(reversed(sets.items()))})
    found = read(convert(path, schema.model_copy(update={"dataset": group or None}), tmp_path / "cache"))
    for i, name in enumerate(schema.columns):
        assert found[name].tolist() == published[:, i].tolist()


def test_records(published: NDArray[np.float64], tmp_path: Path) -> None:
    """A data set as PyTables writes it, with a field that nobody wants."""
    schema = load_schema("higgs_csv")
    records = np.zeros(len(published), dtype=[("index", "S3"), *((name, "f8") for name in reversed(schema.columns))])
    for i, name in enumerate(schema.columns):
        records[name] = published[:, i]
    alone = written(tmp_path / "alone.h5", {"table": records}, chunks=(3000,))
    within = written(tmp_path / "within.h5", {"other": [1.0], "events/table": records})
    for path, dataset in ((alone, None), (within, "/events/table")):
        found = read(convert(path, schema.model_copy(update={"dataset": dataset}), tmp_path / "cache"))
        for i, name in enumerate(schema.columns):
            assert found[name].tolist() == published[:, i].tolist()


@pytest.mark.parametrize("kind", ["f2", ">f2", "f4", ">f8", "i1", ">u2", ">i4", "i8", "u8", "?"])
def test_types_and_byte_orders(kind: str, tmp_path: Path) -> None:
    whole = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0], [0, 0, 1]])
    together = written(tmp_path / "together.h5", {"x": whole.astype(kind)})
    apart = written(tmp_path / "apart.h5", {name: whole[:, i].astype(kind) for i, name in enumerate(KINDS)})
    for path in (together, apart):
        found = read(convert(path, TABLE, tmp_path / "cache"))
        assert [found[name].dtype for name in KINDS] == [np.float64, np.int32, np.uint64]
        assert np.column_stack([found[name] for name in KINDS]).tolist() == whole.tolist()


def test_large_integers_and_real_numbers_that_are_not_finite(tmp_path: Path) -> None:
    sets: dict[str, Any] = {
        "mass": [np.nan, -np.inf, -0.0],
        "jets": [-(2**31), 0, 2**31 - 1],
        "event": np.uint64([2**64 - 1, 2**53 + 1, 0]),
    }
    found = read(convert(written(tmp_path / "a.h5", sets), TABLE, tmp_path / "cache"))
    for name, values in sets.items():
        assert found[name].tobytes() == np.array(values, dtype=KINDS[name]).tobytes()


def test_rows_are_read_in_parts_that_fit_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more rows at once than a batch or a chunk has, and each row once."""
    asked: list[tuple[int, int]] = []
    get = h5py.Dataset.__getitem__

    def watched(self: Any, rows: slice) -> Any:
        asked.append((rows.start, rows.stop))
        return get(self, rows)

    path = written(tmp_path / "a.h5", {"x": np.ones((200_000, 3))}, chunks=(7000, 3))
    monkeypatch.setattr(h5py.Dataset, "__getitem__", watched)
    found = read(convert(path, TABLE, tmp_path / "cache"))
    assert len(found["mass"]) == 200_000
    # 1/32 of the file is 6250 rows, less than a chunk.
    assert asked == [(first, min(first + 7000, 200_000)) for first in range(0, 200_000, 7000)]


def test_a_file_is_converted_once_for_each_data_set(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", {"one": np.ones((4, 3)), "two": np.zeros((4, 3))})
    one, two = (convert(path, schema_of(name, **KINDS), tmp_path / "cache") for name in ("one", "two"))
    assert (read(one)["mass"].tolist(), read(two)["mass"].tolist()) == ([1.0] * 4, [0.0] * 4)
    before = one.stat().st_mtime_ns
    assert convert(path, schema_of("one", **KINDS), tmp_path / "cache") == one
    assert one.stat().st_mtime_ns == before


ROW = np.arange(4.0)
GOOD = {"mass": ROW, "jets": ROW, "event": ROW}
DTYPE = [("mass", "f8"), ("jets", "i4"), ("event", "u8")]


@pytest.mark.parametrize(
    ("sets", "dataset", "error", "message"),
    [
        (
            {"mass": ROW, "njets": ROW, "event": ROW},
            None,
            MissingColumn,
            ": no column 'jets', which schema table needs; did you mean njets?; or name a group or data set by",
        ),
        (
            {f"g/{name}": ROW for name in KINDS},
            None,
            MissingColumn,
            ": no column 'mass', which schema table needs; ",
        ),
        ({"a": GOOD["mass"]}, None, MissingColumn, ": no column 'mass', which schema table needs; known: a; or"),
        ({}, None, MissingColumn, ": no column 'mass', which schema table needs; known: none; or"),
        (
            {"g/train": np.ones((4, 3)), "g/test": np.ones((4, 3))},
            "g/tarin",
            MissingColumn,
            ": no data set or group 'g/tarin', which schema table names; did you mean g/t",
        ),
        ({"x": np.ones((4, 3))}, "x/y", MissingColumn, ": no data set or group 'x/y'"),
        ({"g/mass": ROW, "g/jets": ROW}, "g", MissingColumn, ": no column 'event', which schema table needs; known: "),
        (
            {"x": np.ones((4, 2))},
            None,
            MissingColumn,
            ": data set '/x' has shape (4, 2), where schema table needs (events, 3), the columns mass, jets, event",
        ),
        ({"x": np.ones((4, 3, 1))}, "x", MissingColumn, ": data set '/x' has shape (4, 3, 1), where"),
        ({"x": ROW}, "x", MissingColumn, ": data set '/x' has shape (4,), where"),
        ({"x": 1.0}, "/x", MissingColumn, ": data set '/x' has shape (), where"),
        ({"x": h5py.Empty("f8")}, "x", MissingColumn, ": data set '/x' has shape (), where"),
        ({**GOOD, "jets": ROW[:, None]}, None, MissingColumn, ": column 'jets' has shape (4, 1); save one number an"),
        ({**GOOD, "jets": h5py.Empty("f8")}, None, MissingColumn, ": column 'jets' has shape (); save one number an"),
        ({**GOOD, "event": ROW[:3]}, None, MalformedRow, ": column 'event' has 3 values, column 'mass' 4; save one an"),
        (
            {**GOOD, "jets": ["a"] * 4},
            None,
            MissingColumn,
            ": column 'jets' holds object, not numbers; save it",
        ),
        ({**GOOD, "jets": np.array([b"a"] * 4)}, None, MissingColumn, ": column 'jets' holds |S1, not numbers"),
        ({"x": np.ones((4, 3), dtype=complex)}, None, MissingColumn, ": column 'mass' holds complex128, not numbers"),
        ({"x": np.ones((0, 3))}, None, NoEvents, " has no rows; nothing can be analysed"),
        (dict.fromkeys(KINDS, ROW[:0]), None, NoEvents, " has no rows; nothing can be analysed"),
        (
            {**GOOD, "jets": ROW + 0.5},
            None,
            MalformedRow,
            ", row 0 (from 0): column 'jets' holds 0.5, which no int32 can be; mend or remove the row",
        ),
        ({**GOOD, "event": -ROW}, None, MalformedRow, ", row 1 (from 0): column 'event' holds -1.0, which no uint64"),
        (
            {"x": np.zeros(4, DTYPE[:2])},
            None,
            MissingColumn,
            ": no column 'event', which schema table needs; ",
        ),
        (
            {"x": np.zeros(4, [*DTYPE[:2], ("event", "u8", (2,))])},
            None,
            MissingColumn,
            ": column 'event' has shape (4, 2); save one number an event",
        ),
        ({"x": np.zeros((4, 3), DTYPE)}, None, MissingColumn, ": column 'mass' holds ["),
    ],
)
def test_files_of_another_form(
    sets: dict[str, Any], dataset: str | None, error: type[SourceError], message: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "table.h5", sets)
    with pytest.raises(error) as caught:
        convert(path, schema_of(dataset, **KINDS), tmp_path / "cache")
    assert str(caught.value).startswith(f"{path}{message}")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache").iterdir())


def test_the_number_of_a_bad_row_counts_from_the_start_of_the_file(tmp_path: Path) -> None:
    values = np.zeros(150_000)
    values[123_456] = 2.0**31
    path = written(tmp_path / "a.h5", {"mass": values, "jets": values, "event": values}, chunks=(10_000,))
    with pytest.raises(MalformedRow, match=r"a\.h5, row 123456 \(from 0\): column 'jets' holds 2147483648\.0"):
        convert(path, TABLE, tmp_path / "cache")


def test_a_link_that_leads_nowhere_is_no_data_set(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", {"mass": ROW, "event": ROW})
    with h5py.File(path, "a") as file:
        file["jets"] = h5py.SoftLink("/gone")
    with pytest.raises(MissingColumn, match=r"a\.h5: no column 'jets', .*known: event, mass"):
        convert(path, TABLE, tmp_path / "cache")
    with pytest.raises(MissingColumn, match=r"a\.h5: no data set or group 'jets'"):
        convert(path, schema_of("jets", **KINDS), tmp_path / "cache")


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    """A file of one data set in chunks with checksums, in the format whose headers have none."""
    path = tmp_path / "whole.h5"
    with h5py.File(path, "w", libver="earliest") as file:
        rows = np.random.default_rng(1).normal(size=(1000, 3))
        file.create_dataset("x", data=rows, chunks=(100, 3), compression="gzip", fletcher32=True)
    return path.read_bytes()


def damaged(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(UnreadableFile) as caught:
        convert(path, schema_of(mass="float64", jets="float64", event="float64"), path.parent / "cache")
    assert not list((path.parent / "cache").iterdir())
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(str(path))


def test_what_is_not_a_whole_file(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    assert damaged(path, b"") == " is empty; download it again"
    text = damaged(path, b"mass,jets,event\n1,2,3\n" * 100)
    assert text.startswith(
        " is text, not an HDF5 file; if it is a table, give it the ending .csv; read are ROOT (.root)"
    )
    for length in (100, len(whole) // 2, len(whole) - 1):
        assert damaged(path, whole[:length]).startswith(" cannot be opened as HDF5 (truncated file: eof = ")


def test_a_damaged_chunk(whole: bytes, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "whole.h5") as file:
        chunks = [file["x"].id.get_chunk_info(i) for i in range(10)]
    for chunk in chunks:
        place = chunk.byte_offset + chunk.size // 2
        content = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        message = damaged(tmp_path / "a.h5", content)
        assert message == ": data set '/x' is damaged (filter returned failure during read); download it again"


def test_a_filter_that_is_not_installed(whole: bytes, tmp_path: Path) -> None:
    # The number of gzip, 1, stands before its name; 32015 is that of Zstandard.
    start = whole.index(b"deflate\0") - 8
    content = whole[:start] + (32015).to_bytes(2, "little") + whole[start + 2 :]
    message = damaged(tmp_path / "a.h5", content)
    assert message.startswith(": data set '/x' is compressed by the filter 32015 (deflate), which is not installed")
