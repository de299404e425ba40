"""YAML as it is read here: what is in it comes out as it stands, and what could do harm is refused with its line."""

from __future__ import annotations

import math
import os
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from rdf.yaml_tables import DEEPEST, LARGEST_FILE, TableError, parse_table, read_table, table_text


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e-3", 0.001),
        ("1E5", 1e5),
        ("-2.5e+3", -2500.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("30", 30),
        ("-7", -7),
        ("+1_000", 1000),
        ("0x1F", 31),
        ("18446744073709551615", 2**64 - 1),
        ("true", True),
        ("No", False),
        ("ON", True),
        ("~", None),
        ("", None),
        # Text, whatever else YAML takes it for.
        ("10:20", "10:20"),
        ("1:30.5", "1:30.5"),
        ("2024-05-01", "2024-05-01"),
        ("2024-99-99", "2024-99-99"),
        ("0123", "0123"),
        ("=", "="),
        ("<<", "<<"),
        ("0x_", "0x_"),
        ("y", "y"),
        ("nUll", "nUll"),
        ("inf", "inf"),
        ("1e", "1e"),
        ("'30'", "30"),
        ('"~"', "~"),
        ("Muon_pt[0] > 3 && !x", "Muon_pt[0] > 3 && !x"),
        ("µ → 𝜇", "µ → 𝜇"),
    ],
)
def test_what_a_value_is(written: str, meant: Any) -> None:
    for text in (f"key: {written}\n", f"key: {written}", f"key:  {written}  # said\n", f"key: {written}\r\n"):
        found = parse_table(text)
        assert found == {"key": meant}
        assert type(found["key"]) is type(meant)
    if written != "":
        assert parse_table(f"[{written}]" if "[" not in written else f"- {written}") == [meant]


@pytest.mark.parametrize(("written", "number"), [(".inf", math.inf), ("-.Inf", -math.inf), ("1e999", math.inf)])
def test_infinite_numbers_are_numbers_for_the_keys_to_refuse(written: str, number: float) -> None:
    assert parse_table(f"[{written}]") == [number]
    assert math.isnan(parse_table("[.nan]")[0])


def test_names_of_keys_are_text_as_they_stand() -> None:
    text = "no: 1\n7: 2\n~: 3\n.nan: 4\n2024-99-99: 5\n<<: {a: 6}\n'q': 7\n"
    assert parse_table(text) == {
        "no": 1, "7": 2, "~": 3, ".nan": 4, "2024-99-99": 5, "<<": {"a": 6}, "q": 7,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "---\n...\n", "\ufeff"])
def test_nothing_is_none(text: str) -> None:
    assert parse_table(text.removeprefix("\ufeff")) is None


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: &x 1\nb: *x\n", 1, "anchors, aliases and tags (&, *, !) are not read"),
        ("a: 1\nb: *x\n", 2, "anchors, aliases and tags (&, *, !) are not read"),
        ("a: 1\nb:\n  - !!python/name:os.system x\n", 3, "anchors, aliases and tags (&, *, !) are not read"),
        ("a: !Muon_isTight\n", 1, "put text that begins like one in quotes"),
        ("a: !!str 5\n", 1, "anchors, aliases and tags (&, *, !) are not read"),
        ("a: ! 5\n", 1, "anchors, aliases and tags (&, *, !) are not read"),
        ("!!map {a: 1}\n", 1, "anchors, aliases and tags (&, *, !) are not read"),
        ("a: 1\n&x b: 1\n", 2, "anchors, aliases and tags (&, *, !) are not read"),
        ("a: 1\nb: 2\na: 3\n", 3, "key 'a' stands twice"),
        ("a: {b: 1, b: 2}\n", 1, "key 'b' stands twice"),
        ("7: 1\n'7': 2\n", 2, "key '7' stands twice"),
        ("a: 1\n--- \nb: 2\n", 2, "a second document"),
        ("---\n---\n", 2, "a second document"),
        ("a: 1\n? [b, c]\n: 2\n", 2, "the name of a key has to be text"),
        ("? {a: 1}\n: 2\n", 1, "the name of a key has to be text"),
        ("a: 1\nb: [1\n", 3, "did not find expected"),
        ("a: 1\nb: [1", 2, "did not find expected"),
        ("a: 'x\n", 2, "unexpected end"),
        ("a: b: c\n", 1, "mapping values are not allowed"),
        ("a: 1\n\tb: 2\n", 2, "tab character"),
        ("%YAML 9.1\n---\na: 1\n", 1, "incompatible"),
        ("a: 1\nb: 1\x00\n", 2, r"the character \x00 is no text"),
        ("a: \x1b[2J\n", 1, r"the character \x1b is no text"),
        ("a: 1\r\nb: \x9b2J\r\n", 2, r"the character \x9b is no text"),
        ("a: \u202eabc\n", 1, r"the character \u202e is no text"),
        ("a: 1\rb: 2\r", 1, r"the character \x0d is no text"),
        ("a: \udcff\n", 1, r"the character \udcff is no text"),
        ('a: 1\nb: "\\e[2J"\n', 2, r"\x1b stands for a character"),
        ('"\\x9b": 1\n', 1, r"\x9b stands for a character"),
        ('a: "\\0"\n', 1, r"\x00 stands for a character"),
        ('a: "\\u2067"\n', 1, r"\u2067 stands for a character"),
        ('a: 1\nb: "\\ud800"\n', 2, "invalid Unicode character"),
        ('a: "\\ud83d\\ude00"\n', 1, "invalid Unicode character"),
        (
            f"a: 1\nbc: [1, {'9' * 5000}]\n",
            2,
            "key 'bc': the number 9999999999999999999999999999999999999999... (5,000 ",
        ),
        ("a: 18446744073709551616\n", 1, "has more than 64 bits"),
        (f"a: {'x' * 10_001}\n", 1, "a value is too long"),
        (f"a: 1\n{'k' * 201}: 1\n", 2, "the name of a key is too long"),
        (f"a: 1\n? {'k' * 5000}\n: 1\n", 2, "the name of a key is too long"),
        (f"a: 1\n{'k' * 5000}: 1\n", 2, "could not find expected"),
        (f"a: {'[' * 20_000}", 1, "stand inside each other"),
        (f"a: {'{a: ' * 20_000}", 1, "stand inside each other"),
        ("- " * 20_000, 1, "stand inside each other"),
        ("? " * 20_000, 1, "stand inside each other"),
        (f"a: 1\nb: [{'1,' * 200_000}1]", 2, "more than 200,000 keys and values"),
    ],
)
def test_what_is_refused_is_named_with_its_line(text: str, line: int, problem: str) -> None:
    with pytest.raises(TableError) as caught:
        parse_table(text)
    error = caught.value
    assert problem in error.problem
    assert str(error) == f"line {error.line}: {error.problem}"
    assert "\n" not in str(error)
    assert len(str(error)) < 200
    assert error.line == line


