"""Which figures a run or an evaluation has, each with the function that draws it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from plotting.figures.agreement import draw_agreement, draw_votes
from plotting.figures.confusion import draw_confusion
from plotting.figures.contributions import draw_contributions
from plotting.figures.correlation import draw_correlation
from plotting.figures.cutflow import draw_cutflow
from plotting.figures.dilepton import draw_dilepton_mass
from plotting.figures.display import draw_display
from plotting.figures.features import draw_feature
from plotting.figures.flagged import draw_flagged
from plotting.figures.importance import draw_importance
from plotting.figures.latent import draw_latent_labels, draw_latent_ranks
from plotting.figures.loss import draw_loss
from plotting.figures.means import draw_means
from plotting.figures.metrics import draw_metrics
from plotting.figures.planes import draw_plane, draw_score_plane
from plotting.figures.reconstruction import draw_reconstruction
from plotting.figures.roc import draw_roc, draw_roc_log
from plotting.figures.scores import draw_scores
from plotting.figures.separation import draw_separation
from plotting.figures.significance import draw_significance
from plotting.results.caption import Caption
from plotting.results.evaluation import Evaluation, is_evaluation, read_evaluation
from plotting.results.run import Results, read_results
from plotting.results.tables import LatentSpace

DISPLAYS = 5
"""Most anomalous events of which a display is drawn."""

Figures = Iterator[tuple[str, Callable[[], Figure]]]
"""Name of each figure, with the function that draws it."""


def list_contents(folder: Path) -> Figures:
    """Name each figure that a folder has the results for, with the function that draws it.

    Args:
        folder: what a run left, with `run.json` and `histograms.root`, or an evaluation, with `metrics.json`.

    Raises:
        MissingResult: something that should have been left is not there.
        UnreadableResult: a file is truncated or damaged.
    """
    return (
        list_evaluation_figures(read_evaluation(folder))
        if is_evaluation(folder)
        else list_figures(read_results(folder))
    )


def list_figures(results: Results) -> Figures:
    """Name each figure that a run has the results for, with the function that draws it."""
    caption, titles, moments = results.caption, results.feature_titles, results.moments
    yield "cutflow", partial(draw_cutflow, results.cutflow, caption)
    for name, plane in results.planes.items():
        yield f"plane_{name}", partial(draw_plane, plane.all, caption)
    for (score, name), mean in results.score_planes.items():
        yield f"plane_{name}_score_{score}", partial(draw_score_plane, score, mean, results.planes[name], caption)
    for score, scores in results.scores.items():
        labelled, variations = results.labelled_scores.get(score), results.varied_scores[score]
        detector = results.detectors.get(score)
        yield f"score_{score}", partial(draw_scores, score, scores, detector, caption, labelled, variations)
    for name, spectrum in results.spectra.items():
        yield f"feature_{name}", partial(draw_feature, spectrum, caption, results.varied_spectra[name])
    if mass := results.spectra.get("mll"):
        yield "mll_flagged", partial(draw_dilepton_mass, mass, caption)
    yield "correlation", partial(draw_correlation, titles, moments.all, caption)
    yield "means", partial(draw_means, titles, moments.normal, moments.anomalous, caption)
    for name, folds in results.history.items():
        yield f"loss_{name}", partial(draw_loss, name, folds, caption)
    for name, reconstruction in results.reconstruction.items():
        yield f"reconstruction_{name}", partial(draw_reconstruction, name, titles, reconstruction, caption)
    yield "flagged", partial(draw_flagged, results.detectors, results.counts, caption)
    if results.agreement and len(results.agreement.detectors) > 1:
        yield "agreement", partial(draw_agreement, results.agreement, caption)
        yield "votes", partial(draw_votes, results.agreement, results.counts.min_votes, caption)
    for name, contributions in results.contributions.items():
        yield f"contributions_{name}", partial(draw_contributions, name, titles, contributions, caption)
    if results.latent:
        yield from _list_latent(results.latent, caption)
    for event in results.displayed[:DISPLAYS]:
        yield f"display_{event.place}", partial(draw_display, event, caption)


def list_evaluation_figures(evaluation: Evaluation) -> Figures:
    """Name each figure that an evaluation has the results for, with the function that draws it."""
    caption, detectors = evaluation.caption, evaluation.detectors
    yield "roc", partial(draw_roc, detectors, caption)
    yield "roc_log", partial(draw_roc_log, detectors, caption)
    yield "significance", partial(draw_significance, detectors, caption)
    yield "metrics", partial(draw_metrics, detectors, caption)
    yield "confusion", partial(draw_confusion, detectors, caption)
    for name, detector in detectors.items():
        yield f"score_{name}", partial(draw_separation, name, detector, caption)
    for name, detector in detectors.items():
        if detector.importance:
            titles = evaluation.feature_titles
            yield f"importance_{name}", partial(draw_importance, name, detector.importance, titles, caption)
    for name, folds in evaluation.history.items():
        yield f"loss_{name}", partial(draw_loss, name, folds, caption)
    for name, reconstruction in evaluation.reconstruction.items():
        of_features = tuple(evaluation.feature_titles.values())
        yield f"reconstruction_{name}", partial(draw_reconstruction, name, of_features, reconstruction, caption)
    if evaluation.latent:
        yield from _list_latent(evaluation.latent, caption)


def _list_latent(latent: LatentSpace, caption: Caption) -> Figures:
    yield "latent_ranks", partial(draw_latent_ranks, latent, caption)
    if latent.labels is not None:
        yield "latent_labels", partial(draw_latent_labels, latent, latent.labels, caption)
