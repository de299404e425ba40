"""The shares of the features in what made an event unusual, by hand; and the network that each event asks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from models.contributions import feature_contributions, reasons, shares
from models.folder_writing import write_model_folder
from models.training import train
from tests.models.conftest import COLUMNS, FEATURES, evaluated
from tests.models.trained import RECIPE, trained_on, without_labels


def test_shares_are_of_what_made_an_event_more_anomalous() -> None:
    contributions = np.array([[1, 3, -5], [0, 0, 0], [-1, -2, 0], [np.nan, 2, 2], [3e38, 3e38, 0]], dtype=np.float32)
    expected = [[0.25, 0.75, 0], [0, 0, 0], [0, 0, 0], [0, 0.5, 0.5], [0.5, 0.5, 0]]
    np.testing.assert_array_equal(shares(contributions), expected)


def test_reasons_are_the_three_largest_shares() -> None:
    names = ("MR", "Rsq", "HT", "MET")
    assert reasons(names, np.array([0.2, 0.09, 0.61, 0.1])) == "HT 61%, MR 20%, MET 10%"
    assert reasons(names, np.array([0.4, 0.4, 0.0, 0.2])) == "MR 40%, Rsq 40%, MET 20%"
    assert reasons(names, np.array([0.0, 1.0, 0.0, 0.0])) == "Rsq 100%"
    assert reasons(names, np.zeros(4)) == ""


@pytest.mark.parametrize("name", ["isolation_forest", "elliptic_envelope"])
def test_each_event_asks_the_network_of_its_fold(name: str, made_up: npt.NDArray[np.float32], tmp_path: Path) -> None:
    recipe, events = replace(RECIPE, folds=2), without_labels(list(FEATURES), made_up)
    trained, _ = train(events, [name], recipe, lambda *_: None)
    training = trained_on(len(made_up)).model_copy(update={"folds": 2})
    models = write_model_folder(
        tmp_path, trained, events, made_up[:, :1], COLUMNS, training_recipe=recipe, training=training, versions={}
    )
    X, folds = made_up[:60], np.arange(60) // 7 % 2
    found = feature_contributions(models, tmp_path, name, X, folds)
    in_torch = [evaluated(detector.contributions(), X) for detector in trained[name]]
    expected = np.where(folds[:, np.newaxis] == 0, *in_torch)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert not np.allclose(in_torch[0], in_torch[1], rtol=1e-4, atol=1e-5)
