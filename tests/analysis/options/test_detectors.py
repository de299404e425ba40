"""Detectors, their thresholds and settings, and what they are trained on, as options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.configuration import EvaluationConfiguration, RunConfiguration
from analysis.errors import ConfigurationError
from analysis.options import load_configuration
from models.detectors.registry import SUPERVISED, UNSUPERVISED
from tests.analysis.options.configured import configured, refused_option


@pytest.mark.parametrize("written", ["isolation_forest", " isolation_forest ", "[isolation_forest]"])
def test_detectors_are_split(tmp_path: Path, written: str) -> None:
    assert configured(tmp_path, f"sample: s\ndetectors: {written}\n").detectors == ("isolation_forest",)


@pytest.mark.parametrize(
    ("detectors", "fault"),
    [
        ("isolation_forrest", "unknown detector 'isolation_forrest'; did you mean isolation_forest, decision_tree?"),
        ("isolation_forest,", "unknown detector ''; known: autoencoder, decision_tree, "),
        ("isolation_forest, isolation_forest", "name each detector once, and at least one"),
        ((), "name each detector once, and at least one"),
    ],
)
def test_wrong_detectors_are_named(detectors: Any, fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(RunConfiguration, {"sample": "s", "detectors": detectors}, None)
    assert str(caught.value).startswith(f"--detectors: {fault}")


def test_all_stands_for_every_detector_and_alone(tmp_path: Path) -> None:
    assert configured(tmp_path, "sample: s\ndetectors: all\n").detectors == ("all",)
    with pytest.raises(ConfigurationError, match="unknown detector 'all'"):
        configured(tmp_path, "sample: s\ndetectors: all, mlp\n")


RULES = {"contamination": 0.01, "percentile": 99.5, "sigma": 3.0, "score": 0.7}


@pytest.mark.parametrize("rule", RULES)
def test_one_threshold_rule_is_for_all_detectors(tmp_path: Path, rule: str) -> None:
    configuration = configured(tmp_path, f"sample: s\nthreshold: {{{rule}: {RULES[rule]}}}\n")
    assert set(configuration.threshold) == {*UNSUPERVISED, *SUPERVISED}
    for given in configuration.threshold.values():
        assert given.model_dump() == {rule: RULES[rule]}


@pytest.mark.parametrize(
    ("threshold", "fault"),
    [
        ("{sgma: 3}", "unknown detector or rule 'sgma'; did you mean sigma?"),
        ("{forest: {sigma: 3}}", "unknown detector or rule 'forest'; did you mean score, isolation_forest?"),
        ("{sigma: 3, percentile: 99}", "give exactly one of contamination, percentile, sigma, score"),
        ("{mlp: {}}", "give exactly one of contamination, percentile, sigma, score"),
        ("{contamination: 1.5}", "contamination: 1.5 is out of range; give a number above 0 and below 1"),
        ("{mlp: {score: high}}", "mlp.score: Input should be a valid number"),
        ("3", "'3' is not of the form {name: value, ...}"),
        ("{sigma: 3, mlp: {score: 0.5}}", "give either one rule for all detectors, or a rule for each; not both"),
    ],
)
def test_wrong_threshold_is_named(threshold: str, fault: str) -> None:
    message = refused_option("threshold", threshold)
    assert message.startswith("--threshold: ")
    assert fault in message


def test_autoencoder_by_its_preset_or_a_table() -> None:
    # 128-64-32 and back; 32-16-8 with 4 latent numbers, batch norm and dropout 0.2.
    dense = load_configuration(RunConfiguration, {"sample": "s", "autoencoder": "dense"}, None).autoencoder
    assert (dense.layers, dense.latent, dense.batch_norm, dense.dropout) == ((128, 64), 32, False, 0)
    compact = load_configuration(
        RunConfiguration, {"sample": "s", "autoencoder": "{preset: compact, epochs: 3}"}, None
    ).autoencoder
    assert (compact.layers, compact.latent, compact.batch_norm, compact.dropout) == ((32, 16, 8), 4, True, 0.2)
    assert compact.epochs == 3


@pytest.mark.parametrize(
    ("autoencoder", "fault"),
    [
        ("compct", "preset: Input should be 'denoising', 'dense' or 'compact'"),
        ("{latent: 0}", "latent: Input should be greater than or equal to 1"),
        ("{latnt: 3}", "unknown key 'latnt'"),
        ("{layers: [32, x]}", "layers.1: Input should be a valid integer"),
        ("{activation: softmax}", "activation: Input should be 'relu', "),
        ("{dropout: 1}", "dropout: Input should be less than 1"),
    ],
)
def test_wrong_autoencoder_is_named(autoencoder: str, fault: str) -> None:
    message = refused_option("autoencoder", autoencoder)
    assert message.startswith("--autoencoder: ")
    assert fault in message


def test_all_events_can_be_trained_on() -> None:
    assert load_configuration(RunConfiguration, {"sample": "s", "train_events": "all"}, None).train_events is None
    assert refused_option("train_events", "0") == "--train-events: Input should be greater than or equal to 1"
    assert refused_option("train_events", "most") == "--train-events: 'most' is not a whole number"


@pytest.mark.parametrize(
    "options",
    [{}, {"background": "b"}, {"signal": "s"}, {"sample": "a", "signal": "s"}, {"sample": "a", "background": "b"}],
    ids=["none", "background", "signal", "sample and signal", "sample and background"],
)
def test_an_evaluation_needs_labels_or_two_samples(options: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"^name either one sample with labels"):
        load_configuration(EvaluationConfiguration, options, None)


def test_an_evaluation_trains_on_background() -> None:
    two = load_configuration(EvaluationConfiguration, {"background": "b", "signal": "s"}, None)
    one = load_configuration(EvaluationConfiguration, {"sample": "a", "train_on": "all"}, None)
    assert (two.train_on, one.train_on) == ("background", "all")
    assert load_configuration(RunConfiguration, {"sample": "a"}, None).train_on == "all"
