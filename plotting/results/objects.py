"""objects.json: the objects of the most anomalous events of a run, as types, and as a display draws them.

The file is written and read here, and nowhere else. A number that is not finite is NaN in the types and null in the
file. What is None in the types is not known of any event of the sample, and is not in the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from plotting.results.records import checked_keys, read_json

OBJECTS_JSON = "objects.json"

_SCORE = "score_"
_RANK = "score_ensemble"
_KINDS = ("jet", "electron", "muon", "lepton", "megajet", "MET")
_FLAVOURS: Mapping[float, str] = {11: "electron", 13: "muon"}


@dataclass(frozen=True, kw_only=True)
class Jet:
    """A jet: its transverse momentum in GeV, pseudorapidity, and azimuth in radians."""

    pt: float
    eta: float
    phi: float


@dataclass(frozen=True, kw_only=True)
class Lepton:
    """A lepton: the attributes are those of `Jet`, its charge in units of the positron's, and its PDG number's size."""

    pt: float
    eta: float
    phi: float
    charge: float | None = None
    flavour: float | None = None


@dataclass(frozen=True, kw_only=True)
class Megajet:
    """A megajet: its momentum and energy in GeV."""

    px: float
    py: float
    pz: float
    energy: float


@dataclass(frozen=True, kw_only=True)
class MissingMomentum:
    """The missing transverse momentum in GeV, and its azimuth in radians."""

    pt: float
    phi: float | None = None


@dataclass(frozen=True, kw_only=True)
class EventObjects:
    """One of the most anomalous events.

    Attributes:
        place: among them, from 1.
        run, luminosityBlock, event: numbers that name it.
        scores: by which events are compared, by their columns, the first one first.
        jets, leptons, megajets: by falling transverse momentum; None where the sample has none of the kind.
        met: None where the sample does not have it.
    """

    place: int
    run: int
    luminosityBlock: int  # noqa: N815 - the field's name
    event: int
    scores: Mapping[str, float]
    jets: tuple[Jet, ...] | None = None
    leptons: tuple[Lepton, ...] | None = None
    megajets: tuple[Megajet, ...] | None = None
    met: MissingMomentum | None = None

    @property
    def ids(self) -> tuple[int, int, int]:
        """Numbers that name the event."""
        return self.run, self.luminosityBlock, self.event


_AnyObject: TypeAlias = Jet | Lepton | Megajet | MissingMomentum
_Made = TypeVar("_Made")


def objects_text(events: Sequence[EventObjects]) -> str:
    """Return the text of objects.json."""
    return json.dumps({"events": [event_table(event) for event in events]}, indent=1, allow_nan=False) + "\n"


def event_table(event: EventObjects) -> dict[str, Any]:
    """Return what stands in the file for an event."""
    ids = {"run": event.run, "luminosityBlock": event.luminosityBlock, "event": event.event}
    kinds = {"jets": event.jets, "leptons": event.leptons, "megajets": event.megajets}
    table: dict[str, Any] = {"place": event.place, **ids, **event.scores}
    table |= {kind: [_table(one) for one in found] for kind, found in kinds.items() if found is not None}
    return table if event.met is None else {**table, "met": _table(event.met)}


def _table(one: _AnyObject) -> dict[str, float | None]:
    numbers: dict[str, float | None] = {each.name: getattr(one, each.name) for each in fields(one)}
    return {name: None if math.isnan(number) else number for name, number in numbers.items() if number is not None}


def read_objects(path: Path, remedy: str) -> tuple[EventObjects, ...]:
    """Read the most anomalous events with their objects; none where a run left none.

    Args:
        path: of the file.
        remedy: for the messages of errors.

    Raises:
        UnreadableResult: the file is truncated or not what its name says.
    """
    if not path.is_file():
        return ()
    table = read_json(path, remedy)
    with checked_keys(path, remedy):
        return tuple(_event(event) for event in table["events"])


def _event(table: Mapping[str, Any]) -> EventObjects:
    return EventObjects(
        place=_whole(table["place"]),
        run=_whole(table["run"]),
        luminosityBlock=_whole(table["luminosityBlock"]),
        event=_whole(table["event"]),
        scores={_RANK: _number(table[_RANK])}
        | {name: _number(score) for name, score in table.items() if name.startswith(_SCORE)},
        jets=_several(table.get("jets"), _jet),
        leptons=_several(table.get("leptons"), _lepton),
        megajets=_several(table.get("megajets"), _megajet),
        met=_met(table["met"]) if table.get("met") is not None else None,
    )


def _several(found: Any, make: Callable[[Mapping[str, Any]], _Made]) -> tuple[_Made, ...] | None:
    return None if found is None else tuple(make(table) for table in found)


def _jet(table: Mapping[str, Any]) -> Jet:
    return Jet(pt=_number(table["pt"]), eta=_number(table["eta"]), phi=_number(table["phi"]))


def _lepton(table: Mapping[str, Any]) -> Lepton:
    return Lepton(
        pt=_number(table["pt"]),
        eta=_number(table["eta"]),
        phi=_number(table["phi"]),
        charge=_number(table["charge"]) if "charge" in table else None,
        flavour=_number(table["flavour"]) if "flavour" in table else None,
    )


def _megajet(table: Mapping[str, Any]) -> Megajet:
    return Megajet(
        px=_number(table["px"]), py=_number(table["py"]), pz=_number(table["pz"]), energy=_number(table["energy"])
    )


def _met(table: Mapping[str, Any]) -> MissingMomentum:
    return MissingMomentum(pt=_number(table["pt"]), phi=_number(table["phi"]) if "phi" in table else None)


def _number(value: object) -> float:
    """Return a number of the file; null is one that was not finite."""
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value


@dataclass(frozen=True)
class Object:
    """A jet, a lepton, a megajet or the missing transverse momentum.

    Attributes:
        kind: "jet", "electron", "muon", "lepton" where the flavour is not known, "megajet" or "MET".
        pt: GeV.
        phi: radians; None where a file does not say.
        eta: pseudorapidity; None for MET.
        charge: in units of the positron's; 0 where it is not known.
    """

    kind: str
    pt: float
    phi: float | None
    eta: float | None
    charge: int = 0


@dataclass(frozen=True)
class DisplayedEvent:
    """An event with its objects.

    Attributes:
        place: among the most anomalous, from 1.
        run, luminosityBlock, event: numbers that name it.
        score: of the ensemble.
        objects: those whose numbers are finite, by kind, each kind by falling pT.
        broken: number of objects whose numbers are not finite.
    """

    place: int
    run: int
    luminosityBlock: int  # noqa: N815 - the field's name
    event: int
    score: float
    objects: tuple[Object, ...]
    broken: int = 0


def read_displayed_events(path: Path, remedy: str) -> tuple[DisplayedEvent, ...]:
    """Read what a display draws of the most anomalous events, as `read_objects` does."""
    return tuple(map(displayed, read_objects(path, remedy)))


def displayed(event: EventObjects) -> DisplayedEvent:
    """Return what a display draws of an event."""
    found = [
        *(Object("jet", jet.pt, jet.phi, jet.eta) for jet in event.jets or ()),
        *(_drawn_lepton(lepton) for lepton in event.leptons or ()),
        *(_drawn_megajet(megajet) for megajet in event.megajets or ()),
        *(Object("MET", met.pt, _direction(met), None) for met in (event.met,) if met),
    ]
    whole = sorted(filter(_is_whole, found), key=lambda one: (_KINDS.index(one.kind), -one.pt))
    return DisplayedEvent(
        place=event.place,
        run=event.run,
        luminosityBlock=event.luminosityBlock,
        event=event.event,
        score=event.scores[_RANK],
        objects=tuple(whole),
        broken=len(found) - len(whole),
    )


def _drawn_lepton(lepton: Lepton) -> Object:
    flavour, charge = lepton.flavour or 0.0, lepton.charge or 0.0
    kind = _FLAVOURS.get(flavour, "lepton")
    return Object(kind, lepton.pt, lepton.phi, lepton.eta, 0 if math.isnan(charge) else int(charge))


def _drawn_megajet(megajet: Megajet) -> Object:
    pt = math.hypot(megajet.px, megajet.py)
    eta = math.asinh(megajet.pz / pt) if pt else math.nan
    return Object("megajet", pt, math.atan2(megajet.py, megajet.px), eta)


def _direction(met: MissingMomentum) -> float | None:
    return None if met.phi is None or math.isnan(met.phi) else met.phi


def _is_whole(one: Object) -> bool:
    """Tell whether an object can be drawn: of MET the direction may be unknown."""
    numbers = (one.pt,) if one.kind == "MET" else (one.pt, one.phi, one.eta)
    return all(number is not None and math.isfinite(number) for number in numbers)
