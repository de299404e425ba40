"""Folders as `analysis.evaluate` and a run with several detectors leave them, of numbers that the tests know."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from rdf.code.interpreter import ROOT
from tests.records import evaluation_table

DETECTORS = (
    "isolation_forest",
    "autoencoder",
    "one_class_svm",
    "elliptic_envelope",
    "decision_tree",
    "mlp",
    "ensemble",
)
TITLES = ("p_{T}^{miss} / H_{T}^{1/2}", "M_{R}", "|#Delta#phi(p_{T}^{miss}, jet)|", "R^{2}", "number of electrons")
SIGNAL, BACKGROUND = 400, 9000


def features(number: int) -> list[dict[str, str]]:
    return [
        {"name": f"x{i}", "title": TITLES[i] if i < len(TITLES) else f"p_{{T,{i}}}", "unit": "GeV"}
        for i in range(number)
    ]


def sample(*, simulated: bool = False) -> dict[str, Any]:
    return {
        "name": "synthetic",
        "title": "Synthetic multijet events",
        "doi": "10.7483/OPENDATA.TEST.0001",
        "energy": "7 TeV",
        "luminosity": 0.032,
        "simulated": simulated,
    }


def scores(place: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of background and signal; the separation grows with the place of the detector."""
    random = np.random.default_rng(place)
    return random.normal(size=BACKGROUND), random.normal(size=SIGNAL) + 0.3 + 0.4 * place


