"""Tables of events with a mass and two features, of which nothing is a peak but what is put there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

Numbers = npt.NDArray[np.float64]

SEARCH = {
    "observable": "mass",
    "range": "90:120",
    "signal_region": "100:110",
    "features": "a,b",
    "cuts": "0.05,0.005",
    "likelihood_ratio": "last",
    "folds": 2,
    "sets": 20,
    "threads": 1,
}


@dataclass(frozen=True, eq=False)
class Events:
    """Events, the arrays of shape (events,)."""

    mass: Numbers
    a: Numbers
    b: Numbers
    label: Numbers


def background(events: int, seed: int, tilt: float = 0.0) -> Events:
    """Return events whose mass falls exponentially between 90 and 120 GeV, and features beside it.

    Args:
        events: their number.
        seed: of all of it.
        tilt: change of a with the mass, per GeV.
    """
    random = np.random.default_rng(seed)
    mass = np.sort(90 - 40 * np.log(1 - random.random(events) * (1 - np.exp(-30 / 40))))
    random.shuffle(mass)
    a, b = random.normal(0, 1, events) + tilt * (mass - 105), random.exponential(1, events)
    return Events(mass, a, b, np.zeros(events))


def with_signal(of: Events, events: int, seed: int) -> Events:
    """Return events with a signal at 105 GeV among them, at high a and low b."""
    random = np.random.default_rng(seed)
    mass, a, b = random.normal(105, 1.5, events), random.normal(2.5, 0.3, events), random.exponential(0.05, events)
    order = random.permutation(len(of.mass) + events)

    def joined(old: Numbers, new: Numbers) -> Numbers:
        return np.concatenate([old, new])[order]

    return Events(joined(of.mass, mass), joined(of.a, a), joined(of.b, b), joined(of.label, np.ones(events)))


def write(folder: Path, events: Events) -> dict[str, str]:
    """Write events as a table, and return the options that name it with its schema."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = {"mass": events.mass, "a": events.a, "b": events.b, "label": events.label}
    table = np.column_stack(list(columns.values()))
    np.savetxt(folder / "events.csv", table, fmt="%.9g", delimiter=",", header=",".join(columns), comments="")
    schema = {
        "title": "Masses and features",
        "tree": "events",
        "columns": dict.fromkeys(columns, "float64"),
        "quantities": {"label": {"expression": "label"}},
        "define": {
            "mass": {"expression": "mass", "unit": "GeV"},
            "a": {"expression": "a"},
            "b": {"expression": "b"},
        },
        "feature_sets": {"own": {"features": ["mass", "a", "b"], "plane": ["a", "b"]}},
        "features": "own",
    }
    (folder / "table.yaml").write_text(yaml.safe_dump(schema))
    return {"sample": str(folder / "events.csv"), "schema": str(folder / "table.yaml")}
