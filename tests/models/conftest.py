"""Events to train on: made-up ones, and the razor features of the open data, computed here in numpy."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from onnx.reference import ReferenceEvaluator

from models.detectors.isolation_forest import IsolationForest
from models.folder import Columns, ModelFolder
from models.onnx_export import export_onnx
from tests.models.trained import write_forest

FEATURES = ("MR", "Rsq", "HT")
COLUMNS = Columns(
    schema="cms_razor",
    schema_sha256="0" * 64,
    define={"hardness": {"expression": "HT / MR", "title": "H_{T} / M_{R}", "unit": ""}},
    objects={
        "jet": {"pt": 30.0, "eta": 2.4, "where": "Jet_jetId >= 2"},
        "muon": {"pt": None, "eta": 2.1, "where": None},
    },
    features=list(FEATURES),
    observables=["centrality"],
    plane=("MR", "Rsq"),
)


@pytest.fixture(scope="session")
def made_up() -> npt.NDArray[np.float32]:
    """3,000 events of three features on very different scales, a few of them far off, shape (3000, 3)."""
    random = np.random.default_rng(20100)
    X = np.column_stack(
        [random.exponential(200.0, 3000) + 150, random.beta(1, 9, 3000), random.normal(-40.0, 1e4, 3000)]
    )
    X[:60] *= 4
    return X.astype(np.float32)


@pytest.fixture(scope="session")
def labels(made_up: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Signal at large MR and Rsq, blurred; fewer than a third of the events."""
    blur = np.random.default_rng(11).normal(0, 0.3, len(made_up))
    return (made_up[:, 0] / 400 + 5 * made_up[:, 1] + blur > 1.7).astype(int)


@pytest.fixture(scope="session")
def forest(made_up: npt.NDArray[np.float32]) -> IsolationForest:
    return IsolationForest(FEATURES).fit(made_up)


def evaluated(network: torch.nn.Module, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What a network makes of events, in torch."""
    with torch.no_grad():
        return network(torch.from_numpy(X)).numpy()


def by_numpy(network: torch.nn.Module, X: npt.NDArray[np.float32], path: Path) -> npt.NDArray[np.float32]:
    """What a network makes of events one by one, exported and evaluated by ONNX's reference implementation."""
    export_onnx(network, [f"feature{i}" for i in range(X.shape[1])], path)
    evaluator = ReferenceEvaluator(str(path))
    return np.concatenate([evaluator.run(None, {"features": event[np.newaxis]})[0] for event in X])


@pytest.fixture(scope="session")
def folder_of_forest(
    tmp_path_factory: pytest.TempPathFactory, forest: IsolationForest, made_up: npt.NDArray[np.float32]
) -> Path:
    path = tmp_path_factory.mktemp("written") / "models"
    written(path, forest, made_up)
    return path


@pytest.fixture
def folder(tmp_path: Path, folder_of_forest: Path) -> Path:
    """A model folder as a run leaves it."""
    return Path(shutil.copytree(folder_of_forest, tmp_path / "models"))


def written(folder: Path, forest: IsolationForest, X: npt.NDArray[np.float32]) -> ModelFolder:
    observables = np.linspace(0, 1, len(X), dtype=np.float32)[:, np.newaxis]
    return write_forest(folder, forest, X, observables, COLUMNS, simulated=True)


@pytest.fixture(scope="session")
def table(opendata: Path) -> npt.NDArray[np.void]:
    """The razor filter's CSV, a record an event, by numpy's own reader."""
    path = opendata / "cms2010b" / "MultiJetRun2010B.csv"
    return np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="ascii")


@pytest.fixture(scope="session")
def razor(table: npt.NDArray[np.void]) -> npt.NDArray[np.float64]:
    """The eight features of the main job, from the file's columns in float64, shape (21726, 8)."""
    momenta = [np.hypot(np.hypot(table[f"Px{i}"], table[f"Py{i}"]), table[f"Pz{i}"]) for i in (1, 2)]
    pt1, pt2 = (np.hypot(table[f"Px{i}"], table[f"Py{i}"]) for i in (1, 2))
    # The 2011 definition, for massless megajets (arXiv:1212.6961).
    MR = np.sqrt((momenta[0] + momenta[1]) ** 2 - (table["Pz1"] + table["Pz2"]) ** 2)
    MET, HT = table["MET"], table["HT"]
    return np.column_stack([MR, table["Rsq"], HT, MET, pt1, pt2, MET / HT, pt2 / pt1])
