"""What a run with a training adds: losses, agreement, contributions, projections."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import PathCollection

from plotting.errors import UnreadableResult
from plotting.figures.agreement import draw_agreement
from plotting.figures.contributions import draw_contributions
from plotting.figures.latent import draw_latent_labels, draw_latent_ranks
from plotting.figures.loss import draw_loss
from plotting.figures.votes import draw_votes
from plotting.results.run import Results, read_results
from plotting.results.tables import read_latent
from tests.plotting.conftest import FEATURES
from tests.plotting.evaluations import DETECTORS, training_record, write_anomalies, write_latent

RECORD = training_record(DETECTORS[:4])


def test_losses_of_each_fold_and_the_best_epoch(trained_results: Results) -> None:
    figure = draw_loss("autoencoder", trained_results.history["autoencoder"], trained_results.caption)
    (axes,) = figure.axes
    for fold, drawn in zip(RECORD["history"]["autoencoder"], (axes.lines[:3], axes.lines[3:]), strict=True):
        training, validation, best = (np.array(line.get_data()) for line in drawn)
        np.testing.assert_array_equal(training, [range(1, 41), fold["training"]])
        np.testing.assert_array_equal(validation, [range(1, 41), fold["validation"]])
        lowest = min(fold["validation"])
        assert best.ravel().tolist() == [fold["validation"].index(lowest) + 1, lowest]
    assert axes.get_ylabel() == "Autoencoder loss"
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts[:2] == ["training", "validation"]
    assert [text.startswith(f"fold {i}, best epoch ") for i, text in enumerate(texts[2:])] == [True, True]


def test_a_training_without_folds_says_nothing_of_them(trained_results: Results) -> None:
    figure = draw_loss("autoencoder", trained_results.history["autoencoder"][:1], trained_results.caption)
    assert figure.legends[0].get_texts()[2].get_text().startswith("best epoch ")


def test_agreement_is_intersection_over_union(trained_results: Results) -> None:
    axes = draw_agreement(trained_results.agreement, trained_results.caption).axes[0]
    # Neighbours share 300 of 1000 events each: 300 / 1700; the next but one 450 / 1550, the farthest 600 / 1400.
    near, far, farthest = 300 / 1700, 450 / 1550, 600 / 1400
    expected = [
        [1, near, far, farthest],
        [near, 1, near, far],
        [far, near, 1, near],
        [farthest, far, near, 1],
    ]
    np.testing.assert_allclose(axes.images[0].get_array(), expected)
    assert [text.get_text() for text in axes.texts[:4]] == ["1,000\n100 %", "300\n17.6 %", "450\n29 %", "600\n42.9 %"]
    assert [label.get_text() for label in axes.get_yticklabels()][2] == "one-class SVM"


def test_detectors_that_flag_nothing_have_no_overlap(trained_results: Results) -> None:
    quiet = type(trained_results.agreement)(("a", "b"), np.zeros((2, 2)), np.array([10.0, 0, 0]))
    axes = draw_agreement(quiet, trained_results.caption).axes[0]
    assert {text.get_text() for text in axes.texts} == {"0\n–"}
    assert [text.get_text() for text in draw_votes(quiet, 1, trained_results.caption).axes[0].texts] == [
        "10\n100 %",
        "0\n0 %",
        "0\n0 %",
    ]


def test_votes(trained_results: Results) -> None:
    figure = draw_votes(trained_results.agreement, 2, trained_results.caption)
    axes = figure.axes[0]
    assert [bar.get_height() for bar in axes.patches] == RECORD["agreement"]["votes"] == [18000, 1500, 750, 375, 187]
    normal, anomalous = ({bar.get_facecolor() for bar in bars} for bars in (axes.patches[:2], axes.patches[2:]))
    assert (len(normal), len(anomalous), len(normal | anomalous)) == (1, 1, 2)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["normal (19,500)", "anomalous, at least 2 votes (1,312)"]
    assert axes.texts[1].get_text() == "1,500\n7.21 %"  # of 20,812


def test_contributions_are_shares_of_what_is_positive(trained_results: Results, tmp_path: Path) -> None:
    values = write_anomalies(tmp_path / "anomalies.csv", DETECTORS[:4], FEATURES)
    contributions = trained_results.contributions["one_class_svm"]
    axes = draw_contributions(
        "one_class_svm", trained_results.feature_titles, contributions, trained_results.caption
    ).axes[0]
    positive = np.maximum(values[2, :10], 0)
    shares = [100 * event / event.sum() if event.any() else event for event in positive]
    np.testing.assert_allclose(axes.images[0].get_array(), np.transpose(shares))
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == [f"147926:{408_294_000 + i}" for i in range(10)]
    assert sorted(trained_results.contributions) == sorted(DETECTORS[:4])


@pytest.mark.parametrize("autoencoder", [True, False])
def test_projections_coloured_by_rank_and_by_label(trained_results: Results, tmp_path: Path, autoencoder: bool) -> None:
    columns = write_latent(tmp_path / "latent.csv", labels=True, autoencoder=autoencoder)
    latent = read_latent(tmp_path / "latent.csv", RECORD["latent"], "repeat")
    assert latent is not None
    assert latent.labels is not None
    order = np.argsort(columns["rank"])
    *panels, _ = draw_latent_ranks(latent, trained_results.caption).axes
    labelled = draw_latent_labels(latent, latent.labels, trained_results.caption).axes
    names = ["pca_features", "tsne_features", *(["pca_latent", "tsne_latent"] if autoencoder else [])]
    for name, axes, by_label in zip(names, panels, labelled, strict=True):
        points = np.column_stack([columns[f"{name}_1"], columns[f"{name}_2"]])
        (dots,) = (artist for artist in axes.collections if isinstance(artist, PathCollection))
        np.testing.assert_allclose(dots.get_offsets(), points[order])
        np.testing.assert_allclose(dots.get_array(), np.sort(columns["rank"]))
        background, signal = (np.asarray(artist.get_offsets()) for artist in by_label.collections)
        np.testing.assert_allclose(background, points[columns["label"] == 0])
        np.testing.assert_allclose(signal, points[columns["label"] == 1])
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        x, y = points.T
        beyond = ((x < left) | (x > right) | (y < low) | (y > high)).sum()
        assert beyond <= 0.02 * len(points)
        assert axes.get_title(loc="right") == (f"{beyond} events beyond the axes" if beyond else "")
    assert panels[0].get_xlabel() == "PCA 1 of the features (51 % of variance)"
    assert panels[1].get_xlabel() == "t-SNE 1 of the features"


def test_a_run_with_models_at_hand_has_none_of_these(results: Results) -> None:
    assert results.history == results.contributions == {}
    assert results.agreement.detectors == ("isolation_forest",)
    assert results.latent is None


@pytest.mark.parametrize(
    ("name", "column", "text"),
    [
        ("latent.csv", "rank", "has no column rank"),
        ("latent.csv", "tsne_latent_2", "has no column tsne_latent_2"),
        ("anomalies.csv", "event", "has no column event"),
        ("anomalies.csv", "why_autoencoder_MET", "has no column why_autoencoder_MET"),
    ],
)
def test_a_table_without_a_column(trained_folder: Path, tmp_path: Path, name: str, column: str, text: str) -> None:
    copy = Path(shutil.copytree(trained_folder, tmp_path / "run"))
    with (copy / name).open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (copy / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, [key for key in rows[0] if key != column], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(UnreadableResult, match=rf"{name}: {text}; repeat the run"):
        read_results(copy)


def test_a_table_that_was_cut_short(trained_folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(trained_folder, tmp_path / "run"))
    text = (copy / "latent.csv").read_text()
    (copy / "latent.csv").write_text(text[: len(text) // 2].rpartition(",")[0])
    with pytest.raises(UnreadableResult, match=r"latent\.csv: not a number"):
        read_results(copy)


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("history", {"autoencoder": [3]}, r"has another form at history\.autoencoder\.0"),
        ("agreement", {"autoencoder": [3]}, r"has no 'agreement\.flagged'"),
        ("agreement", {"flagged": {}, "votes": []}, "contradicts itself: agreement has no isolation_forest"),
        ("means", {}, "contradicts itself: means has no MR"),
        ("ensemble", ["mlp"], "contradicts itself: ensemble has mlp, which is none of its detectors"),
    ],
)
def test_a_record_of_another_form(trained_folder: Path, tmp_path: Path, key: str, value: object, fault: str) -> None:
    copy = Path(shutil.copytree(trained_folder, tmp_path / "run"))
    record = json.loads((copy / "run.json").read_text()) | {key: value}
    (copy / "run.json").write_text(json.dumps(record))
    with pytest.raises(UnreadableResult, match=rf"run\.json: {fault}.*; repeat the run"):
        read_results(copy)
