"""Text as a terminal may get it: characters that would steer it, or turn the order of what is read, are escaped."""

from __future__ import annotations

import re

UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and line feed, separators of lines, overrides of the direction, halves of characters."""

LONGEST = 200
"""Characters of a name or value that a message repeats at most."""


def printable(text: str) -> str:
    r"""Return a text with each character that is no text written as its escape, as in "\x1b[2J"."""
    return UNPRINTABLE.sub(_escape, text)


def shortened(text: str, longest: int = LONGEST) -> str:
    """Return a text, or its beginning and its length where it is too long for a message."""
    return text if len(text) <= longest else f"{text[:longest]}... ({len(text):,} characters)"


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
