"""Tables of text as people write them: headers, separators, packed ones; the same numbers whatever the form."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rdf.errors import MalformedRow, MissingColumn, NoEvents, SourceError, UnreadableFile
from rdf.schema.model import Schema
from rdf.sources.csv_table import has_header, read_portions
from rdf.sources.tabular import is_table, without_header

KINDS = {"pt": "float64", "jets": "int32", "event": "uint64"}
ROWS = np.random.default_rng(18).normal(50, 20, 400).round(3)
COLUMNS: dict[str, NDArray[Any]] = {
    "pt": ROWS,
    "jets": np.arange(400, dtype=np.int32) % 9 - 4,
    "event": np.arange(400, dtype=np.uint64) * np.uint64(2**55),
}


def schema_of(**columns: str) -> Schema:
    table = {"columns": columns, "quantities": {}}
    return Schema(name="table", title="a table", tree="events", features="razor", **table)  # type: ignore[arg-type]


TABLE = schema_of(**KINDS)


def read(path: Path, schema: Schema = TABLE) -> dict[str, NDArray[Any]]:
    batches = [batch for batch, _ in read_portions(path, schema)]
    return {name: np.concatenate([np.asarray(batch[name]) for batch in batches]) for name in schema.columns}


def table(header: str | None, separator: str = ",", pad: str = "", end: str = "\n") -> str:
    """The columns in the order pt, jets, event, under a header."""
    lines = [] if header is None else [header]
    rows = zip(*(column.tolist() for column in COLUMNS.values()), strict=True)
    lines += [separator.join(f"{pad}{value}" for value in row) for row in rows]
    return end.join(lines) + end


def check(found: dict[str, NDArray[Any]]) -> None:
    for name, values in COLUMNS.items():
        assert found[name].tolist() == values.tolist(), name


FORMS = {
    "blanks behind names": table("pt ,jets ,event "),
    "blanks before names": table("pt, jets, event"),
    "blanks around names and values": table(" pt , jets,\tevent ", pad=" "),
    "quoted names with blanks": table('"pt ", "jets", "event"'),
    "single quotes": table("'pt','jets','event'"),
    "mark and quotes": "\ufeff" + table('"pt","jets","event"', end="\r\n"),
    "semicolons": table("pt;jets;event", ";"),
    "semicolons and blanks": table("pt ; jets ; event", ";", pad="  "),
    "tabs": table("pt\tjets\tevent", "\t"),
    "tabs and blanks": table("pt \tjets \t event", "\t", pad=" "),
    "blanks": table("pt jets event", " "),
    "many blanks": table("   pt    jets\t event  ", "    ", pad=" "),
    "blanks and lines by CR": table("pt jets event", "  ", end="\r"),
    "blanks and CRLF": table("pt jets event", "  ", end="\r\n"),
    "lines by CR": table("pt,jets,event", end="\r"),
    "a header that is a comment": table("# pt jets event", " "),
    "a comment with commas": table("#pt,jets,event"),
    "blank lines": "\n\n" + table("pt,jets,event\n\n").replace("\n", "\n\n"),
}


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".txt", ".dat", ".CSV", ".csv.gz", ".txt.GZ"])
def test_endings(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"table{ending}"
    content = table("pt,jets,event").encode()
    path.write_bytes(gzip.compress(content) if ending.lower().endswith(".gz") else content)
    assert is_table(path)
    check(read(path))


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("packed", [False, True])
def test_forms(name: str, packed: bool, tmp_path: Path) -> None:
    path = tmp_path / ("table.csv.gz" if packed else "table.csv")
    content = FORMS[name].encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    check(read(path))
    assert has_header(path, TABLE)


def test_columns_are_taken_by_name_whatever_else_there_is(write_csv: Callable[[str], Path]) -> None:
    for text in (
        ",event, pt,note,jets,\n0,3,1.5,x,2,\n1,6,4.5,,5,\n",
        "note, in words;event;jets;pt\na,b;3;2;1.5\n;6;5;4.5\n",
        "a\tb c\tjets\tevent\tpt\n\tx y\t2\t3\t1.5\n\t\t5\t6\t4.5\n",
    ):
        found = read(write_csv(text))
        assert {name: values.tolist() for name, values in found.items()} == {
            "pt": [1.5, 4.5],
            "jets": [2, 5],
            "event": [3, 6],
        }


@pytest.mark.parametrize("separator", [",", ";", "\t", " ", "   ", ", "])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_without_a_header_columns_are_in_the_order_of_the_schema(
    separator: str, mark: str, write_csv: Callable[[str], Path]
) -> None:
    path = write_csv(mark + table(None, separator))
    check(read(path))
    assert not has_header(path, TABLE)
    named = write_csv(table("pt,jets,event"))
    assert without_header([str(named), str(path), "nowhere.csv", "tree.root"], TABLE) == [str(path)]
    turned = schema_of(event="float64", pt="int32", jets="uint64")
    assert read(path, turned)["event"].tolist() == ROWS.tolist()


def test_first_lines_of_numbers_alone(write_csv: Callable[[str], Path]) -> None:
    """As UCI publishes HIGGS, without header and with exponents; NaN and infinite are numbers too."""
    rows = [[1.0, 0.8692932, -0.6350818], [0.0, np.nan, np.inf], [1.0, -np.inf, 7e-300]]
    text = io.StringIO()
    np.savetxt(text, rows, delimiter=",")
    schema = schema_of(label="float64", lepton_pT="float32", lepton_eta="float64")
    found = read(write_csv(text.getvalue()), schema)
    np.testing.assert_array_equal(found["lepton_eta"], [-0.6350818, np.inf, 7e-300])
    np.testing.assert_array_equal(found["lepton_pT"], np.float32([0.8692932, np.nan, -np.inf]))
    first = write_csv("nan,-inf,1e5\n1,2,3\n")
    assert read(first, schema)["label"].tolist()[1:] == [1]


def test_what_numpy_writes(tmp_path: Path) -> None:
    rows = np.column_stack([COLUMNS["pt"], COLUMNS["jets"]])
    for header in ("", "pt jets"):
        path = tmp_path / "saved.txt"
        np.savetxt(path, rows, fmt=["%.18e", "%d"], header=header)
        found = read(path, schema_of(pt="float64", jets="int32"))
        assert found["pt"].tolist() == ROWS.tolist()
        assert found["jets"].tolist() == COLUMNS["jets"].tolist()


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("1,2\n3,4\n", MissingColumn, "line 1 is no header: it holds 2 numbers, where schema table has 3 columns"),
        ("\n1,2,3,4\n", MissingColumn, "line 2 is no header: it holds 4 numbers"),
        ("0,1,2\n5.5,1,2\n", MissingColumn, "line 1 holds 0, 1, 2, which may be the numbers of columns or an event"),
        ("1;2;3\n5.5;1;2\n", MissingColumn, "line 1 holds 1, 2, 3, which may be the numbers of columns or an event"),
        ("1,5;2;3\n1,5;4;5\n", MissingColumn, "line 1 is no header: .*numbers with decimal points"),
        ("pt;jets;event\n1,5;2;3\n", MalformedRow, "line 2: column 'pt' holds '1,5', .* with decimal points"),
        ("pt;jets;event\n1,234;2;3\n", MalformedRow, "line 2: column 'pt' holds '1,234', .* with decimal points"),
        ("pt jets event\n1,5 2 3\n", MalformedRow, "line 2: 4 fields where the header has 3"),
        ('pt,jets,event\n"1,234.5",2,3\n', MalformedRow, "line 2: column 'pt' holds '1,234.5', which is not a double"),
        ("pt,jets,event\n1D5,2,3\n", MalformedRow, "line 2: column 'pt' holds '1D5', which is not a double"),
        ("pt,jets,event\nNA,2,3\n", MalformedRow, "line 2: column 'pt' holds 'NA', which is not a double"),
        ("pt,jets,event\nGeV,,\n", MalformedRow, "line 2: column '(pt|jets)' "),
        ("pt,jets,event\n1,2.0,3\n", MalformedRow, "column 'jets' holds '2.0', .*let the schema say float64"),
        ("pt,jets,event\n1,2,-3\n", MalformedRow, "column 'event' holds '-3', .*let the schema say int64"),
        ("pt,pt ,jets,event\n1,1,2,3\n", MalformedRow, "line 1: column 'pt' appears 2 times; rename one"),
        ("# made by me\npt,jets,event\n1,2,3\n", MissingColumn, "line 1: no column 'pt', which schema table needs"),
        ("PT,jets,event\n1,2,3\n", MissingColumn, "line 1: no column 'pt', which schema table needs; .*PT"),
        ("pt,jets,event\n1,2,3,\n", MalformedRow, "line 2: 4 fields where the header has 3"),
        ("5.5,2,3\n1,2\n", MalformedRow, "line 2: 2 fields where the first line has 3"),
        ("5.5,2,3\n\n1,x,3\n", MalformedRow, "line 3: column 'jets' holds 'x'"),
        ("pt jets event\n1 2 3\n   \n1 2\n", MalformedRow, "line 4: 2 fields where the header has 3"),
        ("pt jets event\r1 2 3\r1 x 3\r", MalformedRow, "line 3: column 'jets' holds 'x'"),
        ("pt,jets,event", NoEvents, "has no rows below its header"),
        ("pt jets event\n \n", NoEvents, "has no rows below its header"),
        (
            "some words\nof a letter\n",
            MissingColumn,
            "line 1: no column 'pt', which schema table needs; known: some, words",
        ),
    ],
)
def test_what_is_refused(
    text: str, error: type[SourceError], message: str, write_csv: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(error, match=message) as caught:
        read(write_csv(text))
    assert "\n" not in str(caught.value)
    assert "again" not in str(caught.value)
    packed = tmp_path / "packed.csv.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    with pytest.raises(error, match=message):
        read(packed)


@pytest.mark.parametrize(
    ("encoding", "remedy"),
    [
        (
            "utf-16",
            "is text in UTF-16; save it as UTF-8, as `iconv -f UTF-16 -t UTF-8 table.csv > utf8_table.csv` does",
        ),
        ("utf-16-le", "is text in UTF-16; save it as UTF-8"),
        ("utf-16-be", "is text in UTF-16; save it as UTF-8"),
        ("latin-1", "is text in another encoding than UTF-8, maybe Latin-1; save it as UTF-8, as `iconv -f LATIN1"),
    ],
)
def test_other_encodings(encoding: str, remedy: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(table("pt,jets,event,énergie").encode(encoding))
    with pytest.raises(UnreadableFile) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path} {remedy}")


def test_gzip_that_is_not_whole(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    rows = "".join(f"{x!r},1,2\n" for x in random.normal(size=20_000).tolist())
    whole = gzip.compress(b"pt,jets,event\n" + rows.encode())
    path = tmp_path / "table.csv.gz"
    path.write_bytes(whole + gzip.compress(b"7.5,1,2\n"))  # as `cat a.gz b.gz` makes
    assert read(path)["pt"].tolist()[-1] == 7.5
    for content in (
        whole[:-1],
        whole[: len(whole) // 2],
        whole[:30],
        whole[:-8] + b"\0\0\0\0" + whole[-4:],
        b"\x1f\x8b",
    ):
        path.write_bytes(content)
        with pytest.raises(UnreadableFile, match=r"table\.csv\.gz is packed by gzip, and truncated or damaged \("):
            read(path)
    path.write_bytes(rows.replace("\n", "\r\n").encode())  # unpacked on its way, with the name it had
    assert len(read(path)["pt"]) == 20_000


def test_lines_longer_than_a_batch(write_csv: Callable[[str], Path]) -> None:
    columns = {f"x{i}": "float64" for i in range(10_000)}
    rows = np.random.default_rng(1).normal(size=(3, 10_000))
    for separator in (",", " "):
        text = "\n".join([separator.join(columns), *(separator.join(map(repr, row.tolist())) for row in rows)])
        found = read(write_csv(text), schema_of(**columns))
        assert np.column_stack(list(found.values())).tobytes() == rows.tobytes()
    for text in ("x" * 3_000_000, "pt jets event\n" + "1 " * 1_500_000):
        with pytest.raises(UnreadableFile, match=r"longer than \d+ bytes; check the file"):
            read(write_csv(text))
