"""How histograms and graphs look in a TBrowser, where a double click draws them as their file says.

Colours are those of the figures. They come from ROOT's own table (ROOT 6.34 and later), since a file keeps the number
of a colour, not the colour. Logarithmic axes are no property of a histogram: `macros/browse.C` chooses them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rdf.code.interpreter import ROOT
from rdf.graph.histogram_keys import HistogramKey, Kind, Selection


@dataclass(frozen=True)
class Colours:
    """Colours of ROOT's table.

    Attributes:
        line_name: of the colour of a line.
        area_name: of the colour of the area below it.
        lighter: steps by which the area is lighter than that colour.
    """

    line_name: str
    area_name: str
    lighter: int

    @property
    def line(self) -> int:
        """Number of the line's colour."""
        return int(getattr(ROOT, self.line_name))

    @property
    def area(self) -> int:
        """Number of the area's colour."""
        return int(getattr(ROOT, self.area_name)) - self.lighter


NORMAL = Colours("kP10Blue", "kAzure", 9)
ANOMALOUS = Colours("kP10Orange", "kOrange", 9)
EVERYTHING = Colours("kP10Gray", "kGray", 0)

_COLOURS = {
    Selection.NORMAL: NORMAL,
    Selection.BACKGROUND: NORMAL,
    Selection.ANOMALOUS: ANOMALOUS,
    Selection.SIGNAL: ANOMALOUS,
}

_LINE_WIDTH = 2
_TITLE_SIZE, _LABEL_SIZE, _BIN_LABEL_SIZE = 0.045, 0.038, 0.045  # of axes, as fractions of the pad
_TITLE_OFFSETS = (1.2, 1.5, 1.5)  # of the axes x, y and z
_TEXT_SIZE = 1.6  # of numbers in bins, in units of ROOT's default


def score_title(name: str) -> str:
    """Return what the score of a detector, or of the ensemble, is called; with or without "score_" before its name."""
    return f"{name.removeprefix('score_').replace('_', ' ')} score"


def style_histogram(path: str, histogram: Any) -> None:
    """Set how a histogram is drawn.

    Args:
        path: in its file, which says what is in it.
        histogram: a TH1, TH2 or TProfile2D; changed.
    """
    _style_axes(histogram.GetXaxis(), histogram.GetYaxis(), histogram.GetZaxis())
    if histogram.GetDimension() == 1:
        _style_spectrum(HistogramKey.of_path(path), histogram)
    else:
        _style_plane(HistogramKey.of_path(path), histogram)


def _style_axes(*axes: Any) -> None:
    for axis, offset in zip(axes, _TITLE_OFFSETS, strict=False):
        axis.SetTitleSize(_TITLE_SIZE)
        axis.SetLabelSize(_BIN_LABEL_SIZE if axis.GetLabels() else _LABEL_SIZE)
        axis.SetTitleOffset(offset)


def _style_spectrum(key: HistogramKey, histogram: Any) -> None:
    colours = _COLOURS.get(key.selection, EVERYTHING)
    histogram.SetLineColor(colours.line)
    histogram.SetMarkerColor(colours.line)
    histogram.SetFillColor(colours.area)
    histogram.SetLineWidth(_LINE_WIDTH)
    counted = key.kind in (Kind.CUTFLOW, Kind.AGREEMENT)  # few bins, whose numbers can be read
    histogram.SetOption("HIST TEXT0" if counted else "HIST E")
    histogram.SetMarkerSize(_TEXT_SIZE)
    histogram.SetStats(not counted)


def _style_plane(key: HistogramKey, histogram: Any) -> None:
    histogram.SetOption("COLZ TEXT" if key.kind in (Kind.AGREEMENT, Kind.SHARES) else "COLZ")
    histogram.SetMarkerSize(_TEXT_SIZE)
    histogram.SetStats(False)


def style_graph(graph: Any, colours: Colours = NORMAL) -> None:
    """Set how a graph is drawn: a line, with its axes."""
    _style_axes(graph.GetXaxis(), graph.GetYaxis())
    graph.SetLineColor(colours.line)
    graph.SetMarkerColor(colours.line)
    graph.SetLineWidth(_LINE_WIDTH)
    graph.SetOption("AL")
