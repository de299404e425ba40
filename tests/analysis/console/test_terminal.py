"""Names, titles and messages of others reach a terminal as text: nothing in them steers it, nor does it in a log."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from rich.progress import Progress, TextColumn
from rich.table import Table
from rich.text import Text

from analysis.console.program import PrintableConsole, error_console, log_file, output_console
from analysis.console.progress import progress_bar, spinner
from analysis.console.summary import print_rows, rows
from condor.report import say
from rdf.printable import printable, shortened

PROJECT = Path(__file__).parents[3]
HOSTILE = "a\x1b[2J\x1b]0;title\x07\x9b31m\x7f\b\u202egpj.\u2066[red]:smile:\x00\x85\u2028z"
STYLES = re.compile(r"\x1b\[[0-9;]*[mK]|\x1b\[\?25[lh]|\x1b\[[12]?[AK]")
"""What the programs themselves may send: colours, the cursor out of the way, a line anew."""


def assert_plain(text: str) -> None:
    odd = {c for c in STYLES.sub("", text) if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")} - {
        "\n",
        "\t",
        "\r",
    }
    assert not odd, text


def test_each_character_that_is_no_text_is_escaped() -> None:
    assert printable("a\x1b[2J\x07\x9b\x7f\u202e\u2066\udcff\r\u2028") == (
        "a\\x1b[2J\\x07\\x9b\\x7f\\u202e\\u2066\\udcff\\x0d\\u2028"
    )
    assert printable("tab\tand\nline, µ → 中 é") == "tab\tand\nline, µ → 中 é"
    controls = {chr(i) for i in range(0x110000) if unicodedata.category(chr(i)) in ("Cc", "Cs", "Zl", "Zp")}
    assert {c for c in map(chr, range(0x110000)) if printable(c) != c} == (
        controls - {"\t", "\n"} | set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    )
    assert shortened("x" * 300) == f"{'x' * 200}... (300 characters)"
    assert shortened("x" * 200) == "x" * 200


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("kind", [str, Text])
def test_consoles_print_text(
    kind: type, terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PrintableConsole, "is_terminal", terminal)
    monkeypatch.setenv("COLUMNS", "300")
    table = rows()
    table.add_row("sample", kind(HOSTILE))
    print_rows(table)
    bordered = Table("what", title=kind(HOSTILE))
    bordered.add_row(kind(HOSTILE))
    for console in (output_console(), error_console()):
        console.print(kind(HOSTILE), style="bold red", soft_wrap=True)
        console.print(bordered)
        with Progress(TextColumn("{task.description}", markup=False), console=console) as progress:
            progress.add_task(HOSTILE)
    with progress_bar(error_console(), HOSTILE, "events") as move:
        move(1, 2)
    with spinner(error_console(), HOSTILE) as tell:
        tell(HOSTILE)
    say(HOSTILE)
    printed = capsys.readouterr()
    for text in (printed.out, printed.err):
        assert_plain(text)
        assert r"a\x1b[2J\x1b]0;title" in text
        assert "[red]:smile:" in text  # no markup of rich's either


def test_logs_are_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import logging

    monkeypatch.setattr("platformdirs.user_log_dir", lambda _: str(tmp_path))
    with log_file("test") as path:
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            logging.getLogger("test").exception("ended by %s", HOSTILE)
    assert path is not None
    text = path.read_text()
    assert_plain(text)
    assert text.count(r"\x1b[2J") == 2
    assert text.startswith("20")
    assert "\nTraceback" in text


PROGRAMS = [
    ["analysis.samples", "fetch", "NAME"],
    ["analysis.samples", "NAME"],
    ["analysis.run", "--sample", "NAME.root", "--schema", "cms_nanoaod"],
    ["analysis.run", "--sample", "NAME.yaml"],
    ["analysis.run", "--NAME"],
    ["analysis.run", "--sample", "s", "--threshold", "NAME"],
    ["analysis.run", "--config", "NAME"],
    ["condor", "NAME"],
    ["condor", "status", "NAME"],
    ["plotting", "NAME"],
    ["plotting", "page", "x", "NAME"],
    ["plotting", "page", "NAME", "--NAME"],
]


@pytest.mark.parametrize("program", PROGRAMS, ids=" ".join)
def test_programs_repeat_what_they_are_given_as_text(program: list[str], tmp_path: Path) -> None:
    """On a terminal: all that is printed otherwise is printed by the same functions."""
    hostile = HOSTILE.replace("\x00", "")
    command = [sys.executable, "-m", *(word.replace("NAME", hostile) for word in program)]
    ours, theirs = pty.openpty()
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "COLUMNS": "500"}
    with subprocess.Popen(command, cwd=PROJECT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # so a terminal ends on Linux
                break
            if not piece:
                break
            said += piece
    os.close(ours)
    text = said.decode()
    assert process.returncode in (2, 3)
    assert_plain(text)
    assert r"\x1b[2J" in text
