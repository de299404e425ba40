"""A count in one region of a spectrum by scipy's minimum of the Poisson likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

Numbers = npt.NDArray[np.float64]

NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)


@dataclass(frozen=True)
class Counted:
    """A count by scipy: its significance, and the background of the region with its error."""

    z: float
    background: float
    error: float


def by_scipy(counts: Numbers, edges: Numbers, region: int, parameters: int, spurious: float = 0.0) -> Counted:
    """Fit exp(polynomial) to the sidebands, and to all bins without a signal, each by the least deviance.

    Args:
        counts: of the bins, shape (bins,).
        edges: of these, shape (bins + 1,).
        region: index of the bin of the region.
        parameters: of the function.
        spurious: standard deviation of events of the region that are no signal.
    """
    low, high = edges[:-1, None], edges[1:, None]
    masses = (low + high) / 2 + (high - low) / 2 * NODES
    terms = np.array(
        [((2 * masses - edges[0] - edges[-1]) / (edges[-1] - edges[0])) ** power for power in range(parameters)]
    )
    beside = np.arange(len(counts)) != region

    def expected(values: Numbers) -> Numbers:
        density = np.exp(np.tensordot(values[:parameters], terms, 1))
        return np.asarray((density * WEIGHTS * (high - low) / 2).sum(axis=1))

    def half_deviance(values: Numbers, used: npt.NDArray[np.bool_]) -> float:
        mu = expected(values)
        if len(values) > parameters:
            mu[region] += spurious * values[parameters]
        if (mu <= 0).any():
            return 1e9
        logs = np.where(counts > 0, counts * np.log(np.maximum(counts, 1) / mu), 0)
        return float((mu - counts + logs)[used].sum()) + (values[parameters:] ** 2).sum() / 2

    def least(start: Numbers, used: npt.NDArray[np.bool_]) -> tuple[Numbers, float]:
        values = start
        for method in ("Nelder-Mead", "BFGS", "Nelder-Mead"):
            options = {"xatol": 1e-9, "fatol": 1e-11, "maxiter": 20_000} if method == "Nelder-Mead" else {}
            values = minimize(half_deviance, values, (used,), method=method, options=options).x
        return values, half_deviance(values, used)

    flat = np.zeros(parameters)
    flat[0] = np.log(counts[beside].sum() / np.diff(edges)[beside].sum())
    free, with_signal = least(flat, beside)
    everywhere = np.ones(len(counts), dtype=np.bool_)
    _, without = least(np.append(free, 0.0) if spurious else free, everywhere)
    background = expected(free)[region]
    # The error by the curvature: the matrix of second derivatives of a Poisson likelihood at its expected counts.
    slopes = np.array(
        [(expected(free + 1e-6 * step) - expected(free - 1e-6 * step)) / 2e-6 for step in np.eye(parameters)]
    )
    information = (slopes[:, beside] / expected(free)[beside]) @ slopes[:, beside].T
    error = np.sqrt(slopes[:, region] @ np.linalg.solve(information, slopes[:, region]))
    z = np.sign(counts[region] - background) * np.sqrt(2 * max(without - with_signal, 0))
    return Counted(float(z), float(background), float(error))
