"""The end of a run, said in about ten lines, from the run.json that it left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from analysis.console.program import output_console
from plotting.results.record_tables import Counts, Cut, DaskEngine, Weights, most_different
from plotting.results.root_file import EVENTS_ROOT, HISTOGRAMS_ROOT, SCORES_ROOT, SKIM_ROOT
from plotting.results.run_record import RUN_JSON, RunRecord, read_run_record
from plotting.results.tables import ANOMALIES_CSV, IDS, PICK_TXT, WHY, read_rows

MEANS = 8
"""Features whose means are printed: those that differ most."""

FILES = 3
"""Files of a sample without DOI that are named."""

ALWAYS = 2
"""Steps of every cutflow: all events, and those with finite features."""

_REMEDY = "run again"

UNWRAPPED = 10_000
"""Columns of an output that is no terminal: there a path stays in one piece."""


def print_summary(folder: Path) -> None:
    """Print what was found and where it lies.

    Args:
        folder: a finished run's output folder.
    """
    run = read_run_record(folder / RUN_JSON, _REMEDY)
    anomalies = read_rows(folder / ANOMALIES_CSV, _REMEDY)
    sample, counts = run.sample, run.counts

    table = rows()
    origin = f"DOI {sample.doi}" if sample.doi else _named([file.path for file in sample.files])
    title = Text(f"{sample.title} ({origin})")
    if sample.simulated:
        title = Text("SIMULATED ", style="bold red") + Text(sample.title, style="red")
    if sample.uncertified:
        title = Text("UNCERTIFIED RUNS ", style="bold red") + title
    table.add_row("sample", title)
    dropped = counts.processed - counts.selected
    table.add_row("events", f"{counts.processed:,} read, {dropped:,} dropped ({', '.join(_cuts(run.cutflow))})")
    for warning in run.warnings:
        table.add_row(Text("warning", style="bold yellow"), Text(warning.sentence))
    if len(run.cutflow) > ALWAYS:
        table.add_row("selection", ", ".join(_efficiencies(run.cutflow, [cut.events for cut in run.cutflow])))
    if run.weights:
        table.add_row("weights", _weights(run.weights, run.cutflow))
    by = [f"{name} {_share(detector.flagged, counts)}" for name, detector in run.detectors.items()]
    table.add_row("flagged", ", ".join(by))
    if len(run.ensemble) > 1:
        votes = f"by {run.min_votes} or more of {len(run.ensemble)} detectors"
        table.add_row("ensemble", f"{_share(counts.anomalous, counts)} flagged {votes}")
    if anomalies:
        which = " ".join(f"{name} {anomalies[0][name]}" for name in IDS)
        table.add_row("most unusual", f"{which} for its {anomalies[0][WHY]}")
    different = dict(list(most_different(run.means).items())[:MEANS])
    ratios = (f"{name} {_ratio(different[name])}" for name in run.means if name in different)
    table.add_row("means", f"anomalous / normal: {', '.join(ratios)}" if counts.anomalous else "no event is flagged")
    for name, varied in run.variations.items():
        up, nominal, down = (f"{side.anomalous:,}" for side in (varied.up, varied.nominal, varied.down))
        table.add_row("varied", f"{name} by {varied.size:.1%}: {up} flagged up, {nominal} nominal, {down} down")
    timings = run.timings
    table.add_row(
        "speed",
        f"{run.events_per_second or 0:,} events/s on {_cores(run)}; an event's time: {_shares(run.loop_seconds)}",
    )
    stages = {stage: seconds for stage, seconds in timings.items() if stage not in ("jit", "compile", "total")}
    compilation = {"compilation": timings.get("jit", 0.0) + timings["compile"]}  # Dask's workers compile the graph
    table.add_row("time", f"{timings['total']:.1f} s: {_shares(compilation | stages, timings['total'])}")
    table.add_row("histograms", f"{folder / HISTOGRAMS_ROOT} (python -m plotting browse {folder} opens a TBrowser)")
    table.add_row("events", f"{folder / EVENTS_ROOT}; the most unusual in {folder / ANOMALIES_CSV}")
    left = {PICK_TXT: "numbers", SKIM_ROOT: "all branches", SCORES_ROOT: "scores of all entries"}
    if taken := [f"{what} in {folder / name}" for name, what in left.items() if (folder / name).is_file()]:
        table.add_row("to take", f"of the flagged events {', '.join(taken)}")
    drawn = f"{folder / 'figures'}; on one page: {folder / 'report.html'}"
    table.add_row("figures", drawn if (folder / "figures").is_dir() else f"python -m plotting {folder} draws them")
    simulated = run.training.simulated
    trained = "trained on SIMULATED events; " if simulated else ""
    table.add_row("models", f"{folder / 'models'} ({trained}score more events with --models)")
    print_rows(table)


def rows() -> Table:
    """Return an empty table of two columns: what a row is about, and what there is to say."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def print_rows(table: Table) -> None:
    """Print a table of `rows` to stdout."""
    console = output_console()
    if not console.is_terminal:
        console.width = UNWRAPPED
    console.print(table, highlight=False)


