"""What models decide cannot be configured beside them, and they have to fit the sample."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from analysis.batch import inspect_sample
from analysis.configuration import EvaluationConfiguration, RunConfiguration, WatchConfiguration
from analysis.errors import ConfigurationError
from analysis.evaluate import evaluate
from analysis.options import load_configuration
from analysis.run import run
from analysis.steps.given_models import OF_TRAINING, read_models, trusted_sha256
from analysis.steps.own_models import note_models
from analysis.watch import watch
from condor.configuration import BatchConfiguration
from models.detectors import registry
from models.detectors.isolation_forest import IsolationForest
from models.detectors.registry import register_detector
from models.detectors.settings import AutoencoderSettings
from models.folder import Columns, read_model_folder
from rdf.schema.model import load_schema
from tests.models.conftest import COLUMNS, FEATURES, written
from tests.models.detectors.own import import_own
from tests.models.trained import write_forest, write_table

pytestmark = pytest.mark.compiler

OTHERS: dict[str, Any] = {
    "features": "razor",
    "define": {"x": {"expression": "MR / 2"}},
    "objects": {"jet": {"pt": 40}},
    "select": {"jets": "n_jets >= 2"},
    "overlap": "none",
    "train_events": 1000,
    "train_on": "background",
    "folds": 2,
    "threshold": {"sigma": 3},
    "autoencoder": "compact",
    "settings": {"deep_distance": {"width": 3}},
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


def test_every_key_of_the_training_is_the_models_to_decide(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    register_detector(import_own(tmp_path).DeepDistance)
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


# Models of somebody else's: what they bring becomes C++, and so has to be formulas.


@pytest.fixture(scope="module")
def forest() -> tuple[IsolationForest, Any]:
    X = np.random.default_rng(6).exponential(1.0, (300, 3)).astype(np.float32)
    return IsolationForest(FEATURES).fit(X), X


Brought = Callable[..., Path]


@pytest.fixture
def brought(forest: tuple[IsolationForest, Any], tmp_path: Path) -> Brought:
    """Models for cms_razor that bring a column and a condition."""

    def write(expression: str, where: str | None = None) -> Path:
        columns = Columns(
            schema="cms_razor",
            schema_sha256=load_schema("cms_razor").meaning(),
            define={"brought": {"expression": expression, "title": None, "unit": ""}},
            objects={"jet": {"pt": None, "eta": None, "where": where}},
            features=list(FEATURES),
            observables=["brought"],
            plane=("MR", "Rsq"),
        )
        write_forest(tmp_path / "models", *forest, np.linspace(0, 1, 300, dtype=np.float32)[:, np.newaxis], columns)
        return tmp_path / "models"

    return write


def scored(models: Path, output: Path, **options: Any) -> Path:
    given = {"sample": "cms2010b", "models": str(models), "max_events": 50, "threads": 1, "output": str(output)}
    run(load_configuration(RunConfiguration, {**given, **options}, None), "test")
    return output


@pytest.mark.parametrize("way", ["define", "where"])
def test_code_that_models_bring_does_not_run_unless_they_are_trusted(
    way: str, brought: Brought, apart: None, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    evil = f'0 * system("touch {mark}")'
    models = brought(f"1.0 + {evil}") if way == "define" else brought("HT / MR", f"nJets > {evil}")
    with pytest.raises(ConfigurationError) as caught:
        scored(models, tmp_path / "out")
    place = "define 'brought'" if way == "define" else "objects.jet.where"
    assert str(caught.value).startswith(f"{models / 'models.json'}: {place}: ")
    assert f"touch {mark}" in str(caught.value)  # so that one sees what it would do
    assert "--trust-models accepts any C++" in str(caught.value)
    assert not mark.exists()
    assert not (tmp_path / "out").exists()
    if way == "define":  # jets there are none in this sample
        scored(models, tmp_path / "out", trust_models=True)
        assert mark.exists()
        mark.unlink()
        # As if a run of the user's own had written them.
        note_models(read_model_folder(models).sha256)
        scored(models, tmp_path / "again")
        assert mark.exists()


def test_a_name_that_is_no_column_is_refused_when_the_columns_are_known(
    brought: Brought, apart: None, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=r"define 'brought': 'gROOT' \('gROOT' is no column\)"):
        scored(brought("gROOT"), tmp_path / "out")
    with pytest.raises(ConfigurationError, match=r"objects\.jet\.where: 'HT > MR \+ system' \('system' is no column\)"):
        scored(brought("HT / MR", "HT > MR + system"), tmp_path / "out")
    # Formulas over columns of the file, of the toolkit, and of the models themselves need no trust.
    models = brought("std::abs(MR) > 1 ? nBJets + MET_over_HT : -1.")
    with uproot.open(scored(models, tmp_path / "out") / "events.root") as file:
        assert len(file["events"]["brought"].array()) == 50


@pytest.mark.parametrize("expression", ["asm(0)", "HT, MR", "[]{return 1.;}()"])
def test_every_program_refuses_them(expression: str, brought: Brought, apart: None, tmp_path: Path) -> None:
    models = str(brought(expression))
    (tmp_path / "incoming").mkdir()
    evaluation = {"sample": "tracks.root", "schema": "tracks", "models": models}
    watched = {"folder": tmp_path / "incoming", "models": models, "output": tmp_path / "out"}
    batch = {"sample": "cms2010b", "models": models, "jobs": 2}
    for start in (
        lambda: evaluate(load_configuration(EvaluationConfiguration, evaluation, None), "test"),
        lambda: watch(load_configuration(WatchConfiguration, watched, None), "test"),
        lambda: inspect_sample(load_configuration(BatchConfiguration, batch, None)),
    ):
        with pytest.raises(ConfigurationError, match=r"define 'brought': .*--trust-models accepts any C\+\+"):
            start()
    assert not (tmp_path / "out").exists()


def test_a_decision_is_passed_on_for_these_models_only(brought: Brought, tmp_path: Path) -> None:
    models = brought("system(0)")
    trusting = load_configuration(
        WatchConfiguration, {"replay": "x", "rate": 1, "models": models, "trust_models": True}, None
    )
    found = read_models(trusting)
    assert found is not None
    checksum = trusted_sha256(found, trusting)
    assert checksum == json.loads((models / "models.json").read_text())["sha256"]
    passed_on = configured(models, trusted_sha256=checksum)
    assert read_models(passed_on) == found
    write_table(models / "models.json", {**json.loads((models / "models.json").read_text()), "seed": 43})
    with pytest.raises(ConfigurationError, match="'system' is no function that models may call"):
        read_models(passed_on)
    # Formulas need no decision.
    formulas = configured(brought("HT / MR"))
    assert trusted_sha256(read_model_folder(models), formulas) is None


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("define", {"x": {"expression": 5}}, "x.expression"),
        ("define", {"x": {"colour": "red"}}, "x.expression"),
        ("define", {"a b": {"expression": "HT"}}, "a b"),
        ("objects", {"graviton": {"pt": 5}}, "graviton"),
        ("overlap", [{"drop": "jet", "near": "lepton", "within": "0.4"}], "overlap"),
        ("objects", {"jet": {"pt": -5.0}}, "jet.pt"),
        ("define", {"\x1b[2J": {"expression": "HT"}}, r"\x1b[2J"),
    ],
)
def test_what_is_no_definition_is_refused_by_name(
    key: str, value: dict[str, Any], fault: str, brought: Brought
) -> None:
    models = brought("HT / MR")
    write_table(models / "models.json", {**json.loads((models / "models.json").read_text()), key: value})
    with pytest.raises(ConfigurationError) as caught:
        read_models(configured(models))
    assert str(caught.value).startswith(f"{models / 'models.json'}: ")
    assert fault in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_message_shows_a_few_of_many(brought: Brought) -> None:
    models = brought("HT / MR")
    table = json.loads((models / "models.json").read_text())
    many = {f"x{i}": {"expression": "system(0) " * 100} for i in range(30)}
    write_table(models / "models.json", {**table, "define": many})
    with pytest.raises(ConfigurationError, match="; and 25 more; what models bring") as caught:
        read_models(configured(models))
    assert len(str(caught.value)) < 2000
