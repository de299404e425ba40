"""Autoencoder: unusual events are badly reconstructed from the few numbers that suffice for the usual ones.

A network of dense layers, trained by torch. Encoder: for each of the widths in `layers` a linear layer, batch norm if
it is set, the activation, dropout if it is set; then a linear layer to the latent space, with nothing after it, so that
its coordinates are not folded or cut off. The decoder is the mirror image and ends in a linear layer too, as scaled
features have any sign and size.

With `noise` it learns to find events from what noise has left of them (P. Vincent et al., "Stacked Denoising
Autoencoders", JMLR 11 (2010) 3371). What it changes of an event without noise points to where events are more frequent,
and grows with the distance (G. Alain, Y. Bengio, JMLR 15 (2014) 3743): so it can neither copy its input nor follow far
off what it has learned. With several `members` the reconstruction is the mean over networks that have been trained from
different weights, which hardly depends on the seed.

The preset `denoising` was chosen by how many flags two seeds share on cms2010b and by simulated signals, its noise also
by what tells the signal of lhco_test.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel
from scipy.linalg import block_diag
from sklearn.preprocessing import StandardScaler
from torch.nn.functional import mse_loss

from models.detectors.dense import (
    ACTIVATIONS,
    DEVIATIONS,
    FEW_OPERATIONS,
    BoundedStandardise,
    Dense,
    MeanOfMembers,
    MemberLayer,
    one_thread,
    rounded_through,
)
from models.detectors.detector import Detector, Diagnostics, Features, Labels, Progress, Scores
from models.detectors.settings import AutoencoderSettings
from models.errors import TrainingError
from models.rounding import FEW, UNIT_ROUNDOFF
from models.tables import ErrorSummary, History, Reconstruction
from models.thresholds import Rounding

MIN_STEPS = 20
"""Steps of an epoch, at least: few events come in smaller batches, or an epoch would teach nothing."""

BLOCK = 16384
"""Events that go through the network at once where nothing is learned."""


RECONSTRUCTED_EVENTS = 50_000
"""Events whose reconstruction errors are summed up, at most; drawn at random."""


class Autoencoder(Detector):
    """StandardScaler and an autoencoder; the score is the mean squared error over an event's scaled features.

    Attributes:
        settings: architecture and training.
        history: mean squared errors over the scaled features, one an epoch; set by `fit`. That of the training is the
            mean over the epoch's batches, with dropout and while the weights change; that of the validation events is
            taken after the epoch.
    """

    name: ClassVar[str] = "autoencoder"
    Settings: ClassVar[type[BaseModel]] = AutoencoderSettings
    settings: AutoencoderSettings
    history: History

    @property
    def minimum_events(self) -> int:
        """Ten: below that neither a batch nor a validation sample is worth the name."""
        return 10

    def learn(self, X: Features, labels: Labels | None, progress: Progress) -> None:
        """Train the network, and say where nothing forces it to learn, and how much of it is chance."""
        latent = self.settings.latent_width(len(self.features))
        if latent >= len(self.features) and not self.settings.noise:
            self.notes.append(
                f"a latent layer of {latent} for {len(self.features)} features can let every event pass "
                "as it is; fewer, as in the preset compact, may find more"
            )
        self.scaler = StandardScaler().fit(X.astype(np.float64))
        scaled = torch.from_numpy(self.scaler.transform(X.astype(np.float64)).astype(np.float32))
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        # Dropout draws from torch's global generators: they are seeded for the training and put back after it.
        with one_thread(), torch.random.fork_rng(range(torch.cuda.device_count())):
            torch.manual_seed(self.seed)
            self.encoder, self.decoder = layers(len(self.features), self.settings)
            self._train(scaled.to(device), progress)
            if self.settings.members > 1:
                self._note_halves(scaled)

    def _note_halves(self, scaled: torch.Tensor) -> None:
        """Note how many of their flags two halves of the members share: with another seed they differ as these do."""
        net = torch.nn.Sequential(self.encoder, self.decoder)
        with torch.no_grad():
            errors = [
                torch.stack([(half.mean(dim=0) - block).square().mean(dim=1) for half in net(block).chunk(2)])
                for block in torch.split(scaled.cpu(), BLOCK)
            ]
        scores = torch.cat(errors, dim=1).numpy()
        one, other = (half > self.rule.threshold(half) for half in scores)
        flagged = max(int(one.sum()), int(other.sum()))
        if flagged:
            self.notes.append(
                f"two halves of its {self.settings.members} networks flag {int((one & other).sum()) / flagged:.0%} of "
                "the same events; all of them, trained with two seeds, about as many"
            )

    def _train(self, scaled: torch.Tensor, progress: Progress) -> None:
        """Train the encoder and the decoder until the validation loss falls no more, and keep the best of them."""
        settings = self.settings
        validation, training = self._split(scaled)
        blurred = _blurred(validation, settings)
        batch_size = min(settings.batch_size, max(len(training) // MIN_STEPS, 2))
        net = torch.nn.Sequential(self.encoder, self.decoder).to(scaled.device)
        best = copy.deepcopy(net.state_dict())
        optimiser = torch.optim.Adam(net.parameters(), lr=settings.learning_rate, fused=True)
        self.history = History(training=[], validation=[])
        best_epoch = 0
        for epoch in range(1, settings.epochs + 1):
            self.history.training.append(_train_epoch(net, optimiser, training, batch_size, settings))
            self.history.validation.append(loss := _validation_loss(net, blurred, validation))
            if not math.isfinite(self.history.training[-1] + loss):
                raise TrainingError(
                    f"autoencoder: the loss is not finite after epoch {epoch}; "
                    f"set a smaller learning_rate than {settings.learning_rate:g}"
                )
            if loss < min(self.history.validation[:-1], default=math.inf):
                best, best_epoch = copy.deepcopy(net.state_dict()), epoch
            stops = epoch - best_epoch >= settings.patience
            progress(epoch, epoch if stops else settings.epochs)
            if stops:
                break
        net.load_state_dict(best)
        net.cpu().eval()

    def _split(self, scaled: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw the validation events, one at least, and leave two at least for the training."""
        count = min(max(round(len(scaled) * self.settings.validation), 1), len(scaled) - 2)
        order = torch.randperm(len(scaled)).to(scaled.device)
        return scaled[order[:count]], scaled[order[count:]]

    def score(self, X: Features) -> Scores:
        """Return the mean squared error over the scaled features, shape (events,); higher is more anomalous.

        It is computed in float64: a good reconstruction leaves small differences of large numbers, in which float32
        loses digits.
        """
        errors = _in_blocks(ReconstructionErrors(self.scaler, self._net()).double(), X)
        scores: Scores = errors.sum(axis=1).astype(np.float32)
        return scores

    def rounding(self, X: Features, scores: Scores) -> Rounding:
        """Return what rounding can change of the mean square of differences, which are small where all is well."""
        net = folded([*self.encoder, *self.decoder])
        bounds = _in_blocks(RoundingOfErrors(BoundedStandardise(self.scaler).double(), net), X)
        return np.asarray(
            bounds.sum(axis=1) + (FEW + X.shape[1]) * UNIT_ROUNDOFF * scores.astype(np.float64), dtype=np.float64
        )

    def squared_errors(self, X: Features) -> npt.NDArray[np.float64]:
        """Return the squared error of each scaled feature, shape (events, features); their mean is the score."""
        network = ReconstructionErrors(self.scaler, self._net()).double()
        errors: npt.NDArray[np.float64] = X.shape[1] * _in_blocks(network, X)
        return errors

    def _net(self) -> torch.nn.Sequential:
        """Return a copy of what reconstructs scaled features."""
        net = copy.deepcopy(torch.nn.Sequential(self.encoder, self.decoder))
        return net.append(MeanOfMembers()) if self.settings.members > 1 else net

    def describe_training(self, X: Features) -> Diagnostics:
        """Return the losses, and the reconstruction errors of flagged and of unflagged events.

        They are summed up over `RECONSTRUCTED_EVENTS` of the events at most.
        """
        picked = np.sort(np.random.default_rng(self.seed).permutation(len(X))[:RECONSTRUCTED_EVENTS])
        errors = self.squared_errors(X[picked])
        flagged = errors.mean(axis=1).astype(np.float32) > self.threshold
        return Diagnostics(
            self.history,
            Reconstruction(normal=error_summary(errors[~flagged]), flagged=error_summary(errors[flagged])),
        )

    def encode(self, X: Features) -> npt.NDArray[np.float64]:
        """Return the coordinates of events in the latent spaces of all members, shape (events, members x latent)."""
        net = torch.nn.Sequential(BoundedStandardise(self.scaler), copy.deepcopy(self.encoder))
        if self.settings.members > 1:
            net.append(SideBySide())
        return _in_blocks(net.double(), X)

    def network(self) -> torch.nn.Module:
        """Return the scaling, the layers without dropout and with batch norm folded in, and the mean squared error."""
        return torch.nn.Sequential(self.contributions(), SumOverFeatures())

    def contributions(self) -> torch.nn.Module:
        """Return each scaled feature's squared error, divided by the number of features: together, the score."""
        return ReconstructionErrors(self.scaler, folded([*self.encoder, *self.decoder]))


