"""A model folder is read back as it was written, and refused when anything about it was changed."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest

from models.detectors.isolation_forest import IsolationForest
from models.errors import ModelFolderError
from models.folder import Columns, copy_model_folder, file_sha256, read_model_folder
from tests.models.altered import ONNX, REMEDY, WHY, alter, detector, network, refused
from tests.models.conftest import FEATURES, written

PROJECT = Path(__file__).parents[2]


def test_what_was_written_is_read(tmp_path: Path, forest: IsolationForest, made_up: npt.NDArray[np.float32]) -> None:
    models = written(tmp_path / "new" / "models", forest, made_up)
    assert sorted(path.name for path in (tmp_path / "new" / "models").iterdir()) == [ONNX, WHY, "models.json"]
    read = read_model_folder(tmp_path / "new" / "models")
    assert read == models
    assert read.features == list(FEATURES)
    # What made the columns comes back as it was, None and all.
    assert {name: getattr(read, name) for name in Columns.model_fields} == {
        "schema_name": "cms_razor",
        "schema_sha256": "0" * 64,
        "define": {"hardness": {"expression": "HT / MR", "title": "H_{T} / M_{R}", "unit": ""}},
        "objects": {
            "jet": {"pt": 30.0, "eta": 2.4, "where": "Jet_jetId >= 2"},
            "muon": {"pt": None, "eta": 2.1, "where": None},
        },
        "overlap": [],
        "select": {},
        "features": ["MR", "Rsq", "HT"],
        "observables": ["centrality"],
        "plane": ("MR", "Rsq"),
    }
    assert read.detectors["isolation_forest"].networks[0].threshold == forest.threshold
    assert (read.training.samples[0].entries, read.training.events, read.training.simulated) == ((0, 3000), 3000, True)


def test_sha256_is_that_of_the_contents(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    # The test vector of FIPS 180-2.
    assert file_sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_copy_takes_the_folders_own_files_only(folder: Path, tmp_path: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    models = read_model_folder(folder)
    copy_model_folder(models, folder, tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == [ONNX, WHY, "models.json"]
    assert read_model_folder(tmp_path / "copy") == models


def test_missing_folder_is_named_with_the_remedy(tmp_path: Path) -> None:
    assert refused(tmp_path / "none") == (
        f"{tmp_path / 'none'} has no models.json; name the `models` folder that an earlier run left"
    )


def test_missing_table_is_named_with_the_remedy(folder: Path) -> None:
    (folder / "models.json").unlink()
    assert refused(folder).endswith("has no models.json; name the `models` folder that an earlier run left")


def test_missing_onnx_is_named(folder: Path) -> None:
    (folder / ONNX).unlink()
    assert refused(folder) == f"{folder / ONNX} is missing; {REMEDY}"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\x80\x00", b"null"])
def test_table_that_is_no_table_is_named(folder: Path, content: bytes) -> None:
    (folder / "models.json").write_bytes(content)
    message = refused(folder)
    assert message.startswith(f"{folder / 'models.json'}: (the whole file): ")
    assert message.endswith(REMEDY)


def test_cut_off_table_is_named(folder: Path) -> None:
    content = (folder / "models.json").read_bytes()
    (folder / "models.json").write_bytes(content[: len(content) // 2])
    assert "models.json: (the whole file): Invalid JSON" in refused(folder)


@pytest.mark.parametrize("place", [0, 0.3, 0.7, 1])
def test_changed_byte_is_found(folder: Path, place: float) -> None:
    content = bytearray((folder / ONNX).read_bytes())
    was = hashlib.sha256(content).hexdigest()
    content[int(place * (len(content) - 1))] ^= 1
    (folder / ONNX).write_bytes(content)
    now = hashlib.sha256(content).hexdigest()
    assert refused(folder) == (
        f"{folder / ONNX}: checksum {now[:12]}... does not fit the {was[:12]}... of models.json; {REMEDY}"
    )


@pytest.mark.parametrize(
    "features",
    [["MR", "Rsq", "MET"], ["Rsq", "MR", "HT"], ["MR", "Rsq"], ["MR", "Rsq", "HT", "MET"], []],
    ids=["renamed", "permuted", "shortened", "lengthened", "emptied"],
)
def test_other_features_than_trained_on_are_refused(folder: Path, features: list[str]) -> None:
    alter(folder, lambda content: content.update(features=features))
    assert refused(folder) == (
        f"{folder / ONNX} was trained on the features MR, Rsq, HT, models.json lists {', '.join(features)}; {REMEDY}"
    )


def test_onnx_without_feature_names_is_refused(folder: Path) -> None:
    model = onnx.load(folder / ONNX)
    del model.metadata_props[:]
    onnx.save(model, folder / ONNX)
    checksum = hashlib.sha256((folder / ONNX).read_bytes()).hexdigest()
    alter(folder, lambda content: network(content).update(sha256=checksum))
    assert "was trained on the features , models.json lists MR, Rsq, HT" in refused(folder)


def test_file_that_is_no_onnx_is_refused_even_with_its_checksum(folder: Path) -> None:
    (folder / ONNX).write_bytes(b"not a network")
    checksum = hashlib.sha256(b"not a network").hexdigest()
    alter(folder, lambda content: network(content).update(sha256=checksum))
    assert refused(folder) == f"{folder / ONNX} is not an ONNX file; {REMEDY}"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda content: content.update(colour="red"), "colour: Extra inputs are not permitted"),
        (
            lambda content: content.update(format=5),
            "format 5, where this version of the toolkit reads the formats 3 and 4",
        ),
        (lambda content: content.pop("schema"), "schema: Field required"),
        (lambda content: content.pop("define"), "define: Field required"),
        (lambda content: content.update(objects=[]), "objects: Input should be"),
        (lambda content: content.pop("plane"), "plane: Field required"),
        (lambda content: content.update(plane=["MR"]), "plane.1: Field required"),
        (lambda content: content.update(plane=["MR", "MET"]), "feature_axes has no MET"),
        (lambda content: content["observables"].append("ST"), "feature_axes has no ST"),
        (lambda content: content.pop("seed"), "seed: Field required"),
        (lambda content: content.update(min_votes=0), "min_votes: "),
        (lambda content: content.update(detectors={}), "models.json names no detector"),
        (lambda content: content.update(detectors={"A; b": detector(content)}), "detectors.A; b"),
        (
            lambda content: network(content).update(file="../isolation_forest.onnx"),
            "isolation_forest.networks.0.file: ",
        ),
        (lambda content: network(content).update(contributions="why.txt"), "networks.0.contributions: "),
        (lambda content: network(content).update(threshold="high"), "isolation_forest.networks.0.threshold: "),
        (lambda content: network(content).update(threshold=float("nan")), "isolation_forest.networks.0.threshold: "),
        (lambda content: content["training"].update(folds=2), "isolation_forest has 1 networks for 2 folds"),
        (lambda content: detector(content).update(networks=[]), "isolation_forest.networks: "),
        (lambda content: detector(content).update(rule={}), "isolation_forest.rule: give exactly one of"),
        (lambda content: content.update(ensemble=[]), "ensemble: "),
        (lambda content: content.update(ensemble=["mlp"]), "mlp of the ensemble is not among the detectors"),
        (
            lambda content: network(content)["rank_table"]["ranks"].pop(),
            "3000 scores and 2999 ranks",
        ),
        (lambda content: network(content)["rank_table"]["ranks"].reverse(), "not in ascending order"),
        (lambda content: network(content)["rank_table"]["scores"].sort(reverse=True), "not in ascending order"),
        (lambda content: network(content).update(rank_table={"scores": [], "ranks": []}), "rank_table.scores: "),
        (lambda content: detector(content)["score_axis"].update(bins=0), "score_axis.bins: "),
        (lambda content: detector(content)["score_axis"].update(low=9), "score_axis: low is not below"),
        (lambda content: content["feature_axes"].pop("Rsq"), "feature_axes has no Rsq"),
        (lambda content: content.pop("reference"), "reference: Field required"),
        (
            lambda content: content.update(reference={"features": [], "scores": {"isolation_forest": [[]]}}),
            "holds no reference events",
        ),
        (lambda content: content["reference"]["scores"].clear(), "not every reference event has a score of isolation"),
        (lambda content: content["reference"]["scores"]["isolation_forest"][0].pop(), "not every reference event"),
        (lambda content: content["reference"]["features"][5].pop(), "the reference events do not have 3 features"),
        (lambda content: content["reference"]["rounding"]["isolation_forest"][0].pop(), "not every reference score of"),
        (
            lambda content: content["reference"]["rounding"].update(isolation_forest=[[-1e-9]]),
            "reference.rounding.isolation_forest.0.0: Input should be greater",
        ),
        (
            lambda content: content["reference"]["rounding"].update(isolation_forest=[[float("inf")]]),
            "reference.rounding.isolation_forest.0.0: ",
        ),
    ],
)
def test_altered_table_is_refused(folder: Path, change: Callable[[dict[str, Any]], object], fault: str) -> None:
    alter(folder, change)
    message = refused(folder)
    assert fault in message
    assert message.startswith(str(folder / "models.json"))
    assert message.endswith(REMEDY)


def test_a_folder_without_what_later_versions_added_is_read(folder: Path) -> None:
    def as_it_was(content: dict[str, Any]) -> None:
        del content["reference"]["rounding"], content["left_out"]

    alter(folder, as_it_was)
    models = read_model_folder(folder)
    assert (models.reference.rounding, models.left_out) == ({}, {})


def test_a_single_feature_has_no_plane(folder: Path) -> None:
    alter(folder, lambda content: content.update(plane=None))
    assert read_model_folder(folder).plane is None


def test_a_folder_of_the_first_format_is_refused_for_its_format(folder: Path) -> None:
    """It had the schema's name and the features, and nothing of how the columns were made."""

    def as_it_was(content: dict[str, Any]) -> None:
        content["format"] = 1
        for key in ("define", "objects", "observables", "plane"):
            del content[key]

    alter(folder, as_it_was)
    assert refused(folder) == (
        f"{folder / 'models.json'}: (the whole file): format 1, where this version of the toolkit reads the formats "
        f"3 and 4; "
        f"{REMEDY}"
    )


