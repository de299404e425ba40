"""Scoring of arrays: what the detectors say of events that lie in memory, without an event loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rdf.code.compiler import MACROS
from rdf.code.interpreter import ROOT
from rdf.code.library import Library, compile_library
from rdf.code.sofie import CompiledDetector
from rdf.graph.scoring import Ensemble, make_ensemble

BLOCK = 65_536
"""Events of a thread between two looks at whether the user has interrupted."""


def array_library() -> Library:
    """Have the loop over arrays compiled."""
    node = "scoring/array_scorer"
    return compile_library(f'#include "{node}.cxx"\n', f"macros/{node}.cxx", f'#include "{MACROS / node}.hxx"')


class ArrayScorer:
    """Scores events in arrays as the event loop scores them, by the same compiled code."""

    def __init__(
        self,
        detectors: Mapping[str, Sequence[CompiledDetector]],
        ensemble: Ensemble,
        folds: int,
        features: int,
        threads: int,
    ) -> None:
        """Prepare a scorer.

        Args:
            detectors: name -> its network for each fold, compiled for as many slots as there are threads.
            ensemble: which of them vote.
            folds: number of them.
            features: of an event.
            threads: that share the events; the results do not depend on their number.

        Raises:
            CompileError: the loop does not compile.
        """
        array_library().load()
        self._detectors, self._threads = len(detectors), threads
        self._scorer = ROOT.scoring.ArrayScorer(make_ensemble(detectors, ensemble, folds), features, threads)

    def score(
        self, X: npt.NDArray[np.float32], numbers: npt.NDArray[np.uint64] | None
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.intc]]:
        """Score events.

        Args:
            X: features, shape (events, features).
            numbers: event numbers, which say an event's fold, shape (events,), contiguous; None without folds.

        Returns:
            The scores of all detectors, their ranks, and the score of the ensemble, shape (2 detectors + 1, events);
            and the flags of all detectors, the votes, the flag of the ensemble, and the fold, shape
            (detectors + 3, events).
        """
        X = np.ascontiguousarray(X, dtype=np.float32)  # the C++ reads where it lies
        reals = np.empty((2 * self._detectors + 1, len(X)), dtype=np.float32)
        integers = np.empty((self._detectors + 3, len(X)), dtype=np.intc)
        if not len(X):
            return reals, integers
        self._scorer.read_from(X.ravel(), ROOT.nullptr if numbers is None else numbers)
        self._scorer.write_to(reals.ravel(), integers.ravel(), len(X))
        for first in range(0, len(X), BLOCK * self._threads):
            self._scorer.score(first, min(first + BLOCK * self._threads, len(X)))
        return reals, integers
