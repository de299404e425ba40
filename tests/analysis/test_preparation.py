"""What models decide cannot be configured beside them, and they have to fit the sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.configuration import RunConfiguration, load_configuration
from analysis.errors import ConfigurationError
from analysis.preparation import OF_TRAINING, read_models
from analysis.run import run
from models.isolation_forest import IsolationForest
from models.settings import AutoencoderSettings
from rdf.schema import load_schema
from tests.models.conftest import COLUMNS, FEATURES, written

OTHERS: dict[str, Any] = {
    "features": "razor",
    "define": {"x": {"expression": "MR / 2"}},
    "objects": {"jet": {"pt": 40}},
    "train_events": 1000,
    "train_on": "background",
    "folds": 2,
    "threshold": {"sigma": 3},
    "autoencoder": "compact",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A forest of made-up events."""
    folder = tmp_path_factory.mktemp("trained") / "models"
    X = np.random.default_rng(5).exponential(1.0, (300, 3)).astype(np.float32)
    written(folder, IsolationForest(FEATURES).fit(X), X)
    return folder


def configured(models: Path, **options: Any) -> RunConfiguration:
    return load_configuration(RunConfiguration, {"sample": "cms2010b", "models": str(models), **options}, None)


def test_every_key_of_the_training_is_the_models_to_decide(models: Path) -> None:
    assert set(OTHERS) == set(OF_TRAINING)
    for key, value in OTHERS.items():
        option = f"--{key.replace('_', '-')}: with --models it is what the models were trained with; leave it out"
        with pytest.raises(ConfigurationError, match=option):
            read_models(configured(models, **{key: value}))


def test_what_is_not_configured_is_no_contradiction(models: Path) -> None:
    found = read_models(configured(models, seed=7, threads=1, detectors="isolation_forest"))
    assert found is not None
    assert found.features == list(FEATURES)
    assert read_models(load_configuration(RunConfiguration, {"sample": "cms2010b"}, None)) is None
    assert configured(models).autoencoder == AutoencoderSettings()


def test_detectors_that_the_models_have_not(models: Path) -> None:
    with pytest.raises(ConfigurationError, match="has no autoencoder, only isolation_forest"):
        read_models(configured(models, detectors="isolation_forest,autoencoder"))


def test_models_of_another_schema_are_refused(models: Path, apart: None, tmp_path: Path) -> None:
    options = {"models": str(models), "output": str(tmp_path)}
    message = f"--models: {models} was trained on the schema cms_razor, the sample has the schema cms_dimuon"
    with pytest.raises(ConfigurationError, match=message):
        run(load_configuration(RunConfiguration, {"sample": "zmumu2011", **options}, None), "test")
    assert COLUMNS.schema_sha256 != load_schema("cms_razor").meaning()
    with pytest.raises(ConfigurationError, match="another schema of the name cms_razor, with other quantities"):
        run(load_configuration(RunConfiguration, {"sample": "cms2010b", **options}, None), "test")
    assert not list(tmp_path.iterdir())


def test_entries_that_the_sample_has_not(apart: None, tmp_path: Path) -> None:
    options = {"sample": "cms2010b", "entries": "5:99999", "output": str(tmp_path)}
    with pytest.raises(ConfigurationError, match="--entries 5:99999: the sample has 21726 events"):
        run(load_configuration(RunConfiguration, options, None), "test")
