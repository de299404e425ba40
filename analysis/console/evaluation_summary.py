"""What an evaluation says at its end: the figures of merit of each detector, and where all of it lies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from analysis.console.summary import print_rows, rows
from plotting.results.run_record import RUN_JSON, read_evaluation_record


def print_evaluation(folder: Path) -> None:
    """Print what was found and where it lies.

    Args:
        folder: a finished evaluation's output folder.
    """
    run = read_evaluation_record(folder / RUN_JSON, "evaluate again")
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    table = rows()
    simulated = "SIMULATED " if run.sample.simulated else ""
    table.add_row("sample", f"{simulated}{run.sample.title}")
    counts = next(iter(metrics.values()))
    tested = f"{counts['signal']:,} signal, {counts['background']:,} background"
    table.add_row("events", f"{tested} ({run.part or 'all'}); trained on {run.training.events:,}")
    for name, values in metrics.items():
        merits = {"AUC": "auc", "max SIC": "max_sic", "accuracy": "accuracy", "F1": "f1"}
        table.add_row(name, ", ".join(f"{title} {_with_error(values[key])}" for title, key in merits.items()))
        if "importance" in values:
            drops = {feature: drop["value"] for feature, drop in values["importance"].items()}
            best = sorted(drops, key=lambda feature: drops[feature], reverse=True)[:5]
            table.add_row("", f"AUC lost without {', '.join(f'{feature} {drops[feature]:.3f}' for feature in best)}")
    table.add_row("metrics", f"{folder / 'metrics.json'}; curves in {folder / 'curves.root'}")
    table.add_row("figures", f"{folder / 'figures'}; on one page: {folder / 'report.html'}")
    table.add_row("models", f"{folder / 'models'}")
    print_rows(table)


def _with_error(metric: Mapping[str, float | None]) -> str:
    value, error = metric["value"], metric["error"]
    if value is None:
        return "undefined"
    return f"{value:.4f}" + (f" ± {error:.4f}" if error is not None else "")
