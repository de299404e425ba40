"""What can go wrong in a program, each exception named for the cause and answered by one exit code.

The rooms below raise their own (`rdf.errors`, `models.errors`); `analysis.console.program` turns all of them into one
line and an exit code.
"""

from __future__ import annotations

from rdf.errors import ToolkitError, near_names

__all__ = [
    "AnalysisError",
    "ChecksumMismatch",
    "ConfigurationError",
    "DamagedPart",
    "DataError",
    "FiguresFailed",
    "OutputFolderError",
    "SampleUnavailable",
    "SearchRefused",
    "ToolkitError",
    "UnknownSample",
    "near_names",
]


class AnalysisError(ToolkitError):
    """Base of all errors that this room raises on purpose; the message is one line with the remedy."""


class ConfigurationError(AnalysisError):
    """An option, a key of the YAML file or a value of either is wrong (exit 2)."""


class UnknownSample(ConfigurationError):
    """No sample of that name in the catalogue, and no file of that name either (exit 2)."""


class DataError(AnalysisError):
    """Data is missing, unreachable or unreadable, or a result cannot be written (exit 3)."""


class SampleUnavailable(DataError):
    """The sample is neither at hand nor can it be downloaded (exit 3)."""


class ChecksumMismatch(DataError):
    """A file is not the one that the catalogue describes (exit 3)."""


class DamagedPart(DataError):
    """A part of a batch is missing, not whole, or of another batch; names the part and the file (exit 3)."""


class OutputFolderError(DataError):
    """The output folder cannot be written, is full, or belongs to another run (exit 3)."""


class FiguresFailed(AnalysisError):
    """None of the figures of a run could be drawn; its results stand (exit 4)."""


class SearchRefused(AnalysisError):
    """A search makes no statement, for a reason that it names (exit 4)."""
