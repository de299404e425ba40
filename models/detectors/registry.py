"""The detectors by name, so that they can be named without importing what they are made of; and further ones.

A detector that is written elsewhere is known in the process that has registered it, and nowhere else: no file names a
module that would be imported.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from models.detectors.settings import AutoencoderSettings, NoSettings
from models.errors import DetectorError, ModelFolderError
from models.thresholds import ThresholdRule
from rdf.faults import first_fault

if TYPE_CHECKING:
    from models.detectors.detector import Detector

    D = TypeVar("D", bound=type[Detector])

UNSUPERVISED: Mapping[str, str] = {
    "isolation_forest": "models.detectors.isolation_forest.IsolationForest",
    "autoencoder": "models.detectors.autoencoder.Autoencoder",
    "one_class_svm": "models.detectors.one_class_svm.OneClassSVM",
    "elliptic_envelope": "models.detectors.elliptic_envelope.EllipticEnvelope",
    "hbos": "models.detectors.hbos.HBOS",
}
"""Name of a detector of this toolkit that needs no labels -> its class."""

SUPERVISED: Mapping[str, str] = {
    "decision_tree": "models.detectors.decision_tree.DecisionTree",
    "mlp": "models.detectors.mlp.MLP",
    "extra_trees": "models.detectors.extra_trees.ExtraTrees",
    "gradient_boosting": "models.detectors.gradient_boosting.GradientBoosting",
}
"""Name of a detector of this toolkit that learns from labels -> its class."""

DETECTORS: Mapping[str, str] = {**UNSUPERVISED, **SUPERVISED}
"""All detectors of this toolkit, in the order in which they are trained and written."""

BY_DEFAULT = ("isolation_forest", "autoencoder", "one_class_svm", "elliptic_envelope", "decision_tree", "mlp")
"""Detectors that are trained where none is named: an evaluation trains all six, a run the first four."""

ALL = ("all",)
"""In place of names: every detector that can be trained, or that models have."""

SETTINGS: Mapping[str, type[BaseModel]] = {"autoencoder": AutoencoderSettings}
"""Name of a detector of this toolkit -> what can be set of it; the others have no settings."""

NAME = re.compile("[a-z][a-z0-9_]*")
"""Names of detectors: they stand in names of columns, files and C++ classes."""

TAKEN = frozenset(("ensemble", *ALL, *ThresholdRule.model_fields))
"""Names that would be taken for something else: `score_ensemble` is a column, and a threshold rule is no detector."""

_registered: dict[str, type[Detector]] = {}


def register_detector(kind: D) -> D:
    """Make a detector known by its name in this process; as a decorator of its class too.

    It can be asked for by name from then on, in a configuration as on a command line that is parsed in this process. It
    is trained, exported, compiled and scored as every other. A class that is defined again, as when a notebook's cell
    runs twice, takes the place of the former one.

    Args:
        kind: a subclass of `models.detectors.detector.Detector`.

    Returns:
        The same class.

    Raises:
        DetectorError: names all that the class lacks, and what is wrong with its name.
    """
    if faults := _faults(kind):
        raise DetectorError(f"{getattr(kind, '__qualname__', repr(kind))} is no detector yet: {'; '.join(faults)}")
    _registered[kind.name] = kind
    return kind


def _faults(kind: object) -> list[str]:
    """Say all that hinders a class from being a detector, each with its remedy."""
    from models.detectors.detector import Detector

    if not (isinstance(kind, type) and issubclass(kind, Detector)):
        return ["it is no subclass of models.detectors.detector.Detector; derive it from that"]
    faults = _faults_of_name(kind, getattr(kind, "name", None))
    missing = sorted(getattr(kind, "__abstractmethods__", ()))
    if missing:
        faults.append(f"it lacks the method{'s' * (len(missing) > 1)} {', '.join(missing)}; see {Detector.__module__}")
    for attribute, wanted in (("supervised", bool), ("default_rule", ThresholdRule)):
        if not isinstance(value := getattr(kind, attribute), wanted):
            faults.append(f"{attribute} is {value!r}; set it to a {wanted.__name__}")
    faults += _faults_of_settings(kind.Settings)
    try:
        inspect.signature(kind).bind(("feature",), settings=None, rule=None, seed=42)
    except TypeError as error:
        faults.append(f"its __init__ has to take (features, *, settings, rule, seed): {error}")
    return faults


def _faults_of_name(kind: type[Detector], name: object) -> list[str]:
    if name is None:
        return ['it has no name; set the class attribute, as in name = "my_detector"']
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return [f"its name {name!r} is not of lower-case letters, digits and _, a letter first"]
    if name in DETECTORS or name in TAKEN:
        return [f"the name {name} is taken; choose another one"]
    former = _registered.get(name, kind)
    if (former.__module__, former.__qualname__) != (kind.__module__, kind.__qualname__):
        return [f"the name {name} is taken by {former.__module__}.{former.__qualname__}; choose another one"]
    return []


def _faults_of_settings(settings: object) -> list[str]:
    if not (isinstance(settings, type) and issubclass(settings, BaseModel)):
        return [f"Settings is {settings!r}; make it a subclass of pydantic.BaseModel"]
    try:
        settings()
    except ValidationError as error:
        return [f"Settings has no default for {first_fault(error).key}; give it one"]
    return []


def known_detectors() -> tuple[str, ...]:
    """Return the names of this toolkit's detectors and of the detectors that this process has registered."""
    return (*DETECTORS, *_registered)


def trained_detectors(asked: tuple[str, ...] | None, by_default: Iterable[str], labelled: bool) -> tuple[str, ...]:
    """Return the names of the detectors that are to be trained.

    Args:
        asked: names, `ALL`, or None where none is named.
        by_default: what is trained then.
        labelled: whether there are labels, without which `ALL` are those that need none.
    """
    if asked == ALL:
        return tuple(name for name in known_detectors() if labelled or not is_supervised(name))
    return asked or tuple(by_default)


def scoring_detectors(asked: tuple[str, ...] | None, of_models: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the detectors that are to score, in the order in which the models list their detectors.

    Args:
        asked: names, `ALL`, or None where none is named.
        of_models: names of the detectors that the models have.
    """
    return tuple(name for name in of_models if asked in (None, ALL) or name in asked)


def detector_class(name: str) -> type[Detector]:
    """Return the class of the detector of that name, importing its libraries."""
    if name in _registered:
        return _registered[name]
    module, _, attribute = DETECTORS[name].rpartition(".")
    found: type[Detector] = getattr(import_module(module), attribute)
    return found


def settings_class(name: str) -> type[BaseModel]:
    """Return what can be set of the detector of that name, without importing its libraries."""
    return _registered[name].Settings if name in _registered else SETTINGS.get(name, NoSettings)


def is_supervised(name: str) -> bool:
    """Tell whether the detector of that name learns from labels."""
    return _registered[name].supervised if name in _registered else name in SUPERVISED


def require_known(names: Iterable[str], models: object) -> None:
    """Refuse models with a detector that this process does not know.

    Args:
        names: of the detectors that are to score.
        models: the folder that has them, for the message.

    Raises:
        ModelFolderError: names the detector and the remedy.
    """
    unknown = [name for name in names if name not in known_detectors()]
    if unknown:
        raise ModelFolderError(
            f"{models} has the detector {unknown[0]}, which is none of this toolkit's; register its class in this "
            "process first (register_detector), or name the others with --detectors"
        )
