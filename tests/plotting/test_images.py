"""The main figures of a synthetic run and evaluation, pixel by pixel against images in baseline/.

After an intended change: pytest tests/plotting/test_images.py --mpl-generate-path=tests/plotting/baseline
and a look at each new image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.testing.compare import compare_images

from plotting.drawing.settling import settle
from plotting.figures.contents import list_evaluation_figures, list_figures
from plotting.figures.features import draw_feature
from plotting.figures.scores import draw_scores
from plotting.results.evaluation import Evaluation
from plotting.results.run import Results
from plotting.style.house import house_parameters, house_style

BASELINE = Path(__file__).parent / "baseline"
TOLERANCE = 0.1  # root mean square over all pixels, of 255; the same figure again gives 0
DPI = 50

same_image = pytest.mark.mpl_image_compare(
    baseline_dir="baseline",
    style=house_parameters(),
    tolerance=TOLERANCE,
    savefig_kwargs={"dpi": DPI, "metadata": {"Software": None}, "pil_kwargs": {"optimize": True}},
)

OF_A_RUN = (
    "cutflow",
    "plane_MR_Rsq",
    "plane_MR_Rsq_score_isolation_forest",
    "score_isolation_forest",
    "score_ensemble",
    "feature_MR",
    "mll_flagged",
    "correlation",
    "means",
    "flagged",
)
OF_A_TRAINING = (
    "loss_autoencoder",
    "reconstruction_autoencoder",
    "agreement",
    "votes",
    "contributions_autoencoder",
    "latent_ranks",
)
OF_AN_EVALUATION = (
    "roc",
    "roc_log",
    "significance",
    "metrics",
    "confusion",
    "score_mlp",
    "importance_mlp",
)


def settled(figure: Figure) -> Figure:
    """The figure as it is written: all places worked out."""
    with house_style():
        settle(figure)
    return figure


@same_image
@pytest.mark.parametrize("name", OF_A_RUN)
def test_run(varied_results: Results, name: str) -> Figure:
    return settled(dict(list_figures(varied_results))[name]())


@same_image
@pytest.mark.parametrize("name", OF_A_TRAINING)
def test_training(trained_results: Results, name: str) -> Figure:
    return settled(dict(list_figures(trained_results))[name]())


@same_image
@pytest.mark.parametrize("name", OF_AN_EVALUATION)
def test_evaluation(evaluation: Evaluation, name: str) -> Figure:
    return settled(dict(list_evaluation_figures(evaluation))[name]())


@same_image
def test_simulated(simulated_results: Results) -> Figure:
    return settled(dict(list_figures(simulated_results))["feature_MET"]())


def another_threshold(results: Results) -> Figure:
    name = "isolation_forest"
    detector = replace(results.detectors[name], thresholds=(0.56,))
    return draw_scores(
        name,
        results.scores[name],
        detector,
        results.caption,
        results.labelled_scores[name],
        results.varied_scores[name],
    )


def another_count(results: Results) -> Figure:
    spectrum = results.spectra["MR"]
    more = spectrum.all.values + np.where(np.arange(40) == 5, 200, 0)
    changed = replace(spectrum, all=replace(spectrum.all, values=more))
    return draw_feature(changed, results.caption, results.varied_spectra["MR"])


def another_unit(results: Results) -> Figure:
    spectrum = results.spectra["MR"]
    changed = replace(spectrum, all=replace(spectrum.all, title="M_{R} [TeV]"))
    return draw_feature(changed, results.caption, results.varied_spectra["MR"])


def no_doi(results: Results) -> Figure:
    return draw_feature(results.spectra["MR"], replace(results.caption, doi="10.7483/OPENDATA.TEST.0002"), ())


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (another_threshold, "score_isolation_forest"),
        (another_count, "feature_MR"),
        (another_unit, "feature_MR"),
        (no_doi, "feature_MR"),
    ],
)
def test_a_change_is_noticed(
    varied_results: Results, tmp_path: Path, change: Callable[[Results], Figure], name: str
) -> None:
    def difference(figure: Figure) -> Any:
        with house_style():
            settle(figure)
            figure.savefig(tmp_path / "figure.png", dpi=DPI)
        return compare_images(str(BASELINE / f"test_run_{name}.png"), str(tmp_path / "figure.png"), TOLERANCE)

    assert difference(dict(list_figures(varied_results))[name]()) is None
    assert difference(change(varied_results)) is not None
