"""The two event loops of a run: one that collects what detectors learn from, and one that scores every event."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.configuration import RunConfiguration
from analysis.inputs import RunInput
from analysis.output import check_space
from analysis.program import error_console
from analysis.progress import progress_bar, spinner
from analysis.provenance import git_commit, library_versions
from analysis.timings import Timings
from models.folder import Columns, ModelFolder, TrainingSample
from models.registry import DETECTORS
from rdf import RNode
from rdf.errors import NoEvents
from rdf.features import Feature
from rdf.schema import ID_QUANTITIES
from rdf.variations import vary_scales

if TYPE_CHECKING:
    from rdf.snapshot import Snapshot
    from rdf.sources import Source

TOP_EVENTS = 100
"""Events in anomalies.csv."""


@dataclass(frozen=True)
class Job:
    """One run over one source: what its two event loops have in common.

    Attributes:
        configuration: of the run.
        data: what is read, for the record.
        source: the trees.
        columns: every column that the source can have, with the expression that gives it.
        recipe: what of them is computed, as models.json says it.
        described: how each column is written.
        left_out: of the feature set what the source has not the objects for.
        entries: of the source that are read, half-open.
        threads: of the event loops.
        staging: folder that results are written to.
        timings: counts the stages.
    """

    configuration: RunConfiguration
    data: RunInput
    source: Source
    columns: Mapping[str, str]
    recipe: Columns
    described: Mapping[str, Feature]
    left_out: tuple[str, ...]
    entries: tuple[int, int]
    threads: int
    staging: Path
    timings: Timings

    def _define_columns(self, events: RNode) -> RNode:
        """Define all columns of an event, up to the features that are not finite."""
        from rdf.columns import define_columns, define_feature_vector, rounded
        from rdf.selection import define_non_finite

        features, observables = self.recipe.features, self.recipe.observables
        events = vary_scales(events, self.configuration.vary)
        recorded = (*features, *observables)
        events = define_columns(events, rounded(self.columns, recorded), (*ID_QUANTITIES, *recorded))
        return define_non_finite(define_feature_vector(events, features))

    def train(self) -> ModelFolder:
        """Run the first event loop, train the detectors on what it collects, and write the model folder."""
        from rdf.execution import EventLoop, use_threads
        from rdf.selection import select_finite
        from rdf.snapshot import book_snapshot

        console = error_console()
        features, observables = self.recipe.features, self.recipe.observables
        slots = use_threads(self.threads)
        loop = EventLoop(self.source, self.entries)
        with self.timings.stage("jit"):
            selected = select_finite(self._define_columns(loop.events))
            snapshot = book_snapshot(selected, (*features, *observables), slots)
        with progress_bar(console, "collecting features", "events") as move:
            took = loop.run([snapshot.booked], move)
        self.timings.add("jit", took.jit_seconds)
        self.timings.add("snapshot", took.loop_seconds)
        _, columns = snapshot.arrays()
        X = columns[:, : len(features)]
        if not len(X):
            raise NoEvents(f"{self.data.title}: no event with finite features is left to train on; check the sample")

        with self.timings.stage("training"), spinner(console, "training") as say:
            from models.training import train, write_model_folder

            names = self.configuration.detectors or tuple(DETECTORS)
            detectors = train(X, names, seed=self.configuration.seed, progress=lambda name: say(f"training {name}"))
            return write_model_folder(
                self.staging / "models",
                detectors,
                X,
                columns[:, len(features) :],
                self.recipe,
                training=TrainingSample(
                    sample=self.data.name,
                    title=self.data.title,
                    simulated=self.data.simulated,
                    sha256=[file.sha256 for file in self.data.files if file.sha256],
                    entries=self.entries,
                    events=len(X),
                ),
                versions=library_versions(),
            )

    def score(self, models: ModelFolder) -> dict[str, Any]:
        """Run the scoring event loop, write what it gives, and return what run.json says of it."""
        from rdf.events import book_events, check_events
        from rdf.execution import EventLoop, use_threads
        from rdf.histograms import book_histograms, complete, write_histograms
        from rdf.provenance import Provenance
        from rdf.scoring import ENSEMBLE, define_scores, event_columns
        from rdf.selection import cutflow, non_finite_counts, select_finite
        from rdf.snapshot import book_top_events
        from rdf.sofie import check_parity, compile_detector

        console = error_console()
        features, observables = self.recipe.features, self.recipe.observables
        scored = {
            name: entry
            for name, entry in models.detectors.items()
            if self.configuration.detectors is None or name in self.configuration.detectors
        }
        names = tuple(scored)
        min_votes = min(models.min_votes, len(names))
        parity = {}
        slots = use_threads(self.threads)
        with self.timings.stage("compile"), spinner(console, "compiling detectors"):
            compiled = []
            reference = np.array(models.reference.features, dtype=np.float32)
            for name, entry in scored.items():
                table = entry.rank_table
                onnx = self.staging / "models" / entry.file
                detector = compile_detector(name, onnx, entry.threshold, table.scores, table.ranks, slots)
                parity[name] = check_parity(
                    detector, reference, np.array(models.reference.scores[name], dtype=np.float32)
                )
                compiled.append(detector)

        origin = json.dumps({"sample": self.data.describe(), "commit": git_commit()})
        provenance = Provenance(origin, self.data.simulated)
        loop = EventLoop(self.source, self.entries)
        columns = event_columns(features, observables, names)
        with self.timings.stage("jit"):
            events = self._define_columns(loop.events)
            selected = define_scores(select_finite(events), compiled, min_votes)
            written = book_events(selected, self.staging / "events.root", columns, provenance)
            # Where all detectors agree that nothing in training was as unusual, the scores themselves decide.
            key = (ENSEMBLE, *(f"score_{name}" for name in names))
            top = book_top_events(selected, key, columns, TOP_EVENTS, slots)
            score_axes = {name: entry.score_axis for name, entry in scored.items()}
            histograms = book_histograms(
                events,
                selected,
                features,
                self.described,
                models.feature_axes,
                score_axes,
                self.recipe.plane,
                tuple(self.configuration.vary),
            )
            report = selected.Report()
        with progress_bar(console, "scoring", "events") as move:

            def watch(done: int, total: int) -> None:
                check_space(self.staging, total - done, len(columns), self.threads)
                move(done, total)

            watch(0, loop.expected)
            took = loop.run([written, top.booked, *histograms.results(), report], watch)
        self.timings.add("jit", took.jit_seconds)
        self.timings.add("scoring_loop", took.loop_seconds)

        cuts = cutflow(report)
        selected_events = cuts[-1].events
        check_events(self.staging / "events.root", selected_events)
        if not selected_events:
            raise NoEvents(f"{self.data.title}: no event has finite features, nothing was scored; check the sample")
        filled = complete(histograms, cuts)
        write_histograms(self.staging / "histograms.root", filled, provenance)
        _write_anomalies(self.staging / "anomalies.csv", top, len(key), self.data)

        flagged = {name: int(filled["agreement/flagged"].GetBinContent(i, i)) for i, name in enumerate(names, start=1)}
        anomalous = round(filled["moments/anomalous"].GetBinContent(1, 1))
        return {
            "sample": self.data.describe(),
            "training": models.training.model_dump(),
            "threads": self.threads,
            "entries": self.entries,
            "features": [asdict(self.described[name]) for name in features],
            "observables": [asdict(self.described[name]) for name in observables],
            "left_out": self.left_out,
            "objects": self.recipe.objects,
            "define": self.recipe.define,
            "cutflow": [asdict(cut) for cut in cuts],
            "non_finite": non_finite_counts(filled["cutflow/non_finite"], features),
            "counts": {
                "expected": loop.expected,
                "processed": took.events,
                "selected": selected_events,
                "normal": selected_events - anomalous,
                "anomalous": anomalous,
            },
            "min_votes": min_votes,
            "detectors": {
                name: {"threshold": entry.threshold, "flagged": flagged[name], "parity": parity[name]}
                for name, entry in scored.items()
            },
            "variations": _variations(filled, self.configuration.vary, names, min_votes),
            "means": _means(filled, features),
            "timings": self.timings.rounded(),
            "events_per_second": round(took.events / took.loop_seconds) if took.loop_seconds else None,
        }


def _means(histograms: Mapping[str, Any], features: Sequence[str]) -> dict[str, dict[str, float | None]]:
    """Return each feature's mean over normal and over anomalous events, and their ratio; None where there are none.

    Means of a feature that has both signs have no ratio: they are close to 0 by cancellation.
    """

    def mean(selection: str, i: int) -> float | None:
        sums = histograms[f"moments/{selection}"]
        count = sums.GetBinContent(1, 1)
        return float(sums.GetBinContent(1, i + 2) / count) if count else None

    means: dict[str, dict[str, float | None]] = {}
    for i, name in enumerate(features):
        normal, anomalous = mean("normal", i), mean("anomalous", i)
        spectrum = histograms[f"features/{name}"]
        last_below_zero = spectrum.FindBin(0) - 1
        has_both_signs = last_below_zero >= 0 and spectrum.Integral(0, last_below_zero) > 0
        ratio = anomalous / normal if normal and anomalous is not None and not has_both_signs else None
        means[name] = {"normal": normal, "anomalous": anomalous, "ratio": ratio}
    return means


def _variations(
    histograms: Mapping[str, Any], sizes: Mapping[str, float], detectors: Sequence[str], min_votes: int
) -> dict[str, Any]:
    """Return, for each variation, how many events are selected and flagged with the scale up, nominal and down."""

    def counts(prefix: str) -> dict[str, Any]:
        votes, flagged = histograms[f"{prefix}agreement/votes"], histograms[f"{prefix}agreement/flagged"]
        return {
            "selected": round(votes.Integral()),
            "anomalous": round(votes.Integral(min_votes + 1, votes.GetNbinsX())),
            "flagged": {name: round(flagged.GetBinContent(i, i)) for i, name in enumerate(detectors, start=1)},
        }

    return {
        name: {
            "size": size,
            "up": counts(f"variations/{name}_up/"),
            "nominal": counts(""),
            "down": counts(f"variations/{name}_down/"),
        }
        for name, size in sizes.items()
    }


def _write_anomalies(path: Path, top: Snapshot, key: int, data: RunInput) -> None:
    """Write the most anomalous events, most anomalous first, a line each.

    Args:
        path: file to write.
        top: the events; the first `key` of its values say how anomalous.
        key: number of those.
        data: named in each line.
    """
    ids, values = top.arrays()
    # A stable sort: the numbers of the event, by which it is ordered already, decide between equals.
    order = np.lexsort([-column for column in values.T[:key][::-1]])[:TOP_EVENTS]
    sample = f"{data.name} (SIMULATED)" if data.simulated else data.name
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["place", "sample", *top.ids, *top.values[key:]])
        for place, i in enumerate(order, start=1):
            numbers = [str(value).removesuffix(".0") for value in values[i, key:]]  # each reads back as it is
            writer.writerow([place, sample, *ids[i], *numbers])
