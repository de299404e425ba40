"""The model folder: `<detector>.onnx` and `models.json`, the only thing that passes from training to scoring.

Reading it needs neither torch nor scikit-learn. It may come from a stranger: nothing that it names is opened but the
ONNX files in the folder itself.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from pydantic import Field, NonNegativeFloat, ValidationError, field_validator

from models.errors import ModelFolderError
from models.network_file import UnfitNetwork, check_network
from models.tables import Axis, DetectorEntry, History, Quantiles, Reconstruction, Table
from models.weak_supervision.window import Window
from rdf.faults import first_fault

MODELS_JSON = "models.json"
FORMAT: Literal[4] = 4
READ = (3, FORMAT)
"""Formats that are read; the third has no checksum of its own."""
CHECKSUM_KEY, NO_CHECKSUM = "sha256", "0" * 64
LARGEST = 100_000_000
"""Bytes of models.json, at most."""
_REMEDY = "train again, or take a whole copy of the folder"


class TrainingSample(Table):
    """A sample that the detectors were trained on.

    Attributes:
        sample: its name.
        title: in words.
        simulated: whether its events are.
        tree: name of the tree.
        files: paths or addresses, as they were.
        sha256: of the files, as far as known.
        entries: that were read, half-open.
        events: that passed all cuts.
    """

    sample: str
    title: str
    simulated: bool
    tree: str
    files: list[str]
    sha256: list[str]
    entries: tuple[int, int]
    events: int


class Training(Table):
    """What the detectors were trained on.

    Attributes:
        samples: the samples that were read.
        part: C++ condition that training events had to fulfil beyond the cuts, or None.
        train_events: events that were drawn at most, at random and without replacement; None for all.
        events: number of events that were drawn.
        train_on: whether the unsupervised detectors saw all of these, or the background only.
        folds: with more than one, network k of each detector was trained on events with `event % folds != k`.
    """

    samples: list[TrainingSample]
    part: str | None
    train_events: int | None
    events: int
    train_on: Literal["all", "background"]
    folds: int = Field(ge=1)

    @property
    def simulated(self) -> bool:
        """Whether simulated events were among them."""
        return any(sample.simulated for sample in self.samples)


class Reference(Table):
    """Training events for scoring to check itself.

    Attributes:
        features: of each event.
        scores: for each detector and network, what the detector itself gives these events.
        rounding: likewise, what the rounding of float32 can change of a score; folders of older versions have none.
    """

    features: list[list[float]]
    scores: dict[str, list[list[float]]]
    rounding: dict[str, list[list[NonNegativeFloat]]] = Field(default_factory=dict)


class Columns(Table):
    """What the detectors learned from, and how it was computed: scoring has to do the same.

    Attributes:
        schema_name: schema of the training sample.
        schema_sha256: of what that schema's quantities are.
        define: columns of the user's own, as configured.
        objects: which objects counted, by kind.
        overlap: which of these were dropped near others, step by step; models of earlier versions have none.
        select: cuts that events had to pass, in order, by name; models of earlier versions have none.
        features: in the order of the networks' inputs.
        observables: columns that are recorded and drawn beside them.
        plane: columns in which events are drawn; None where there is a single feature.
    """

    schema_name: str = Field(alias="schema")
    schema_sha256: str
    define: dict[str, dict[str, Any]]
    objects: dict[str, dict[str, Any]]
    overlap: list[dict[str, Any]] = Field(default_factory=list)
    select: dict[str, str] = Field(default_factory=dict)
    features: list[str]
    observables: list[str]
    plane: tuple[str, str] | None

    @field_validator("schema_name")
    @classmethod
    def _no_path(cls, name: str) -> str:
        """Refuse what would be opened as a file of the models' choice; a schema file is called by its stem here."""
        if not re.fullmatch(r"[^./\\][^/\\]*", name) or not name.isprintable() or name.endswith((".yaml", ".yml")):
            raise ValueError(f"{name!a} is no name of a schema")
        return name


