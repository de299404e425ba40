"""What can go wrong when figures are drawn, each exception named for the cause."""

from __future__ import annotations

from rdf.errors import ToolkitError


class PlottingError(ToolkitError):
    """Base of all errors that this room raises on purpose; the message is one line with the remedy."""


class MissingResult(PlottingError):
    """A file of the run, or an object or key inside one, is not there."""


class UnreadableResult(PlottingError):
    """A file of the run is there, but is truncated, damaged or of another kind."""


class BadCommand(PlottingError):
    """A command lacks something, or asks for what there is not."""


class UnfitRuns(PlottingError):
    """Runs that do not belong in one figure, or cannot be normalised."""


class FigureFolderError(PlottingError):
    """The figures cannot be written where the run's other results are."""


class FigureFailed(PlottingError):
    """A figure could not be drawn for a reason that nobody foresaw; the others can."""


class PageFolderError(PlottingError):
    """A page cannot be written where the run's other results are."""


class WorkerDied(PlottingError):
    """A process that draws figures was ended from outside, or for want of memory."""


class BrowserFailed(PlottingError):
    """A TBrowser did not open, or ended by itself."""


class PackageUnavailable(PlottingError):
    """The package that a page draws with cannot be had."""
