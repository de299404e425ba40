"""A schema and a sample file of the user's own: what it may say, and which of its files are looked at."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

import pytest

from analysis.errors import ChecksumMismatch, ConfigurationError, DataError
from analysis.samples.inputs import InputFile, RunInput
from plotting.results.run_record import as_table
from tests.analysis.samples.resolved import resolve
from tests.analysis.samples.tiny import CONTENT

pytestmark = pytest.mark.usefixtures("own_cache")


def test_schema_of_the_users_own_is_passed_on_as_given(tmp_path: Path) -> None:
    (tmp_path / "mine.root").write_bytes(CONTENT)
    assert resolve(tmp_path / "mine.root", schema="schemas/mine.yaml").schema_name == "schemas/mine.yaml"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with two files of data."""
    folder = tmp_path / "own"
    (folder / "data").mkdir(parents=True)
    for name in ("a.csv", "b.csv"):
        (folder / "data" / name).write_bytes(CONTENT)
    return folder


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_sample_file_makes_one_sample_of_several_files(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(own / "mine.yaml", "schema: cms_razor\nfiles:\n  - path: data/a.csv\n  - path: data/b.csv\n")
    monkeypatch.chdir(own.parent)  # paths are relative to the file, not to where the program runs
    assert resolve("own/mine.yaml") == RunInput(
        name="mine",
        title="mine",
        schema_name="cms_razor",
        files=tuple(InputFile(str(own / "data" / name), len(CONTENT), None) for name in ("a.csv", "b.csv")),
    )


def test_sample_file_says_what_it_likes(own: Path, storage: str) -> None:
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    path = write(
        own / "mine.yaml",
        f"""
        title: My collisions
        schema: formats/mine.yaml
        tree: collisions
        doi: 10.5/MINE
        licence: CC0-1.0
        energy: 13 TeV
        luminosity: 1.5
        events: 2
        simulated: true
        files:
          - {{path: data/a.csv, size: {len(CONTENT)}, sha256: {sha256}}}
          - {{url: "root://{storage}//data/b.root", size: 12}}
          - {{path: {own}/data/b.csv, adler32: "{zlib.adler32(CONTENT):08x}"}}
        """,
    )
    assert resolve(path) == RunInput(
        name="mine",
        title="My collisions",
        schema_name=str(own / "formats" / "mine.yaml"),
        files=(
            InputFile(str(own / "data" / "a.csv"), len(CONTENT), sha256),
            InputFile(f"root://{storage}//data/b.root", 12, None),
            InputFile(str(own / "data" / "b.csv"), len(CONTENT), None),
        ),
        tree="collisions",
        simulated=True,
        doi="10.5/MINE",
        licence="CC0-1.0",
        energy="13 TeV",
        luminosity=1.5,
        events=2,
    )


# --- some entries of a sample file that says how many events each file holds

COUNTED = "schema: cms_razor\nfiles:\n" + "".join(
    f"  - {{path: data/{name}.csv, events: {events}}}\n" for name, events in (("a", 100), ("b", 50), ("c", 0), ("d", 7))
)


@pytest.mark.parametrize(
    ("entries", "names", "skipped"),
    [
        ("0:1", "a", 0),
        ("0:100", "a", 0),
        ("99:101", "ab", 0),
        ("100:150", "b", 100),
        ("149:150", "b", 100),
        ("149:151", "bcd", 100),
        ("150:157", "d", 150),
        ("0:157", "abcd", 0),
    ],
)
def test_only_the_files_that_hold_the_entries_are_looked_at(
    entries: str, names: str, skipped: int, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    for name in names:
        (tmp_path / "data" / f"{name}.csv").write_bytes(CONTENT)
    data = resolve(write(tmp_path / "mine.yaml", COUNTED), entries=entries)
    events = {"a": 100, "b": 50, "c": 0, "d": 7}
    assert data.skipped == skipped
    assert [(Path(file.path).stem, file.events) for file in data.files] == [(name, events[name]) for name in names]
    (tmp_path / "data" / f"{names[-1]}.csv").unlink()
    with pytest.raises(DataError, match=rf"data/{names[-1]}\.csv does not exist; check `files` in"):
        resolve(tmp_path / "mine.yaml", entries=entries)


def test_entries_beyond_the_last_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--entries 157:160: the sample has 157 events"):
        resolve(write(tmp_path / "mine.yaml", COUNTED), entries="157:160")


def test_all_files_are_looked_at_where_one_does_not_say_its_events(own: Path) -> None:
    path = write(own / "mine.yaml", "schema: cms_razor\nfiles: [{path: data/a.csv, events: 9}, {path: data/b.csv}]")
    data = resolve(path, entries="0:9")
    assert ([Path(file.path).name for file in data.files], data.skipped) == (["a.csv", "b.csv"], 0)


def test_a_copy_is_described_as_what_it_is_a_copy_of(own: Path) -> None:
    sha256 = "ab" * 32
    path = write(
        own / "mine.yaml",
        f"""
        schema: cms_razor
        files:
          - {{path: data/a.csv, copy_of: {{path: /far/away/A.csv, size: 12, sha256: {sha256}}}}}
          - {{path: data/b.csv, copy_of: {{path: "root://host//b.csv"}}}}
        """,
    )
    data = resolve(path)
    assert [Path(file.path).name for file in data.files] == ["a.csv", "b.csv"]
    assert as_table(data.describe())["files"] == [
        {"path": "/far/away/A.csv", "size": 12, "sha256": sha256},
        {"path": "root://host//b.csv", "size": None, "sha256": None},
    ]


def test_sample_file_without_a_schema_takes_the_options(own: Path) -> None:
    path = write(own / "mine.yml", "files: [{path: data/a.csv}]")
    assert resolve(path, schema="cms_razor").schema_name == "cms_razor"
    with pytest.raises(ConfigurationError, match="sample mine has no `schema`; add it there or say it with --schema"):
        resolve(path)
    write(path, "schema: cms_dimuon\nfiles: [{path: data/a.csv}]")
    with pytest.raises(ConfigurationError, match="--schema: sample mine has the schema cms_dimuon; leave it out"):
        resolve(path, schema="cms_razor")


@pytest.mark.parametrize(
    ("keys", "error", "fault"),
    [
        ("files: [{path: data/c.csv}]", DataError, r"own/data/c\.csv does not exist; check `files` in .*mine\.yaml"),
        ("files: [{path: data, size: 5}]", ConfigurationError, r"mine\.yaml: `size` of data is that of one file; list"),
        (
            "files: [{path: data/a.csv, size: 5}]",
            ChecksumMismatch,
            rf"a\.csv is not the file that .*mine\.yaml describes: expected 5 bytes, found {len(CONTENT)}; correct one",
        ),
        ("files: []", ConfigurationError, "mine.yaml is no sample .*needs either `files` or `indexes`"),
        ("fils: [{path: data/a.csv}]", ConfigurationError, "mine.yaml is no sample .*fils: Extra inputs"),
        ("- a", ConfigurationError, "mine.yaml is no sample"),
        ("name: other\nfiles: [{path: data/a.csv}]", ConfigurationError, "describes the sample other; rename"),
        ("indexes: [{url: 'root://host//a.json'}]", ConfigurationError, "`indexes` is for samples of the catalogue"),
        ("files: [{url: 'https://host/a.root'}]", ConfigurationError, "https://host/a.root cannot be read as it is; "),
    ],
)
def test_fault_in_a_sample_file_is_named(own: Path, keys: str, error: type[Exception], fault: str) -> None:
    with pytest.raises(error, match=fault):
        resolve(write(own / "mine.yaml", keys), schema="cms_razor")


def test_sample_file_that_is_missing_is_named(own: Path) -> None:
    with pytest.raises(DataError, match=r"none\.yaml does not exist; check --sample"):
        resolve(own / "none.yaml", schema="cms_razor")
