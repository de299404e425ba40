"""The objects of the most anomalous events, from the objects.json that a run left."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plotting.results.records import checked_keys, read_json

_KINDS = ("jet", "electron", "muon", "lepton", "megajet", "MET")
_FLAVOURS = {11: "electron", 13: "muon"}


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
    """Read the most anomalous events with their objects; none where a run left none.

    Raises:
        UnreadableResult: the file is truncated or not what its name says.
    """
    if not path.is_file():
        return ()
    with checked_keys(path, remedy):
        return tuple(_displayed(event) for event in read_json(path, remedy)["events"])


def _displayed(event: Mapping[str, Any]) -> DisplayedEvent:
    found = [
        *(_object("jet", jet) for jet in event.get("jets", ())),
        *(_object(_FLAVOURS.get(lepton.get("flavour"), "lepton"), lepton) for lepton in event.get("leptons", ())),
        *(_megajet(megajet) for megajet in event.get("megajets", ())),
        *(Object("MET", met["pt"], met.get("phi"), None) for met in (event.get("met"),) if met),
    ]
    whole = sorted(filter(_is_whole, found), key=lambda one: (_KINDS.index(one.kind), -one.pt))
    return DisplayedEvent(
        place=event["place"],
        run=event["run"],
        luminosityBlock=event["luminosityBlock"],
        event=event["event"],
        score=event["score_ensemble"],
        objects=tuple(whole),
        broken=len(found) - len(whole),
    )


def _object(kind: str, parts: Mapping[str, Any]) -> Object:
    return Object(kind, parts["pt"], parts["phi"], parts["eta"], int(parts.get("charge") or 0))


def _megajet(parts: Mapping[str, Any]) -> Object:
    if any(parts[name] is None for name in ("px", "py", "pz")):
        return Object("megajet", math.nan, None, None)
    pt = math.hypot(parts["px"], parts["py"])
    eta = math.asinh(parts["pz"] / pt) if pt else math.nan
    return Object("megajet", pt, math.atan2(parts["py"], parts["px"]), eta)


def _is_whole(one: Object) -> bool:
    """Tell whether an object can be drawn: of MET the direction may be unknown."""
    numbers = (one.pt,) if one.kind == "MET" else (one.pt, one.phi, one.eta)
    return all(number is not None and math.isfinite(number) for number in numbers)
