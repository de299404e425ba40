"""What a run costs before it pays: 1,000 events against a bare ROOT, and 1e5 events against the notebook way."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.benchmarks import toolkit
from tests.benchmarks.child import run_analysis, run_python
from tests.benchmarks.events import made_events
from tests.benchmarks.measure import Line, alternate, compare
from tests.benchmarks.trained import PICKLE, trained_detectors

EVENTS, BREAK_EVEN = 1_000, 100_000

HISTOGRAM = "import ROOT; print(ROOT.RDataFrame('Events', '{}').Histo1D('MET_pt').GetMean())"
NOTEBOOK = """
import pickle, sys
from pathlib import Path
import torch
from tests.benchmarks import notebook
from tests.benchmarks.scoring import score_file
torch.set_num_threads(1)
score_file(Path({file!r}), notebook.columns, notebook.scorers(pickle.loads(Path({models!r}).read_bytes())))
"""


def measure(folder: Path) -> list[Line]:
    """Measure whole processes, compiled code and files cached; the second time on one thread."""
    path = made_events("rntuple", BREAK_EVEN, folder)
    models = toolkit.write_models(trained_detectors(folder), path, folder)
    options = ("--sample", str(path), "--schema", "cms_nanoaod", "--models", str(models))

    def analysis(*more: str) -> float:
        return run_analysis(folder / "run", *options, *more)[0].seconds

    taken = alternate(
        {
            "run": partial(analysis, "--max-events", str(EVENTS)),
            "histogram": lambda: run_python("-c", HISTOGRAM.format(path)).seconds,
        }
    )
    even = alternate(
        {
            "run": partial(analysis, "--threads", "1"),
            "notebook": lambda: run_python("-c", NOTEBOOK.format(file=str(path), models=str(folder / PICKLE))).seconds,
        }
    )
    what = "run of 1,000 events / import ROOT and a histogram"
    whole = f"whole processes over {BREAK_EVEN:,} events: notebook / run"
    return [
        compare("startup", what, taken["run"], taken["histogram"], EVENTS, 2.5, limit="1: only ROOT starts"),
        compare("startup", whole, even["notebook"], even["run"], BREAK_EVEN, 1.0, ">="),
    ]
