"""HDF5 tables whose columns have names beside them, as pandas and others keep them: read by name, or refused.

The layouts are those that pandas 3.1 with PyTables 3.11 writes, its pickled attributes among them.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from rdf.errors import MissingColumn, NoEvents, SourceError, UnreadableFile
from rdf.schema.model import Schema
from rdf.sources.column_names import pickled_labels
from rdf.sources.hdf5_table import read_portions

RANDOM = np.random.default_rng(5)
ROWS = 300
COLUMNS: Mapping[str, NDArray[Any]] = {
    "pt": RANDOM.normal(50, 20, ROWS),
    "label": RANDOM.integers(0, 2, ROWS),
    "eta": RANDOM.normal(0, 2, ROWS),
    "e": RANDOM.normal(90, 20, ROWS).astype("f4"),
    "tag": RANDOM.integers(0, 2, ROWS).astype("u1"),  # a bool to pandas
}
KINDS = {"e": "float32", "tag": "bool", "pt": "float64", "label": "int32", "eta": "float64"}


def schema_of(dataset: str | None = None, **columns: str) -> Schema:
    table = {"columns": columns, "quantities": {}, "dataset": dataset}
    return Schema(name="table", title="a table", tree="events", features="razor", **table)  # type: ignore[arg-type]


def read(path: Path, schema: Schema) -> dict[str, list[Any]]:
    batches = [batch for batch, _ in read_portions(path, schema)]
    return {name: np.concatenate([np.asarray(batch[name]) for batch in batches]).tolist() for name in schema.columns}


def labels(*names: str | int) -> Any:
    """Labels as PyTables keeps them: words of one length in bytes, or numbers."""
    return np.array([name if isinstance(name, int) else name.encode() for name in names])


def matrix(*names: str) -> NDArray[Any]:
    return np.column_stack([COLUMNS[name] for name in names])


Blocks = tuple[tuple[str, ...], ...]


def write_fixed(path: Path, blocks: Blocks, key: str = "df", **options: Any) -> Path:
    with h5py.File(path, "w") as file:
        group = file.create_group(key)
        group.attrs.update({"pandas_type": b"frame", "encoding": b"UTF-8", "nblocks": len(blocks), "ndim": 2})
        group["axis0"] = labels(*sorted(name for block in blocks for name in block))
        group["axis1"] = np.arange(ROWS)
        for i, names in enumerate(blocks):
            group[f"block{i}_items"] = labels(*names)
            group[f"block{i}_items"].attrs["kind"] = b"string"
            group.create_dataset(f"block{i}_values", data=matrix(*names), **options)
    return path


def write_table(
    path: Path, blocks: Blocks, single: tuple[str, ...] = (), protocol: int = 0, kinds: bool = True
) -> Path:
    """Records with the blocks and the single columns (data_columns) as fields."""
    fields: list[Any] = [("index", "i8")]
    fields += [(f"values_block_{i}", COLUMNS[names[0]].dtype, (len(names),)) for i, names in enumerate(blocks)]
    fields += [(name, COLUMNS[name].dtype) for name in single]
    records = np.zeros(ROWS, dtype=fields)
    for i, names in enumerate(blocks):
        records[f"values_block_{i}"] = matrix(*names)
    for name in single:
        records[name] = COLUMNS[name]
    with h5py.File(path, "w") as file:
        group = file.create_group("df")
        group.attrs["pandas_type"] = b"frame_table"
        group["table"] = records
        group["_i_table/index/sorted"] = np.zeros((0, 8))  # what PyTables keeps for its searches
        for i, names in enumerate(blocks if kinds else ()):
            group["table"].attrs[f"values_block_{i}_kind"] = np.bytes_(pickle.dumps(list(names), protocol))
        for name in single:
            group["table"].attrs[f"{name}_kind"] = np.bytes_(pickle.dumps([name], protocol))
    return path


BLOCKS: Blocks = (("pt", "eta"), ("label",), ("e",), ("tag",))
TURNED: Blocks = (("tag",), ("e",), ("eta", "pt"), ("label",))
FRAMES: dict[str, Callable[[Path], Path]] = {
    "fixed": lambda path: write_fixed(path, BLOCKS),
    "fixed, blocks turned": lambda path: write_fixed(path, TURNED),
    "fixed, in a group": lambda path: write_fixed(path, BLOCKS, "data/train"),
    "fixed, compressed": lambda path: write_fixed(path, BLOCKS, compression="gzip", chunks=True),
    "table": lambda path: write_table(path, BLOCKS),
    "table, blocks turned": lambda path: write_table(path, TURNED),
    "table, newer pickles": lambda path: write_table(path, BLOCKS, protocol=4),
    "table, columns of data": lambda path: write_table(path, (), ("label", "e", "eta", "pt", "tag")),
    "table, some of them": lambda path: write_table(path, (("pt",), ("label",)), ("tag", "e", "eta")),
}


@pytest.mark.parametrize("frame", FRAMES)
def test_columns_are_read_by_their_names(frame: str, tmp_path: Path) -> None:
    path = FRAMES[frame](tmp_path / "frame.h5")
    group = "data/train" if "in a group" in frame else "df"
    for dataset in (None, group, f"/{group}/", *([f"{group}/table"] if "table" in frame else [])):
        for names in (list(KINDS), sorted(KINDS), ["eta", "pt"], ["label", "e"]):
            found = read(path, schema_of(dataset, **{name: KINDS[name] for name in names}))
            assert found == {name: COLUMNS[name].astype(KINDS[name]).tolist() for name in names}
    with pytest.raises(MissingColumn, match=r"frame\.h5: no column 'ptt', which schema table needs; did you mean pt"):
        read(path, schema_of(ptt="float64", eta="float64"))


def test_one_block_is_read_by_its_names_too(tmp_path: Path) -> None:
    path = write_fixed(tmp_path / "frame.h5", (("e", "pt", "eta"), ("label",)))
    found = read(path, schema_of("df/block0_values", pt="float64", eta="float64", e="float64"))
    assert found == {name: COLUMNS[name].tolist() for name in ("pt", "eta", "e")}
    assert read(path, schema_of("df/block1_values", label="int32")) == {"label": COLUMNS["label"].tolist()}
    with pytest.raises(
        MissingColumn, match=r"frame\.h5: no column 'label', which schema table needs; known: e, eta, pt"
    ):
        read(path, schema_of("df/block0_values", pt="float64", label="int32"))


def test_columns_that_are_numbered_are_in_the_order_of_the_schema(tmp_path: Path) -> None:
    """As of `DataFrame(array)`, the form of the LHC Olympics' files."""
    with h5py.File(tmp_path / "fixed.h5", "w") as file:
        file["df/block0_items"], file["df/block0_values"] = np.array([2, 0]), matrix("eta", "pt")
        file["df/block1_items"], file["df/block1_values"] = np.array([1]), matrix("label")
    records = np.zeros(ROWS, [("values_block_0", "f8", (2,)), ("values_block_1", "i8", (1,))])
    records["values_block_0"], records["values_block_1"] = matrix("eta", "pt"), matrix("label")
    with h5py.File(tmp_path / "table.h5", "w") as file:
        file["df/table"] = records
        for i, numbers in enumerate(([2, 0], [1])):
            file["df/table"].attrs[f"values_block_{i}_kind"] = np.bytes_(pickle.dumps(numbers, 0))
    for name in ("fixed", "table"):
        found = read(tmp_path / f"{name}.h5", schema_of(a="float64", b="int32", c="float64"))
        assert found == dict(zip("abc", (COLUMNS[key].tolist() for key in ("pt", "label", "eta")), strict=True))
        with pytest.raises(
            MissingColumn, match=r"has 3 columns with numbers for names, where schema table has 2, a, b;"
        ):
            read(tmp_path / f"{name}.h5", schema_of(a="float64", b="int32"))


