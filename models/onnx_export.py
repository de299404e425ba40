"""The one way from a detector's network to ONNX."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import onnx
import torch

from models.errors import ExportError

OPSET = 17
FEATURES_KEY = "features"
"""Key of the ONNX metadata under which the names of the features stand, in order, separated by commas."""


def export_onnx(network: torch.nn.Module, features: Sequence[str], path: Path) -> None:
    """Write a network that scores one event as ONNX: features of shape (1, features) to a score of shape (1, 1).

    Raises:
        ExportError: torch cannot express the network in ONNX.
    """
    example = torch.zeros(1, len(features))
    with warnings.catch_warnings():
        # The successor of this exporter names and splits operations in ways that SOFIE does not read (batch norm).
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        try:
            torch.onnx.export(
                network.eval(),
                (example,),
                str(path),
                dynamo=False,
                opset_version=OPSET,
                input_names=["features"],
                output_names=["score"],
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise ExportError(f"{path.stem}: {error}") from error
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {FEATURES_KEY: ",".join(features)})
    onnx.checker.check_model(model)
    onnx.save(model, path)