class ModelFolder(Columns):
    """The contents of `models.json`.

    Attributes:
        sha256: of the text of models.json with zeros in the place of this, so that a digit that changes there does not
            go unnoticed, and that models can be known again; of the whole text in format 3, which does not have it.
        feature_axes: binning of whatever is drawn like a feature.
        feature_quantiles: distribution of each feature in the training; models of earlier versions have none.
        training: what the detectors were trained on.
        seed: of all that was random.
        ensemble: detectors that vote.
        min_votes: of their flags, which make `flag_ensemble`: half of the detectors that vote, rounded up.
        detectors: by name.
        left_out: detectors that were to be trained and could not be, with the reasons.
        windows: of the detectors that learned to tell a region of an observable from what lies beside it; models of
            earlier versions have none.
        collinear: which features nearly depend on one another in the training, a sentence; None where none do, and in
            models of earlier versions.
        reference: events for scoring to check itself.
        versions: of the libraries that trained them.
    """

    format: Literal[3, 4] = FORMAT
    sha256: str = NO_CHECKSUM
    feature_axes: dict[str, Axis]
    feature_quantiles: dict[str, Quantiles] = Field(default_factory=dict)
    training: Training
    seed: int
    ensemble: list[str] = Field(min_length=1)
    min_votes: int = Field(ge=1)
    detectors: dict[Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")], DetectorEntry]  # stands in names of C++ classes
    left_out: dict[str, str] = Field(default_factory=dict)
    windows: dict[str, Window] = Field(default_factory=dict)
    collinear: str | None = None
    reference: Reference
    versions: dict[str, str]

    @property
    def files(self) -> dict[str, str]:
        """All networks' files, with their sha256."""
        networks = (network for entry in self.detectors.values() for network in entry.networks)
        return {file: sha256 for network in networks for file, sha256 in network.checksums().items()}

    def histories(self) -> dict[str, list[History]]:
        """Return the losses of the detectors whose training has epochs: one history for each fold."""
        return {
            name: [network.history for network in entry.networks if network.history]
            for name, entry in self.detectors.items()
            if entry.networks[0].history
        }

    def reconstructions(self) -> dict[str, list[Reconstruction]]:
        """Return how well the detectors that reconstruct events do so: one table for each fold."""
        return {
            name: [network.reconstruction for network in entry.networks if network.reconstruction]
            for name, entry in self.detectors.items()
            if entry.networks[0].reconstruction
        }

    def write(self, folder: Path) -> Self:
        """Write `models.json` beside the ONNX files, and return what will be read there: with the checksum."""
        table = {CHECKSUM_KEY: NO_CHECKSUM, **self.model_dump(by_alias=True, exclude={CHECKSUM_KEY})}
        text = json.dumps(table, indent=1, allow_nan=False) + "\n"
        checksum = _sha256(text.encode())
        (folder / MODELS_JSON).write_text(text.replace(NO_CHECKSUM, checksum, 1))
        return self.model_copy(update={CHECKSUM_KEY: checksum})


def read_model_folder(folder: Path) -> ModelFolder:
    """Read a model folder and check that it is whole and consistent.

    Raises:
        ModelFolderError: names the file, what is wrong and the remedy.
    """
    table = folder / MODELS_JSON
    if not table.is_file():
        raise ModelFolderError(f"{folder} has no {MODELS_JSON}; name the `models` folder that an earlier run left")
    try:
        models = ModelFolder.model_validate(_read_table(table, _read(table)))
    except ValidationError as error:
        fault = first_fault(error)
        key = fault.key or "(the whole file)"
        raise ModelFolderError(f"{table}: {key}: {fault.reason}; {_REMEDY}") from error
    if not models.detectors:
        raise ModelFolderError(f"{table} names no detector; {_REMEDY}")
    for name, entry in models.detectors.items():
        if len(entry.networks) != models.training.folds:
            raise ModelFolderError(
                f"{table}: {name} has {len(entry.networks)} networks for {models.training.folds} folds; {_REMEDY}"
            )
        expected = models.training.folds * [len(models.reference.features)]
        scores = models.reference.scores.get(name, [])
        if [len(values) for values in scores] != expected:
            raise ModelFolderError(f"{table}: not every reference event has a score of {name}; {_REMEDY}")
        rounding = models.reference.rounding.get(name)
        if rounding is not None and [len(values) for values in rounding] != expected:
            raise ModelFolderError(f"{table}: not every reference score of {name} has a rounding; {_REMEDY}")
        for network in entry.networks:
            if network.reconstruction and not network.reconstruction.fits(len(models.features)):
                raise ModelFolderError(
                    f"{table}: the reconstruction errors of {name} are not of {len(models.features)} features; "
                    f"{_REMEDY}"
                )
    for name, window in models.windows.items():
        if name not in models.detectors or window.observable not in models.observables:
            raise ModelFolderError(f"{table}: window {name} is of no detector, or of no observable; {_REMEDY}")
    for name in models.ensemble:
        if name not in models.detectors:
            raise ModelFolderError(f"{table}: {name} of the ensemble is not among the detectors; {_REMEDY}")
    for entry in models.detectors.values():
        for network in entry.networks:
            _check_onnx(folder / network.file, network.sha256, models.features, 1)
            _check_onnx(
                folder / network.contributions, network.contributions_sha256, models.features, len(models.features)
            )
    if not models.reference.features:
        raise ModelFolderError(f"{table}: it holds no reference events; {_REMEDY}")
    if any(len(event) != len(models.features) for event in models.reference.features):
        raise ModelFolderError(f"{table}: the reference events do not have {len(models.features)} features; {_REMEDY}")
    for name in models.feature_quantiles:
        if name not in models.features:
            raise ModelFolderError(f"{table}: feature_quantiles has {name}, which is no feature; {_REMEDY}")
    for name in (*models.features, *models.observables, *(models.plane or ())):
        if name not in models.feature_axes:
            raise ModelFolderError(f"{table}: feature_axes has no {name}; {_REMEDY}")
    return models


def _read_table(path: Path, content: bytes) -> dict[str, Any]:
    """Read the text of models.json, which has to be as it was written, and add the checksum where it has none."""
    try:
        table = json.loads(content.decode("utf-8"), object_pairs_hook=_each_key_once)
    except (ValueError, RecursionError) as error:
        raise ModelFolderError(f"{path}: (the whole file): Invalid JSON: {error}; {_REMEDY}") from error
    if not isinstance(table, dict):
        raise ModelFolderError(f"{path}: (the whole file): a table of keys and values is expected; {_REMEDY}")
    found = table.get("format")
    if found not in READ:
        raise ModelFolderError(
            f"{path}: (the whole file): format {found!a}, where this version of the toolkit reads the formats "
            f"{' and '.join(map(str, READ))}; {_REMEDY}"
        )
    if found < FORMAT and CHECKSUM_KEY not in table:
        return {**table, CHECKSUM_KEY: _sha256(content)}
    stated = str(table.get(CHECKSUM_KEY))
    if stated == NO_CHECKSUM or stated != _sha256(content.replace(stated.encode(), NO_CHECKSUM.encode(), 1)):
        raise ModelFolderError(f"{path}: {CHECKSUM_KEY}: the file is not as it was written; {_REMEDY}")
    return table


def _each_key_once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise ValueError(f"key {key!a} stands twice")
        table[key] = value
    return table


def _read(path: Path) -> bytes:
    """Read a file that lies in the folder itself."""
    try:
        if not path.resolve(strict=True).is_relative_to(path.parent.resolve()):
            raise ModelFolderError(f"{path} is a link that leads out of the folder; put the file itself in its place")
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise ModelFolderError(f"{path} is no file; {_REMEDY}")
        if path.name == MODELS_JSON and found.st_size > LARGEST:
            raise ModelFolderError(f"{path} has {found.st_size / 1e6:.0f} MB, more than any training writes; {_REMEDY}")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelFolderError(f"{path} is missing; {_REMEDY}") from error
    except (OSError, RuntimeError) as error:  # a circle of links is a RuntimeError
        raise ModelFolderError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}; {_REMEDY}"
        ) from error