class ReconstructionErrors(torch.nn.Module):
    """Squared error of each scaled feature, divided by the number of features."""

    def __init__(self, scaler: StandardScaler, net: torch.nn.Module) -> None:
        """Put together the scaling and the net that reconstructs scaled features."""
        super().__init__()
        self.scaling = BoundedStandardise(scaler)
        self.net = net

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map raw features to errors, both of shape (events, features)."""
        scaled = self.scaling(features)
        difference = self.net(scaled) - scaled
        errors: torch.Tensor = difference * difference / features.shape[1]
        return errors


class RoundingOfErrors(torch.nn.Module):
    """What rounding can change of the squared error of each scaled feature, divided by the number of features."""

    def __init__(self, scaling: BoundedStandardise, net: torch.nn.Sequential) -> None:
        """Put together the scaling, of float64, and the net that reconstructs scaled features, with `Dense` layers."""
        super().__init__()
        self.scaling = scaling
        self.net = net

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map raw features to bounds, both of shape (events, features)."""
        scaled = self.scaling(features).float()  # precise enough for a bound, and faster
        reconstructed, variance = rounded_through(self.net, scaled)
        error = DEVIATIONS * torch.sqrt(variance + (FEW_OPERATIONS * UNIT_ROUNDOFF * scaled) ** 2)
        bounds: torch.Tensor = (2 * (reconstructed - scaled).abs() + error) * error / features.shape[1]
        return bounds


