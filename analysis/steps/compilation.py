"""Detectors of a model folder as C++ that the graph calls, each checked against its reference scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analysis.output.timings import Timings
from models.detectors.registry import scoring_detectors
from models.folder import ModelFolder

if TYPE_CHECKING:
    from rdf.code.sofie import CompiledDetector
    from rdf.graph.scoring import Ensemble


@dataclass(frozen=True)
class Compiled:
    """Detectors that live in C++.

    Attributes:
        detectors: name -> the detector of each fold.
        ensemble: which of them vote, and how many votes flag an event.
        folds: of the events.
        parity: name -> largest difference from the trained detector on reference events.
        compiled_by: name and version of the compiler.
    """

    detectors: Mapping[str, list[CompiledDetector]]
    ensemble: Ensemble
    folds: int
    parity: Mapping[str, float]
    compiled_by: str


def compile_models(
    models: ModelFolder, folder: Path, slots: int, wanted: tuple[str, ...] | None, timings: Timings
) -> Compiled:
    """Compile the detectors that are to score, and check each against its reference scores.

    Args:
        models: what the detectors are.
        folder: that has their networks.
        slots: of the event loops that they will run in.
        wanted: names of the detectors, or what stands for all that there are, as `scoring_detectors` takes them.
        timings: counts the stage.
    """
    from rdf.code.sofie import check_parity, compile_detector, translate_network
    from rdf.graph.scoring import Ensemble

    names = scoring_detectors(wanted, models.detectors)
    X = np.array(models.reference.features, dtype=np.float32)
    detectors: dict[str, list[CompiledDetector]] = {}
    parity: dict[str, float] = {}
    with timings.stage("compile"):
        translated = {
            network.file: translate_network(folder / network.file)
            for name in names
            for network in models.detectors[name].networks
        }
        for name in names:
            differences = []
            for fold, network in enumerate(models.detectors[name].networks):
                table, cpp = network.rank_table, translated[network.file]
                compiled = compile_detector(name, cpp, network.threshold, table.scores, table.ranks, slots)
                scores = np.array(models.reference.scores[name][fold], dtype=np.float32)
                rounding = models.reference.rounding.get(name)
                known = None if rounding is None else np.array(rounding[fold])
                differences.append(check_parity(compiled, X, scores, known))
                detectors.setdefault(name, []).append(compiled)
            parity[name] = max(differences)
    voting = tuple(name for name in names if name in models.ensemble) or tuple(names)
    all_vote = set(voting) == set(models.ensemble)
    ensemble = Ensemble(voting, models.min_votes if all_vote else (len(voting) + 1) // 2)
    compiled_by = next(iter(translated.values())).compiled_by
    return Compiled(detectors, ensemble, models.training.folds, parity, compiled_by)