def roc(background: np.ndarray, signal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    cuts = np.sort(np.concatenate([background, signal]))[::-1][::10]
    passing = [np.array([(kind > cut).mean() for cut in cuts]) for kind in (background, signal)]
    return tuple(np.concatenate([[0], rates, [1]]) for rates in passing)  # type: ignore[return-value]


def write_evaluation(
    folder: Path, detectors: tuple[str, ...] = DETECTORS, number: int = 5, *, simulated: bool = False
) -> dict[str, Any]:
    """Write the files and return what metrics.json holds."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(2)
    metrics: dict[str, Any] = {}
    file = ROOT.TFile.Open(str(folder / "curves.root"), "RECREATE")
    directories = {name: file.mkdir(name) for name in ("roc", "significance", "scores")}
    for place, name in enumerate(detectors):
        background, signal = scores(place)
        fpr, tpr = roc(background, signal)
        improvement = tpr / np.sqrt(np.maximum(fpr, 25 / BACKGROUND))
        for directory, x, y in (("roc", fpr, tpr), ("significance", tpr, improvement)):
            directories[directory].WriteObject(ROOT.TGraph(len(x), x.copy(), y.copy()), name)
        for kind, values in (("background", background), ("signal", signal)):
            histogram = ROOT.TH1D(f"{name}_{kind}", f";score_{name};events", 50, -3.5, 3.5)
            for value in values:
                histogram.Fill(value)
            directories["scores"].WriteObject(histogram, f"{name}_{kind}")
            histogram.SetDirectory(ROOT.nullptr)

        true_positive, false_positive = int((signal > 1.5).sum()), int((background > 1.5).sum())
        rates = {
            "auc": np.trapezoid(tpr, fpr),
            "max_sic": improvement.max(),
            "accuracy": (true_positive + BACKGROUND - false_positive) / (SIGNAL + BACKGROUND),
            "precision": true_positive / (true_positive + false_positive),
            "recall": true_positive / SIGNAL,
            "f1": 2 * true_positive / (true_positive + false_positive + SIGNAL),
            "tpr": true_positive / SIGNAL,
            "tnr": 1 - false_positive / BACKGROUND,
        }
        metrics[name] = {metric: {"value": float(rate), "error": 0.01 * float(rate)} for metric, rate in rates.items()}
        best = int(improvement.argmax())
        metrics[name]["max_sic"] |= {
            "tpr": float(tpr[best]),
            "fpr": float(fpr[best]),
            "min_background": 25,
        }
        metrics[name] |= {
            "confusion": {
                "true_positive": true_positive,
                "false_positive": false_positive,
                "true_negative": BACKGROUND - false_positive,
                "false_negative": SIGNAL - true_positive,
            },
            # An ensemble flags by votes.
            **({} if name == "ensemble" else {"threshold": 1.5}),
            "signal": SIGNAL,
            "background": BACKGROUND,
        }
        if name in ("decision_tree", "mlp"):
            metrics[name]["importance"] = {
                feature["name"]: {"value": float(random.exponential(0.05) - 0.002), "error": 0.003}
                for feature in features(number)
            }
    file.Close()
    (folder / "metrics.json").write_text(json.dumps(metrics))
    record = evaluation_table(
        sample=sample(simulated=simulated),
        features=features(number),
        history=training_record(())["history"],
        reconstruction={"autoencoder": [reconstruction(number)]},
        latent={"features": [0.51, 0.22], "latent": [0.6, 0.3]},
    )
    (folder / "run.json").write_text(json.dumps(record))
    write_latent(folder / "latent.csv", labels=True)
    return metrics


def write_latent(path: Path, *, labels: bool, autoencoder: bool = True, events: int = 1500) -> dict[str, np.ndarray]:
    """Write latent.csv and return its columns."""
    random = np.random.default_rng(9)
    label = (random.random(events) < 0.1).astype(int)
    columns: dict[str, np.ndarray] = {
        "run": np.full(events, 1),
        "luminosityBlock": np.full(events, 1),
        "event": np.arange(events),
    }
    if labels:
        columns["label"] = label
    columns["rank"] = random.random(events)
    for space in ("features", "latent") if autoencoder else ("features",):
        for method, width in (("pca", 3.0), ("tsne", 30.0)):
            for axis in (1, 2):
                # A few events far out, as anomalous ones are.
                coordinate = width * (random.standard_t(2 if method == "pca" else 30, events) + label * axis)
                columns[f"{method}_{space}_{axis}"] = coordinate
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))
    return columns


def write_anomalies(path: Path, detectors: tuple[str, ...], names: tuple[str, ...], events: int = 20) -> np.ndarray:
    """Write anomalies.csv and return the contributions, shape (detectors, events, features)."""
    values = np.random.default_rng(6).normal(0.5, 1, (len(detectors), events, len(names)))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        why = [f"why_{detector}_{name}" for detector in detectors for name in names]
        writer.writerow(["place", "sample", "run", "luminosityBlock", "event", "why", *why])
        for event in range(events):
            row = values[:, event].ravel().tolist()
            writer.writerow([event + 1, "synthetic", 147926, 12, 408_294_000 + event, "MR 60 %, MET 20 %", *row])
    return values


def reconstruction(features: int, fold: int = 0) -> dict[str, Any]:
    """Errors of an autoencoder, those of flagged events a hundred times those of others."""
    random = np.random.default_rng(fold)

    def summary(events: int, scale: float) -> dict[str, Any]:
        errors = scale * random.chisquare(1, (200, features)) * np.geomspace(1, 10, features)
        low, median, high = np.percentile(errors, (16, 50, 84), axis=0).tolist()
        return {"events": events, "mean": errors.mean(axis=0).tolist(), "low": low, "median": median, "high": high}

    return {"normal": summary(9500, 1e-3), "flagged": summary(500, 1e-1)}


def training_record(detectors: tuple[str, ...]) -> dict[str, Any]:
    """Return the keys that a run with training adds to run.json: two folds of an autoencoder, and the agreement."""
    epochs = np.arange(1, 41)
    folds = [
        {
            "training": (0.2 + 0.8 * np.exp(-epochs / (6 + fold))).tolist(),
            "validation": (0.23 + 0.8 * np.exp(-epochs / (5 + fold)) + 0.0004 * (epochs - 20).clip(0) ** 1.5).tolist(),
        }
        for fold in range(2)
    ]
    flagged = {
        one: {other: 1000 if one == other else 150 * (1 + abs(i - j)) for j, other in enumerate(detectors)}
        for i, one in enumerate(detectors)
    }
    votes = [18_000, *(int(1500 / 2**i) for i in range(len(detectors)))]
    return {
        "history": {"autoencoder": folds},
        "reconstruction": {"autoencoder": [reconstruction(3, fold) for fold in range(2)]},
        "agreement": {"flagged": flagged, "votes": votes},
        "latent": {"features": [0.51, 0.22], "latent": [0.6, 0.3]},
    }
