"""CSV tables: what is refused, what is let through, the copy bit by bit; and the cache of converted tables."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from rdf.code.interpreter import MACROS, ROOT
from rdf.errors import CacheUnusable, MalformedRow, MissingColumn, NoEvents, UnreadableFile
from rdf.schema.model import Schema
from rdf.sources.tabular import convert

pytestmark = pytest.mark.compiler

TABLE = Schema(
    name="table",
    title="a table",
    tree="events",
    columns={"mass": "float64", "jets": "int32", "event": "uint64"},
    quantities={},
    features="razor",
)
MANY = 30_000  # rows that are read in several batches


def read(path: Path) -> dict[str, np.ndarray]:
    with uproot.open(path) as file:
        table = file["events"]
        return {name: table[name].array(library="np") for name in table.keys()}  # noqa: SIM118 - not a dict


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3\n1,2\n", "line 3: 2 fields where the header has 3"),
        ("1,2,3\n\n1,2,3,4\n", "line 4: 4 fields where the header has 3"),
        ("1,2,3\n   \n4,5,6\n", "line 3: 1 fields where the header has 3"),
        ("x,2,3\n", "line 2: column 'mass' holds 'x', which is not a double"),
        ("\n\n1,2,3\n\n1.5.2,2,3\n", "line 6: column 'mass' holds '1.5.2', which is not a double"),
        ("1,two,3\n", "line 2: column 'jets' holds 'two', which is not a int32"),
        ("1,2.5,3\n", "line 2: column 'jets' holds '2.5', which is not a int32"),
        ("1,,3\n", "line 2: column 'jets' is empty"),
        ("\n1,2,3\n\n1,2,\n", "line 5: column 'event' is empty"),
        ("1,2147483648,3\n", "line 2: column 'jets' holds '2147483648', which is not a int32"),
        ("1,2,18446744073709551616\n", "line 2: column 'event' holds '18446744073709551616', which is not a uint64"),
        ("1,2,-3\n", "line 2: column 'event' holds '-3', which is not a uint64"),
        ("1e400,2,3\n", "line 2: column 'mass' holds '1e400', which is too large for a float64"),
        ("\n\n1,2,3\ninf,2,3\n\n-1e400,2,3\n", "line 7: column 'mass' holds '-1e400', which is too large"),
        ("1,2,3\n" * MANY + "\n1e400,2,3\n", f"line {MANY + 3}: column 'mass' holds '1e400'"),
        ("1,2,3\n" * MANY + "\n1,2\n", f"line {MANY + 3}: 2 fields"),
        ("1,2,3\n" * MANY + "\n1,2,\n", f"line {MANY + 3}: column 'event' is empty"),
        ("1,2,3\n" * MANY + "\n1,q,3\n", f"line {MANY + 3}: column 'jets' holds 'q'"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_malformed_rows(
    text: str, message: str, newline: str, write_csv: Callable[[str], Path], tmp_path: Path
) -> None:
    path = write_csv(("mass,jets,event\n" + text).replace("\n", newline))
    with pytest.raises(MalformedRow) as caught:
        convert(path, TABLE, tmp_path / "cache")
    assert f"{path}, {message}" in str(caught.value)
    assert "mend or remove the row" in str(caught.value)
    assert not list((tmp_path / "cache").iterdir())


def test_malformed_fields_of_narrow_types(write_csv: Callable[[str], Path], tmp_path: Path) -> None:
    narrow = TABLE.model_copy(update={"columns": {"mass": "float32", "tagged": "bool", "charge": "int8"}})
    for row, message in (
        ("1e39,true,1", "column 'mass' holds '1e39', which is too large for a float32"),
        ("1,,1", "column 'tagged' is empty"),
        ("1,2,1", "column 'tagged' holds '2', which is not a bool"),
        ("1,true,-129", "column 'charge' holds '-129', which is not a int8"),
    ):
        path = write_csv(f"mass,tagged,charge\n1,true,1\n{row}\n")
        with pytest.raises(MalformedRow, match=f"line 3: {message}"):
            convert(path, narrow, tmp_path / "cache")
    found = read(convert(write_csv("mass,tagged,charge\n-1e38,true,-128\ninf,0,127\n"), narrow, tmp_path / "cache"))
    assert found["mass"].tolist() == [float(np.float32(-1e38)), np.inf]
    assert found["tagged"].tolist() == [True, False]
    assert found["charge"].tolist() == [-128, 127]


def test_blank_lines_before_the_header_count(write_csv: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(MalformedRow, match="line 6: column 'mass' holds '1e400'"):
        convert(write_csv("\n\nmass,jets,event\n1,2,3\n\n1e400,2,3\n"), TABLE, tmp_path)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", UnreadableFile, "is empty; download it again"),
        ("\n\n", UnreadableFile, "is empty; download it again"),
        ("mass,jets,event\n", NoEvents, "has no rows below its header"),
        ("mass,jets,event\n\n\n", NoEvents, "has no rows below its header"),
        ("mass,njets,event\n1,2,3\n", MissingColumn, "line 1: no column 'jets', .* did you mean njets"),
        ("mass,jets,event,jets\n1,2,3,4\n", MalformedRow, "line 1: column 'jets' appears 2 times; rename one"),
    ],
)
def test_bad_headers(
    text: str, error: type[Exception], message: str, write_csv: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(error, match=message) as caught:
        convert(write_csv(text), TABLE, tmp_path / "cache")
    assert "table0.csv" in str(caught.value)
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize(
    "content", [np.random.default_rng(0).bytes(3000), b"mass,jets,event\n1,2,3\n\x00\xff\xfe\x80\n"]
)
def test_a_binary_file_is_not_a_table(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "picture.csv"
    path.write_bytes(content)
    with pytest.raises((UnreadableFile, MalformedRow), match=r"picture\.csv"):
        convert(path, TABLE, tmp_path / "cache")


def test_a_missing_file(tmp_path: Path) -> None:
    for checksum in (None, "0" * 64):
        with pytest.raises(UnreadableFile, match=r"nowhere\.csv: No such file or directory; check the path"):
            convert(tmp_path / "nowhere.csv", TABLE, tmp_path / "cache", checksum)


def test_what_is_let_through(write_csv: Callable[[str], Path], tmp_path: Path) -> None:
    fields = ["NaN", "nan", "inf", "-inf", "Infinity", "-infinity", "", "1e39", "1e-400", "-0.0", "5e-324", " 1.5 "]
    expected = [np.nan, np.nan, np.inf, -np.inf, np.inf, -np.inf, np.nan, 1e39, 0.0, -0.0, 5e-324, 1.5]
    rows = "".join(f"{field},-2147483648,18446744073709551615,left out\n" for field in fields)
    found = read(convert(write_csv("mass,jets,event,comment\n" + rows), TABLE, tmp_path / "cache"))
    assert list(found) == ["mass", "jets", "event", "source_row"]
    np.testing.assert_array_equal(found["mass"], expected)
    assert np.signbit(found["mass"][9])
    assert set(found["jets"].tolist()) == {-(2**31)}
    assert set(found["event"].tolist()) == {2**64 - 1}
    assert found["source_row"].tolist() == list(range(len(fields)))


def test_byte_order_mark_and_order_of_columns_do_not_matter(write_csv: Callable[[str], Path], tmp_path: Path) -> None:
    found = read(convert(write_csv("\ufeffevent,mass,jets\r\n3,1.25,2\r\n6,4.5,5"), TABLE, tmp_path / "cache"))
    assert found["mass"].tolist() == [1.25, 4.5]
    assert found["jets"].tolist() == [2, 5]
    assert found["event"].tolist() == [3, 6]


def test_the_published_table_is_copied_bit_by_bit(razor: Any) -> None:
    (path,) = razor.source.files
    found = read(path)
    assert len(found["Run"]) == 21_726
    for name, values in razor.columns.items():
        kind = {"Run": np.uint32, "Lumi": np.uint32, "Event": np.uint64, "nJets": np.int32, "nBJets": np.int32}.get(
            name, np.float64
        )
        assert found[name].dtype == kind
        assert found[name].tobytes() == values.astype(kind).tobytes()
    assert found["source_row"].tolist() == list(range(21_726))
    # Several clusters for each of many cores.
    with uproot.open(path) as file:
        assert len(file["events"].cluster_summaries) >= 16


def test_a_table_is_converted_once(write_csv: Callable[[str], Path], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    path = write_csv("mass,jets,event\n1,2,3\n")
    first = convert(path, TABLE, cache)
    os.utime(first, (1_000_000_000, 1_000_000_000))
    seen: list[int] = []
    assert convert(path, TABLE, cache, progress=lambda done, _: seen.append(done)) == first
    assert first.stat().st_mtime == 1_000_000_000
    assert not seen

    path.write_text("mass,jets,event\n7,2,3\n")  # as long as before
    second = convert(path, TABLE, cache)
    assert second != first
    assert (read(first)["mass"], read(second)["mass"]) == (1, 7)

    narrow = TABLE.model_copy(update={"columns": {"mass": "float32", "event": "uint64"}})
    third = convert(path, narrow, cache)
    assert third not in (first, second)
    assert read(third)["mass"].dtype == np.float32
    # Another meaning of the same columns needs no new conversion.
    assert convert(path, TABLE.model_copy(update={"title": "another"}), cache) == second


def test_progress_ends_at_the_size_of_the_file(write_csv: Callable[[str], Path], tmp_path: Path) -> None:
    path = write_csv("mass,jets,event\n" + "1,2,3\n" * MANY)
    seen: list[tuple[int, int]] = []
    convert(path, TABLE, tmp_path / "cache", progress=lambda done, total: seen.append((done, total)))
    size = path.stat().st_size
    assert len(seen) > 1
    assert seen == sorted(seen)
    assert seen[-1] == (size, size)


def test_an_interrupted_conversion_leaves_nothing(write_csv: Callable[[str], Path], tmp_path: Path) -> None:
    path = write_csv("mass,jets,event\n" + "1,2,3\n" * MANY)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(path, TABLE, tmp_path / "cache", progress=interrupt)
    assert not list((tmp_path / "cache").iterdir())
    assert len(read(convert(path, TABLE, tmp_path / "cache"))["mass"]) == MANY


def run_conversion(path: Path, cache: Path, first: str) -> subprocess.CompletedProcess[str]:
    """Convert the table in a process of its own that does something first."""
    code = f"""
