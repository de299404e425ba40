"""Autoencoders and the MLP through ONNX, SOFIE and ONNX Runtime, against numpy, torch and scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import torch

from models.detectors.autoencoder import Autoencoder
from models.detectors.dense import MemberLayer
from models.detectors.detector import Detector
from models.detectors.mlp import MLP
from models.detectors.settings import AutoencoderSettings
from models.onnx_export import export_onnx
from rdf.code.sofie import CompiledDetector, compile_detector, translate_network

pytestmark = pytest.mark.compiler

Events = npt.NDArray[np.float32]
PARITY, FRACTION = 1e-5, 0.9995


@pytest.fixture(scope="module")
def razor(opendata: Path) -> Events:
    """The eight features of the main job, from the razor filter's CSV by numpy, shape (21726, 8)."""
    table = np.genfromtxt(opendata / "cms2010b" / "MultiJetRun2010B.csv", delimiter=",", names=True, encoding="ascii")
    pt1, pt2 = (np.hypot(table[f"Px{i}"], table[f"Py{i}"]) for i in (1, 2))
    momenta = np.hypot(pt1, table["Pz1"]) + np.hypot(pt2, table["Pz2"])
    MR = np.sqrt(momenta**2 - (table["Pz1"] + table["Pz2"]) ** 2)
    MET, HT = table["MET"], table["HT"]
    return np.column_stack([MR, table["Rsq"], HT, MET, pt1, pt2, MET / HT, pt2 / pt1]).astype(np.float32)


@pytest.fixture(scope="module")
def lhco(opendata: Path) -> Events:
    """Features and label of the LHC Olympics training events, shape (60000, 6)."""
    return np.load(opendata / "lhco" / "innerdata_train.npy").astype(np.float32)


def compiled(detector: Detector, folder: Path) -> tuple[CompiledDetector, onnxruntime.InferenceSession]:
    path = folder / f"{detector.name}.onnx"
    export_onnx(detector.network(), detector.features, path)
    return (
        compile_detector(detector.name, translate_network(path), detector.threshold, [0.0, 1.0], [0.0, 1.0], 1),
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]),
    )


def check(detector: Detector, own: npt.NDArray[np.floating], X: Events, folder: Path) -> None:
    """Compare the scores in C++ and in ONNX Runtime with those that were computed without the network."""
    in_cpp, session = compiled(detector, folder)
    scores = in_cpp.scores(X)
    allowed = PARITY * np.ptp(own)
    assert np.mean(np.abs(scores - own) <= allowed) >= FRACTION
    np.testing.assert_allclose(detector.score(X), own, rtol=0, atol=allowed)
    some = slice(None, None, max(len(X) // 1000, 1))
    by_runtime = np.array([session.run(None, {"features": x[np.newaxis]})[0].item() for x in X[some]])
    assert np.mean(np.abs(by_runtime - scores[some]) <= allowed) >= FRACTION
    flagged = own > detector.threshold
    assert flagged.any()
    assert np.sum(flagged != (scores > detector.threshold)) <= 0.005 * flagged.sum()


def errors(autoencoder: Autoencoder, X: Events) -> npt.NDArray[np.float64]:
    """Mean squared error by the trained layers in float64, batch norm and all, one after the other."""
    scaled = torch.from_numpy(autoencoder.scaler.transform(X.astype(np.float64)))
    values = scaled
    with torch.no_grad():
        for layer in [*autoencoder.encoder, *autoencoder.decoder]:
            if isinstance(layer, torch.nn.Linear):
                values = values @ layer.weight.double().T + layer.bias.double()
            elif isinstance(layer, MemberLayer):
                values = torch.stack(
                    [
                        (values if values.dim() == 2 else values[k]) @ weight.double() + layer.bias[k].double()
                        for k, weight in enumerate(layer.weight)
                    ]
                )
            elif isinstance(layer, torch.nn.BatchNorm1d):
                spread = (layer.running_var.double() + layer.eps).sqrt()
                values = (values - layer.running_mean) / spread * layer.weight + layer.bias
            elif not isinstance(layer, torch.nn.Dropout):
                values = layer(values)
    found = values.mean(dim=0) if values.dim() == 3 else values
    return ((found - scaled) ** 2).mean(dim=1).numpy()


def trained(X: Events, **changes: object) -> Autoencoder:
    settings = AutoencoderSettings.model_validate({"epochs": 3, **changes})
    return Autoencoder([f"f{i}" for i in range(X.shape[1])], settings=settings).fit(X)


@pytest.mark.parametrize("preset", ["dense", "compact", "denoising"])
@pytest.mark.parametrize("sample", ["razor", "lhco"])
def test_presets_on_open_data(sample: str, preset: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    X = request.getfixturevalue(sample)[:20000, :8]
    X = X[:, :5] if sample == "lhco" else X
    autoencoder = trained(X, preset=preset)
    check(autoencoder, errors(autoencoder, X), X, tmp_path)


def test_compact_autoencoder_of_57_inputs(tmp_path: Path) -> None:
    random = np.random.default_rng(57)
    X = (random.normal(size=(4000, 57)) @ random.normal(size=(57, 57))).astype(np.float32)
    autoencoder = trained(X, preset="compact")
    check(autoencoder, errors(autoencoder, X), X, tmp_path)


@pytest.mark.parametrize("activation", ["leaky_relu", "elu", "selu", "tanh", "sigmoid"])
def test_every_activation(activation: str, razor: Events, tmp_path: Path) -> None:
    X = razor[:4000]
    autoencoder = trained(X, preset="compact", layers=[16, 16], latent=3, activation=activation, dropout=0.0)
    check(autoencoder, errors(autoencoder, X), X, tmp_path)


def test_extreme_events_score_the_same_in_cpp(razor: Events, tmp_path: Path) -> None:
    autoencoder = trained(razor[:4000], preset="compact", layers=[8])
    X = np.tile(razor[0], (4, 1))
    X[0, 0], X[1, 1], X[2], X[3] = 1e30, -1e30, 3e38, -3e38
    in_cpp, _ = compiled(autoencoder, tmp_path)
    np.testing.assert_allclose(in_cpp.scores(X), autoencoder.score(X), rtol=1e-3)


def test_mlp(lhco: Events, tmp_path: Path) -> None:
    """All of the signal, and as many times ten of the background."""
    signal, background = (lhco[lhco[:, 5] == label] for label in (1, 0))
    events = np.concatenate([signal, background[: 10 * len(signal)]])
    X, labels = np.ascontiguousarray(events[:, :5]), events[:, 5].astype(int)
    mlp = MLP(list("abcde")).fit(X, labels)
    own = mlp.classifier.predict_proba(mlp.scaler.transform(X.astype(np.float64)))[:, 1]
    check(mlp, own, X, tmp_path)