class SideBySide(torch.nn.Module):
    """The numbers of all members in a row."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map shape (members, events, width) to (events, members x width)."""
        return values.permute(1, 0, 2).flatten(start_dim=1)


class SumOverFeatures(torch.nn.Module):
    """Sum over an axis that is named, as SOFIE needs it."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map shape (events, features) to (events, 1)."""
        return values.sum(dim=1, keepdim=True)


def error_summary(errors: npt.NDArray[np.float64]) -> ErrorSummary | None:
    """Sum up squared errors of shape (events, features); None without events."""
    if not len(errors):
        return None
    low, median, high = np.percentile(errors, (16, 50, 84), axis=0).tolist()
    return ErrorSummary(events=len(errors), mean=errors.mean(axis=0).tolist(), low=low, median=median, high=high)


def layers(features: int, settings: AutoencoderSettings) -> tuple[torch.nn.Sequential, torch.nn.Sequential]:
    """Return the encoder and the decoder, with weights drawn from torch's generator."""
    latent = settings.latent_width(features)
    encoder = _dense([features, *settings.layers, latent], settings)
    decoder = _dense([latent, *reversed(settings.layers), features], settings)
    return encoder, decoder


def _dense(widths: Sequence[int], settings: AutoencoderSettings) -> torch.nn.Sequential:
    """Linear layers from each width to the next, with what belongs to a hidden layer between them."""
    net = torch.nn.Sequential(_linear(widths[0], widths[1], settings.members))
    for inputs, outputs in pairwise(widths[1:]):
        if settings.batch_norm:
            net.append(torch.nn.BatchNorm1d(inputs))
        net.append(ACTIVATIONS[settings.activation]())
        if settings.dropout:
            net.append(torch.nn.Dropout(settings.dropout))
        net.append(_linear(inputs, outputs, settings.members))
    return net