class Runs:
    """Makes a file if it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_is_unpickled(protocol: int, tmp_path: Path) -> None:
    names = ["pt", "énergie [GeV]", "a\nb", ""]
    assert pickled_labels(pickle.dumps(names, protocol)) == names
    assert pickled_labels(pickle.dumps(["one"], protocol)) == ["one"]
    assert pickled_labels(pickle.dumps([0, 1, 70_000], protocol)) == [0, 1, 70_000]
    for other in (
        *(Runs(tmp_path / "ran"), [Runs(tmp_path / "ran")], ["pt", Runs(tmp_path / "ran")]),
        *({"pt": 1}, ("pt", "eta"), "pt", [["pt"], "eta"], [("a", "b")], [1.5], [None], [True], [np.int64(3)], [b"pt"]),
        *([name := "pt", name, name],),  # said once, and named again
    ):
        found = pickled_labels(pickle.dumps(other, protocol))
        assert found is None or found == other
    path = write_table(tmp_path / "frame.h5", (("pt", "eta"),))
    with h5py.File(path, "a") as file:
        file["df/table"].attrs["values_block_0_kind"] = np.bytes_(
            pickle.dumps(["pt", Runs(tmp_path / "ran")], protocol)
        )
    with pytest.raises(
        MissingColumn, match=r"no names that can be read without running code .*data_columns=True\) or to_p"
    ):
        read(path, schema_of(pt="float64", eta="float64"))
    assert not (tmp_path / "ran").exists()


def test_pickles_that_are_cut_off_or_none() -> None:
    whole = pickle.dumps(["pt", "eta"], 0)
    assert all(pickled_labels(whole[:length]) is None for length in range(len(whole)))
    for other in (b"", b"N.", b"pt", b"\xff\xfe", None, 3, "pt", np.array([b"pt"])):
        assert pickled_labels(other) is None


def with_set(path: Path, **sets: Any) -> Path:
    with h5py.File(path, "a") as file:
        for name, values in sets.items():
            file[f"df/{name}"] = values
    return path


@pytest.mark.parametrize(
    ("write", "dataset", "error", "message"),
    [
        (lambda path: write_table(path, BLOCKS, kinds=False), None, MissingColumn, "no names that can be read without"),
        (lambda path: write_table(path, BLOCKS, kinds=False), "df/table", MissingColumn, "no names that can be read"),
        (lambda path: write_fixed(path, (("pt", "eta"), ("eta",))), None, MissingColumn, "columns of the same name"),
        (lambda path: write_fixed(path, (("pt", "pt"), ("eta",))), None, MissingColumn, "columns of the same name"),
        (
            lambda path: with_set(write_fixed(path, BLOCKS), block4_values=np.ones((ROWS, 1))),
            None,
            MissingColumn,
            "no names that can be read without running code lie beside the columns of /df/block4_values",
        ),
        (
            lambda path: with_set(path, block0_values=matrix("pt", "eta"), block0_items_level0=labels("pt", "eta")),
            "df/block0_values",
            MissingColumn,
            "no names that can be read without running code",
        ),
        (
            lambda path: with_set(path, block0_values=matrix("pt", "eta"), block0_items=labels("pt", "eta", "e")),
            None,
            MissingColumn,
            "'/df/block0_values' has shape (300, 2) for 3 names",
        ),
    ],
)
def test_frames_whose_names_cannot_be_known(
    write: Callable[[Path], Path], dataset: str | None, error: type[SourceError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error) as caught:
        read(write(tmp_path / "frame.h5"), schema_of(dataset, pt="float64", eta="float64"))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_several_frames_and_frames_without_rows(tmp_path: Path) -> None:
    path = write_fixed(tmp_path / "two.h5", BLOCKS, "one")
    with h5py.File(path, "a") as file:
        file.copy("one", "two")
    with pytest.raises(MissingColumn, match=r"two\.h5 holds several tables of pandas, /one, /two; name one by the sch"):
        read(path, schema_of(pt="float64", eta="float64"))
    assert read(path, schema_of("two", pt="float64"))["pt"] == COLUMNS["pt"].tolist()
    with h5py.File(tmp_path / "none.h5", "w") as file:
        file["df/block0_items"], file["df/block0_values"] = labels("pt", "eta"), np.zeros((1, 1))
        file["df/block0_values"].attrs["shape"] = np.bytes_(pickle.dumps((2, 0), 0))  # as PyTables stores nothing
    with pytest.raises(NoEvents, match=r"none\.h5 has no rows; nothing can be analysed"):
        read(tmp_path / "none.h5", schema_of(pt="float64", eta="float64"))


def test_a_filter_that_is_not_installed_is_no_damage(tmp_path: Path) -> None:
    """blosc, which pandas offers first: the names are compressed by it as well."""
    path = write_fixed(tmp_path / "frame.h5", BLOCKS)
    with h5py.File(path, "a") as file:
        del file["df/block0_items"]
        file.create_dataset("df/block0_items", data=labels("pt", "eta"), compression="gzip", chunks=(2,))
    content = path.read_bytes()
    start = content.index(b"deflate\0") - 8
    path.write_bytes(content[:start] + (32001).to_bytes(2, "little") + content[start + 2 :])
    with pytest.raises(UnreadableFile, match=r"'/df/block0_items' is compressed by the filter 32001 .*not installed"):
        read(path, schema_of(pt="float64", eta="float64"))


BESIDE: dict[str, Any] = {
    "attribute columns": ("columns", ["e", "eta", "pt"]),
    "attribute names, bytes": ("names", np.array([b"e", b"eta", b"pt"])),
    "attribute column_names": ("column_names", ["e", "eta", "pt"]),
    "attribute ColumnNames": ("ColumnNames", ["e", "eta", "pt"]),
    "attribute that says little": ("x_axis", ["e", "eta", "pt"]),
    "attribute with commas": ("columns", "e, eta, pt"),
    "attribute with blanks": ("header", "e eta pt"),
    "attribute as JSON": ("features", '["e", "eta", "pt"]'),
    "attribute of the group": ("/columns", ["e", "eta", "pt"]),
    "data set": ("feature_names", ["e", "eta", "pt"]),
    "data set of bytes": ("jetFeatureNames", np.array([b"e", b"eta", b"pt"])),
    "data set that says little": ("what", ["e", "eta", "pt"]),
}


@pytest.mark.parametrize("beside", BESIDE)
@pytest.mark.parametrize("group", ["", "train"])
def test_names_beside_a_data_set_of_two_dimensions(beside: str, group: str, tmp_path: Path) -> None:
    key, names = BESIDE[beside]
    path = tmp_path / "table.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset(f"{group}/x", data=matrix("e", "eta", "pt"))
        if beside.startswith("data set"):
            file[f"{group}/{key}"] = names
        else:
            (data.parent if key.startswith("/") else data).attrs[key.strip("/")] = names
    for columns in (("pt", "eta", "e"), ("pt", "e")):
        found = read(path, schema_of(f"{group}/x", **dict.fromkeys(columns, "float64")))
        assert found == {name: COLUMNS[name].tolist() for name in columns}
    with pytest.raises(MissingColumn, match=r"names no column 'phi' of the data set '.*x', which schema table needs"):
        read(path, schema_of(f"{group}/x", pt="float64", eta="float64", phi="float64"))


def test_what_is_beside_a_data_set_and_names_no_columns(tmp_path: Path) -> None:
    path = tmp_path / "table.h5"
    with h5py.File(path, "w") as file:
        file["x"] = matrix("e", "eta", "pt")
        file["x"].attrs.update(
            {"TITLE": "e eta pt", "units": ["GeV", "", "GeV"], "columns": ["only", "two"], "scale": [1.0, 2.0, 3.0]}
        )
        file["x"].attrs["DIMENSION_LABELS"] = ["a", "b"]
        file["authors"] = ["Ada", "Emmy", "Lise"]
        file.attrs["names"] = 3
    found = read(path, schema_of("x", a="float64", b="float64", c="float64"))
    assert list(found.values()) == [COLUMNS[name].tolist() for name in ("e", "eta", "pt")]
    with h5py.File(path, "a") as file:
        file["columns"] = ["e", "eta", "pt"]
        file["x"].attrs["names"] = ["pt", "eta", "e"]
    with pytest.raises(
        MissingColumn, match=r"attribute 'names' and data set '/columns' name the columns of '/x' in diff"
    ):
        read(path, schema_of("x", e="float64", eta="float64", pt="float64"))
