"""What can go wrong with a detector or a model folder, each exception named for the cause."""

from __future__ import annotations

from rdf.errors import ToolkitError


class TrainingError(ToolkitError):
    """The training sample does not allow to train this detector; the message says why."""


class ModelFolderError(ToolkitError):
    """A model folder is missing, malformed, altered, or does not fit the sample."""


class DetectorError(ToolkitError):
    """A class that is to be registered as a detector is none yet; the message says what it lacks."""


class ExportError(ToolkitError):
    """A detector's network cannot be written as ONNX of operators that SOFIE has."""
