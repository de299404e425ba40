"""Four regions of a plane, A = B C / D: significance, limits and toys, by compiled code."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from rdf.code.compiler import MACROS
from rdf.code.interpreter import ROOT, first_reason
from rdf.code.library import Library, compile_library
from rdf.errors import StatisticsFailed
from rdf.statistics.significance import FEWEST_EVENTS, LOCAL_TOYS, SMALLEST, LocalP
from rdf.statistics.spectrum import Numbers

Counts = npt.NDArray[np.int64]

LIMIT_TOYS = 40_000
"""Toys of each number of signal events, with it and without any, of a limit by toys."""

MOST_FAILED = 0.01
"""Fraction of toys without a fit, above which no probability is told."""


@dataclass(frozen=True)
class Regions:
    """Events of the four regions.

    Attributes:
        a: where both observables are large, the region of a signal; a whole number for data, any for expectations.
        b: where the first one alone is large.
        c: where the second one alone is large.
        d: where none is.
        closure: relative error of the prediction B C / D; a factor (1 + closure)^t multiplies it, of which t is
            measured as 0 with the error 1.
    """

    a: float
    b: float
    c: float
    d: float
    closure: float

    @property
    def prediction(self) -> float:
        """Events that are expected in A, B C / D."""
        return self.b * self.c / self.d

    @property
    def statistical_error(self) -> float:
        """Error of the prediction from the counts of B, C and D [events]."""
        return self.prediction * math.sqrt(1 / self.b + 1 / self.c + 1 / self.d)

    @property
    def prediction_error(self) -> float:
        """Error of the prediction with that of the closure [events]."""
        return math.hypot(self.statistical_error, self.prediction * self.closure)

    @property
    def exponent(self) -> float:
        """Logarithm of the factor by which one standard deviation of the closure multiplies the prediction."""
        return math.log1p(self.closure)


@dataclass(frozen=True)
class CountLimits:
    """Upper limits on the events of a signal in A, at 95 % confidence level by CLs.

    Attributes:
        observed: of the counts.
        expected: without a signal, at -2, -1, 0, 1 and 2 standard deviations.
        by: "asymptotic", or "toys" where few background events are expected.
        toys: of each number of signal events; 0 for the asymptotic formula.
    """

    observed: float
    expected: tuple[float, float, float, float, float]
    by: Literal["asymptotic", "toys"]
    toys: int


def abcd_library() -> Library:
    """Have the fits compiled."""
    node = "statistics/abcd_calls"
    return compile_library(f'#include "{node}.cxx"\n', f"macros/{node}.cxx", f'#include "{MACROS / node}.hxx"')


def significance(regions: Regions) -> float:
    """Return the signed root of the profile likelihood ratio of no signal, negative for a deficit."""
    counts = np.array([[regions.a, regions.b, regions.c, regions.d]])
    return float(significances(counts, np.zeros(1), regions.closure)[0])


def significances(counts: npt.ArrayLike, measured: npt.ArrayLike, closure: float) -> Numbers:
    """Return the signed roots of many data sets, NaN where there is none.

    Args:
        counts: of A, B, C and D, shape (data sets, 4).
        measured: value of the nuisance parameter of the closure in each, shape (data sets,).
        closure: relative error of the prediction.
    """
    with _compiled() as calls:
        found = calls.significances(_vector(counts), _vector(measured), math.log1p(closure))
        return np.array(list(found), dtype=np.float64)


def fitted_background(regions: Regions) -> Regions:
    """Return the rates of the four regions by the fit without a signal."""
    with _compiled() as calls:
        a, b, c, d, _ = calls.rates(_counts(regions), regions.exponent)
    return Regions(a, b, c, d, regions.closure)


def local_p(regions: Regions, seed: int) -> LocalP:
    """Return the probability of at least this significance without a signal.

    Args:
        regions: the counts; where fewer than ten events are predicted in A, the probability is one of toys.
        seed: of the toys.

    Raises:
        StatisticsFailed: more than 1 % of the toys have no fit.
    """
    z = significance(regions)
    if regions.prediction >= FEWEST_EVENTS:
        return LocalP(max(float(norm.sf(z)), SMALLEST), "asymptotic", 0, 0)
    with _compiled() as calls:
        toys = np.array(list(calls.toys(_counts(regions), regions.exponent, seed, 0, LOCAL_TOYS)))
    good = counted(toys)
    above = int((good >= z - 1e-9).sum())
    return LocalP((1 + above) / (1 + len(good)), "toys", len(good), above)


def upper_limits(regions: Regions, seed: int) -> CountLimits:
    """Return the upper limits on the events of a signal that lies in A alone.

    Args:
        regions: the counts; where fewer than ten events are predicted in A, limits come from toys.
        seed: of the toys.

    Raises:
        StatisticsFailed: a limit cannot be found.
    """
    with _compiled() as calls:
        if regions.prediction >= FEWEST_EVENTS:
            found, toys = calls.limits(_counts(regions), regions.exponent), 0
        else:
            found, toys = calls.toy_limits(_counts(regions), regions.exponent, seed, LIMIT_TOYS), LIMIT_TOYS
        least, low, median, high, most = (float(value) for value in found.expected)
    by: Literal["asymptotic", "toys"] = "toys" if toys else "asymptotic"
    return CountLimits(float(found.observed), (least, low, median, high, most), by, toys)


def permuted_tables(levels: Counts, toys: int, random: np.random.Generator) -> Counts:
    """Return tables of counts of toys in which one observable is permuted against the other.

    A permutation keeps how many events lie in each class of either observable, and is what independence means; the
    table of its counts is thrown cell by cell from the hypergeometric distribution, which is exact.

    Args:
        levels: table of counts of the data, shape (classes of the first, classes of the second).
        toys: number of tables.
        random: generator.

    Returns:
        Shape (toys, *shape of the table).
    """
    rows, columns = levels.sum(axis=1), levels.sum(axis=0)
    found = np.zeros((toys, *levels.shape), dtype=np.int64)
    left = np.repeat(columns[None, :], toys, axis=0)
    for i, row in enumerate(rows[:-1]):
        missing = np.full(toys, row, dtype=np.int64)
        for j in range(len(columns) - 1):
            found[:, i, j] = random.hypergeometric(left[:, j], left[:, j + 1 :].sum(axis=1), missing)
            missing -= found[:, i, j]
        found[:, i, -1] = missing
        left -= found[:, i]
    found[:, -1] = left
    return found


def regions_of_tables(tables: Counts, level: int) -> Counts:
    """Return A, B, C and D of tables, shape (tables, 4), for the cut that keeps the classes from a level on."""
    high, low = slice(level, None), slice(None, level)
    quarters = ((high, high), (high, low), (low, high), (low, low))
    return np.stack([tables[:, x, y].sum(axis=(1, 2)) for x, y in quarters], axis=1)


def largest_significances(
    tables: Counts, levels: Sequence[int], closure: float, random: np.random.Generator
) -> Numbers:
    """Return the largest significance of nested cuts in each toy; NaN where a cut has no fit.

    Args:
        tables: counts of the toys, as `permuted_tables` gives them.
        levels: of the cuts.
        closure: relative error of the prediction. Its nuisance parameter is thrown once for each toy, the same for all
            cuts, else the error would make the data less significant than the toys.
        random: generator.
    """
    measured = random.normal(size=len(tables))
    rows = [significances(regions_of_tables(tables, level), measured, closure) for level in levels]
    return np.asarray(np.max(rows, axis=0))


def counted(toys: Numbers) -> Numbers:
    """Return the toys that have a fit.

    Raises:
        StatisticsFailed: more than 1 % have none.
    """
    good = toys[np.isfinite(toys)]
    if len(good) < (1 - MOST_FAILED) * len(toys):
        raise StatisticsFailed(
            f"a fit of {1 - len(good) / len(toys):.1%} of the toys does not come to an end; take looser cuts"
        )
    return good


@contextmanager
def _compiled() -> Iterator[Any]:
    """Yield the compiled functions; what they throw becomes an error of one line."""
    abcd_library().load()
    try:
        yield ROOT.abcd_calls
    except StatisticsFailed:
        raise
    except Exception as error:
        raise StatisticsFailed(f"four regions: {first_reason(error)}; take looser cuts") from error


def _vector(values: npt.ArrayLike) -> Any:
    return ROOT.std.vector["double"](np.ascontiguousarray(values, dtype=np.float64).ravel())


def _counts(regions: Regions) -> Any:
    return _vector([regions.a, regions.b, regions.c, regions.d])
