"""Parts of a sample put together: histograms added, events written one after the other."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rdf.code.interpreter import MACROS, ROOT, first_reason, open_file
from rdf.code.library import compile_library
from rdf.errors import UnreadableFile
from rdf.graph import histograms
from rdf.graph.events import TABLE
from rdf.graph.histogram_keys import HistogramKey, Kind
from rdf.provenance import SIMULATED, Provenance

Progress = Callable[[int, int], None]
"""Called with the files done and the files in all."""


def add_histograms(files: Sequence[Path], progress: Progress | None = None) -> dict[str, Any]:
    """Return the histograms that one event loop over all parts would have filled, by their path in the files.

    Args:
        files: histograms.root of the parts, one at least.
        progress: called after each file.

    Raises:
        UnreadableFile: a file is damaged, lacks a histogram, has one more, or one with other axes; names file and
            histogram.
    """
    total: dict[str, Any] = {}
    for done, file in enumerate(files, start=1):
        found = _read_histograms(file)
        if not total:
            total = found
        else:
            _check_same_axes(file, found, files[0], total)
            histograms.add_histograms(total, found)
        if progress:
            progress(done, len(files))
    return total


def _read_histograms(path: Path) -> dict[str, Any]:
    try:
        file = open_file(str(path))
    except OSError as error:
        raise UnreadableFile(f"{path} is not a whole ROOT file ({error}); make it anew") from error
    with file:
        return dict(_histograms_in(file))


def _histograms_in(directory: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    for key in directory.GetListOfKeys():
        name = str(key.GetName())
        kind = ROOT.TClass.GetClass(key.GetClassName())
        if kind.InheritsFrom("TDirectory"):
            yield from _histograms_in(directory.Get(name), f"{place}{name}/")
        elif kind.InheritsFrom("TH1"):
            histogram = key.ReadObj()
            ROOT.SetOwnership(histogram, True)
            # The title says it again when the sum is written.
            title = str(histogram.GetTitle()).removeprefix(f"{SIMULATED} ")
            histogram.SetTitle(histograms.titles(title))
            yield place + name, histogram


def _check_same_axes(file: Path, found: dict[str, Any], first: Path, expected: dict[str, Any]) -> None:
    for path in sorted(found.keys() ^ expected.keys()):
        lacking, other = (file, first) if path in expected else (first, file)
        raise UnreadableFile(f"{lacking} has no histogram {path!r}, {other} has; add up parts of one run only")
    for path, histogram in found.items():
        if HistogramKey.of_path(path).kind is Kind.SHARES:  # whose bins are the runs of the part
            continue
        if _axes(histogram) != _axes(expected[path]):
            raise UnreadableFile(
                f"{file}: histogram {path!r} has other axes than in {first}; add up parts of one run only"
            )


def _axes(histogram: Any) -> tuple[object, ...]:
    """Return what two histograms have to have in common to be added."""
    axes = [histogram.GetXaxis(), histogram.GetYaxis()][: histogram.GetDimension()]
    labelled = [axis.GetLabels() for axis in axes]
    return (
        str(histogram.ClassName()),
        *((axis.GetNbins(), axis.GetXmin(), axis.GetXmax()) for axis in axes),
        *(tuple(str(label) for label in labels) if labels else () for labels in labelled),
    )


def concatenate_events(
    parts: Sequence[Path], target: Path, provenance: Provenance, progress: Progress | None = None
) -> list[int]:
    """Write the events of all parts, one after the other and in the order of each, to a new `events.root`.

    Compressed pages are copied as they are: that takes a fraction of the time of reading them, and no more memory for
    large parts than for small ones.

    Args:
        parts: events.root of the parts, one at least.
        target: file to write.
        provenance: of the whole.
        progress: called with the events written and the events in all, at the end.

    Returns:
        The number of events of each part.

    Raises:
        UnreadableFile: a part is damaged, or its columns are not those of the first.
        EventLoopFailed: the target cannot be written whole.
    """
    interface = f'#include "{MACROS / "graph/merging.hxx"}"'
    compile_library('#include "graph/merging.cxx"\n', "macros/graph/merging.cxx", interface).load()
    with provenance.created_file(target) as file:
        try:
            rows = [int(n) for n in ROOT.merging.concatenate(TABLE, [str(part) for part in parts], file)]
        except Exception as error:
            raise UnreadableFile(f"{first_reason(error)}; make these parts anew") from error
    if not any(rows):  # ROOT does not put together what has no pages
        shutil.copyfile(parts[0], target)
    if progress:
        progress(sum(rows), sum(rows))
    return rows
