"""The configuration of a run: what takes precedence, and which keys there are."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from analysis.configuration import RunConfiguration
from analysis.options import load_configuration, option_name
from analysis.run import option_parser
from models.detectors import registry
from models.detectors.detector import Detector, Features, Labels, Progress, Scores
from models.detectors.registry import register_detector
from tests.analysis.options.configured import configured, refused

EVERYTHING: dict[str, Any] = {
    "sample": "a.csv",
    "schema": "cms_razor",
    "output": Path("out"),
    "detectors": ("isolation_forest",),
    "threads": 2,
    "max_events": 10,
    "entries": (5, 9),
    "models": Path("m"),
    "trust_models": True,
    "seed": 1,
    "features": ("MR", "Rsq"),
    "define": {
        "hardness": {"expression": "HT / MR", "title": None, "unit": ""},
        "leading": {"expression": "jet_pt[0]", "title": "p_{T}^{j1}", "unit": "GeV"},
    },
    "objects": {"jet": {"pt": 30.0, "eta": 2.4, "where": "Jet_jetId[0] >= 2"}},
    "overlap": ({"drop": "jet", "near": "lepton", "within": 0.4},),
    "select": {"window": "mll > 60 && mll < 120", "trigger": "HLT_IsoMu24"},
    "triggers": ("HLT_IsoMu24", "!HLT_Ele*"),
    "filters": ("Flag_goodVertices", "Flag_METFilters"),
    "certified": "runs.json",
    "uncertified": False,  # which --certified excludes
    "weights": True,
    "luminosity": 36.1,
    "train_events": 5000,
    "train_on": "background",
    "threshold": {"isolation_forest": {"sigma": 3.0}, "mlp": {"score": 0.9}},
    "autoencoder": {
        "preset": "compact",
        "layers": (16, 8),
        "latent": 3,
        "members": 1,
        "noise": 0.0,
        "activation": "elu",
        "dropout": 0.1,
        "batch_norm": False,
        "learning_rate": 0.01,
        "batch_size": 64,
        "epochs": 7,
        "patience": 2,
        "validation": 0.1,
    },
    "settings": {"mine": {"width": 5}},
    "folds": 2,
    "vary": {"jes": 0.02, "met": 0.1},
    "engine": "local",
    "cluster": "local",
    "skim": True,
    "friend": True,
    "plan": "muons-7",
    "trusted_sha256": "f" * 64,
    "allow_simulated": True,
}
"""Every key, with a value that is not its default; but no other engine than `local` reads some entries only."""


class _Mine(Detector):
    """A detector from outside of the toolkit that has settings."""

    name = "mine"

    class Settings(BaseModel):
        width: int = 3

    def learn(self, X: Features, labels: Labels | None, progress: Progress) -> None:
        raise NotImplementedError

    def score(self, X: Features) -> Scores:
        raise NotImplementedError

    def network(self) -> Any:
        raise NotImplementedError


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the detector be known in one test."""
    monkeypatch.setattr(registry, "_registered", {})
    register_detector(_Mine)


def test_defaults_are_those_of_the_help() -> None:
    configuration = load_configuration(RunConfiguration, {"sample": "cms2010b"}, None)
    assert configuration.model_dump() == {
        "sample": "cms2010b",
        "schema_name": None,
        "output": None,
        "detectors": None,
        "threads": len(os.sched_getaffinity(0)),
        "max_events": None,
        "entries": None,
        "models": None,
        "trust_models": False,
        "seed": 42,
        "features": None,
        "define": {},
        "objects": {},
        "overlap": None,
        "select": {},
        "triggers": None,
        "filters": None,
        "certified": None,
        "uncertified": False,
        "weights": None,
        "luminosity": None,
        "train_events": 100_000,
        "train_on": "all",
        "threshold": {},
        # The preset denoising: eight networks of 16 units and half as many latent ones as there are features.
        "autoencoder": {
            "preset": "denoising",
            "layers": (16,),
            "latent": None,
            "members": 8,
            "noise": 2.5,
            "activation": "sigmoid",
            "dropout": 0.0,
            "batch_norm": False,
            "learning_rate": 3e-3,
            "batch_size": 512,
            "epochs": 20,
            "patience": 3,
            "validation": 0.2,
        },
        "settings": {},
        "folds": 1,
        "vary": {},
        "engine": "local",
        "cluster": "local",
        "skim": False,
        "friend": False,
        "plan": None,
        "trusted_sha256": None,
        "allow_simulated": False,
    }


def test_command_line_beats_file_beats_default(tmp_path: Path) -> None:
    configuration = configured(
        tmp_path, "sample: from_file\nseed: 7\nthreads: 3\nallow_simulated: true\n", sample="from_command", seed="8"
    )
    assert configuration.sample == "from_command"
    assert configuration.seed == 8
    assert configuration.threads == 3
    assert configuration.allow_simulated is True
    assert configuration.max_events is None


