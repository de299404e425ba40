"""What an evaluation says at its end: the figures of merit of each detector, and where all of it lies."""

from __future__ import annotations

from pathlib import Path

from analysis.console.summary import print_rows, rows, weights_text
from plotting.results.metrics import METRICS_JSON, Metric, read_metrics
from plotting.results.root_file import CURVES_ROOT
from plotting.results.run_record import RUN_JSON, read_evaluation_record

_REMEDY = "evaluate again"


def print_evaluation(folder: Path) -> None:
    """Print what was found and where it lies.

    Args:
        folder: a finished evaluation's output folder.
    """
    run = read_evaluation_record(folder / RUN_JSON, _REMEDY)
    metrics = read_metrics(folder / METRICS_JSON, _REMEDY)
    table = rows()
    marks = {"SIMULATED ": run.sample.simulated, "UNCERTIFIED RUNS ": run.sample.uncertified}
    table.add_row("sample", "".join(mark for mark, holds in marks.items() if holds) + run.sample.title)
    counts = next(iter(metrics.values()))
    tested = f"{counts.signal:,} signal, {counts.background:,} background"
    table.add_row("events", f"{tested} ({run.part or 'all'}); trained on {run.training.events:,}")
    for sample in run.samples:
        if sample.weights:
            table.add_row("weights", f"{weights_text(sample.weights)} ({sample.title})")
    for name, found in metrics.items():
        merits = {"AUC": found.auc, "max SIC": found.max_sic, "accuracy": found.accuracy, "F1": found.f1}
        table.add_row(name, ", ".join(f"{title} {_with_error(metric)}" for title, metric in merits.items()))
        if found.importance is not None:
            drops = {feature: drop.value or 0.0 for feature, drop in found.importance.items()}
            best = sorted(drops, key=lambda feature: drops[feature], reverse=True)[:5]
            table.add_row("", f"AUC lost without {', '.join(f'{feature} {drops[feature]:.3f}' for feature in best)}")
    table.add_row("metrics", f"{folder / METRICS_JSON}; curves in {folder / CURVES_ROOT}")
    table.add_row("figures", f"{folder / 'figures'}; on one page: {folder / 'report.html'}")
    table.add_row("models", f"{folder / 'models'}")
    print_rows(table)


def _with_error(metric: Metric) -> str:
    value, error = metric.value, metric.error
    if value is None:
        return "undefined"
    return f"{value:.4f}" + (f" ± {error:.4f}" if error is not None else "")
