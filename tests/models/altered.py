"""A models folder whose table is altered, and the words by which it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.errors import ModelFolderError
from models.folder import read_model_folder
from tests.models.trained import write_table

ONNX, WHY = "isolation_forest.onnx", "isolation_forest_contributions.onnx"
REMEDY = "train again, or take a whole copy of the folder"


def refused(folder: Path) -> str:
    with pytest.raises(ModelFolderError) as caught:
        read_model_folder(folder)
    message = str(caught.value)
    assert message.startswith(str(folder))
    return message


def alter(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "models.json"
    content = json.loads(path.read_text())
    change(content)
    write_table(path, content)


def detector(content: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = content["detectors"]["isolation_forest"]
    return entry


def network(content: dict[str, Any]) -> dict[str, Any]:
    (only,) = detector(content)["networks"]
    return only
