"""Detectors by name: those of the toolkit, and those that are registered from outside of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from models.detectors import registry
from models.detectors.detector import Detector
from models.detectors.registry import (
    ALL,
    BY_DEFAULT,
    DETECTORS,
    SUPERVISED,
    UNSUPERVISED,
    detector_class,
    is_supervised,
    known_detectors,
    register_detector,
    require_known,
    scoring_detectors,
    settings_class,
    trained_detectors,
)
from models.errors import DetectorError, ModelFolderError
from tests.models.detectors.own import import_own

PROJECT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def registered_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test leave a detector behind."""
    monkeypatch.setattr(registry, "_registered", {})


@pytest.fixture
def own(tmp_path: Path) -> Any:
    return import_own(tmp_path).DeepDistance


@pytest.mark.parametrize("name", DETECTORS)
def test_what_is_said_of_a_detector_without_its_libraries_is_what_its_class_says(name: str) -> None:
    kind = detector_class(name)
    assert kind.name == name
    assert kind.supervised == is_supervised(name)
    assert kind.Settings is settings_class(name)


def test_a_detector_from_outside_is_known_by_its_name(own: Any) -> None:
    assert register_detector(own) is own
    assert known_detectors() == (*DETECTORS, "deep_distance")
    assert detector_class("deep_distance") is own
    assert settings_class("deep_distance") is own.Settings
    assert not is_supervised("deep_distance")


def test_all_are_those_that_the_labels_allow(own: Any) -> None:
    register_detector(own)
    assert trained_detectors(ALL, BY_DEFAULT, labelled=True) == (*UNSUPERVISED, *SUPERVISED, "deep_distance")
    assert trained_detectors(ALL, BY_DEFAULT, labelled=False) == (*UNSUPERVISED, "deep_distance")


def test_what_is_trained_by_default_is_what_it_was() -> None:
    expected = ("isolation_forest", "autoencoder", "one_class_svm", "elliptic_envelope", "decision_tree", "mlp")
    assert expected == BY_DEFAULT
    assert trained_detectors(None, BY_DEFAULT, labelled=True) == expected
    assert trained_detectors(("hbos", "mlp"), BY_DEFAULT, labelled=True) == ("hbos", "mlp")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [(None, ("mlp", "hbos")), (ALL, ("mlp", "hbos")), (("hbos",), ("hbos",)), (("hbos", "mlp"), ("mlp", "hbos"))],
)
def test_models_score_in_their_own_order(asked: tuple[str, ...] | None, expected: tuple[str, ...]) -> None:
    assert scoring_detectors(asked, {"mlp": 1, "hbos": 2}) == expected


def test_a_class_that_is_defined_again_takes_the_place_of_the_former(tmp_path: Path) -> None:
    first, second = (register_detector(import_own(tmp_path).DeepDistance) for _ in range(2))
    assert first is not second
    assert detector_class("deep_distance") is second


def test_another_class_of_the_same_name_is_refused(own: Any) -> None:
    register_detector(own)
    other = type("Other", (own,), {})
    with pytest.raises(DetectorError, match=r"the name deep_distance is taken by my_detectors\.DeepDistance"):
        register_detector(other)


def test_all_that_a_class_lacks_is_said_at_once() -> None:
    class Nothing(Detector):
        pass

    class Unfinished(Detector):
        name = "unfinished"

        def score(self, X: Any) -> Any:
            return X[:, 0]

    with pytest.raises(DetectorError, match=r"Nothing is no detector yet: it has no name; .* learn, network, score;"):
        register_detector(Nothing)
    with pytest.raises(DetectorError, match=r"Unfinished is no detector yet: it lacks the methods learn, network;"):
        register_detector(Unfinished)
    assert known_detectors() == tuple(DETECTORS)


class _NoDefault(BaseModel):
    width: int


def _takes_features_alone(self: Any, features: Any) -> None:
    self.features = features


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"name": "Deep Distance"}, "its name 'Deep Distance' is not of lower-case letters"),
        ({"name": "mlp"}, "the name mlp is taken"),
        ({"name": "ensemble"}, "the name ensemble is taken"),
        ({"name": "all"}, "the name all is taken"),
        ({"name": "sigma"}, "the name sigma is taken"),
        ({"supervised": 1}, "supervised is 1; set it to a bool"),
        ({"default_rule": 0.05}, "default_rule is 0.05; set it to a ThresholdRule"),
        ({"Settings": {"width": 3}}, "make it a subclass of pydantic.BaseModel"),
        ({"Settings": _NoDefault}, "Settings has no default for width; give it one"),
        ({"__init__": _takes_features_alone}, r"__init__ has to take \(features, \*, settings, rule, seed\)"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], fault: str, own: Any) -> None:
    with pytest.raises(DetectorError, match=fault):
        register_detector(type("Mine", (own,), {"name": "mine", **changes}))


@pytest.mark.parametrize("thing", [int, "DeepDistance", None])
def test_what_is_no_class_of_a_detector_is_refused(thing: Any) -> None:
    with pytest.raises(DetectorError, match="derive it from that"):
        register_detector(thing)


def test_models_with_an_unknown_detector_are_refused_until_it_is_registered(own: Any) -> None:
    require_known(["mlp"], "a/models")
    with pytest.raises(ModelFolderError, match=r"a/models has the detector deep_distance, .*register_detector"):
        require_known(["mlp", "deep_distance"], "a/models")
    register_detector(own)
    require_known(["mlp", "deep_distance"], "a/models")


def test_registering_needs_neither_torch_nor_scikit_learn() -> None:
    plain = """
import sys
from models.detectors.detector import Detector
from models.detectors.registry import register_detector

@register_detector
class Plain(Detector):
    name = "plain"
    def learn(self, X, labels, progress): pass
    def score(self, X): return X[:, 0]
    def network(self): raise NotImplementedError

assert not {"torch", "sklearn", "ROOT", "matplotlib"} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", plain], cwd=PROJECT, check=True)
