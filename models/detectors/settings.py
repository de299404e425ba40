"""What can be set of the detectors; reading it needs neither torch nor scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Activation = Literal["relu", "leaky_relu", "elu", "selu", "tanh", "sigmoid"]

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "denoising": {},
    "dense": {
        "layers": (128, 64),
        "latent": 32,
        "members": 1,
        "noise": 0.0,
        "activation": "relu",
        "learning_rate": 1e-3,
        "epochs": 50,
    },
    "compact": {
        "layers": (32, 16, 8),
        "latent": 4,
        "members": 1,
        "noise": 0.0,
        "activation": "relu",
        "batch_norm": True,
        "dropout": 0.2,
        "learning_rate": 1e-3,
        "epochs": 50,
    },
}
"""Name of a preset of the autoencoder -> the settings in which it differs from the defaults."""


class NoSettings(BaseModel):
    """Settings of a detector that has none."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AutoencoderSettings(BaseModel):
    """Architecture and training of the autoencoder.

    Attributes:
        preset: settings that hold where nothing else is said.
        layers: widths of the encoder's hidden layers; the decoder has them in the reverse order.
        latent: width of the innermost layer; None for half of the number of features, rounded down, and one at least.
        members: networks that are trained side by side, from different weights; what they make of an event is averaged.
        noise: standard deviation of the noise that is added to scaled features in the training, where the network has
            to find the features without it; 0 for none.
        activation: after each hidden layer.
        dropout: fraction of each hidden layer's outputs that a training step drops.
        batch_norm: whether each hidden layer's outputs are normalised over the batch, before the activation.
        learning_rate: of Adam.
        batch_size: events a step, at most; fewer where there would not be 20 steps an epoch.
        epochs: largest number of epochs.
        patience: epochs without a lower validation loss after which training stops.
        validation: fraction of the training events that is kept for validation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    preset: Literal["denoising", "dense", "compact"] = "denoising"
    layers: Annotated[
        tuple[Annotated[int, Field(ge=1, le=4096, strict=True)], ...], Field(min_length=1, strict=False)
    ] = (16,)
    latent: Annotated[int, Field(ge=1, le=4096)] | None = None
    members: int = Field(default=8, ge=1, le=64)
    noise: float = Field(default=2.5, ge=0, le=100)
    activation: Activation = "sigmoid"
    dropout: float = Field(default=0.0, ge=0, lt=1)
    batch_norm: bool = False
    learning_rate: float = Field(default=3e-3, gt=0)
    batch_size: int = Field(default=512, ge=2)
    epochs: int = Field(default=20, ge=1)
    patience: int = Field(default=3, ge=1)
    validation: float = Field(default=0.2, gt=0, lt=1)

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = {"preset": value}
        if isinstance(value, Mapping):
            preset = value.get("preset", "denoising")
            return {**PRESETS.get(preset if isinstance(preset, str) else "", {}), **value}
        return value

    @model_validator(mode="after")
    def _check_norm(self) -> Self:
        if self.batch_norm and self.members > 1:
            raise ValueError(f"batch_norm is for one network; set members to 1, not {self.members}")
        return self

    def latent_width(self, features: int) -> int:
        """Return the width of the innermost layer for this number of features."""
        return max(features // 2, 1) if self.latent is None else self.latent
