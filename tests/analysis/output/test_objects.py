"""What is written of the objects that an event loop collected."""

from __future__ import annotations

import json
import math
from pathlib import Path

from analysis.output.objects import described, write_objects
from rdf.graph.objects import CollectedObjects, EventObjects

IDS = ("run", "luminosityBlock", "event")


def collected(names: tuple[tuple[str, str], ...], *parts: tuple[tuple[float, ...], ...]) -> CollectedObjects:
    events = tuple(EventObjects((1, 2, 10 + i), (0.75 - i, 3.0), numbers) for i, numbers in enumerate(parts))
    return CollectedObjects(("score_ensemble", "score_mlp"), names, 10, events)


def written(folder: Path, found: CollectedObjects) -> str:
    write_objects(folder, described(found))
    return (folder / "objects.json").read_text()


def test_jets_leptons_and_met(tmp_path: Path) -> None:
    names = (
        *(("jets", part) for part in ("pt", "eta", "phi")),
        *(("leptons", part) for part in ("pt", "eta", "phi", "charge", "flavour")),
        *(("met", part) for part in ("pt", "phi")),
    )
    first = (
        (60.5, 40.0),
        (0.5, math.nan),
        (-1.0, 2.0),
        (30.0,),
        (1.5,),
        (0.25,),
        (-1.0,),
        (13.0,),
        (9.5,),
        (math.inf,),
    )
    second = ((), (), (), (), (), (), (), (), (8.0,), (3.0,))
    expected = [
        {
            "place": 1,
            "run": 1,
            "luminosityBlock": 2,
            "event": 10,
            "score_ensemble": 0.75,
            "score_mlp": 3.0,
            "jets": [{"pt": 60.5, "eta": 0.5, "phi": -1.0}, {"pt": 40.0, "eta": None, "phi": 2.0}],
            "leptons": [{"pt": 30.0, "eta": 1.5, "phi": 0.25, "charge": -1.0, "flavour": 13.0}],
            "met": {"pt": 9.5, "phi": None},
        },
        {
            "place": 2,
            "run": 1,
            "luminosityBlock": 2,
            "event": 11,
            "score_ensemble": -0.25,
            "score_mlp": 3.0,
            "jets": [],
            "leptons": [],
            "met": {"pt": 8.0, "phi": 3.0},
        },
    ]
    assert written(tmp_path, collected(names, first, second)) == json.dumps({"events": expected}, indent=1) + "\n"


def test_megajets_and_met_without_direction(tmp_path: Path) -> None:
    names = (*(("megajets", part) for part in ("px", "py", "pz", "energy")), ("met", "pt"))
    parts = ((3.0, -3.0), (4.0, -4.0), (math.nan, 1.0), (13.0, 6.0), (0.5,))
    expected = {
        "place": 1,
        "run": 1,
        "luminosityBlock": 2,
        "event": 10,
        "score_ensemble": 0.75,
        "score_mlp": 3.0,
        "megajets": [
            {"px": 3.0, "py": 4.0, "pz": None, "energy": 13.0},
            {"px": -3.0, "py": -4.0, "pz": 1.0, "energy": 6.0},
        ],
        "met": {"pt": 0.5},
    }
    assert written(tmp_path, collected(names, parts)) == json.dumps({"events": [expected]}, indent=1) + "\n"


def test_leptons_of_unknown_charge(tmp_path: Path) -> None:
    names = tuple(("leptons", part) for part in ("pt", "eta", "phi", "flavour"))
    (found,) = json.loads(written(tmp_path, collected(names, ((30.0,), (1.5,), (0.25,), (11.0,)))))["events"]
    assert found["leptons"] == [{"pt": 30.0, "eta": 1.5, "phi": 0.25, "flavour": 11.0}]
    assert found.keys() == {"place", *IDS, "score_ensemble", "score_mlp", "leptons"}
