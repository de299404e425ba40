"""From the file to four scores: the toolkit against the notebook way and the best mix."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rdf.code.sofie import PARITY
from tests.benchmarks import best_mix, limits, notebook, numba_columns, toolkit
from tests.benchmarks.agreement import PEERS, check_scores
from tests.benchmarks.events import FORMATS, made_events
from tests.benchmarks.measure import Line, alternate, compare, timed
from tests.benchmarks.notebook import Score
from tests.benchmarks.trained import DETECTORS, trained_detectors

EVENTS, CHECKED = 50_000, 10_000


def score_file(
    path: Path, columns: Callable[[Path], npt.NDArray[np.float32]], scorers: Mapping[str, Score]
) -> dict[str, npt.NDArray[np.floating]]:
    """Return the scores of all events of a file that have all features, by detector."""
    X = notebook.finite(columns(path))
    return {name: score(X) for name, score in scorers.items()}


def measure(folder: Path) -> list[Line]:
    """Measure the three ways on both formats."""
    detectors = trained_detectors(folder)
    of_notebook, of_mix = notebook.scorers(detectors), best_mix.scorers(detectors, folder)
    of_products = best_mix.with_svm_by_products(detectors, folder)
    compiled = toolkit.compiled_detectors(detectors, folder)
    X = notebook.finite(numba_columns.columns(made_events("rntuple", EVENTS, folder)))[-CHECKED:]
    expected = {name: detector.score(X) for name, detector in detectors.items()}
    check_scores("notebook", {name: score(X) for name, score in of_notebook.items()}, expected, PEERS)
    check_scores("best mix", {name: score(X) for name, score in of_mix.items()}, expected, PEERS)
    check_scores("best mix, SVM by products", {name: score(X) for name, score in of_products.items()}, expected, PEERS)
    check_scores("toolkit", {name: detector.scores(X) for name, detector in compiled.items()}, expected, PARITY)

    lines = []
    for file_format, title in FORMATS.items():
        path = made_events(file_format, EVENTS, folder)
        taken = alternate(
            {
                "toolkit": partial(toolkit.scores_seconds, path, compiled),
                "notebook": timed(partial(score_file, path, notebook.columns, of_notebook)),
                "best mix": timed(partial(score_file, path, numba_columns.columns, of_mix)),
                "best mix, SVM as a matrix product": timed(
                    partial(score_file, path, numba_columns.columns, of_products)
                ),
            }
        )
        ours = statistics.median(taken["toolkit"]) / EVENTS
        floors = [limits.of_reading(file_format, folder), *(limits.of_detector(name, folder) for name in DETECTORS)]
        limit = limits.against(ours, (sum(least for least, _ in floors), "decompression and three detectors' floors"))
        for way, bound in (("notebook", 8.0), ("best mix", 2.5), ("best mix, SVM as a matrix product", None)):
            what = f"{title} to four scores: {way} / toolkit"
            lines.append(compare("scoring", what, taken[way], taken["toolkit"], EVENTS, bound, ">=", limit))
    return lines
