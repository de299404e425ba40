from __future__ import annotations

import pytest

from plotting.results.cells import escaped, unescaped


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        ("＝1", "'＝1"),
        ("'=1", "''=1"),
        ("''=1", "'''=1"),
        ("cms2010b", "cms2010b"),
        ("a=b", "a=b"),
        ("'quoted'", "'quoted'"),
        ("", ""),
        ("MR 45%, R² 20%", "MR 45%, R² 20%"),
    ],
)
def test_a_text_is_never_a_formula_and_reads_back(text: str, cell: str) -> None:
    assert escaped(text) == cell
    assert not escaped(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert unescaped(escaped(text)) == text
