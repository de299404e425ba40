"""What the networks of dense layers have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch

from models.detectors.scaling import Standardise
from models.detectors.settings import Activation
from models.rounding import UNIT_ROUNDOFF

BOUND = 1e6
"""Standard deviations at which scaled features are cut off to either side, so that squares of a network's numbers fit a
float32. One of n training events is at most sqrt(n - 1) standard deviations off, so none of them is ever cut."""

ACTIVATIONS: Mapping[Activation, type[torch.nn.Module]] = {
    "relu": torch.nn.ReLU,
    "leaky_relu": torch.nn.LeakyReLU,
    "elu": torch.nn.ELU,
    "selu": torch.nn.SELU,
    "tanh": torch.nn.Tanh,
    "sigmoid": torch.nn.Sigmoid,
}


class BoundedStandardise(Standardise):
    """`Standardise`, cut off at `BOUND`."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map raw features to scaled ones, both of shape (events, features)."""
        return super().forward(features).clamp(-BOUND, BOUND)


class Dense(torch.nn.Module):
    """A trained linear layer in float32, with the weights of an input side by side.

    One event at a time, that is the order in which they can be read as they lie in memory while the sums of all outputs
    grow together. torch.nn.Linear has the weights of an output side by side.
    """

    weight: torch.Tensor
    bias: torch.Tensor

    def __init__(self, weight: npt.NDArray[np.floating], bias: npt.NDArray[np.floating]) -> None:
        """Take the weights, shape (inputs, outputs), and the biases, shape (outputs,)."""
        super().__init__()
        self.register_buffer("weight", torch.tensor(weight, dtype=torch.float32).contiguous())
        self.register_buffer("bias", torch.tensor(bias, dtype=torch.float32))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map shape (..., inputs) to (..., outputs)."""
        return values @ self.weight + self.bias


class MemberLayer(torch.nn.Module):
    """Linear layers of several networks side by side, with weights drawn as torch.nn.Linear draws them."""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        """Draw weights, shape (members, inputs, outputs), and biases, shape (members, 1, outputs)."""
        super().__init__()
        width = inputs**-0.5
        self.weight = torch.nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-width, width))
        self.bias = torch.nn.Parameter(torch.empty(members, 1, outputs).uniform_(-width, width))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map shape (members, events, inputs), or (events, inputs) for all of them, to (members, events, outputs)."""
        return torch.baddbmm(self.bias, values.expand(len(self.weight), -1, -1), self.weight)


class MeanOfMembers(torch.nn.Module):
    """The mean of what several networks make of an event."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map shape (members, events, outputs) to (events, outputs)."""
        return values.mean(dim=0)


FEW_OPERATIONS = 4
"""Roundings of a scaling or an activation."""
DEVIATIONS = 5
"""Standard deviations of a rounding error that follows from many within which it is taken to be."""


def rounded_through(net: Iterable[torch.nn.Module], values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Send values through layers and follow what the rounding of float32 does to them there.

    Roundings of the many terms of a layer are as often up as down: their squares add up, as variances do.

    Args:
        net: layers of `Dense` and of functions of single numbers.
        values: which a scaling in float32 made, shape (events, inputs).

    Returns:
        What comes out, and the variance of its rounding error, both of shape (events, outputs).
    """
    variance = (FEW_OPERATIONS * UNIT_ROUNDOFF * values) ** 2
    for layer in net:
        if isinstance(layer, Dense):
            weight, bias = layer.weight.to(values.dtype), layer.bias.to(values.dtype)
            squares = values**2 @ weight**2 + bias**2
            # A term is rounded itself, and again with each partial sum that it is in.
            variance = variance @ weight**2 + UNIT_ROUNDOFF**2 * (1 + len(weight) / 2) * squares
            values = values @ weight + bias
        else:
            with torch.enable_grad():
                inputs = values.detach().requires_grad_()
                outputs: torch.Tensor = layer(inputs)
                (slope,) = torch.autograd.grad(outputs, inputs, torch.ones_like(outputs))
            values = outputs.detach()
            variance = variance * slope**2 + (FEW_OPERATIONS * UNIT_ROUNDOFF * values) ** 2
    return values, variance


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread: sums come out the same on any machine, and nets this small are no slower."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
