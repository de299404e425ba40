"""--sample: a file that exists is that file; folders, patterns and lists are files in the order of their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.configuration import RunConfiguration
from analysis.errors import ConfigurationError, DataError
from analysis.options import load_configuration
from analysis.samples.inputs import RunInput, resolve_input
from rdf.sources.formats import format_of
from rdf.sources.tabular import is_table


def resolve(sample: str, **options: Any) -> RunInput:
    options = {"schema": "cms_razor", **options}
    return resolve_input(load_configuration(RunConfiguration, {"sample": sample, **options}, None))


def names(data: RunInput) -> list[str]:
    return [Path(file.path).name for file in data.files]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `data` with parts 1 to 12, one of other name, a note and a hidden file; it is below the home folder."""
    data = tmp_path / "data"
    data.mkdir()
    for i in range(12, 0, -1):
        (data / f"part_{i}.root").write_bytes(b"root")
    (data / "other.root").write_bytes(b"root")
    (data / "README.md").write_text("notes")
    (data / ".hidden.root").write_bytes(b"root")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return data


PARTS = [f"part_{i}.root" for i in range(1, 13)]


@pytest.mark.parametrize(
    ("sample", "found", "name"),
    [
        ("data/part_*.root", PARTS, "part"),
        ("data/part_?.root", PARTS[:9], "part"),
        ("data/part_[12].root", PARTS[:2], "part"),
        ("data/*.root", ["other.root", *PARTS], "data"),
        ("data", ["other.root", *PARTS], "data"),
        ("data/", ["other.root", *PARTS], "data"),
        ("~/data/part_1*.root", ["part_1.root", *PARTS[9:]], "part_1"),
        ("~/data/other.root", ["other.root"], "other"),
        ("**/other.root", ["other.root"], "other"),
        ("data/part_3.root,data/other.root", ["part_3.root", "other.root"], "data"),
        ("data/part_3.root, data/part_1*.root", ["part_3.root", "part_1.root", *PARTS[9:]], "part"),
    ],
)
def test_names_stand_for_files(sample: str, found: list[str], name: str, folder: Path, capsys: Any) -> None:
    data = resolve(sample)
    assert (names(data), data.name) == (found, name)
    assert all(Path(file.path).is_absolute() and file.size == 4 for file in data.files)
    said = capsys.readouterr().err
    assert said == ("" if len(found) == 1 else f"{len(found)} files of {sample}\n")


@pytest.mark.parametrize(
    "name", ["a*.root", "a,b.root", "part_[12].root", "~", "~x.root", "a?b", "{1,2}.root", "x, y", "http:x"]
)
def test_a_file_that_exists_is_that_file(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for decoy in ("a1.root", "ab.root", "a", "b.root", "x"):
        (folder / decoy).write_bytes(b"decoy")
    (folder / name).write_bytes(b"roots")
    assert [(Path(file.path).name, file.size) for file in resolve(name).files] == [(name, 5)]


def test_a_pattern_in_a_folder_with_an_odd_name(folder: Path) -> None:
    for odd in ("run[2]", "run2", "x,y"):
        Path(odd).mkdir()
        (Path(odd) / f"{len(odd)}.root").write_bytes(b"root")
    assert names(resolve("run[2]/*.root")) == ["6.root"]
    assert names(resolve("run[2]")) == ["6.root"]
    assert names(resolve("x,y/*.root")) == names(resolve("x,y")) == ["3.root"]


def test_a_name_of_the_catalogue_is_no_folder(folder: Path, opendata: Path) -> None:
    Path("cms2010b").mkdir()
    (Path("cms2010b") / "x.csv").write_bytes(b"x")
    assert names(resolve("cms2010b")) == ["MultiJetRun2010B.csv"]


@pytest.mark.parametrize(
    ("sample", "error", "message"),
    [
        ("data/none*.root", DataError, r"data/none\*\.root: no file matches; check --sample"),
        ("data/part_1.root,none.root", DataError, r"none\.root does not exist; check --sample"),
        ("data/part_1.root,,", DataError, "an empty name between commas"),
        ("mixed", DataError, r"mixed: a\.csv is text, b\.root is ROOT; name the files of one format, as in '\*\.csv'"),
        ("mixed/*", DataError, r"a\.csv is text, b\.root is ROOT"),
        ("data/part_1.root,s.yaml", ConfigurationError, r"s\.yaml describes a sample; name it alone"),
        (f"{'y' * 300}.root", DataError, "File name too long; check --sample"),
        ("z/" * 2500 + "z.root", DataError, r"\(5,006 characters\) cannot be read: File name too long; check --sample"),
    ],
)
def test_what_stands_for_nothing_is_named(sample: str, error: type[Exception], message: str, folder: Path) -> None:
    Path("mixed").mkdir()
    for name in ("mixed/a.csv", "mixed/b.root", "s.yaml"):
        Path(name).write_bytes(b"x")
    with pytest.raises(error, match=message) as caught:
        resolve(sample)
    assert "\n" not in str(caught.value)


def test_several_files_need_a_schema(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"data names files: say their format with --schema"):
        resolve("data", schema=None)


def test_a_sample_file_names_files_in_the_same_way(folder: Path) -> None:
    Path("mine.yaml").write_text(
        "title: mine\nschema: cms_nanoaod\nfiles: [{path: data/part_*.root}, {path: data/other.root}]\n"
    )
    data = resolve("mine.yaml", schema=None)
    assert (names(data), data.name) == ([*PARTS, "other.root"], "mine")
    Path("mine.yaml").write_text("title: mine\nschema: cms_nanoaod\nfiles: [{path: data/part_*.root, events: 3}]\n")
    with pytest.raises(ConfigurationError, match=r"`events` of data/part_\*\.root is that of one file; list the files"):
        resolve("mine.yaml", schema=None)


def test_endings_are_those_of_the_readers() -> None:
    for ending in (
        "csv",
        "tsv",
        "txt",
        "dat",
        "csv.gz",
        "npy",
        "npz",
        "h5",
        "hdf5",
        "hdf",
        "parquet",
        "pq",
        "npy.gz",
        "md",
        "gz",
    ):
        assert (format_of(Path(f"X.{ending.upper()}")) is not None) == is_table(f"X.{ending.upper()}"), ending
    assert format_of(Path("x.root")) == "ROOT"
