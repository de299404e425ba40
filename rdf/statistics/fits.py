"""Fits of spectra over the same bins, with one family of functions and one signal, by compiled code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rdf.code.compiler import MACROS
from rdf.code.interpreter import ROOT, first_reason
from rdf.code.library import Library, compile_library
from rdf.errors import SpectrumError
from rdf.statistics.fitted import (
    BackgroundFit,
    Choice,
    Cut,
    Limits,
    MassScan,
    Rule,
    SignalError,
    Templates,
    Toys,
    Truths,
    Verdict,
)
from rdf.statistics.functions import Family, SignalShape, Tails
from rdf.statistics.spectrum import Numbers, Spectrum


def statistics_library() -> Library:
    """Have the fits compiled."""
    node = "statistics/search"
    return compile_library(f'#include "{node}.cxx"\n', f"macros/{node}.cxx", f'#include "{MACROS / node}.hxx"')


class SpectrumFits:
    """Fits spectra over the same bins with the functions of a family and a signal on a grid of masses."""

    def __init__(self, edges: Numbers, family: Family, shape: SignalShape, masses: Sequence[float] | Numbers) -> None:
        """Prepare the fits.

        Args:
            edges: of the bins, shape (bins + 1,).
            family: of functions.
            shape: of the signal.
            masses: at which a signal is looked for.

        Raises:
            SpectrumError: the functions do not fit the bins.
            CompileError: the fits do not compile.
        """
        statistics_library().load()
        self.edges, self.family, self.shape = edges, family, shape
        self.masses = np.asarray(masses, dtype=np.float64)
        scale = family.scale(edges)
        sigmas = shape.resolution * self.masses
        self.shapes = signal_fractions(edges, self.masses, sigmas, shape.tails)
        """Fraction of a signal in each bin, shape (masses, bins)."""
        self.shifts = np.zeros((len(shape.systematics), *self.shapes.shape))
        """Change of `shapes` by one standard deviation of each systematic error, shape (errors, masses, bins)."""
        for shift, error in zip(self.shifts, shape.systematics, strict=True):
            up, down = (
                signal_fractions(
                    edges,
                    self.masses * (1 + side * error.peak),
                    sigmas * (1 + side * error.width),
                    shape.tails,
                )
                for side in (1, -1)
            )
            shift[:] = (up - down) / 2
        ranges = (family.first, family.last, scale, _vector(edges), _vector(self.shapes.ravel()))
        try:
            self._search = ROOT.statistics.Search(family.name, *ranges)
            self._search.vary_signal(
                _vector(self.shifts.ravel()), _vector([error.log_yield for error in shape.systematics])
            )
        except Exception as error:
            raise SpectrumError(
                f"{family.name}: {first_reason(error)}; take a wider range or fewer parameters"
            ) from error

    @property
    def orders(self) -> int:
        """Number of the functions, the last of which only tests the one before it."""
        return self.family.last - self.family.first + 1

    def fit(self, spectrum: Spectrum, order: int) -> BackgroundFit:
        """Fit a function alone."""
        found = self._search.fit(order, *_rows(spectrum))
        parameters = _array(found.parameters)
        return BackgroundFit(
            order=order,
            parameters=parameters,
            expected=_array(found.expected),
            deviance=2 * float(found.half_deviance),
            ndf=int(spectrum.used.sum()) - len(parameters),
            converged=bool(found.converged),
        )

    def templates(self, spectrum: Spectrum, order: int, mass: int, with_signal: bool) -> Templates:
        """Return a fit as templates.

        Args:
            spectrum: to be fitted.
            order: of the function.
            mass: index of the mass of the signal.
            with_signal: whether a signal is fitted; else there is none.

        Raises:
            SpectrumError: the fit does not come to an end.
        """
        found = self._search.templates(order, *_rows(spectrum), mass if with_signal else -1)
        if not found.converged:
            raise SpectrumError(f"{self.family.label(order)}: the fit does not come to an end; take another range")
        background = _array(found.background)
        derivatives = _array(found.derivatives).reshape(-1, len(background))
        expected = background + float(found.signal) * self.shapes[mass]
        weights = np.where(spectrum.used, 1 / expected, 0.0)
        # Parameters of which the information matrix is 1.
        root = np.linalg.cholesky(derivatives * weights @ derivatives.T)
        systematics = self.shape.systematics if with_signal else ()
        return Templates(
            spectrum=spectrum,
            background=background,
            shifts=np.linalg.solve(root, derivatives),
            shape=self.shapes[mass],
            mass=float(self.masses[mass]),
            signal=float(found.signal),
            half_deviance=float(found.half_deviance),
            errors=tuple(
                SignalError(error.name, self.shifts[place, mass], error.log_yield)
                for place, error in enumerate(systematics)
            ),
        )

    def scan(self, spectrum: Spectrum, order: int, spurious: Numbers | None = None) -> MassScan:
        """Fit a function and a signal at each mass.

        Args:
            spectrum: to be fitted.
            order: of the function.
            spurious: error of the signal at each mass [events]; none by default.
        """
        found = self._search.scan(order, *_rows(spectrum), _vector(spurious))
        return MassScan(
            masses=self.masses,
            z=_array(found.z),
            signal=_array(found.signal),
            signal_error=_array(found.signal_error),
            visible=np.array(list(found.visible), dtype=np.bool_),
            converged=np.array(list(found.converged), dtype=np.bool_),
        )

    def choose(self, spectrum: Spectrum, rule: Rule, seed: int) -> Choice:
        """Choose a function by the rule.

        Args:
            spectrum: to be described.
            rule: its limits.
            seed: of the toys of the goodness of fit.
        """
        self._search.set_rule(rule.likelihood_ratio, rule.spurious, rule.spurious_limit)
        critical, toys_of = np.empty(self.orders - 1), {}
        for order in range(self.orders - 1):
            fitted = self.fit(spectrum, order)
            toys = self.toy_deviances(order, fitted.expected, spectrum.used, seed, 0, rule.goodness_toys)
            good = toys[np.isfinite(toys)]
            toys_of[order] = good
            critical[order] = np.quantile(good, 1 - rule.goodness) / 2 if len(good) else 0.0
        found = self._search.choose(*_rows(spectrum), _vector(critical))
        verdicts = tuple(
            Verdict(
                label=self.family.label(order),
                likelihood_ratio_p=float(found.likelihood_ratio_p[order]),
                deviance=2 * float(found.half_deviance[order]),
                goodness_p=_fraction(toys_of[order], 2 * float(found.half_deviance[order])),
                spurious=float(found.spurious[order]),
                converged=bool(found.converged[order]),
            )
            for order in range(len(found.half_deviance))
        )
        chosen = None if found.order < 0 else int(found.order)
        label = "" if chosen is None else self.family.label(chosen)
        return Choice(chosen, label, _array(found.spurious_errors), verdicts, critical)

    def choose_again(self, spectrum: Spectrum, first: Choice) -> tuple[int | None, Numbers]:
        """Choose a function for another spectrum, by the rule and the goodness of fit of an earlier choice.

        Args:
            spectrum: to be described.
            first: the earlier choice.

        Returns:
            The function, None where none passes; and the error of the signal at each mass by its spurious signal
            [events], empty where that counts as none.
        """
        found = self._search.choose(*_rows(spectrum), _vector(first.critical))
        return None if found.order < 0 else int(found.order), _array(found.spurious_errors)

    def limits(
        self, spectrum: Spectrum, order: int, spurious: Numbers | None = None, masses: slice = slice(None)
    ) -> Limits:
        """Return upper limits by CLs.

        Args:
            spectrum: to be fitted.
            order: of the function.
            spurious: error of the signal at each mass [events]; none by default.
            masses: which of them.

        Raises:
            SpectrumError: a limit cannot be found.
        """
        first, last, _ = masses.indices(len(self.masses))
        at = f"limits at {self.masses[first]:.4g} to {self.masses[last - 1]:.4g}"
        try:
            found = self._search.limits(order, *_rows(spectrum), _vector(spurious), first, last)
        except Exception as error:
            raise SpectrumError(f"{at}: {first_reason(error)}; take a range with more events") from error
        return Limits(self.masses[masses], _array(found.observed), _array(found.expected).reshape(-1, 5))

    def toy_limits(
        self,
        spectrum: Spectrum,
        order: int,
        mass: int,
        *,
        spurious: Numbers | None = None,
        seed: int,
        toys: int,
        threads: int = 1,
    ) -> Limits:
        """Return upper limits by CLs at one mass, from toys in place of the asymptotic formula.

        Args:
            spectrum: to be fitted.
            order: of the function.
            mass: index of the mass.
            spurious: error of the signal at each mass [events]; none by default.
            seed: of the toys.
            toys: of each number of signal events that is tried.
            threads: that share them; the numbers are the same, whatever their number.

        Raises:
            SpectrumError: a limit cannot be found.
        """
        settings = (_vector(spurious), mass, seed, toys, threads)
        try:
            found = self._search.toy_limits(order, *_rows(spectrum), *settings)
        except Exception as error:
            at = f"limits by toys at {self.masses[mass]:.4g}"
            raise SpectrumError(f"{at}: {first_reason(error)}; take another range or family") from error
        observed, expected = _array(found.observed), _array(found.expected).reshape(1, 5)
        return Limits(self.masses[mass : mass + 1], observed, expected, int(found.toys))

    def toy_deviances(self, order: int, expected: Numbers, used: Truths, seed: int, first: int, last: int) -> Numbers:
        """Return the deviances of toys, each fitted again with a signal at its largest excess.

        They are NaN where a fit does not come to an end.

        Args:
            order: of the function.
            expected: events of each bin.
            used: whether a fit looks at a bin.
            seed: with the number of a toy it gives the toy.
            first: number of the first toy.
            last: number after the last.
        """
        rows = (_vector(expected), _vector(used))
        return 2 * _array(self._search.toy_deviances(order, *rows, seed, first, last))

    def toys_at(
        self,
        order: int,
        expected: Numbers,
        mass: int,
        *,
        signal: float = 0.0,
        spurious: Numbers | None = None,
        used: Truths | None = None,
        seed: int,
        toys: range,
    ) -> MassScan:
        """Fit toys at one mass; the rows of what is returned are toys.

        Args:
            order: of the function.
            expected: events of each bin without a signal.
            mass: index of the mass.
            signal: events of it that are thrown as well.
            spurious: error of the signal at each mass [events]; none by default.
            used: whether a fit looks at a bin; all by default.
            seed: with the number of a toy it gives the toy.
            toys: their numbers, one after the other.
        """
        looked = np.ones(len(expected)) if used is None else used
        rows = (_vector(expected), _vector(looked))
        found = self._search.toys_at(order, *rows, mass, signal, _vector(spurious), seed, toys.start, toys.stop)
        return MassScan(
            masses=np.full(len(toys), self.masses[mass]),
            z=_array(found.z),
            signal=_array(found.signal),
            signal_error=_array(found.signal_error),
            visible=np.array(list(found.visible), dtype=np.bool_),
            converged=np.array(list(found.converged), dtype=np.bool_),
        )

    def toys(self, cuts: Sequence[Cut], level: float, seed: int, toys: range, threads: int) -> Toys:
        """Send toys of nested cuts, the loosest first, through the whole procedure.

        The same seed and numbers give the same toys, whatever the number of threads.

        Args:
            cuts: what is expected of each, and how its function is chosen.
            level: of the crossings that are counted.
            seed: with the number of a toy it gives the toy.
            toys: their numbers, one after the other.
            threads: that share them.
        """
        thrown = ROOT.std.vector["statistics::CutNumbers"]()
        for cut in cuts:
            numbers = ROOT.statistics.CutNumbers()
            numbers.expected, numbers.used = _vector(cut.expected), _vector(cut.used)
            numbers.sidebands = _vector(cut.sidebands)
            numbers.critical, numbers.spurious = _vector(cut.choice.critical), _vector(cut.choice.spurious)
            numbers.fixed_order, numbers.order = cut.fixed, cut.choice.order or 0
            thrown.push_back(numbers)
        found = self._search.toys(thrown, level, seed, toys.start, toys.stop, threads)
        names = ("mass", "cut", "order", "crossings", "failed")
        integers = {name: np.array(list(getattr(found, name)), dtype=np.int64) for name in names}
        refused = np.array(list(found.refused), dtype=np.bool_)
        return Toys(first=toys.start, z=_array(found.z), refused=refused, **integers)


def signal_fractions(edges: Numbers, masses: Numbers, sigmas: Numbers, tails: Tails | None) -> Numbers:
    """Return the fraction of a signal in each bin, shape (masses, bins).

    Args:
        edges: of the bins, shape (bins + 1,).
        masses: of the signal, shape (masses,).
        sigmas: standard deviations of its core, shape (masses,).
        tails: of a two-sided Crystal Ball; None for a Gaussian.

    Raises:
        CompileError: the functions do not compile.
    """
    statistics_library().load()
    places = (_vector(edges), _vector(masses), _vector(sigmas))
    if tails is None:
        shapes = ROOT.statistics.gaussian_shapes(*places)
    else:
        powers = (tails.alpha_low, tails.power_low, tails.alpha_high, tails.power_high)
        shapes = ROOT.statistics.crystal_ball_shapes(*places, *powers)
    return _array(shapes).reshape(len(masses), len(edges) - 1)


def _fraction(toys: Numbers, value: float) -> float:
    """Return the fraction of toys that are at least as large, the data themselves among them."""
    return (1 + int((toys >= value).sum())) / (1 + len(toys))


def _vector(values: npt.ArrayLike | None) -> Any:
    """Return numbers as C++ takes them."""
    return ROOT.std.vector["double"](np.asarray([] if values is None else values, dtype=np.float64))


def _array(vector: Any) -> Numbers:
    """Return a copy of numbers of C++."""
    return np.array(list(vector), dtype=np.float64)


def _rows(spectrum: Spectrum) -> tuple[Any, Any]:
    return _vector(spectrum.counts), _vector(spectrum.used)
