"""The graph of a sample's events: what is computed of them, and what a pass over them is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from analysis.output.findings import TOP_EVENTS
from analysis.output.objects import DISPLAYED
from analysis.steps.bookings import BookedCollection, BookedScores, BookedScoring, ScoredFile
from models.folder import Columns, ModelFolder
from rdf import RNode
from rdf.graph.fields import ENSEMBLE, LABEL, WEIGHT, WEIGHT_WORDS, Fields
from rdf.printable import shortened
from rdf.schema.certified import CERTIFIED, SECTION, SECTION_EXPRESSION, CertifiedRuns
from rdf.schema.displayed_objects import (
    DIRECTION,
    OBJECTS,
    ObjectAttributes,
    direction_expression,
    object_attributes,
)
from rdf.schema.features import Feature
from rdf.schema.quantities import ID_QUANTITIES
from rdf.schema.tables import FINITE
from rdf.schema.variations import scales

if TYPE_CHECKING:
    from analysis.samples.weights import Weighting
    from analysis.steps.compilation import Compiled
    from rdf.execution.event_loop import Pass
    from rdf.graph.histograms import HistogramPlan
    from rdf.graph.selection import Cut, Cutflow, WeightedCutflow
    from rdf.sources.source import Source


Places = Literal["all", "flagged"]
"""Events whose places in the sample are wanted: all scored events with their scores, or the flagged ones."""


@dataclass(frozen=True)
class EventGraph:
    """What is computed of the events of a sample. It can travel to another process.

    Attributes:
        source: the trees.
        columns: every column that the source can have, with the expression that gives it.
        recipe: the columns that are computed, as models.json says it.
        described: how each column is written.
        vary: scale -> its relative size, of the systematic variations.
        seed: of random draws.
        cuts: on events, by name and in order: those of noise filters and triggers, and those of the recipe.
        event_filter: C++ condition that an event has to fulfil beyond the cuts, or None.
        certified: list of the luminosity blocks whose events count, before all cuts; None for all.
        weighting: of the events, which then have a column `weight`; None where each event counts as one.
    """

    source: Source
    columns: Mapping[str, str]
    recipe: Columns
    described: Mapping[str, Feature]
    vary: Mapping[str, float]
    seed: int
    cuts: Mapping[str, str]
    event_filter: str | None = None
    certified: CertifiedRuns | None = None
    weighting: Weighting | None = None

    @property
    def weighted(self) -> bool:
        """Whether events count by their weights."""
        return self.weighting is not None

    @property
    def labelled(self) -> bool:
        """Whether the events have labels."""
        return LABEL in self.columns

    @property
    def conditions(self) -> str:
        """What an event has to fulfil to be used, in words."""
        return "with finite features" if self.event_filter is None else f"with finite features and {self.event_filter}"

    def explain_no_events(self, cuts: Sequence[Cut], otherwise: str, entries: tuple[int, int]) -> str:
        """Return the reason for which no event is left, as an error states it.

        Args:
            cuts: the cutflow.
            otherwise: the reason where no cut that was asked for took the last event.
            entries: half-open range of the source's entries that was read.
        """
        from rdf.graph.selection import emptying_cut

        found = emptying_cut(cuts)
        if found is None:
            return otherwise
        cut, events = found
        if cut.name == CERTIFIED and self.certified:
            return self._explain_uncertified(self.certified, entries)
        if cut.name not in self.cuts:
            return otherwise
        return (
            f"no event passes the cut {cut.name!r}, {shortened(self.cuts[cut.name])!r}, to which {events:,} events came"
        )

    def _explain_uncertified(self, certified: CertifiedRuns, entries: tuple[int, int]) -> str:
        """Say why no event is of a luminosity block that is certified: of other runs, or of other blocks."""
        from rdf.code.columns import define_columns
        from rdf.execution.event_loop import Pass
        from rdf.graph.selection import runs_of

        over = Pass(self.source.open(), None if entries == (0, self.source.events) else entries)
        first, last = runs_of(define_columns(over.events, self._defined, (SECTION,)))
        listed = any(first <= run <= last for run in certified.blocks)
        lists = "other luminosity blocks" if listed else f"none of that, but {_named_runs(*certified.span)}"
        return (
            f"no event passes the cut {CERTIFIED!r}: the events are of {_named_runs(first, last)}, and "
            f"{certified.name} lists {lists}; name the list of these runs with --certified, or go on without one"
        )

    @property
    def _values(self) -> tuple[str, ...]:
        """Columns that an event keeps side by side, the features first."""
        return (*self.recipe.features, *self.recipe.observables)

    @property
    def _cuts(self) -> tuple[str, ...]:
        """Names of the cuts on events, in order."""
        return tuple(self.cuts)

    @property
    def recorded(self) -> tuple[str, ...]:
        """Columns of an event that are recorded beside run, luminosityBlock and event."""
        return (*(WEIGHT,) * self.weighted, *(LABEL,) * self.labelled, *self._values)

    def written(self, compiled: Compiled) -> list[str]:
        """Return the columns of events.root beside run, luminosityBlock and event, in their order."""
        from rdf.graph.scoring import event_columns

        return event_columns(self.recorded, tuple(compiled.detectors), compiled.folds)

    @property
    def _wanted(self) -> tuple[str, ...]:
        """Columns that an event keeps beside its values."""
        objects, section = (OBJECTS,) * bool(self._objects), (SECTION,) * bool(self.certified)
        weight, direction = (WEIGHT,) * self.weighted, (DIRECTION,) * bool(self._direction)
        return (*ID_QUANTITIES, *weight, *(LABEL,) * self.labelled, *objects, *section, *direction)

    @property
    def _objects(self) -> ObjectAttributes | None:
        """The parts of an event's objects; None where there are none to show."""
        return object_attributes(self.columns)

    @property
    def _direction(self) -> str | None:
        """The expression of the direction of an event's leading object; None where no column is made of objects."""
        from rdf.schema.columns import needed_columns

        return direction_expression(needed_columns(self.columns, self._values))

    @property
    def _defined(self) -> dict[str, str]:
        """All columns, and beside them those which the graph alone needs: objects, run and block, direction."""
        objects = {OBJECTS: self._objects.expression} if self._objects else {}
        section = {SECTION: SECTION_EXPRESSION} if self.certified else {}
        direction = {DIRECTION: self._direction} if self._direction else {}
        return {**self.columns, **objects, **section, **direction}

    def compile_columns(self) -> None:
        """Have the columns compiled, which takes a while, before they are needed."""
        from rdf.code.columns import compile_columns
        from rdf.schema.columns import rounded

        types = {**self.source.head_types, **scales(self.vary)}
        compile_columns(rounded(self._defined, self._values), self._wanted, self._values, self._cuts, types)

    def check_columns(self) -> None:
        """Define the columns on a graph that is not run, so that an expression that is wrong is an error."""
        from rdf.execution.event_loop import Pass

        self._define_columns(Pass(self.source.open()))

    def _define_columns(self, over: Pass, weights: WeightedCutflow | None = None) -> RNode:
        """Apply the cuts, and define all columns of the events that pass them.

        Args:
            over: the pass over the events.
            weights: gets the weights of the events that pass each cut, where they are asked for.
        """
        from rdf.code.columns import define_columns
        from rdf.graph.variations import vary_scales
        from rdf.schema.columns import rounded

        events = vary_scales(over.events, self.vary)
        columns = rounded(self._defined, self._values)
        at_cut = weights.add if weights else None
        return define_columns(
            *(events, columns, self._wanted, self._values, over.stopwatch, self._cuts),
            certified=self.certified,
            at_cut=at_cut,
        )

    def _select(self, events: RNode, weights: WeightedCutflow | None = None) -> RNode:
        """Keep the events whose features are finite and which pass the event filter, if there is one.

        Args:
            events: that passed all cuts.
            weights: as above.
        """
        from rdf.graph.selection import select_events, select_finite

        selected = select_finite(events, len(self.recipe.features), self.weighted)
        if weights:
            weights.add(FINITE, selected)
        if self.event_filter is None:
            return selected
        selected = select_events(selected, self.event_filter)
        if weights:
            weights.add(self.event_filter, selected)
        return selected

    def _weights(self, slots: int) -> WeightedCutflow | None:
        """Return what sums the weights of the events that pass each cut; None where events have none."""
        from rdf.graph.selection import WeightedCutflow

        return WeightedCutflow(slots) if self.weighted else None

    def book_collection(self, over: Pass, limit: int | None, slots: int) -> BookedCollection:
        """Book the training rows.

        Args:
            over: the pass that collects them.
            limit: events at most, drawn at random; None for all.
            slots: of the pass.
        """
        from rdf.graph.snapshot import book_snapshot

        selected = self._select(self._define_columns(over))
        rows = book_snapshot(selected, Fields(self._values), self.recorded, slots, limit, self.seed)
        return BookedCollection(over, rows)

    def book_cutflow(self, over: Pass) -> Cutflow:
        """Book nothing but the counting of the events that pass each cut."""
        from rdf.graph.selection import book_cutflow

        return book_cutflow(self._select(self._define_columns(over)))

    def book_scores(self, over: Pass, compiled: Compiled, slots: int) -> BookedScores:
        """Book what detectors say of all events, to be kept in memory.

        Args:
            over: the pass that scores.
            compiled: the detectors.
            slots: of the pass.
        """
        from rdf.graph.selection import book_cutflow
        from rdf.graph.snapshot import book_snapshot

        weights = self._weights(slots)
        scored = self._scored(self._define_columns(over, weights), over, compiled, weights)
        fields = Fields(self._values, tuple(compiled.detectors))
        columns = (*(WEIGHT_WORDS[1:] if self.weighted else ()), *self.written(compiled))
        return BookedScores(columns, book_snapshot(scored, fields, columns, slots), book_cutflow(scored), weights)

    def _scored(self, events: RNode, over: Pass, compiled: Compiled, weights: WeightedCutflow | None) -> RNode:
        from rdf.graph.scoring import define_scores

        selected = self._select(events, weights)
        return define_scores(selected, compiled.detectors, compiled.ensemble, compiled.folds, over.stopwatch)

    def book_scoring(
        self,
        over: Pass,
        models: ModelFolder,
        compiled: Compiled,
        slots: int,
        file: ScoredFile,
        *,
        places: Places | None = None,
    ) -> BookedScoring:
        """Book all that is found in scored events.

        Args:
            over: the pass that scores.
            models: of the detectors.
            compiled: the detectors.
            slots: of the pass.
            file: that the scored events are written to.
            places: events whose places in the sample are wanted, and kept in memory; the pass has to know them.
        """
        from rdf.graph.events import book_events
        from rdf.graph.histograms import book_histograms
        from rdf.graph.objects import book_top_objects
        from rdf.graph.scoring import event_columns
        from rdf.graph.selection import book_cutflow
        from rdf.graph.snapshot import book_entries, book_top_events

        names, columns = tuple(compiled.detectors), self.written(compiled)
        fields = Fields(self._values, names)
        weights = self._weights(slots)
        events = self._define_columns(over, weights)
        scored = self._scored(events, over, compiled, weights)
        # Where all detectors agree that nothing in training was as unusual, the scores themselves decide.
        key = (ENSEMBLE, *(f"score_{name}" for name in compiled.ensemble.detectors))
        objects = self._objects
        kept = event_columns((), names, compiled.folds) if places == "all" else None
        return BookedScoring(
            over=over,
            file=file,
            detectors=names,
            written=book_events(scored, file.path, columns, file.provenance),
            top=book_top_events(scored, fields, key, columns, TOP_EVENTS, slots),
            objects=book_top_objects(scored, fields, key, objects, DISPLAYED, slots) if objects else None,
            histograms=book_histograms(
                events, scored, fields, self._histograms(models, compiled), slots, over.stopwatch
            ),
            cutflow=book_cutflow(scored),
            entries=book_entries(scored, fields, self.source.entry_column, slots, kept) if places else None,
            weights=weights,
        )

    def _histograms(self, models: ModelFolder, compiled: Compiled) -> HistogramPlan:
        """Return which histograms scored events fill."""
        from rdf.graph.histograms import HistogramPlan

        drawn = dict.fromkeys((*self._values, *(self.recipe.plane or ())))
        return HistogramPlan(
            features=tuple(self.recipe.features),
            described=self.described,
            feature_axes={name: models.feature_axes[name] for name in drawn},
            score_axes={name: models.detectors[name].score_axis for name in compiled.detectors},
            plane=self.recipe.plane,
            voters=len(compiled.ensemble.detectors),
            variations=tuple(self.vary),
            labelled=self.labelled,
            weighted=self.weighted,
            spectra={name: window for name, window in models.windows.items() if name in compiled.detectors},
        )


def _named_runs(first: int, last: int) -> str:
    return f"runs {first} to {last}" if first < last else f"run {first}"
