"""Skims: some entries of a source, with all that its trees have of them, as a tree of the same name and kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdf.code.interpreter import MACROS, ROOT, first_reason, open_file
from rdf.code.library import Library, compile_library
from rdf.errors import EventLoopFailed, LostEvents, MissingColumn, UnreadableFile
from rdf.local_files import LocalFiles, is_address
from rdf.provenance import Provenance
from rdf.sources.source import Source, reading

Progress = Callable[[int, int], None]
"""Called with the entries copied and the entries in all."""

PORTION = 500
"""Entries that are copied at once: an interruption comes between two portions."""


def write_skim(
    source: Source,
    numbers: npt.NDArray[np.uint64],
    target: Path,
    provenance: Provenance,
    progress: Progress | None = None,
) -> tuple[str, ...]:
    """Write entries of a source to a new file: all branches of its trees, but not those of friends.

    Args:
        source: whose entries these are.
        numbers: of the entries, rising, counted from the first of the sample; shape (entries,).
        target: file to write.
        provenance: of the file.
        progress: called while entries are copied.

    Returns:
        Branches that are not written, since not all files have them in the same way.

    Raises:
        UnreadableFile: an entry of a file cannot be read.
        MissingColumn: RNTuples have other columns than the first.
        EventLoopFailed: the target cannot be written.
    """
    local = source.local
    with provenance.created_file(target) as file, _copy(source.tree, source.paths, file, local) as copy:
        left_out = tuple(str(name) for name in copy.left_out())
        first, done = source.skipped, 0
        for i, (path, entries) in enumerate(zip(source.files, source.entries, strict=True)):
            begin, end = np.searchsorted(numbers, [first, first + entries])
            of_file = np.ascontiguousarray(numbers[begin:end] - np.uint64(first))
            first += entries
            if not len(of_file) and i:  # the first one says what there is to write
                continue
            with reading(path, local):
                copy.begin(i, not is_address(path))
            for start in range(0, len(of_file), PORTION):
                portion = of_file[start : start + PORTION]
                with reading(path, local):
                    copy.add(portion, len(portion))
                done += len(portion)
                if progress:
                    progress(done, len(numbers))
        _close(copy, len(numbers), target)
    local.check_unchanged()
    return left_out


def join_trees(parts: Sequence[Path], target: Path, provenance: Provenance) -> int:
    """Write the entries of the only tree in each of some files, one file after the other, to a new file.

    Args:
        parts: the files, one at least.
        target: file to write.
        provenance: of the file.

    Returns:
        The number of entries.

    Raises:
        UnreadableFile: a file is damaged, or its tree is not like that of the first.
        EventLoopFailed: the target cannot be written.
    """
    names = [_only_tree(part) for part in parts]
    if len({*names}) > 1:
        raise UnreadableFile(f"{parts[0]} to {parts[-1]} hold trees of several names; join parts of one run")
    local = LocalFiles()
    paths = [local.path_of(str(part)) for part in parts]
    with provenance.created_file(target) as file, _copy(names[0], paths, file, local) as copy:
        for i, part in enumerate(parts):
            with reading(str(part), local):
                copy.begin(i, False)
                copy.add_all()
        return _close(copy, None, target)


def compile_skim() -> Library:
    """Have what copies entries compiled, which takes a while, before it is needed."""
    interface = f'#include "{MACROS / "sources/skim.hxx"}"'
    return compile_library('#include "sources/skim.cxx"\n', "macros/sources/skim.cxx", interface)


@contextmanager
def _copy(tree: str, paths: Sequence[str], file: Any, local: LocalFiles) -> Iterator[Any]:
    compile_skim().load()
    try:
        copy = ROOT.skim.Copy(tree, paths, file)
    except Exception as error:
        raise MissingColumn(local.named(first_reason(error))) from error
    try:
        yield copy
    finally:
        copy.__destruct__()  # before the file is closed, which takes the tree along


def _close(copy: Any, expected: int | None, target: Path) -> int:
    try:
        written = int(copy.close())
    except Exception as error:
        raise EventLoopFailed(f"{target} cannot be written: {first_reason(error)}; is the disk full?") from error
    if expected not in (None, written):
        raise LostEvents(f"{target} holds {written} events, {expected} were to be written; run again")
    return written


def is_ntuple(source: Source) -> bool:
    """Tell whether the trees of a source are RNTuples."""
    with open_file(source.paths[0]) as file:
        return str(_key(file, source.tree).GetClassName()) == "ROOT::RNTuple"


def _key(file: Any, tree: str) -> Any:
    folder, _, name = tree.rpartition("/")
    return (file.GetDirectory(folder) if folder else file).GetKey(name)


def _only_tree(path: Path) -> str:
    """Return the name of the tree in a file that a run has written."""
    try:
        file = open_file(str(path))
    except OSError as error:
        raise UnreadableFile(f"{path} is not a whole ROOT file ({error}); make it anew") from error
    with file:
        found = next(_trees(file), None)
    if found is None:
        raise UnreadableFile(f"{path} holds no tree; make it anew")
    return found


def _trees(directory: Any, place: str = "") -> Iterator[str]:
    for key in directory.GetListOfKeys():
        kind, name = ROOT.TClass.GetClass(key.GetClassName()), f"{place}{key.GetName()}"
        if kind.InheritsFrom("TTree") or str(key.GetClassName()) == "ROOT::RNTuple":
            yield name
        elif kind.InheritsFrom("TDirectory"):
            yield from _trees(directory.Get(str(key.GetName())), f"{name}/")
