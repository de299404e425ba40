"""A page, taken apart by what stands in it."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """What stands in a page, by what it stands in.

    Attributes:
        tables: rows of cells, by caption.
        captions: of figures, by the figure's id.
        parts: texts of elements with an id.
        addresses: of all that is loaded or linked: (tag, attribute, value).
        tags: each with its attributes.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.captions: dict[str, str] = {}
        self.parts: dict[str, str] = {}
        self.addresses: list[tuple[str, str, str]] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[tuple[str, dict[str, str], list[str]]] = []
        self._rows: list[list[str]] = []
        self._caption = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.tags.append((tag, attributes))
        loading = ("src", "href", "srcset", "data", "action", "poster", "background", "xlink:href")
        self.addresses += [(tag, name, attributes[name]) for name in loading if name in attributes]
        if tag not in VOID:
            self._open.append((tag, attributes, []))
        if tag == "table":
            self._rows, self._caption = [], ""
        if tag == "tr":
            self._rows.append([])

    def handle_endtag(self, tag: str) -> None:
        opened, attributes, texts = self._open.pop()
        assert opened == tag, f"{opened} ends with {tag}"
        text = "".join(texts)
        words = " ".join(text.split())
        if tag in ("td", "th"):
            self._rows[-1].append(words)
        elif tag == "caption":
            self._caption = words
        elif tag == "table":
            self.tables[self._caption] = self._rows
        elif tag == "figcaption":
            self.captions[self._open[-1][1]["id"]] = words
        if "id" in attributes:
            self.parts[attributes["id"]] = words
        if self._open:
            self._open[-1][2].append(text if tag in ("sub", "sup", "a", "code", "i") else f" {text} ")
        else:
            self.text = words

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][0] not in ("style", "script"):
            self._open[-1][2].append(data)