def test_reading_needs_neither_torch_nor_scikit_learn(folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from models.folder import read_model_folder;"
        "models = read_model_folder(Path(sys.argv[1]));"
        "print(*models.detectors, *{'torch', 'sklearn', 'scipy', 'ROOT'} & set(sys.modules))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    assert ended.stdout.split() == ["isolation_forest"]


def test_errors_of_other_features_are_refused_and_none_are_not(
    tmp_path: Path, forest: IsolationForest, made_up: npt.NDArray[np.float32]
) -> None:
    written(tmp_path, forest, made_up)
    three, two = [0.1, 0.2, 0.3], [0.1, 0.2]

    def set_errors(mean: list[float]) -> Callable[[dict[str, Any]], object]:
        summary = {"events": 7, "mean": mean, "low": three, "median": three, "high": three}
        return lambda content: content["detectors"]["isolation_forest"]["networks"][0].update(
            reconstruction={"normal": summary, "flagged": None}
        )

    alter(tmp_path, set_errors(three))
    assert list(read_model_folder(tmp_path).reconstructions()) == ["isolation_forest"]
    alter(tmp_path, set_errors(two))
    assert "reconstruction errors of isolation_forest are not of 3 features" in refused(tmp_path)
    # Folders of older versions do not have the key.
    alter(tmp_path, lambda content: content["detectors"]["isolation_forest"]["networks"][0].pop("reconstruction"))
    assert read_model_folder(tmp_path).reconstructions() == {}


# What damages the file, or is not as a training writes it.


def test_a_flipped_bit_is_found_wherever_it_is(folder: Path) -> None:
    path = folder / "models.json"
    content = path.read_bytes()
    random_ = random.Random(11)
    places = [random_.randrange(len(content)) for _ in range(300)]
    # Where it matters most: the format, the checksum's name and value, a threshold.
    for word in (b'"format": 4', b'"sha256": "', b'"threshold": '):
        start = content.index(word)
        places += range(start, start + len(word) + 8)
    for place in places:
        flipped = bytearray(content)
        flipped[place] ^= 1 << random_.randrange(8)
        path.write_bytes(flipped)
        with pytest.raises(ModelFolderError, match=r"train again, or take a whole copy of the folder$"):
            read_model_folder(folder)


def test_a_changed_digit_names_the_file_and_the_remedy(folder: Path) -> None:
    path = folder / "models.json"
    text = path.read_text()
    start = text.index('"threshold": 0.') + len('"threshold": 0.')
    path.write_text(text[:start] + str(9 - int(text[start])) + text[start + 1 :])
    assert refused(folder) == f"{path}: sha256: the file is not as it was written; {REMEDY}"


@pytest.mark.parametrize("value", ["", "0" * 64, "f" * 64, 5, None, ["0" * 64]])
def test_a_wrong_checksum_is_refused(folder: Path, value: Any) -> None:
    path = folder / "models.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "sha256": value}))
    assert "sha256: the file is not as it was written" in refused(folder)


def test_the_checksum_is_that_of_the_text_with_zeros_in_its_place(folder: Path) -> None:
    text = (folder / "models.json").read_text()
    stated = json.loads(text)["sha256"]
    assert hashlib.sha256(text.replace(stated, 64 * "0", 1).encode()).hexdigest() == stated
    assert read_model_folder(folder).sha256 == stated


def as_version_3(folder: Path) -> str:
    """Write models.json as the version before did, and return its sha256."""
    path = folder / "models.json"
    table = {key: value for key, value in json.loads(path.read_text()).items() if key != "sha256"}
    path.write_text(json.dumps({**table, "format": 3}, indent=1) + "\n")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_format_before_is_read_without_a_checksum(folder: Path, tmp_path: Path) -> None:
    before = read_model_folder(folder)
    found = as_version_3(folder)
    models = read_model_folder(folder)
    assert models == before.model_copy(update={"format": 3, "sha256": found})
    copy_model_folder(models, folder, tmp_path / "copy")
    assert (tmp_path / "copy" / "models.json").read_bytes() == (folder / "models.json").read_bytes()
    # With a checksum it has to be right, whatever the format; and the fourth does not go without.
    text = (folder / "models.json").read_text()
    (folder / "models.json").write_text(text.replace("{", f'{{"sha256": "{found}",', 1))
    assert "sha256: the file is not as it was written" in refused(folder)
    (folder / "models.json").write_text(text.replace('"format": 3', '"format": 4'))
    assert "sha256: the file is not as it was written" in refused(folder)


def test_a_key_that_stands_twice_is_refused(folder: Path) -> None:
    path = folder / "models.json"
    path.write_text(path.read_text().replace('"seed": 42', '"seed": 42, "seed": 42'))
    assert "(the whole file): Invalid JSON: key 'seed' stands twice" in refused(folder)


def test_json_without_bottom_is_refused(folder: Path) -> None:
    (folder / "models.json").write_text("[" * 200_000)
    assert "(the whole file): Invalid JSON" in refused(folder)
    (folder / "models.json").write_text(f'{{"seed": {"9" * 5000}}}')
    assert "(the whole file): Invalid JSON" in refused(folder)
    with (folder / "models.json").open("wb") as file:
        file.truncate(10**12)  # with nothing on disk
    assert "more than any training writes" in refused(folder)


def test_what_has_changed_since_it_was_read_is_not_copied(folder: Path, tmp_path: Path) -> None:
    models = read_model_folder(folder)
    alter(folder, lambda content: content.update(seed=43))
    with pytest.raises(ModelFolderError, match=r"models\.json has changed since it was read; start again"):
        copy_model_folder(models, folder, tmp_path / "copy")
    models = read_model_folder(folder)
    with (folder / WHY).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ModelFolderError, match=rf"{WHY} has changed since it was read; start again"):
        copy_model_folder(models, folder, tmp_path / "copy")
