"""The ROOT file of a folder that one can browse, with all that a run or an evaluation drew from its events."""

from __future__ import annotations

from pathlib import Path

from plotting.errors import MissingResult, UnreadableResult
from plotting.results.checksums import check_results
from plotting.results.records import check_files
from plotting.results.root_file import CURVES_ROOT, HISTOGRAMS_ROOT, read_root

NAMES = (HISTOGRAMS_ROOT, CURVES_ROOT)
"""Of a run, and of an evaluation."""


def find_root_file(folder: Path) -> Path:
    """Return the ROOT file of a run or an evaluation, having made sure that it is whole.

    Raises:
        MissingResult: the folder, or such a file in it, is not there.
        UnreadableResult: it is truncated, damaged or empty.
    """
    check_files(folder, (), "")
    path = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if path is None:
        raise MissingResult(f"{folder}: has no {' or '.join(NAMES)}; give the output folder of a run or an evaluation")
    remedy = "repeat what wrote it (python -m analysis.run or analysis.evaluate)"
    check_results(folder, (path.name,), remedy)
    with read_root(path, remedy) as reader:
        found = reader.keys()
        if not any("/" in key for key in found):
            raise UnreadableResult(f"{path}: holds no histogram; {remedy}")
    return path
