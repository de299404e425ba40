"""A run folder with the record, the events and the figures that a report is made of."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.plotting.evaluations import sample
from tests.records import run_table, sample_table

DETECTORS = ("isolation_forest", "autoencoder", "one_class_svm")
FEATURES = ("MR", "Rsq", "dphi")
FIGURES = (
    *(
        "cutflow",
        "flagged",
        "reconstruction_autoencoder",
        "mll_flagged",
        "score_ensemble",
        "score_isolation_forest",
        "score_autoencoder",
        "agreement",
        "votes",
    ),
    *("feature_MR", "feature_dphi", "feature_centrality", "means", "correlation", "plane_MR_Rsq"),
    *("plane_MR_Rsq_score_autoencoder", "contributions_autoencoder", "loss_autoencoder", "latent_ranks"),
    *("display_1", "something_new"),
)


def whole_errors(events: int, mean: list[float]) -> dict[str, Any]:
    return {"events": events, "mean": mean, **dict.fromkeys(("low", "median", "high"), mean)}


def make_record() -> dict[str, Any]:
    flagged = [[1087, 503, 647], [503, 1090, 649], [647, 649, 1085]]
    counted = {
        "selected": 20_000,
        "anomalous": 1014,
        "flagged": {"isolation_forest": 1087, "autoencoder": 1090, "one_class_svm": 1085},
    }
    return run_table() | {
        "command": "python -m analysis.run --sample synthetic",
        "configuration": {"seed": 4242, "autoencoder": {"latent": 7}, "vary": {"jes": 0.03}},
        "started": "2026-03-04T05:06:07+00:00",
        "versions": {"numpy": "9.8.7"},
        "commit": {"hash": "0123456789abcdef", "clean": False},
        "machine": {"processor": "Abacus", "system": "Wood-1"},
        "sample": {
            **sample_table(**sample()),
            "licence": "CC0-1.0",
            "record": 554,
            "files": [{"path": "/data/synthetic.root", "size": 2_725_994, "sha256": "c980" * 16}],
        },
        "training": {
            "samples": [
                {
                    "sample": "synthetic",
                    "title": "Synthetic",
                    "simulated": False,
                    "tree": "Events",
                    "files": [],
                    "sha256": [],
                    "entries": [0, 25_000],
                    "events": 20_000,
                }
            ],
            "part": None,
            "train_events": None,
            "events": 20_000,
            "train_on": "all",
            "folds": 1,
        },
        "threads": 2,
        "engine": {"name": "local"},
        "entries": [0, 25_000],
        "plan": None,
        "models_sha256": "ce91" * 16,
        "merged": None,
        "features": [
            {"name": "MR", "title": "M_{R}", "unit": "GeV"},
            {"name": "Rsq", "title": "R^{2}", "unit": ""},
            {"name": "dphi", "title": "#Delta#phi_{jj}", "unit": "rad"},
        ],
        "observables": [{"name": "centrality", "title": "centrality", "unit": ""}],
        "cutflow": [{"name": "all", "events": 25_000}, {"name": "finite", "events": 20_000}],
        "non_finite": {"MR": 0, "Rsq": 5000, "dphi": 0},
        "counts": {"expected": 25_000, "processed": 25_000, "selected": 20_000, "normal": 18_986, "anomalous": 1014},
        "ensemble": list(DETECTORS),
        "min_votes": 2,
        "detectors": {
            "isolation_forest": {"threshold": 0.55822, "flagged": 1087, "parity": 0.0, "notes": []},
            "autoencoder": {"threshold": 0.0014511, "flagged": 1090, "parity": 0.0, "notes": ["few layers"]},
            "one_class_svm": {"threshold": -4.7784e-06, "flagged": 1085, "parity": 0.0, "notes": []},
        },
        "history": {"autoencoder": [{"training": [0.5, 0.3, 0.2], "validation": [0.6, 0.25, 0.31]}]},
        "reconstruction": {
            "autoencoder": [
                {
                    "normal": whole_errors(18_910, [0.001, 0.002, 0.0015]),
                    "flagged": whole_errors(1090, [0.5, 0.1, 0.2]),
                }
            ]
        },
        "agreement": {
            "flagged": {
                one: dict(zip(DETECTORS, row, strict=True)) for one, row in zip(DETECTORS, flagged, strict=True)
            },
            "votes": [17_388, 1598, 864, 150],
        },
        "variations": {
            "jes": {
                "size": 0.03,
                "up": {**counted, "anomalous": 1077},
                "nominal": counted,
                "down": {**counted, "anomalous": 1000},
            }
        },
        "means": {
            "MR": {"normal": 338.918, "anomalous": 618.811, "ratio": 1.82584},
            "Rsq": {"normal": 0.0225109, "anomalous": 0.0384175, "ratio": 1.70662},
            "dphi": {"normal": -0.01, "anomalous": 0.04, "ratio": None},
        },
        "events_per_second": 24_707,
        "loop_seconds": {"read": 0.25, "autoencoder": 0.75},
        "compiled_by": "g++ 12",
        "latent": {"features": [0.385, 0.313]},
        "timings": {"training": 30.0, "scoring_loop": 10.0, "total": 40.0},
    }


def write_top_events(folder: Path, events: int = 12) -> list[dict[str, str]]:
    random = np.random.default_rng(3)
    rows = [
        {
            "place": str(place + 1),
            "sample": "synthetic",
            "run": "149181",
            "luminosityBlock": str(900 + place),
            "event": str(98 + place),
            **{name: f"{random.exponential(100):.6g}" for name in (*FEATURES, "centrality")},
            **{f"score_{name}": f"{random.random():.6g}" for name in DETECTORS},
            **{f"flag_{name}": "1" for name in DETECTORS},
            "votes": "3",
            "score_ensemble": f"{0.999 - place / 1000:.6g}",
            "why": f"MR {60 - place}%, Rsq 20%",
            **{f"why_{detector}_{name}": share for detector in DETECTORS for name, share in SHARES.items()},
        }
        for place in range(events)
    ]
    with (folder / "anomalies.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return rows


SHARES = {"MR": "3.0", "Rsq": "1.0", "dphi": "-5.0"}  # 75 % and 25 % of the positive ones


def write_figures(folder: Path, names: tuple[str, ...]) -> None:
    (folder / "figures").mkdir()
    random = np.random.default_rng(5)
    for name in names:
        width = 2100 if name == "latent_ranks" else 700
        pixels = random.integers(0, 256, (30, width // 10, 3), dtype=np.uint8).repeat(10, axis=0).repeat(10, axis=1)
        Image.fromarray(pixels).save(folder / "figures" / f"{name}.png")


def write_run(folder: Path, record: dict[str, Any], figures: tuple[str, ...] = FIGURES) -> Path:
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(record))
    write_figures(folder, figures)
    return folder
