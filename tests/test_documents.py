"""What the documents beside the code name is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from plotting.results.record_tables import MEANING

PROJECT = Path(__file__).parents[1]
FOLDERS = ("analysis", "condor", "macros", "models", "plotting", "rdf", "tests")
DOCUMENTS = sorted([*PROJECT.glob("*.md"), *(path for folder in FOLDERS for path in (PROJECT / folder).rglob("*.md"))])

_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")
_PATH = re.compile(r"(?:[\w*.-]+/)*(?:[\w*-]+(?:\.\w+)?)?")
_MODULE = re.compile(r"[\w*-]+\.(?:py|hxx|cxx)")
_USERS = re.compile(r"[/_](?:mine|farthest|spreads)")
"""What files are called that a reader is to write."""


def is_there(name: str, folder: Path) -> bool:
    """Tell whether a module lies below a folder, or a path leads somewhere from there or from the top of the tree."""
    if _MODULE.fullmatch(name):
        below = [folder / part for part in FOLDERS] if folder == PROJECT else [folder]
        return any(found for part in below for found in part.rglob(name))
    return any(path.exists() for place in (folder, PROJECT) for path in place.glob(name.rstrip("/")))


def named_paths(text: str, folder: Path) -> set[str]:
    """Return what a document in a folder names as a path in the tree: it begins with a folder, or is a module."""
    places = {*FOLDERS, *(path.name for path in folder.iterdir() if path.is_dir())}
    return {
        name
        for name in _CODE.findall(text)
        if _PATH.fullmatch(name) and not _USERS.search(name)
        if _MODULE.fullmatch(name) or ("/" in name and name.partition("/")[0] in places)
    }


def anchors(document: Path) -> set[str]:
    """Return the names under which the headings of a document can be linked to, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def missing(text: str, folder: Path) -> list[str]:
    """Say which paths and links of a document in a folder lead nowhere."""
    found = [name for name in named_paths(text, folder) if not is_there(name, folder)]
    for place, anchor in _LINK.findall(text):
        target = folder / place if place else None
        if target is not None and not target.exists():
            found.append(place)
        elif anchor and target is not None and anchor not in anchors(target):
            found.append(f"{place}#{anchor}")
    return sorted(found)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_paths_and_links_lead_somewhere(document: Path) -> None:
    assert missing(document.read_text(encoding="utf-8"), document.parent) == []


def test_a_path_that_leads_nowhere_is_told() -> None:
    paths = (
        "`rdf/schema/physics.py`, `rdf/physics.py`, `macros/physics/*.hxx`, `models.json`, `physics.py`, `physic.py`"
    )
    links = "[a](README.md#speed), [b](GONE.md), [c](README.md#three-commands)"
    wrong = ["GONE.md", "README.md#three-commands", "physic.py", "rdf/physics.py"]
    assert missing(f"{paths} {links}", PROJECT) == wrong
    assert missing("`graph/columns.hxx`, `graph/gone.hxx`, `columns.py`", PROJECT / "macros") == [
        "columns.py",
        "graph/gone.hxx",
    ]


def test_the_readme_of_the_macros_names_every_header() -> None:
    text = (PROJECT / "macros" / "README.md").read_text(encoding="utf-8")
    headers = [path for kind in ("hxx", "cxx") for path in (PROJECT / "macros").glob(f"*/*.{kind}")]
    named = {name.rpartition("/")[2] for name in named_paths(text, PROJECT / "macros")}
    assert [path.name for path in headers if path.name not in named and path.parent.name != "simulation"] == []


FIGURES = "plotting/figures/"
"""Folder of one module a figure, which the README names as a whole."""


@pytest.mark.parametrize("room", [folder for folder in FOLDERS if folder not in ("macros", "tests")])
def test_the_readme_of_a_room_names_every_module(room: str) -> None:
    text = (PROJECT / room / "README.md").read_text(encoding="utf-8")
    named = {name.rpartition("/")[2] for name in named_paths(text, PROJECT / room)}
    modules = [path.relative_to(PROJECT) for path in (PROJECT / room).rglob("*.py") if path.name != "__init__.py"]
    unnamed = [str(path) for path in modules if path.name not in named]
    assert [path for path in unnamed if not path.startswith(FIGURES)] == []


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (citation["title"], citation["version"], citation["license"]) == (
        project["name"],
        project["version"],
        project["license"],
    )
    assert citation["cff-version"] == "1.2.0"


def test_the_readme_says_what_a_flag_means_in_the_words_of_reports() -> None:
    quoted = [
        line.removeprefix(">").strip() for line in (PROJECT / "README.md").read_text().splitlines() if line[:1] == ">"
    ]
    assert " ".join(quoted) == f"**What a flag means.** {MEANING}"
