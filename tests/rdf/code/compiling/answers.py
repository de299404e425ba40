"""Small C++ that is compiled to a library, called, and looked for in the cache."""

from __future__ import annotations

import ctypes
import hashlib
from pathlib import Path

import rdf.cache
import rdf.temporary
from rdf.code import compiler
from rdf.code.compiler import find_compiler
from rdf.code.library import compile_library

ANSWER = 'extern "C" int answer() { return 42; }'
DEFINED = 'extern "C" int answer() { return ANSWER; }'


def forget() -> None:
    """Begin as a new process does."""
    find_compiler.cache_clear()
    compile_library.cache_clear()
    compiler.can_compile.cache_clear()
    rdf.temporary._remove_orphans.cache_clear()
    rdf.cache._replacement.cache_clear()


def answer(code: str = ANSWER) -> int:
    forget()
    library = compile_library(code, "the answer")
    library.load()
    return int(ctypes.CFUNCTYPE(ctypes.c_int)(library.address("answer"))())


def kept(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir()) if cache.is_dir() else []


def is_sealed(path: Path) -> bool:
    """A library and, after a mark, its sha256."""
    content, mark, seal = path.read_bytes().rpartition(b"\0sealed by sha256 ")
    return bool(mark) and hashlib.sha256(content).digest() == seal and content.startswith(b"\x7fELF")