def _cores(run: RunRecord) -> str:
    """Say what the event loops ran on."""
    if isinstance(run.engine, DaskEngine):
        return f"{run.engine.workers} Dask workers ({run.engine.cluster})"
    return f"{run.threads} thread{'s' if run.threads > 1 else ''}"


def _named(paths: list[str]) -> str:
    """Name the files of a sample, or the first of many."""
    more = len(paths) - FILES
    return ", ".join(paths) if more <= 0 else f"{', '.join(paths[:FILES])} and {more:,} more files"


def _share(flagged: int, counts: Counts) -> str:
    return f"{flagged:,} ({flagged / max(counts.selected, 1):.2%})"


def _shares(seconds: dict[str, float], total: float | None = None) -> str:
    """Write seconds of stages, those that take longest first, and their parts of a total or of their sum."""
    whole = sum(seconds.values()) if total is None else total
    longest_first = sorted(seconds.items(), key=lambda stage: stage[1], reverse=True)
    return ", ".join(f"{name} {took:.3g} s ({took / whole:.0%})" for name, took in longest_first if took > 0)


def _cuts(cutflow: Iterable[Cut]) -> list[str]:
    return [f"{cut.name} {cut.events:,}" for cut in cutflow]


def _efficiencies(cutflow: Sequence[Cut], passed: Sequence[float]) -> list[str]:
    """Write what passed each step, and which part that is of the step before and of all."""
    written = []
    for i, (cut, events) in enumerate(zip(cutflow, passed, strict=True)):
        of_all = f" ({_part(events, passed[0])}" if i else ""
        of_last = f", {_part(events, passed[i - 1])} of {cutflow[i - 1].name}" if i > 1 else ""
        written.append(f"{cut.name} {_amount(events)}{of_all}{of_last}{')' if i else ''}")
    return written


def _part(events: float, whole: float) -> str:
    return f"{events / whole:.2%}" if whole else "-"


def _amount(events: float) -> str:
    return f"{events:,}" if isinstance(events, int) else f"{events:,.6g}"


def weights_text(weights: Weights) -> str:
    """Say what an event counts as, and what that is normalised to."""
    factors = [text for text in (weights.expression, weights.per_event) if text]
    normalised = "not normalised" if weights.luminosity is None else f"normalised to {weights.luminosity:g}/fb"
    return f"{' * '.join([*factors, f'{weights.factor:.6g}'])}, {normalised}"


def _weights(weights: Weights, cutflow: Sequence[Cut]) -> str:
    """Say what events count as, what passed each step, and how many weights are negative."""
    sums = ", ".join(_efficiencies(cutflow, [cut.weighted or 0.0 for cut in cutflow]))
    last = cutflow[-1]
    negative = last.negative or 0
    of_events = f"; {negative:,} ({_part(negative, last.events)}) of {last.events:,} events have negative weights"
    return f"{weights_text(weights)}; sum: {sums}{of_events if negative else ''}"


def _ratio(ratio: float) -> str:
    return f"{ratio:.2f}" if abs(ratio) < 10_000 else f"{ratio:.3g}"
