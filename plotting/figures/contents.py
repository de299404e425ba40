"""All kinds of figures, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from plotting.figures.agreement import AgreementFigure
from plotting.figures.confusion import ConfusionFigure
from plotting.figures.contributions import ContributionsFigure
from plotting.figures.correlation import CorrelationFigure
from plotting.figures.cutflow import CutflowFigure
from plotting.figures.dilepton import DileptonFigure
from plotting.figures.directions import DirectionsFigure
from plotting.figures.display import DisplayFigure
from plotting.figures.facts import EvaluationFacts, RunFacts
from plotting.figures.features import FeatureFigure
from plotting.figures.figure import NamedFigure, Names
from plotting.figures.flagged import FlaggedFigure
from plotting.figures.importance import ImportanceFigure
from plotting.figures.latent import LatentLabelsFigure, LatentRanksFigure
from plotting.figures.loss import LossFigure
from plotting.figures.means import MeansFigure
from plotting.figures.metrics import MetricsFigure
from plotting.figures.planes import PlaneFigure
from plotting.figures.reconstruction import ReconstructionFigure
from plotting.figures.roc import LogRocFigure, RocFigure
from plotting.figures.runs import RunsFigure
from plotting.figures.score_planes import ScorePlaneFigure
from plotting.figures.scores import ScoreFigure
from plotting.figures.separation import SeparationFigure
from plotting.figures.significance import SignificanceFigure
from plotting.figures.votes import VotesFigure
from plotting.results.evaluation import Evaluation, is_evaluation, read_evaluation
from plotting.results.run import Results, read_results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Data = TypeVar("Data")
Facts = TypeVar("Facts")

RUN_KINDS: Sequence[type[NamedFigure[Results, RunFacts]]] = (
    CutflowFigure,
    ScoreFigure,
    FlaggedFigure,
    AgreementFigure,
    VotesFigure,
    RunsFigure,
    DirectionsFigure,
    ContributionsFigure,
    DisplayFigure,
    MeansFigure,
    DileptonFigure,
    FeatureFigure,
    CorrelationFigure,
    PlaneFigure,
    ScorePlaneFigure,
    LossFigure,
    ReconstructionFigure,
    LatentRanksFigure,
    LatentLabelsFigure,
)
"""Kinds of the figures of a run."""

EVALUATION_KINDS: Sequence[type[NamedFigure[Evaluation, EvaluationFacts]]] = (
    RocFigure,
    LogRocFigure,
    SignificanceFigure,
    MetricsFigure,
    ConfusionFigure,
    SeparationFigure,
    ImportanceFigure,
    LossFigure,
    ReconstructionFigure,
    LatentRanksFigure,
    LatentLabelsFigure,
)
"""Kinds of the figures of an evaluation."""

Drawings = Iterator[tuple[str, "Callable[[], Figure]"]]
"""Name of each figure, with the function that draws it."""


def every_figure(kinds: Sequence[type[NamedFigure[Data, Facts]]], names: Names) -> list[NamedFigure[Data, Facts]]:
    """Return every figure of these kinds that results with these names may have; of those that share a name, the first.

    Args:
        kinds: RUN_KINDS or EVALUATION_KINDS.
        names: of the quantities and the detectors.
    """
    figures: dict[str, NamedFigure[Data, Facts]] = {}
    for kind in kinds:
        for figure in kind.all(names):
            figures.setdefault(figure.name, figure)
    return list(figures.values())


def is_figure(name: str, names: Names) -> bool:
    """Tell whether a run or an evaluation with these names may have a figure of this name."""
    return any(
        figure.name == name
        for figures in (every_figure(RUN_KINDS, names), every_figure(EVALUATION_KINDS, names))
        for figure in figures
    )


def list_contents(folder: Path) -> Drawings:
    """Name each figure that a folder has the results for, with the function that draws it.

    Args:
        folder: what a run left, with `run.json` and `histograms.root`, or an evaluation, with `metrics.json`.

    Raises:
        MissingResult: something that should have been left is not there.
        UnreadableResult: a file is truncated or damaged.
    """
    if is_evaluation(folder):
        return list_evaluation_figures(read_evaluation(folder))
    return list_figures(read_results(folder))


def list_figures(results: Results) -> Drawings:
    """Name each figure that a run has the results for, with the function that draws it."""
    return _drawings(RUN_KINDS, Names.of(results.spectra, results.detectors), results)


def list_evaluation_figures(evaluation: Evaluation) -> Drawings:
    """Name each figure that an evaluation has the results for, with the function that draws it."""
    detectors = (*evaluation.detectors, *evaluation.history, *evaluation.reconstruction)
    return _drawings(EVALUATION_KINDS, Names.of(evaluation.feature_titles, detectors), evaluation)


def _drawings(kinds: Sequence[type[NamedFigure[Data, Facts]]], names: Names, data: Data) -> Drawings:
    for figure in every_figure(kinds, names):
        if figure.is_in(data):
            yield figure.name, partial(figure.draw, data)