import os, resource
from pathlib import Path
from rdf.errors import CacheUnusable
from rdf.schema.model import Schema
from rdf.sources.tabular import convert
progress = None
{first}
table = Schema.model_validate_json({TABLE.model_dump_json()!r})
try:
    convert(Path({str(path)!r}), table, Path({str(cache)!r}), progress=progress)
except CacheUnusable as error:
    print(error)
"""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=MACROS.parent, capture_output=True, text=True, check=False
    )


def test_a_killed_conversion_leaves_nothing_under_the_final_name(
    write_csv: Callable[[str], Path], tmp_path: Path
) -> None:
    path = write_csv("mass,jets,event\n" + "1,2,3\n" * MANY)
    ended = run_conversion(path, tmp_path / "cache", "progress = lambda done, total: os.kill(os.getpid(), 9)")
    assert ended.returncode == -9
    assert not list((tmp_path / "cache").glob("*.root"))
    assert len(read(convert(path, TABLE, tmp_path / "cache"))["mass"]) == MANY


def test_a_full_disk_leaves_nothing_and_is_named(write_csv: Callable[[str], Path], tmp_path: Path) -> None:
    values = np.random.default_rng(3).normal(size=MANY)
    path = write_csv("mass,jets,event\n" + "".join(f"{value!r},2,3\n" for value in values.tolist()))
    # No file may grow beyond 100 kB: MANY random float64 take 240 kB. Writing then fails as on a full disk.
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    ended = run_conversion(path, tmp_path / "cache", limit)
    assert ended.returncode == 0
    assert f"cannot convert {path}" in ended.stdout
    assert "free some space" in ended.stdout
    assert not list((tmp_path / "cache").iterdir())


def test_a_cache_that_cannot_be_written(write_csv: Callable[[str], Path], tmp_path: Path) -> None:
    path = write_csv("mass,jets,event\n1,2,3\n")
    with pytest.raises(CacheUnusable, match=r"cannot convert .* Not a directory; free some space or set XDG_CACHE"):
        convert(path, TABLE, path / "cache")
    # A folder in which nobody, root included, can make a file.
    if Path("/proc/self").is_dir():
        with pytest.raises(CacheUnusable, match=r"cannot convert .* free some space or set XDG_CACHE"):
            convert(path, TABLE, Path("/proc/self"))


def test_a_damaged_conversion_is_made_anew(write_csv: Callable[[str], Path], tmp_path: Path) -> None:
    """30 bits flipped anywhere in the file, a file cut off or lost, and the same of its checksum: found and mended."""
    random = np.random.default_rng(30)
    masses = random.normal(100, 30, 500)
    rows = "".join(f"{mass!r},{i % 7},{i * 12345}\n" for i, mass in enumerate(masses.tolist()))
    path = write_csv("mass,jets,event\n" + rows)
    converted = convert(path, TABLE, tmp_path / "cache")
    note = converted.with_suffix(".sha256")
    assert note.read_text() == hashlib.sha256(converted.read_bytes()).hexdigest()

    def check(what: str) -> None:
        assert convert(path, TABLE, tmp_path / "cache") == converted
        assert read(converted)["mass"].tobytes() == masses.tobytes(), what
        assert note.read_text() == hashlib.sha256(converted.read_bytes()).hexdigest()
        assert sorted(file.name for file in converted.parent.iterdir()) == [converted.name, note.name]

    for _ in range(30):
        content = bytearray(converted.read_bytes())
        place = int(random.integers(len(content)))
        content[place] ^= 1 << int(random.integers(8))
        converted.write_bytes(content)
        check(f"bit at {place}")
    for damage in (b"", b"\xff", converted.read_bytes()[:100]):
        converted.write_bytes(damage)
        check("truncated")
        note.write_bytes(damage)
        check("note")
    for file in (converted, note):
        file.unlink()
        check(f"no {file.suffix}")


def test_a_flipped_bit_is_found_when_the_table_is_read(write_csv: Callable[[str], Path], tmp_path: Path) -> None:
    random = np.random.default_rng(17)
    masses = random.normal(100, 30, 3000)
    rows = "".join(f"{mass!r},{i % 7},{i * 12345}\n" for i, mass in enumerate(masses.tolist()))
    path = convert(write_csv("mass,jets,event\n" + rows), TABLE, tmp_path / "cache")
    names = ["mass", "jets", "event", "source_row"]

    def columns(file: Path) -> dict[str, bytes]:
        found = ROOT.RDataFrame("events", str(file)).AsNumpy(names)
        return {name: np.asarray(found[name]).tobytes() for name in names}

    ROOT.DisableImplicitMT()
    whole = columns(path)
    assert whole["mass"] == masses.tobytes()

    with uproot.open(path) as file:
        table = file["events"]
        pages = [page for cluster in table.page_link_list for column in cluster for page in column.pages]
        spans = [(page.locator.offset, page.locator.num_bytes) for page in pages]
    content = path.read_bytes()
    found = 0
    for flip in range(24):
        offset, length = spans[flip % len(spans)]
        broken = bytearray(content)
        broken[offset + int(random.integers(length))] ^= 1 << int(random.integers(8))
        damaged = tmp_path / f"damaged{flip}.root"
        damaged.write_bytes(broken)
        try:
            assert columns(damaged) == whole
        except AssertionError:
            raise
        except Exception:  # noqa: BLE001 - a C++ exception, whose Python type is ROOT's affair
            found += 1
    # No flip in a page went through: all data there is under a checksum.
    assert found == 24
