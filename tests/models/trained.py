"""A model folder of one isolation forest, as a run would write it, for tests that need one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.detectors.isolation_forest import IsolationForest
from models.folder import Columns, ModelFolder, Training, TrainingSample
from models.folder_writing import write_model_folder
from models.training import TrainingEvents, TrainingRecipe

RECIPE = TrainingRecipe(rules={}, settings={}, train_on="all", folds=1, seed=42)


def write_table(path: Path, table: dict[str, Any]) -> None:
    """Write an altered models.json with the checksum that it has to have: of the text with zeros in its place."""
    text = json.dumps({"sha256": 64 * "0", **{key: value for key, value in table.items() if key != "sha256"}})
    path.write_text(text.replace(64 * "0", hashlib.sha256(text.encode()).hexdigest(), 1))


def without_labels(features: list[str], X: npt.NDArray[np.float32]) -> TrainingEvents:
    """Events numbered from 0."""
    return TrainingEvents(tuple(features), X, np.arange(len(X), dtype=np.uint64), None)


def trained_on(events: int, simulated: bool = False) -> Training:
    """A description of so many made-up training events."""
    sample = TrainingSample(
        sample="made_up",
        title="made-up events",
        simulated=simulated,
        tree="events",
        files=["made_up.csv"],
        sha256=["0" * 64],
        entries=(0, events),
        events=events,
    )
    return Training(samples=[sample], part=None, train_events=None, events=events, train_on="all", folds=1)


def write_forest(
    folder: Path,
    forest: IsolationForest,
    X: npt.NDArray[np.float32],
    observables: npt.NDArray[np.float32],
    columns: Columns,
    simulated: bool = False,
) -> ModelFolder:
    """Write the folder of a forest that was trained on X."""
    return write_model_folder(
        folder,
        {forest.name: [forest]},
        without_labels(columns.features, X),
        observables,
        columns,
        training_recipe=RECIPE,
        training=trained_on(len(X), simulated),
        versions={"python": "3.11.2"},
    )
