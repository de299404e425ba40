"""The most anomalous events as the report shows them: what was measured of each, and what made it anomalous."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from plotting.results.objects import OBJECTS_JSON, EventObjects, read_objects
from plotting.results.records import checked_keys
from plotting.results.run_record import AnyRecord, RunRecord
from plotting.results.tables import ANOMALIES_CSV, IDS, TOP_EVENTS, WHY, read_contributions, read_rows
from plotting.style.markup import number_markup, quantity_markup, title_markup
from plotting.style.wording import capitalised, words

_REASONS = 3  # features named for each detector, at most
_SMALLEST = 0.005  # share that a feature is named for


@dataclass(frozen=True)
class Quantity:
    """A feature or an observable of an event, by its title, with its unit, beside its mean over normal events."""

    title: Markup
    value: Markup
    normal: Markup | None


@dataclass(frozen=True)
class EventScore:
    """What one detector says of an event.

    Attributes:
        detector: in words.
        score: of the event.
        flagged: whether it is above the threshold.
        reasons: the features that contributed most, each with its share of the positive contributions.
    """

    detector: str
    score: Markup
    flagged: bool
    reasons: Markup


@dataclass(frozen=True)
class TopEvent:
    """One of the most anomalous events.

    Attributes:
        place: 1 for the most anomalous.
        numbers: that name it, by name.
        votes: detectors of the ensemble that flag it; None where that is not said.
        ensemble: its mean rank; None where that is not said.
        why: what made it anomalous, in a line.
        scores: of each detector.
        quantities: features, then observables.
        objects: jets and the like; None where objects.json does not know the event.
    """

    place: int
    numbers: Mapping[str, str]
    votes: int | None
    ensemble: Markup | None
    why: str
    scores: Sequence[EventScore]
    quantities: Sequence[Quantity]
    objects: EventObjects | None


def read_top_events(folder: Path, record: AnyRecord, remedy: str) -> list[TopEvent]:
    """Read the ten most anomalous events from anomalies.csv and, where it is there, objects.json.

    Args:
        folder: of the run.
        record: its run.json.
        remedy: for the messages of errors.

    Raises:
        UnreadableResult: a file is truncated or not what its name says.
    """
    path = folder / ANOMALIES_CSV
    rows = read_rows(path, remedy)[:TOP_EVENTS]
    detectors = [name for name in record.detectors if rows and f"score_{name}" in rows[0]]
    features = [feature.name for feature in record.features]
    contributions = read_contributions(path, detectors, features, remedy)
    objects = {tuple(map(str, found.ids)): found for found in read_objects(folder / OBJECTS_JSON, remedy)}

    def reasons(detector: str, place: int) -> Markup:
        if detector not in contributions:
            return Markup("")
        shares = contributions[detector].shares[place]
        largest = [i for i in shares.argsort()[::-1][:_REASONS] if shares[i] >= _SMALLEST]
        return Markup(", ").join(
            Markup("{} {:.0f}\u00a0%").format(title_markup(record.features[i].title), 100 * shares[i]) for i in largest
        )

    def event(place: int, row: Mapping[str, str]) -> TopEvent:
        numbers = {name: row[name] for name in IDS}
        return TopEvent(
            place=place + 1,
            numbers=numbers,
            votes=int(row["votes"]) if "votes" in row else None,
            ensemble=number_markup(float(row["score_ensemble"])) if "score_ensemble" in row else None,
            why=row[WHY],
            scores=[
                EventScore(
                    capitalised(words(name)),
                    number_markup(float(row[f"score_{name}"])),
                    row[f"flag_{name}"] == "1",
                    reasons(name, place),
                )
                for name in detectors
            ],
            quantities=_quantities(record, row),
            objects=objects.get(tuple(numbers.values())),
        )

    with checked_keys(path, remedy):
        return [event(place, row) for place, row in enumerate(rows)]


def _quantities(record: AnyRecord, row: Mapping[str, str]) -> list[Quantity]:
    means, observables = (record.means, record.observables) if isinstance(record, RunRecord) else ({}, ())
    found = []
    for quantity in (*record.features, *observables):
        name, unit = quantity.name, quantity.unit
        if name in row:
            normal = means[name].normal if name in means else None
            found.append(
                Quantity(
                    title_markup(quantity.title),
                    quantity_markup(float(row[name]), unit),
                    None if normal is None else quantity_markup(normal, unit),
                )
            )
    return found
