"""Cells of the CSV files of a run as spreadsheet programs are to read them: a text is a text, and never a formula."""

from __future__ import annotations

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""The begin of a text that a spreadsheet program takes for a formula, with or without apostrophes before it."""


def escaped(text: str) -> str:
    """Return a text as a cell has it: with an apostrophe before what would be a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def unescaped(cell: str) -> str:
    """Return the text of a cell that `escaped` made."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
