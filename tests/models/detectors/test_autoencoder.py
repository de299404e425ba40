"""The autoencoder against a forward pass in numpy, a training written out in torch, and promises about its seed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from sklearn.preprocessing import StandardScaler

from models.detectors.autoencoder import Autoencoder
from models.detectors.dense import BOUND, Dense
from models.detectors.settings import AutoencoderSettings
from models.errors import TrainingError
from models.onnx_export import export_onnx

FEATURES = ("MR", "Rsq", "HT")
Array = npt.NDArray[np.floating]

# Written out from the definitions in the literature, in float64.
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}


def settings(**changes: object) -> AutoencoderSettings:
    """A small net that trains in a moment."""
    return AutoencoderSettings.model_validate(
        {
            "preset": "dense",
            "layers": [12, 6],
            "latent": 2,
            "epochs": 3,
            "batch_size": 64,
            "learning_rate": 0.01,
            **changes,
        }
    )


@pytest.fixture(scope="module")
def compact(made_up: npt.NDArray[np.float32]) -> Autoencoder:
    """Batch norm, dropout and all, trained for a few epochs."""
    chosen = settings(preset="compact", epochs=6)
    return Autoencoder(FEATURES, settings=chosen).fit(made_up)


def forward(weights: dict[str, Array], activation: str, batch_norm: bool, values: Array) -> Array:
    """A half of the net in float64 numpy, from its torch weights in order: linear (norm activation linear)*."""
    numbers = sorted({int(key.split(".")[0]) for key in weights})
    layers = [{key.split(".")[1]: weights[key] for key in weights if int(key.split(".")[0]) == n} for n in numbers]
    last = len(layers) - 1
    for i, layer in enumerate(layers):
        if "running_mean" in layer:
            values = (values - layer["running_mean"]) / np.sqrt(layer["running_var"] + 1e-5)
            values = ACTIVATIONS[activation](values * layer["weight"] + layer["bias"])
        else:
            values = values @ layer["weight"].T + layer["bias"]
            if i < last and not batch_norm:
                values = ACTIVATIONS[activation](values)
    return values


def by_numpy(detector: Autoencoder, X: Array) -> tuple[Array, Array]:
    """Latent coordinates and squared errors of the scaled features."""
    encoder, decoder = (
        {key: tensor.double().numpy() for key, tensor in half.state_dict().items()}
        for half in (detector.encoder, detector.decoder)
    )
    activation, norm = detector.settings.activation, detector.settings.batch_norm
    scaled = (X.astype(np.float64) - detector.scaler.mean_) / detector.scaler.scale_
    latent = forward(encoder, activation, norm, scaled)
    return latent, (forward(decoder, activation, norm, latent) - scaled) ** 2


def through(network: torch.nn.Module, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    with torch.no_grad():
        return network(torch.from_numpy(X)).numpy()


@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "batch norm"])
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_score_latent_space_network_and_contributions_are_those_of_numpy(
    made_up: npt.NDArray[np.float32], activation: str, batch_norm: bool
) -> None:
    chosen = settings(activation=activation, batch_norm=batch_norm, dropout=0.2, epochs=1)
    detector = Autoencoder(FEATURES, settings=chosen).fit(made_up)
    latent, errors = by_numpy(detector, made_up)
    scores = detector.score(made_up)
    assert scores.dtype == np.float32
    assert np.ptp(scores) > 1
    np.testing.assert_allclose(detector.encode(made_up), latent, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scores, errors.mean(axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(through(detector.network(), made_up)[:, 0], errors.mean(axis=1), rtol=1e-4, atol=1e-6)
    contributions = through(detector.contributions(), made_up)
    np.testing.assert_allclose(contributions, errors / 3, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(contributions.sum(axis=1), scores, rtol=1e-4, atol=1e-6)


def test_layers_are_symmetric_around_a_linear_latent_space() -> None:
    detector = Autoencoder(
        list("abcdefgh"), settings=AutoencoderSettings.model_validate({"preset": "compact", "epochs": 1})
    ).fit(np.random.default_rng(1).normal(size=(100, 8)).astype(np.float32))
    kinds = ["Linear", *["BatchNorm1d", "ReLU", "Dropout", "Linear"] * 3]
    for half, widths in ((detector.encoder, [8, 32, 16, 8, 4]), (detector.decoder, [4, 8, 16, 32, 8])):
        assert [type(layer).__name__ for layer in half] == kinds
        linear = [layer for layer in half if isinstance(layer, torch.nn.Linear)]
        assert [linear[0].in_features, *(layer.out_features for layer in linear)] == widths


def test_no_batch_norm_and_no_dropout_is_in_the_network(compact: Autoencoder) -> None:
    kinds = {type(module).__name__ for module in compact.network().modules()}
    assert not kinds & {"BatchNorm1d", "Dropout"}


def test_training_is_that_of_bare_torch(made_up: npt.NDArray[np.float32]) -> None:
    """The same steps written out without the class, from the same draws."""
    chosen = settings(epochs=4, validation=0.25)
    torch.manual_seed(7)
    relu, linear = torch.nn.ReLU, torch.nn.Linear
    net = torch.nn.Sequential(linear(3, 12), relu(), linear(12, 6), relu(), linear(6, 2))
    net.extend([linear(2, 6), relu(), linear(6, 12), relu(), linear(12, 3)])
    scaled = torch.from_numpy(StandardScaler().fit_transform(made_up.astype(np.float64)).astype(np.float32))
    order = torch.randperm(3000)
    validation, training = scaled[order[:750]], scaled[order[750:]]
    adam = torch.optim.Adam(net.parameters(), lr=0.01)
    losses = []
    for _ in range(4):
        shuffled = training[torch.randperm(2250)]
        for first in range(0, 2250, 64):
            batch = shuffled[first : first + 64]
            adam.zero_grad()
            ((net(batch) - batch) ** 2).mean().backward()
            adam.step()
        with torch.no_grad():
            losses.append(float(((net(validation) - validation) ** 2).mean()))
    detector = Autoencoder(FEATURES, settings=chosen, seed=7).fit(made_up)
    np.testing.assert_allclose(detector.history.validation, losses, rtol=1e-4)
    assert losses == sorted(losses, reverse=True)  # so the last epoch is the best
    with torch.no_grad():
        expected = ((net(scaled) - scaled) ** 2).mean(dim=1).numpy()
    np.testing.assert_allclose(detector.score(made_up), expected, rtol=1e-3, atol=1e-5)


def test_a_net_as_wide_as_the_data_learns_to_reconstruct_them() -> None:
    """Two of four features are sums of the others: two latent numbers suffice, one does not."""
    random = np.random.default_rng(3)
    X = random.normal(size=(2000, 2))
    X = np.column_stack([X, X[:, 0] + X[:, 1], X[:, 0] - X[:, 1]]).astype(np.float32)
    two, one = (
        Autoencoder(list("abcd"), settings=settings(latent=latent, epochs=30, activation="elu")).fit(X)
        for latent in (2, 1)
    )
    assert np.mean(two.score(X)) < 0.01  # of a variance of 1
    assert np.mean(one.score(X)) > 0.1
    # An event that breaks the sums, by features each of which is usual, is more anomalous than all of them.
    assert two.score(np.array([[1.0, 1.0, 2.0, 4.0]], dtype=np.float32))[0] > two.scores.max()


def test_best_epoch_is_kept_and_training_stops_when_it_is_long_past(made_up: npt.NDArray[np.float32]) -> None:
    calls: list[tuple[int, int]] = []
    chosen = settings(epochs=60, patience=2, learning_rate=0.05, batch_size=16)
    detector = Autoencoder(FEATURES, settings=chosen).fit(made_up[:300], progress=lambda *c: calls.append(c))
    losses, epochs = detector.history.validation, len(detector.history.validation)
    assert len(detector.history.training) == epochs
    assert epochs < 60
    assert int(np.argmin(losses)) == epochs - 3
    assert calls == [*((epoch, 60) for epoch in range(1, epochs)), (epochs, epochs)]
    # The 60 validation events are the first that are drawn after the weights; their loss is that of the best epoch.
    with torch.random.fork_rng([]):
        torch.manual_seed(42)
        for inputs, outputs in ((3, 12), (12, 6), (6, 2), (2, 6), (6, 12), (12, 3)):
            torch.nn.Linear(inputs, outputs)
        kept = torch.randperm(300)[:60].numpy()
    assert float(detector.score(made_up[:300])[kept].mean()) == pytest.approx(min(losses), rel=1e-5)


def test_a_training_that_does_not_stop_early_reports_every_epoch(made_up: npt.NDArray[np.float32]) -> None:
    calls: list[tuple[int, int]] = []
    Autoencoder(FEATURES, settings=settings()).fit(made_up, progress=lambda *c: calls.append(c))
    assert calls == [(1, 3), (2, 3), (3, 3)]


def members_by_numpy(detector: Autoencoder, X: Array) -> tuple[list[Array], Array]:
    """Latent coordinates of each member, and squared errors of the mean of what they reconstruct."""
    scaled = (X.astype(np.float64) - detector.scaler.mean_) / detector.scaler.scale_
    latent, found = [], []
    for k in range(detector.settings.members):
        halves = []
        for half in (detector.encoder, detector.decoder):
            weights = {}
            for key, tensor in half.state_dict().items():
                of_member = tensor[k].double().numpy()
                weights[key] = of_member.T if key.endswith("weight") else of_member[0]
            halves.append(weights)
        latent.append(forward(halves[0], detector.settings.activation, False, scaled))
        found.append(forward(halves[1], detector.settings.activation, False, latent[-1]))
    return latent, (np.mean(found, axis=0) - scaled) ** 2


@pytest.fixture(scope="module")
def denoising(made_up: npt.NDArray[np.float32]) -> Autoencoder:
    return Autoencoder(FEATURES, settings=AutoencoderSettings(members=4, epochs=4)).fit(made_up)


def test_members_score_by_the_mean_of_what_they_reconstruct(
    made_up: npt.NDArray[np.float32], denoising: Autoencoder
) -> None:
    latent, errors = members_by_numpy(denoising, made_up)
    assert latent[0].shape == (3000, 1)
    assert np.ptp([coordinates[0] for coordinates in latent]) > 0.01  # no two networks are the same
    np.testing.assert_allclose(denoising.encode(made_up), np.hstack(latent), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(denoising.score(made_up), errors.mean(axis=1), rtol=1e-5, atol=1e-6)
    network = denoising.network()
    np.testing.assert_allclose(through(network, made_up)[:, 0], errors.mean(axis=1), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(through(denoising.contributions(), made_up), errors / 3, rtol=1e-4, atol=1e-5)
    widths = [layer.weight.shape for layer in network.modules() if isinstance(layer, Dense)]
    assert widths == [(3, 64), (64, 4), (4, 64), (64, 3)]


def test_training_of_a_member_is_that_of_bare_torch(made_up: npt.NDArray[np.float32]) -> None:
    """One network with noise, the same steps written out without the class, from the same draws."""
    chosen = AutoencoderSettings(
        members=1, layers=(12,), latent=1, noise=0.5, epochs=2, batch_size=64, learning_rate=0.01
    )
    torch.manual_seed(7)
    sigmoid, linear = torch.nn.Sigmoid, torch.nn.Linear
    net = torch.nn.Sequential(linear(3, 12), sigmoid(), linear(12, 1), linear(1, 12), sigmoid(), linear(12, 3))
    scaled = torch.from_numpy(StandardScaler().fit_transform(made_up.astype(np.float64)).astype(np.float32))
    order = torch.randperm(3000)
    validation, training = scaled[order[:600]], scaled[order[600:]]
    blurred = validation + 0.5 * torch.randn(600, 3)
    adam = torch.optim.Adam(net.parameters(), lr=0.01)
    losses = []
    for _ in range(2):
        shuffled = training[torch.randperm(2400)]
        for batch in shuffled.split(64):
            adam.zero_grad()
            ((net(batch + 0.5 * torch.randn(batch.shape)) - batch) ** 2).mean().backward()
            adam.step()
        with torch.no_grad():
            losses.append(float(((net(blurred) - validation) ** 2).mean()))
    detector = Autoencoder(FEATURES, settings=chosen, seed=7).fit(made_up)
    np.testing.assert_allclose(detector.history.validation, losses, rtol=1e-4)


def test_two_seeds_of_the_default_agree_as_its_halves_say() -> None:
    """A curved sheet of two numbers in five features, and tails off it."""
    random = np.random.default_rng(8)
    two = random.normal(size=(4000, 2))
    X = np.column_stack([two, two[:, 0] * two[:, 1], two[:, 0] ** 2, np.sin(two[:, 1])])
    X = (X + random.standard_t(3, X.shape) * 0.1).astype(np.float32)
    one, other = (Autoencoder(list("abcde"), seed=seed).fit(X) for seed in (1, 2))
    common = np.mean(other.predict(X)[one.predict(X)])
    assert common > 0.85
    (note,) = one.notes
    said = re.fullmatch(
        "two halves of its 8 networks flag ([0-9]+)% of the same events; all of them, trained with two seeds, about as "
        "many",
        note,
    )
    assert said
    assert abs(int(said[1]) / 100 - common) < 0.1


def test_result_depends_on_the_seed_alone(made_up: npt.NDArray[np.float32], compact: Autoencoder) -> None:
    chosen, threads = compact.settings, torch.get_num_threads()
    scores = compact.score(made_up)
    torch.manual_seed(99)
    torch.rand(1234)
    before = torch.get_rng_state()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            again = Autoencoder(FEATURES, settings=chosen).fit(made_up)
            np.testing.assert_array_equal(again.score(made_up), scores)
            assert again.history == compact.history
            assert again.threshold == compact.threshold
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(torch.get_rng_state(), before)
    other = Autoencoder(FEATURES, settings=chosen, seed=43).fit(made_up)
    assert np.mean(other.score(made_up) != scores) > 0.9


def test_a_long_sample_is_scored_as_its_parts(made_up: npt.NDArray[np.float32], compact: Autoencoder) -> None:
    """It goes through the network in several chunks."""
    scores = compact.score(np.tile(made_up, (7, 1)))
    np.testing.assert_allclose(scores, np.tile(compact.score(made_up), 7), rtol=1e-6)


@pytest.mark.parametrize(
    "changes", [{}, {"preset": "compact"}, {"activation": "selu"}, {"preset": "denoising"}], ids=str
)
def test_extreme_events_have_finite_and_the_highest_scores(
    made_up: npt.NDArray[np.float32], changes: dict[str, object]
) -> None:
    detector = Autoencoder(FEATURES, settings=settings(**changes)).fit(made_up)
    X = np.tile(made_up[100], (5, 1))
    X[0, 0], X[1, 1], X[2], X[3], X[4, 2] = 1e30, -1e30, 3e38, -3e38, 3e38
    scores = detector.score(X)
    assert np.isfinite(scores).all()
    assert (scores > detector.scores.max()).all()
    np.testing.assert_allclose(through(detector.network(), X)[:, 0], scores, rtol=1e-3)
    # Beyond the bound nothing changes any more.
    at_bound = X.copy()
    at_bound[0, 0] = 2 * BOUND * detector.scaler.scale_[0]
    assert detector.score(at_bound)[0] == scores[0]


@pytest.mark.parametrize("events", [10, 11, 21, 65])
def test_few_events_and_a_batch_of_one(events: int) -> None:
    """Batch norm knows no variance of a single event, as the last batch of 8 + 1, 16 + 1 or 51 + 1 events would be."""
    X = np.random.default_rng(2).normal(size=(events, 3)).astype(np.float32)
    chosen = settings(batch_norm=True, batch_size=8 if events < 65 else 51)
    detector = Autoencoder(FEATURES, settings=chosen).fit(X)
    assert np.isfinite(detector.history.training + detector.history.validation).all()
    assert np.isfinite(detector.score(X)).all()


def test_too_few_events_are_refused() -> None:
    with pytest.raises(TrainingError, match=r"^autoencoder: 9 training events, at least 10 are needed"):
        Autoencoder(FEATURES).fit(np.random.default_rng(2).normal(size=(9, 3)).astype(np.float32))


def test_a_training_that_explodes_says_what_to_do(made_up: npt.NDArray[np.float32]) -> None:
    chosen = settings(learning_rate=1e18)
    with pytest.raises(
        TrainingError, match=r"^autoencoder: the loss .+ epoch 1; set a smaller learning_rate than 1e\+18"
    ):
        Autoencoder(FEATURES, settings=chosen).fit(made_up)


def test_contributions_can_be_exported_and_evaluated(
    made_up: npt.NDArray[np.float32], compact: Autoencoder, tmp_path: Path
) -> None:
    export_onnx(compact.contributions(), FEATURES, tmp_path / "contributions.onnx")
    evaluator = ReferenceEvaluator(str(tmp_path / "contributions.onnx"))
    _, errors = by_numpy(compact, made_up[:20])
    for event, expected in zip(made_up[:20], errors / 3, strict=True):
        (found,) = evaluator.run(None, {"features": event[np.newaxis]})
        np.testing.assert_allclose(found, expected[np.newaxis], rtol=1e-4, atol=1e-6)
