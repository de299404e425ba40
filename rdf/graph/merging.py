"""Parts of a sample put together: histograms added, events written one after the other."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdf.code.interpreter import MACROS, ROOT, first_reason, open_file
from rdf.code.library import compile_library
from rdf.errors import UnreadableFile
from rdf.graph import histograms
from rdf.graph.events import TABLE
from rdf.graph.histogram_keys import BLOCKS, RUNS, HistogramKey, Kind
from rdf.graph.shares import added_shares
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
            add_parts(total, found)
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
        if HistogramKey.of_path(path) in (RUNS, BLOCKS):  # whose bins are the runs of the part
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


def add_parts(total: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add the histograms of one part of a sample to those of others.

    Args:
        total: as `collect_histograms` gives them; changed.
        more: those of the other part, with the same paths and bins.
    """
    for path, histogram in total.items():
        key = HistogramKey.of_path(path)
        if key.remainder:
            continue
        if key in (RUNS, BLOCKS):  # parts have different runs
            total[path] = added_shares(key, histogram, more[path])
            continue
        entries = histogram.GetEntries() + more[path].GetEntries()
        if key.kind is Kind.CUTFLOW:  # filled bin by bin
            entries = histogram.GetEntries()
        rest_path = replace(key, remainder=True).path
        if (rest := total.get(rest_path)) is None:
            histogram.Add(more[path])
            histogram.SetEntries(entries)
            continue
        other = (more[path], more[rest_path])
        arrays: list[Callable[[Any], npt.NDArray[np.float64]]] = [_contents, squared_weights]
        weights = None
        if rest.InheritsFrom("TProfile2D"):  # a mean of events with weights
            arrays.append(_squared_weights_of_mean)
            weights = _added(*(_weights_of_mean(h) for h in (histogram, rest, *other)))
        sums = [_added(*(np.array(array(h)) for h in (histogram, rest, *other))) for array in arrays]
        histogram.Add(more[path])  # its number of entries, and for means those of each bin
        if weights:
            for mean, values in zip((histogram, rest), weights, strict=True):
                for bin, value in enumerate(values.tolist()):
                    mean.SetBinEntries(bin, value)  # and its square, which is set next
        for array, (high, low) in zip(arrays, sums, strict=True):
            array(histogram)[:], array(rest)[:] = high, low
        histogram.ResetStats()
        histogram.SetEntries(entries)


def _contents(histogram: Any) -> npt.NDArray[np.float64]:
    """Return a view of the sums in the bins of a histogram or profile, shape (bins with overflows,)."""
    return np.frombuffer(histogram.GetArray(), dtype=np.float64, count=histogram.GetNcells())


def squared_weights(histogram: Any) -> npt.NDArray[np.float64]:
    """Return a view of the sums of squared weights in the bins, of the shape of `_contents`."""
    return np.frombuffer(histogram.GetSumw2().GetArray(), dtype=np.float64, count=histogram.GetNcells())


def _squared_weights_of_mean(mean: Any) -> npt.NDArray[np.float64]:
    """Return a view of the sums of squared weights in the bins of a profile."""
    return np.frombuffer(mean.GetBinSumw2().GetArray(), dtype=np.float64, count=mean.GetNcells())


def _weights_of_mean(mean: Any) -> npt.NDArray[np.float64]:
    """Return the sums of weights in the bins of a profile, whose array ROOT shows to nobody."""
    return np.array([mean.GetBinEntries(bin) for bin in range(mean.GetNcells())])


def _added(
    high: npt.NDArray[np.float64],
    low: npt.NDArray[np.float64],
    other_high: npt.NDArray[np.float64],
    other_low: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Add sums that are kept in two doubles each, as `macros/numerics/exact_sums.hxx` does."""
    total = high + other_high
    added = total - high
    rest = low + other_low + ((high - (total - added)) + (other_high - added))
    result = total + rest
    return result, rest - (result - total)