def test_every_option_is_a_key_and_the_reverse() -> None:
    options = {name for action in option_parser()._actions for name in action.option_strings if name.startswith("--")}
    keys = {option_name(field) for field in RunConfiguration.model_fields}
    assert options - {"--help", "--config"} == {f"--{key.replace('_', '-')}" for key in keys}
    assert {"schema", "allow_simulated"} <= keys


@pytest.mark.usefixtures("registered")
def test_all_options_of_the_command_line_arrive() -> None:
    command = (
        "--sample a.csv --schema cms_razor --output out --detectors isolation_forest --threads 2 --max-events 10 "
        "--entries 5:9 --models m --seed 1 --features MR,Rsq --allow-simulated --vary '{jes: 0.02, met: 0.1}' "
        "--engine local --cluster local --skim --friend --plan muons-7 "
        f"--trust-models --trusted-sha256 {64 * 'f'} "
        """--define '{hardness: HT / MR, leading: {expression: "jet_pt[0]", title: "p_{T}^{j1}", unit: GeV}}' """
        """--objects '{jet: {pt: 30, eta: 2.4, where: "Jet_jetId[0] >= 2"}}' """
        "--overlap '[{drop: jet, near: lepton, within: 0.4}]' "
        "--select '{window: mll > 60 && mll < 120, trigger: HLT_IsoMu24}' --triggers 'HLT_IsoMu24,!HLT_Ele*' "
        "--filters Flag_goodVertices,Flag_METFilters --certified runs.json "
        "--weights true --luminosity 36.1 --train-events 5000 --train-on background --folds 2 "
        "--threshold '{isolation_forest: {sigma: 3}, mlp: {score: 0.9}}' "
        "--autoencoder '{preset: compact, layers: [16, 8], latent: 3, activation: elu, dropout: 0.1, "
        "batch_norm: false, learning_rate: 0.01, batch_size: 64, epochs: 7, patience: 2, validation: 0.1}' "
        "--settings '{mine: {width: 5}}'"
    )
    given = {key: value for key, value in vars(option_parser().parse_args(shlex.split(command))).items() if value}
    assert load_configuration(RunConfiguration, given, None).model_dump(by_alias=True) == EVERYTHING


@pytest.mark.usefixtures("registered")
def test_all_keys_of_the_file_arrive(tmp_path: Path) -> None:
    text = """
sample: a.csv
schema: cms_razor
output: out
detectors: [isolation_forest]
threads: 2
max_events: 10
entries: [5, 9]
models: m
trust_models: true
trusted_sha256: ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
seed: 1
features: [MR, Rsq]
define:
  hardness: HT / MR
  leading:
    expression: jet_pt[0]
    title: p_{T}^{j1}
    unit: GeV
objects:
  jet:
    pt: 30
    eta: 2.4
    where: Jet_jetId[0] >= 2
overlap: [{drop: jet, near: lepton, within: 0.4}]
select:
  window: mll > 60 && mll < 120
  trigger: HLT_IsoMu24
triggers: [HLT_IsoMu24, "!HLT_Ele*"]
filters: [Flag_goodVertices, Flag_METFilters]
certified: runs.json
weights: true
luminosity: 36.1
train_events: 5000
train_on: background
folds: 2
threshold:
  isolation_forest: {sigma: 3}
  mlp: {score: 0.9}
autoencoder:
  preset: compact
  layers: [16, 8]
  latent: 3
  activation: elu
  dropout: 0.1
  batch_norm: false
  learning_rate: 0.01
  batch_size: 64
  epochs: 7
  patience: 2
  validation: 0.1
settings:
  mine: {width: 5}
vary:
  jes: 0.02
  met: 0.1
engine: local
cluster: local
skim: true
friend: true
plan: muons-7
allow_simulated: true
"""
    assert configured(tmp_path, text).model_dump(by_alias=True) == EVERYTHING


def test_option_that_is_not_given_does_not_hide_the_file(tmp_path: Path) -> None:
    given = vars(option_parser().parse_args(["--seed", "5"]))
    configuration = configured(
        tmp_path, "sample: s\nallow_simulated: true\n", **{key: value for key, value in given.items() if value}
    )
    assert (configuration.sample, configuration.allow_simulated, configuration.seed) == ("s", True, 5)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("sampel", "unknown key 'sampel'; did you mean sample"),
        ("allow-simulated", "unknown key 'allow-simulated'; did you mean allow_simulated?"),
        ("schema_name", "unknown key 'schema_name'; did you mean schema?"),
        ("config", f"unknown key 'config'; known: {', '.join(sorted(EVERYTHING))}"),
        ("7", "unknown key '7'; known: allow_simulated, autoencoder, certified, cluster, "),
    ],
)
def test_unknown_key_is_named_with_near_ones(tmp_path: Path, key: str, words: str) -> None:
    assert refused(tmp_path, f"{key}: x\n", sample="s").startswith(f"{tmp_path / 'run.yaml'}: {words}")
