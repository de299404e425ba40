"""The objects of the most anomalous events: from what an event loop collected to objects.json."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from plotting.results.objects import OBJECTS_JSON, EventObjects, Jet, Lepton, Megajet, MissingMomentum, objects_text

if TYPE_CHECKING:
    from rdf.graph.objects import CollectedObjects

Numbers = Sequence[float]

DISPLAYED = 10
"""Events in objects.json."""


def described(collected: CollectedObjects) -> list[EventObjects]:
    """Return the events that a loop collected, the most anomalous first, with all numbers in GeV and radians."""
    events = []
    for place, found in enumerate(collected.events, start=1):
        kinds: dict[str, dict[str, Numbers]] = {}
        for (kind, attribute), numbers in zip(collected.names, found.numbers, strict=True):
            kinds.setdefault(kind, {})[attribute] = [
                number if math.isfinite(number) else math.nan for number in numbers
            ]
        run, block, event = found.ids
        events.append(
            EventObjects(
                place=place,
                run=run,
                luminosityBlock=block,
                event=event,
                scores=dict(zip(collected.key, found.key, strict=True)),
                jets=_jets(kinds["jets"]) if "jets" in kinds else None,
                leptons=_leptons(kinds["leptons"]) if "leptons" in kinds else None,
                megajets=_megajets(kinds["megajets"]) if "megajets" in kinds else None,
                met=_met(kinds["met"]) if "met" in kinds else None,
            )
        )
    return events


def write_objects(staging: Path, events: Sequence[EventObjects]) -> None:
    """Write the objects of the most anomalous events to objects.json, in their order, which gives them their places.

    Args:
        staging: folder that gets the file.
        events: the most anomalous first.
    """
    placed = [replace(event, place=place) for place, event in enumerate(events, start=1)]
    (staging / OBJECTS_JSON).write_text(objects_text(placed), encoding="utf-8")


def _jets(attributes: Mapping[str, Numbers]) -> tuple[Jet, ...]:
    columns = zip(attributes["pt"], attributes["eta"], attributes["phi"], strict=True)
    return tuple(Jet(pt=pt, eta=eta, phi=phi) for pt, eta, phi in columns)


def _leptons(attributes: Mapping[str, Numbers]) -> tuple[Lepton, ...]:
    unknown = [None] * len(attributes["pt"])
    charges, flavours = attributes.get("charge", unknown), attributes.get("flavour", unknown)
    columns = zip(attributes["pt"], attributes["eta"], attributes["phi"], charges, flavours, strict=True)
    return tuple(
        Lepton(pt=pt, eta=eta, phi=phi, charge=charge, flavour=flavour) for pt, eta, phi, charge, flavour in columns
    )


def _megajets(attributes: Mapping[str, Numbers]) -> tuple[Megajet, ...]:
    columns = zip(attributes["px"], attributes["py"], attributes["pz"], attributes["energy"], strict=True)
    return tuple(Megajet(px=px, py=py, pz=pz, energy=energy) for px, py, pz, energy in columns)


def _met(attributes: Mapping[str, Numbers]) -> MissingMomentum:
    (pt,) = attributes["pt"]
    return MissingMomentum(pt=pt, phi=attributes["phi"][0] if "phi" in attributes else None)
