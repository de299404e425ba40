"""How a page is made of templates, and how it gets to the disk."""

from __future__ import annotations

from pathlib import Path

import jinja2

from plotting.errors import PageFolderError
from plotting.results.checksums import vouch
from rdf.drafts import whole_file

_TEMPLATES = Path(__file__).with_name("templates")


def template_environment() -> jinja2.Environment:
    """Return what turns templates into pages; whatever they are given is text, but for Markup."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def write_page(path: Path, page: str) -> Path:
    """Write a page into a folder of results, where it appears under its name only when it is whole.

    Returns:
        The path.

    Raises:
        PageFolderError: it cannot be written.
    """
    try:
        with whole_file(path) as draft:
            draft.write_text(page, encoding="utf-8")
            vouch(path.parent, path.name, draft)
    except OSError as error:
        raise PageFolderError(
            f"{path}: cannot be written ({error.strerror or error}); free space or take another folder"
        ) from error
    return path
