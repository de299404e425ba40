"""Settings of the autoencoder: presets, what overrides them, and errors that name the key."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from models.detectors.settings import AutoencoderSettings

ARCHITECTURE = ("layers", "latent", "members", "noise", "activation", "dropout", "batch_norm")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ((16,), None, 8, 2.5, "sigmoid", 0.0, False)),
        ("denoising", ((16,), None, 8, 2.5, "sigmoid", 0.0, False)),
        ("dense", ((128, 64), 32, 1, 0.0, "relu", 0.0, False)),
        ("compact", ((32, 16, 8), 4, 1, 0.0, "relu", 0.2, True)),
        ({"preset": "compact", "latent": 2, "dropout": 0.0}, ((32, 16, 8), 2, 1, 0.0, "relu", 0.0, True)),
        ({"preset": "compact", "layers": [10]}, ((10,), 4, 1, 0.0, "relu", 0.2, True)),
        ({"layers": [20, 10], "activation": "elu", "noise": 1}, ((20, 10), None, 8, 1.0, "elu", 0.0, False)),
    ],
)
def test_architecture_of_presets_and_overrides(given: Any, expected: tuple[Any, ...]) -> None:
    settings = AutoencoderSettings.model_validate(given)
    assert tuple(getattr(settings, key) for key in ARCHITECTURE) == expected


@pytest.mark.parametrize(("features", "latent"), [(1, 1), (2, 1), (3, 1), (5, 2), (8, 4), (57, 28)])
def test_the_latent_layer_has_half_as_many_numbers_as_an_event(features: int, latent: int) -> None:
    assert AutoencoderSettings().latent_width(features) == latent
    assert AutoencoderSettings(latent=3).latent_width(features) == 3


def test_settings_survive_json() -> None:
    settings = AutoencoderSettings.model_validate({"preset": "compact", "epochs": 3, "layers": [5, 4]})
    assert AutoencoderSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("given", "key", "message"),
    [
        ({"preset": "wide"}, "preset", "'denoising', 'dense' or 'compact'"),
        ({"preset": ["dense"]}, "preset", "'denoising', 'dense' or 'compact'"),
        ("wide", "preset", "'denoising', 'dense' or 'compact'"),
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
        ({"members": 0}, "members", "greater than or equal to 1"),
        ({"noise": -1.0}, "noise", "greater than or equal to 0"),
        ({"width": 3}, "width", "Extra inputs are not permitted"),
    ],
)
def test_an_error_names_the_key(given: Any, key: str, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        AutoencoderSettings.model_validate(given)
    error = caught.value.errors()[0]
    assert error["loc"][0] == key
    assert message in error["msg"]


def test_batch_norm_is_for_one_network() -> None:
    with pytest.raises(ValidationError, match="batch_norm is for one network; set members to 1, not 8"):
        AutoencoderSettings(batch_norm=True)


def test_reading_settings_takes_neither_torch_nor_scikit_learn() -> None:
    code = "import sys, models.detectors.settings; assert not {'torch', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
