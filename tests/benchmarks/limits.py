"""What no program can beat on the machine at hand: arithmetic, weights that stream from the cache, decompression."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from models.detectors.detector import Detector
from models.detectors.one_class_svm import OneClassSVM
from tests.benchmarks.compiled import program
from tests.benchmarks.events import FORMATS, made_events
from tests.benchmarks.trained import trained_detectors

EXPONENTIAL = 10
"""Multiply-adds that an exponential in float32 takes: range reduction and a polynomial of degree 5."""

SECONDS_PER_HOUR, MANY = 3600, 1e9


@cache
def rates(folder: Path) -> Mapping[str, float]:
    """Return what a core does at most: see `limits.cxx` for the names."""
    weights = 4 * _weights(trained_detectors(folder)["autoencoder"])
    files = [str(made_events(file_format, 100_000, folder)) for file_format in FORMATS]
    command = [str(program("limits", folder)), *files, str(weights)]
    measured: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return measured


def _weights(detector: Detector) -> int:
    tensors = detector.network().state_dict().values()
    return sum(tensor.numel() for tensor in tensors if tensor.ndim == 2 and min(tensor.shape) > 1)


def of_detector(name: str, folder: Path) -> tuple[float, str]:
    """Return the least seconds an event of a detector, one event at a time, and what they go to; 0 if none is known."""
    measured, detector = rates(folder), trained_detectors(folder)[name]
    if name == "autoencoder":
        return 4 * _weights(detector) / measured["weight_bytes_per_s"], "weights from the cache, one event at a time"
    if isinstance(detector, OneClassSVM):
        vectors, features = detector.machine.support_vectors_.shape
        steps = vectors * (2 * features + EXPONENTIAL + 1)
        return steps / measured["multiply_adds_per_s"], "differences, squares and exponentials"
    if name == "elliptic_envelope":
        return len(detector.features) ** 2 / measured["multiply_adds_per_s"], "a matrix times a vector"
    return 0.0, ""


def of_blocks(folder: Path) -> float:
    """Return the least seconds an event of the autoencoder for blocks of events, which share the weights' way."""
    measured = rates(folder)
    return _weights(trained_detectors(folder)["autoencoder"]) / measured["multiply_adds_per_s"]


def of_reading(file_format: str, folder: Path) -> tuple[float, str]:
    """Return the least seconds an event that the columns' branches take, and what makes them."""
    measured = rates(folder)
    size = f"{measured[f'{file_format}_bytes']:.0f} bytes decompressed"
    return measured[f"{file_format}_decompression_s"], size


def against(seconds: float, floor: tuple[float, str]) -> str:
    """Say how far the seconds of an event are from their floor, and what 1e9 events take."""
    least, reason = floor
    hours = f"{seconds * MANY / SECONDS_PER_HOUR:.2g} core hours for 1e9 events"
    if not least:
        return hours
    return f"{1e6 * least:.2g} us: {reason}; factor {seconds / least:.2g}; {hours}"
