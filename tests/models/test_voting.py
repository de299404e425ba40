"""Which detectors vote, and how many votes flag an event."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.folder import ModelFolder
from models.folder_writing import write_model_folder
from models.training import train
from tests.models.conftest import COLUMNS as COLUMNS_OF_A_RUN
from tests.models.conftest import FEATURES
from tests.models.trained import RECIPE, trained_on, without_labels


def test_a_detector_that_abstains_in_a_fold_has_no_vote_beside_others(
    tmp_path: Path, made_up: npt.NDArray[np.float32]
) -> None:
    X, noise = made_up.copy(), np.random.default_rng(1).normal(size=3000)
    # In odd events HT is 3 MR within 0.3 %, and the envelope that scores the even ones learns from these.
    X[:, 2] = 3 * X[:, 0] * (1 + np.where(np.arange(3000) % 2, 0.003, 0.1) * noise)
    events, recipe = without_labels(list(FEATURES), X), replace(RECIPE, folds=2)

    def models_of(*detectors: str) -> ModelFolder:
        trained, _ = train(events, detectors, recipe, lambda *_: None)
        training = trained_on(len(X)).model_copy(update={"folds": 2})
        observables = np.zeros((len(X), 1), dtype=np.float32)
        return write_model_folder(
            tmp_path,
            trained,
            events,
            observables,
            COLUMNS_OF_A_RUN,
            training_recipe=recipe,
            training=training,
            versions={},
        )

    models = models_of("isolation_forest", "one_class_svm", "elliptic_envelope")
    assert (models.ensemble, models.min_votes) == (["isolation_forest", "one_class_svm"], 1)
    (note,) = models.detectors["elliptic_envelope"].notes
    assert note.startswith("no vote beside other detectors: one combination of MR, HT ")
    alone = models_of("elliptic_envelope")
    assert (alone.ensemble, alone.min_votes) == (["elliptic_envelope"], 1)
