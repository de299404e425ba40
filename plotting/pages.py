"""How a page is made of templates, and how it gets to the disk."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import jinja2

from plotting.errors import PageFolderError

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
    """Write a page, which appears under its name only when it is whole, and return the path.

    Raises:
        PageFolderError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        draft.write_text(page, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise PageFolderError(
            f"{path}: cannot be written ({error.strerror or error}); free space or take another folder"
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink()
    return path