def _check_onnx(path: Path, checksum: str, features: list[str], outputs: int) -> None:
    content = _read(path)
    found = _sha256(content)
    if found != checksum:
        raise ModelFolderError(
            f"{path}: checksum {found[:12]}... does not fit the {checksum[:12]}... of {MODELS_JSON}; {_REMEDY}"
        )
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise ModelFolderError(f"{path} is not an ONNX file; {_REMEDY}") from error
    trained = next((entry.value for entry in model.metadata_props if entry.key == "features"), "").split(",")
    if trained != features:
        raise ModelFolderError(
            f"{path} was trained on the features {', '.join(trained)}, {MODELS_JSON} lists {', '.join(features)}; "
            f"{_REMEDY}"
        )
    try:
        check_network(model, len(features), outputs)
    except UnfitNetwork as fault:
        raise ModelFolderError(f"{path}: {fault}; {_REMEDY}") from fault


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's contents."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def copy_model_folder(models: ModelFolder, source: Path, target: Path) -> None:
    """Copy a model folder's own files, and nothing else that lies there.

    Raises:
        ModelFolderError: a file is not what it was when the folder was read.
    """
    target.mkdir(parents=True, exist_ok=True)
    for file, checksum in {MODELS_JSON: models.sha256, **models.files}.items():
        content = _read(source / file)
        found = _read_table(source / file, content)[CHECKSUM_KEY] if file == MODELS_JSON else _sha256(content)
        if found != checksum:
            raise ModelFolderError(f"{source / file} has changed since it was read; start again")
        (target / file).write_bytes(content)
