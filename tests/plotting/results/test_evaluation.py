"""What is read of an evaluation, and what is drawn of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.patches import StepPatch

from plotting.__main__ import main
from plotting.errors import MissingResult, UnreadableResult
from plotting.figures.confusion import draw_confusion
from plotting.figures.importance import draw_importance
from plotting.figures.metrics import draw_metrics
from plotting.figures.roc import draw_roc, draw_roc_log
from plotting.figures.separation import draw_separation
from plotting.figures.significance import draw_significance
from plotting.results.evaluation import Evaluation, read_evaluation
from plotting.style.colours import detector_colours
from rdf.code.interpreter import ROOT
from tests.plotting.evaluations import BACKGROUND, DETECTORS, SIGNAL, roc, scores, write_evaluation


@pytest.fixture
def copy(evaluation_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(evaluation_folder, tmp_path / "evaluation"))


@pytest.fixture(scope="module")
def metrics(evaluation_folder: Path) -> dict:
    return json.loads((evaluation_folder / "metrics.json").read_text())


def curves_of(axes) -> dict[str, np.ndarray]:
    """Drawn lines by their colour."""
    return {line.get_color(): np.array(line.get_data()) for line in axes.lines if line.get_linestyle() == "-"}


@pytest.mark.parametrize("draw", [draw_roc, draw_roc_log])
def test_roc_curves(evaluation: Evaluation, metrics: dict, draw) -> None:
    figure = draw(evaluation.detectors, evaluation.caption)
    (axes,) = figure.axes
    drawn = curves_of(axes)
    for place, name in enumerate(DETECTORS):
        np.testing.assert_array_equal(drawn[detector_colours(DETECTORS)[name]], roc(*scores(place)))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Background efficiency (FPR)", "Signal efficiency (TPR)")
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    area = metrics["one_class_svm"]["auc"]["value"]
    assert texts[2] == f"One-class SVM, AUC {area:.4f} ± {0.01 * area:.4f}"
    assert texts[-1] == "Random choice, AUC 0.5"
    (diagonal,) = (line for line in axes.lines if line.get_linestyle() == ":")
    np.testing.assert_array_equal(*diagonal.get_data())
    assert axes.get_xscale() == ("log" if draw is draw_roc_log else "linear")
    if draw is draw_roc_log:
        assert axes.get_xlim()[0] == min(fpr[fpr > 0].min() for fpr in (roc(*scores(i))[0] for i in range(7)))


def test_significance_improvement_and_its_maximum(evaluation: Evaluation, metrics: dict) -> None:
    figure = draw_significance(evaluation.detectors, evaluation.caption)
    (axes,) = figure.axes
    drawn = curves_of(axes)
    maxima = {line.get_color(): line.get_data() for line in axes.lines if line.get_marker() == "o"}
    for place, (name, colour) in enumerate(detector_colours(DETECTORS).items()):
        fpr, tpr = roc(*scores(place))
        np.testing.assert_allclose(drawn[colour], [tpr, tpr / np.sqrt(np.maximum(fpr, 25 / BACKGROUND))])
        best = metrics[name]["max_sic"]
        assert [float(at[0]) for at in maxima[colour]] == [best["tpr"], best["value"]]
    title = figure.legends[0].get_title().get_text()
    assert title == r"Fewer than 25 background events count as 25 in $\epsilon_B$"
    (random,) = (line for line in axes.lines if line.get_linestyle() == ":")
    np.testing.assert_allclose(random.get_ydata(), np.sqrt(random.get_xdata()))
    assert axes.get_ylim()[0] == 0


def test_scores_of_both_kinds_have_unit_area_with_the_tails(evaluation: Evaluation) -> None:
    axes = draw_separation("mlp", evaluation.detectors["mlp"], evaluation.caption).axes[0]
    fill, *lines = (patch.get_data() for patch in axes.patches if isinstance(patch, StepPatch))
    for values, line in zip(scores(DETECTORS.index("mlp")), lines, strict=True):
        counts, edges = np.histogram(values, 50, (-3.5, 3.5))
        np.testing.assert_allclose(line.values, counts / len(values))
        np.testing.assert_allclose(line.edges, edges)
    np.testing.assert_array_equal(fill.values, lines[0].values)
    beyond = [int((np.abs(values) > 3.5).sum()) for values in scores(DETECTORS.index("mlp"))]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        f"background (9,000, {beyond[0]} beyond the axis)",
        f"signal (400, {beyond[1]} beyond the axis)",
        "threshold 1.5",
    ]
    ensemble = draw_separation("ensemble", evaluation.detectors["ensemble"], evaluation.caption).axes[0]
    assert len(ensemble.get_legend().get_texts()) == 2
    assert axes.get_yscale() == "log"
    assert axes.get_ylabel() == "Fraction of events / 0.14"


def test_confusion_matrices(evaluation: Evaluation) -> None:
    figure = draw_confusion(evaluation.detectors, evaluation.caption)
    assert [axes.get_title() for axes in figure.axes][2:6] == [
        "One-class SVM",
        "Elliptic envelope",
        "Decision tree",
        "MLP",
    ]
    background, signal = scores(3)
    shares = [[(kind <= 1.5).mean(), (kind > 1.5).mean()] for kind in (background, signal)]
    axes = figure.axes[3]
    np.testing.assert_allclose(axes.images[0].get_array(), shares)
    counts = [int(text.get_text().split("\n")[0].replace(",", "")) for text in axes.texts]
    assert counts == [(background <= 1.5).sum(), (background > 1.5).sum(), (signal <= 1.5).sum(), (signal > 1.5).sum()]
    assert sum(counts) == SIGNAL + BACKGROUND


def test_metrics_side_by_side_without_those_that_are_not_defined(tmp_path: Path) -> None:
    table = write_evaluation(tmp_path / "e", DETECTORS[:2])
    table["autoencoder"]["precision"] = {"value": None, "error": None}
    table["autoencoder"]["max_sic"] |= {"value": None, "error": None, "tpr": None, "fpr": None}
    (tmp_path / "e" / "metrics.json").write_text(json.dumps(table))
    evaluation = read_evaluation(tmp_path / "e")
    axes = draw_metrics(evaluation.detectors, evaluation.caption).axes[0]
    points = [container for container in axes.containers if isinstance(container, ErrorbarContainer)]
    drawn = sorted(float(point.lines[0].get_xdata()[0]) for point in points)
    shown = ("auc", "accuracy", "precision", "recall", "tnr", "f1")
    values = [table[name][metric]["value"] for name in table for metric in shown]
    assert drawn == sorted(value for value in values if value is not None)
    figure = draw_significance(evaluation.detectors, evaluation.caption)
    assert [text.get_text() for text in figure.legends[0].get_texts()][1] == "Autoencoder, maximum –"


def test_values_without_errors_are_drawn_without_bars(tmp_path: Path) -> None:
    table = write_evaluation(tmp_path / "e", DETECTORS[:1])
    forest = table["isolation_forest"]
    for metric in ("auc", "max_sic", "accuracy", "precision", "recall", "f1", "tpr", "tnr"):
        forest[metric]["error"] = None
    (tmp_path / "e" / "metrics.json").write_text(json.dumps(table))
    evaluation = read_evaluation(tmp_path / "e")
    points = draw_metrics(evaluation.detectors, evaluation.caption).axes[0].containers
    assert [point.has_xerr for point in points] == 6 * [False]
    for draw, name, metric in ((draw_roc, "AUC", "auc"), (draw_significance, "maximum", "max_sic")):
        texts = [text.get_text() for text in draw(evaluation.detectors, evaluation.caption).legends[0].get_texts()]
        assert texts[0] == f"Isolation forest, {name} {forest[metric]['value']:.4g}"


def test_importances_from_the_greatest_down(evaluation: Evaluation, metrics: dict) -> None:
    importance = evaluation.detectors["mlp"].importance
    axes = draw_importance("mlp", importance, evaluation.feature_titles, evaluation.caption).axes[0]
    expected = sorted((drop["value"] for drop in metrics["mlp"]["importance"].values()), reverse=True)
    np.testing.assert_allclose([bar.get_width() for bar in axes.patches], expected)
    assert [text.get_text() for text in axes.texts] == [f"{drop:.4f} ± 0.0030" for drop in expected]
    first = max(importance, key=lambda name: importance[name].value)
    assert (
        axes.get_yticklabels()[0].get_text()
        == {
            "x0": r"$p_{\mathrm{T}}^{\mathrm{miss}}$ / $H_{\mathrm{T}}^{\mathrm{1}/\mathrm{2}}$",
            "x1": "$M_{R}$",
            "x2": r"|$\Delta\phi$($p_{\mathrm{T}}^{\mathrm{miss}}$, jet)|",
            "x3": r"$R^{\mathrm{2}}$",
            "x4": "number of electrons",
        }[first]
    )


@pytest.mark.parametrize("name", ["metrics.json", "curves.root", "run.json"])
@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_bad_files_end_with_one_line_and_exit_3(
    copy: Path, name: str, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if damage == "missing":
        (copy / name).unlink()
    else:
        (copy / name).write_bytes((copy / name).read_bytes()[:200])
    assert main([str(copy)]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    # Without its metrics a folder is taken for a run.
    missing = "histograms.root" if (name, damage) == ("metrics.json", "missing") else name
    assert str(copy / missing) in line
    assert "repeat the" in line


def test_missing_curve_and_missing_key(copy: Path) -> None:
    table = json.loads((copy / "metrics.json").read_text())
    (copy / "metrics.json").write_text(json.dumps(table | {"mlp": {"auc": {"value": 1}}}))
    with pytest.raises(UnreadableResult, match=r"metrics\.json: lacks a key .*python -m analysis\.evaluate"):
        read_evaluation(copy)
    (copy / "metrics.json").write_text(json.dumps(table))
    file = ROOT.TFile.Open(str(copy / "curves.root"), "UPDATE")
    file.Get("roc").Delete("mlp;*")
    file.Close()
    with pytest.raises(MissingResult, match=r"curves\.root: has no roc/mlp"):
        read_evaluation(copy)