def test_bounds_are_what_can_still_be_read() -> None:
    deepest = "[" * DEEPEST + "]" * DEEPEST
    value = parse_table(deepest)
    for _ in range(DEEPEST - 1):
        (value,) = value
    assert value == []
    assert parse_table(f"a: {'x' * 10_000}")["a"] == "x" * 10_000
    assert len(parse_table(f"[{'1,' * 199_998}1]")) == 199_999


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_table(path) == {"a": 1}
    (tmp_path / "link.yaml").symlink_to(path)
    assert read_table(tmp_path / "link.yaml") == {"a": 1}
    path.write_bytes(b"#" * (LARGEST_FILE + 1))
    with pytest.raises(TableError, match=r"^the file is larger than 4 MB$"):
        read_table(path)
    for content in ("a: 1\n".encode("utf-16"), b"\x89PNG\r\n\x1a\n", b"a: \xff\n", b"\x7fELF\xc0"):
        path.write_bytes(content)
        with pytest.raises(UnicodeDecodeError):
            read_table(path)
    path.write_bytes("a: 1\n".encode("utf-16-le"))
    with pytest.raises(TableError, match=r"^line 1: the character \\x00 is no text"):
        read_table(path)
    os.mkfifo(tmp_path / "pipe.yaml")
    for device in (tmp_path / "pipe.yaml", Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(OSError, match="a pipe or a device, where a file is expected"):
            read_table(device)
    with pytest.raises(IsADirectoryError):
        read_table(tmp_path)
    for missing in (tmp_path / "none.yaml", tmp_path / "a\0.yaml"):
        with pytest.raises(FileNotFoundError):
            read_table(missing)
    with pytest.raises(OSError, match="File name too long"):
        read_table(tmp_path / ("a" * 5000))


def test_what_is_written_is_read_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["1e-3", "10:20", "2024-05-01", "017", "yes", "~", "#", "µ", "*x", "&y", "!z", "-", ".inf", "30", "0x1F"]
    words += ["'", '"', "{a}", "[1]", "=", "<<", "%", "@"]
    texts = [*words, "", " a ", "a: b", "a\nb", "\t", "x" * 300, "9" * 5000]
    table = {"texts": texts, "numbers": [1, -2, 1e-9, 0.1, 1e300], "other": {"a": None, "b": True, "yes": [], "7": {}}}
    assert parse_table(table_text(table)) == table
    monkeypatch.setattr("rdf.yaml_tables.LARGEST_FILE", 5000)
    for bad in ({"a": "\x1b[2J"}, {"a": "\udcff"}, {"a": ["x" * 1000] * 5}):
        with pytest.raises(TableError):
            table_text(bad)


def test_ordinary_yaml_is_read_as_by_another_reader() -> None:
    """Random tables without dates and the like, written by PyYAML."""
    draw = random.Random(1)

    def value(depth: int) -> Any:
        kinds = 7 if depth < 4 else 5
        kind = draw.randrange(kinds)
        if kind == 5:
            return [value(depth + 1) for _ in range(draw.randrange(4))]
        if kind == 6:
            return {f"k{i}": value(depth + 1) for i in range(draw.randrange(4))}
        words = "".join(draw.choices("abc xyz,:#[]{}'\"\\µ\n", k=draw.randrange(12)))
        return [words, draw.randrange(-(10**9), 10**9), draw.uniform(-1e3, 1e3), draw.random() < 0.5, None][kind]

    for _ in range(300):
        table = {"a": value(0), "b": value(0)}
        for flow in (True, False, None):
            text = yaml.safe_dump(table, default_flow_style=flow, allow_unicode=draw.random() < 0.5)
            assert parse_table(text) == yaml.safe_load(text) == table
