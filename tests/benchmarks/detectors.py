"""Each detector alone in an event loop, one event at a time, against its peers in large batches."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from tests.benchmarks import best_mix, limits, notebook, numba_columns, toolkit
from tests.benchmarks.events import made_events
from tests.benchmarks.measure import Line, Side, alternate, compare, timed
from tests.benchmarks.trained import trained_detectors


@dataclass(frozen=True)
class Case:
    """A detector against a peer.

    Attributes:
        detector: its name.
        peer: "notebook", that is scikit-learn or torch, or "best mix", that is ONNX Runtime.
        events: enough for some tenths of a second.
        bound: on peer / toolkit if `side` is ">=", on toolkit / peer if it is "<=".
        side: see there.
    """

    detector: str
    peer: Literal["notebook", "best mix"]
    events: int
    bound: float
    side: Side


CASES = (
    Case("autoencoder", "best mix", 100_000, 3.0, "<="),
    Case("one_class_svm", "notebook", 20_000, 10.0, ">="),
    Case("isolation_forest", "notebook", 100_000, 2.0, ">="),
    Case("autoencoder", "notebook", 100_000, 1.2, "<="),
    Case("elliptic_envelope", "notebook", 1_000_000, 1.2, "<="),
)
PEERS = {"notebook": "scikit-learn or torch in one batch", "best mix": "ONNX Runtime in batches of 1024"}


def events_in_memory(events: int, folder: Path) -> npt.NDArray[np.float32]:
    """Return the features of so many events, over and over again the same if there are not as many."""
    X = notebook.finite(numba_columns.columns(made_events("rntuple", 100_000, folder)))
    return np.ascontiguousarray(np.resize(X, (events, X.shape[1])))


def measure(folder: Path) -> list[Line]:
    """Measure each case; the cost in the loop is what the same loop takes longer than without the detector."""
    detectors = trained_detectors(folder)
    peers = {"notebook": notebook.scorers(detectors), "best mix": best_mix.scorers(detectors, folder)}
    compiled = toolkit.compiled_detectors(detectors, folder)
    lines = []
    for case in CASES:
        X = events_in_memory(case.events, folder)
        taken = alternate(
            {
                "bare": partial(toolkit.in_memory_seconds, X, {}),
                "loop": partial(toolkit.in_memory_seconds, X, {case.detector: compiled[case.detector]}),
                "peer": timed(partial(peers[case.peer][case.detector], X)),
            }
        )
        ours = [loop - bare for loop, bare in zip(taken["loop"], taken["bare"], strict=True)]
        over, under = (ours, taken["peer"]) if case.side == "<=" else (taken["peer"], ours)
        names = ("toolkit", PEERS[case.peer]) if case.side == "<=" else (PEERS[case.peer], "toolkit")
        what = f"{case.detector}: {' / '.join(names)}"
        limit = limits.against(statistics.median(ours) / case.events, limits.of_detector(case.detector, folder))
        if case.detector == "autoencoder":
            limit += f"; blocks of events: {1e6 * limits.of_blocks(folder):.2g} us"
        lines.append(compare("detectors", what, over, under, case.events, case.bound, case.side, limit))
    return lines
