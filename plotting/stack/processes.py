"""Runs over data and over simulated processes, read and normalised to the luminosity of the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from plotting.errors import BadCommand, UnfitRuns
from plotting.results.caption import Caption
from plotting.results.checksums import check_results
from plotting.results.histograms import Spectrum, Variation
from plotting.results.records import check_files
from plotting.results.root_file import HISTOGRAMS_ROOT, Reader, read_root
from plotting.results.run_record import RUN_JSON, RunRecord, read_run_record
from rdf.graph.histogram_keys import Direction, HistogramKey, Kind, Selection, variation

_REMEDY = "repeat the run that wrote it (python -m analysis.run)"
PER_FEMTOBARN = 1000.0
"""Events of a cross section of 1 pb in 1/fb."""


@dataclass(frozen=True)
class Process:
    """A simulated process in one histogram, normalised to the luminosity of the data.

    Attributes:
        title: in words.
        spectrum: the events that are expected.
    """

    title: str
    spectrum: Spectrum


@dataclass(frozen=True)
class Stack:
    """Data and what simulated processes give together, in one histogram.

    Attributes:
        name: of the quantity or the score, as "MR" or "score_ensemble".
        data: the events of the data.
        processes: that with the fewest events first.
        variations: of the sum of all processes, as far as all of them have it.
    """

    name: str
    data: Spectrum
    processes: tuple[Process, ...]
    variations: tuple[Variation[Spectrum], ...]

    @property
    def expected(self) -> Spectrum:
        """The sum of all processes."""
        return added([process.spectrum for process in self.processes])


@dataclass(frozen=True)
class Stacks:
    """All histograms that the runs have in common.

    Attributes:
        caption: of the data, with the luminosity that the processes are normalised to.
        stacks: each quantity, then each score.
        scales: by which what a run filled is multiplied, in the order of the runs.
    """

    caption: Caption
    stacks: tuple[Stack, ...]
    scales: tuple[float, ...]


@dataclass(frozen=True)
class _Run:
    """A run over a simulated process.

    Attributes:
        record: its run.json.
        reader: of its histograms.
        scale: by which they are multiplied.
    """

    record: RunRecord
    reader: Reader
    scale: float

    def spectrum(self, key: HistogramKey) -> Spectrum:
        return scaled(self.reader.spectrum(key.path), self.scale)


def read_stacks(data: Path, simulated: Sequence[Path], luminosity: float | None) -> Stacks:
    """Read the outputs of runs, and normalise the simulated ones.

    Args:
        data: output folder of the run over data.
        simulated: output folders of runs over simulated processes, which the same models scored.
        luminosity: of the data in 1/fb; None for what their run.json says.

    Raises:
        BadCommand: the luminosity is not known, or nothing is simulated.
        MissingResult, UnreadableResult: a folder lacks something, or something in it is damaged.
        UnfitRuns: other models scored a run, or how many of its events are produced is not known.
    """
    if not simulated:
        raise BadCommand("stack: name the output folder of the data, and then those of simulated processes")
    folders = (data, *simulated)
    first, *others = (_record(folder) for folder in folders)
    luminosity = first.sample.luminosity if luminosity is None else luminosity
    if luminosity is None:
        raise BadCommand(f"stack: the luminosity of {data} is not known; say it in 1/fb with --luminosity")
    for folder, record in zip(simulated, others, strict=True):
        if record.models_sha256 != first.models_sha256:
            raise UnfitRuns(f"{folder} was scored by other models than {data}; score it with --models {data}/models")
    scales = [scale_of(folder, record, luminosity) for folder, record in zip(simulated, others, strict=True)]
    with ExitStack() as opened:
        readers = [opened.enter_context(read_root(folder / HISTOGRAMS_ROOT, _REMEDY)) for folder in folders]
        runs = [_Run(*each) for each in zip(others, readers[1:], scales, strict=True)]
        stacks = tuple(_stack(key, readers[0], runs) for key in _common_keys((first, *others)))
    caption = replace(Caption.of(first.sample), luminosity=luminosity)
    return Stacks(caption, stacks, tuple(scales))


def _record(folder: Path) -> RunRecord:
    check_files(folder, (RUN_JSON, HISTOGRAMS_ROOT), _REMEDY)
    check_results(folder, (RUN_JSON, HISTOGRAMS_ROOT), _REMEDY)
    return read_run_record(folder / RUN_JSON, _REMEDY)


def scale_of(folder: Path, record: RunRecord, luminosity: float) -> float:
    """Return by what the histograms of a run are multiplied to show the events of a luminosity.

    Args:
        folder: of the run, for messages.
        record: its run.json.
        luminosity: in 1/fb.

    Raises:
        UnfitRuns: it cannot be told: names the key that the sample's file lacks.
    """
    if record.configuration.get("max_events") is not None:
        raise UnfitRuns(f"{folder}: not all events of the sample were read; run again without --max-events")
    if record.weights and record.weights.luminosity:
        return luminosity / record.weights.luminosity
    sample = record.sample
    known: Mapping[str, float | None] = {
        "cross_section": sample.cross_section,
        "sum_of_weights": sample.sum_of_weights,
    }
    if missing := [name for name, value in known.items() if value is None]:
        raise UnfitRuns(
            f"{folder}: no {missing[0]} of {sample.title} is known; add `{missing[0]}` to the sample's file and run "
            "again, with --models"
        )
    events = luminosity * PER_FEMTOBARN * (sample.cross_section or 0.0)
    for factor in (sample.k_factor, sample.filter_efficiency):
        events *= 1.0 if factor is None else factor
    return events / (sample.sum_of_weights or 1.0)


def _common_keys(records: Sequence[RunRecord]) -> list[HistogramKey]:
    """Return the histograms of all events that all runs have: of features and observables, and of scores."""

    def common(of: Callable[[RunRecord], Sequence[str]]) -> list[str]:
        first, *others = (of(record) for record in records)
        return [name for name in first if all(name in other for other in others)]

    quantities = common(lambda record: [quantity.name for quantity in (*record.features, *record.observables)])
    detectors = common(lambda record: list(record.detectors))
    return [
        *(HistogramKey(Kind.FEATURES, Selection.ALL, name) for name in quantities),
        *(HistogramKey(Kind.SCORES, Selection.ALL, f"score_{name}") for name in ("ensemble", *detectors)),
    ]


def _stack(key: HistogramKey, data: Reader, runs: Sequence[_Run]) -> Stack:
    spectrum = data.spectrum(key.path)
    processes = [Process(run.record.sample.title, run.spectrum(key)) for run in runs]
    for process in processes:
        if not np.array_equal(process.spectrum.edges, spectrum.edges):
            raise UnfitRuns(f"{key.path} has other bins in {process.title}; score it with the models of the data")
    varied = [name for name in runs[0].record.variations if all(name in run.record.variations for run in runs)]
    variations = tuple(
        Variation(
            name,
            runs[0].record.variations[name].size,
            *(
                added([run.spectrum(replace(key, variation=variation(name, direction))) for run in runs])
                for direction in (Direction.UP, Direction.DOWN)
            ),
        )
        for name in varied
    )
    return Stack(key.name, spectrum, tuple(sorted(processes, key=lambda it: it.spectrum.total)), variations)


def scaled(spectrum: Spectrum, scale: float) -> Spectrum:
    """Return a histogram whose contents are multiplied."""
    return replace(
        spectrum,
        values=spectrum.values * scale,
        variances=spectrum.variances * scale**2,
        outside=spectrum.outside * scale,
    )


def added(spectra: Sequence[Spectrum]) -> Spectrum:
    """Return the sum of histograms of the same edges, whose contents are independent."""
    first, *others = spectra
    return replace(
        first,
        values=sum((each.values for each in others), first.values),
        variances=sum((each.variances for each in others), first.variances),
        outside=sum(each.outside for each in spectra),
    )
