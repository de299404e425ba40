"""Settings of the autoencoder: presets, what overrides them, and errors that name the key."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from models.detectors.settings import AutoencoderSettings

ARCHITECTURE = ("layers", "latent", "activation", "dropout", "batch_norm")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ((128, 64), 32, "relu", 0.0, False)),
        ("dense", ((128, 64), 32, "relu", 0.0, False)),
        ("compact", ((32, 16, 8), 4, "relu", 0.2, True)),
        ({"preset": "compact", "latent": 2, "dropout": 0.0}, ((32, 16, 8), 2, "relu", 0.0, True)),
        ({"preset": "compact", "layers": [10]}, ((10,), 4, "relu", 0.2, True)),
        ({"layers": [20, 10], "activation": "elu", "batch_norm": True}, ((20, 10), 32, "elu", 0.0, True)),
    ],
)
def test_architecture_of_presets_and_overrides(given: Any, expected: tuple[Any, ...]) -> None:
    settings = AutoencoderSettings.model_validate(given)
    assert tuple(getattr(settings, key) for key in ARCHITECTURE) == expected


def test_settings_survive_json() -> None:
    settings = AutoencoderSettings.model_validate({"preset": "compact", "epochs": 3, "layers": [5, 4]})
    assert AutoencoderSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("given", "key", "message"),
    [
        ({"preset": "wide"}, "preset", "'dense' or 'compact'"),
        ({"preset": ["dense"]}, "preset", "'dense' or 'compact'"),
        ("wide", "preset", "'dense' or 'compact'"),
        ({"layers": []}, "layers", "at least 1 item"),
        ({"layers": [64, 0]}, "layers", "greater than or equal to 1"),
        ({"layers": ["64"]}, "layers", "valid integer"),
        ({"layers": 64}, "layers", "valid tuple"),
        ({"latent": 0}, "latent", "greater than or equal to 1"),
        ({"latent": 2.5}, "latent", "valid integer"),
        ({"activation": "gelu"}, "activation", "'relu', 'leaky_relu', 'elu', 'selu', 'tanh' or 'sigmoid'"),
        ({"dropout": 1.0}, "dropout", "less than 1"),
        ({"batch_norm": "yes"}, "batch_norm", "valid boolean"),
        ({"learning_rate": 0}, "learning_rate", "greater than 0"),
        ({"learning_rate": float("nan")}, "learning_rate", "finite number"),
        ({"batch_size": 1}, "batch_size", "greater than or equal to 2"),
        ({"epochs": 0}, "epochs", "greater than or equal to 1"),
        ({"patience": 0}, "patience", "greater than or equal to 1"),
        ({"validation": 0.0}, "validation", "greater than 0"),
        ({"width": 3}, "width", "Extra inputs are not permitted"),
    ],
)
def test_an_error_names_the_key(given: Any, key: str, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        AutoencoderSettings.model_validate(given)
    error = caught.value.errors()[0]
    assert error["loc"][0] == key
    assert message in error["msg"]


def test_reading_settings_takes_neither_torch_nor_scikit_learn() -> None:
    code = "import sys, models.detectors.settings; assert not {'torch', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