def _linear(inputs: int, outputs: int, members: int) -> torch.nn.Module:
    return torch.nn.Linear(inputs, outputs) if members == 1 else MemberLayer(members, inputs, outputs)


def folded(net: Sequence[torch.nn.Module]) -> torch.nn.Sequential:
    """Return what a trained net does to an event: batch norm becomes part of the linear layer before it, dropout goes.

    Two batch norms of one width get the same names in SOFIE's C++, which then does not compile. Members become one net:
    its weights are theirs, with zeros between them, and its last layer takes the mean.
    """
    result = torch.nn.Sequential()
    members = [layer for layer in net if isinstance(layer, MemberLayer)]
    for layer in net:
        if isinstance(layer, torch.nn.Linear):
            result.append(Dense(layer.weight.detach().numpy().T, layer.bias.detach().numpy()))
        elif isinstance(layer, MemberLayer):
            result.append(_joined(layer, first=layer is members[0], last=layer is members[-1]))
        elif isinstance(layer, torch.nn.BatchNorm1d):
            result[-1] = _folded(result[-1], layer)
        elif not isinstance(layer, torch.nn.Dropout):
            result.append(layer)
    return result


def _joined(layer: MemberLayer, *, first: bool, last: bool) -> Dense:
    """Return one layer in the place of the same layer of all members, whose input in the first layer is common."""
    weights, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()[:, 0]
    if first:
        return Dense(np.hstack(list(weights)), bias.ravel())
    if last:
        return Dense(np.vstack(list(weights)) / len(weights), bias.mean(axis=0, dtype=np.float64))
    return Dense(block_diag(*weights), bias.ravel())


def _folded(layer: torch.nn.Module, norm: torch.nn.BatchNorm1d) -> Dense:
    """Return the layer that does what a layer and a batch norm after it do, in float64 up to the end."""
    before, after = (
        {name: tensor.double().numpy() for name, tensor in module.state_dict().items()} for module in (layer, norm)
    )
    factor = after["weight"] / np.sqrt(after["running_var"] + norm.eps)
    bias = (before["bias"] - after["running_mean"]) * factor + after["bias"]
    return Dense(before["weight"] * factor, bias)


def _blurred(events: torch.Tensor, settings: AutoencoderSettings) -> torch.Tensor:
    """Return events with noise, another one for each of several members."""
    if not settings.noise:
        return events
    shape = events.shape if settings.members == 1 else (settings.members, *events.shape)
    return events + settings.noise * torch.randn(shape).to(events.device)


def _train_epoch(
    net: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    events: torch.Tensor,
    batch_size: int,
    settings: AutoencoderSettings,
) -> float:
    """Take one step for each batch of the shuffled events, and return the mean of the losses."""
    net.train()
    losses = []
    for batch in torch.split(events[torch.randperm(len(events)).to(events.device)], batch_size):
        if len(batch) == 1:  # it has no variance to normalise by
            continue
        optimiser.zero_grad()
        found = net(_blurred(batch, settings))
        loss = mse_loss(found, batch.expand_as(found))
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(loss.detach())
    return float(torch.stack(losses).mean())


def _validation_loss(net: torch.nn.Module, blurred: torch.Tensor, events: torch.Tensor) -> float:
    net.eval()
    with torch.no_grad():
        blocks = zip(torch.split(blurred, BLOCK, dim=-2), torch.split(events, BLOCK), strict=True)
        squares = [(net(block) - exact).square().mean(dim=-1) for block, exact in blocks]
        return float(torch.cat(squares, dim=-1).mean())


def _in_blocks(network: torch.nn.Module, X: Features) -> npt.NDArray[np.float64]:
    """Send events of shape (events, features) through a network of float64, some at a time to keep memory small."""
    events = torch.from_numpy(np.asarray(X, dtype=np.float64))
    network.eval()
    with one_thread(), torch.no_grad():
        outputs: npt.NDArray[np.float64] = torch.cat([network(block) for block in torch.split(events, BLOCK)]).numpy()
    return outputs
