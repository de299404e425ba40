"""The datacard of Combine, by a reader of its own that follows the documented grammar."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import poisson

from rdf.errors import StatisticsFailed
from rdf.statistics.combine import read_card, write_card
from rdf.statistics.fits import SpectrumFits
from rdf.statistics.fitted import Templates
from rdf.statistics.functions import Family, SignalShape, Systematic
from rdf.statistics.spectrum import Spectrum
from tests.rdf.statistics.spectra import MASS, RESOLUTION, Numbers, dijet_edges, dijet_expectation, gaussian

pytestmark = pytest.mark.compiler


@dataclass
class Card:
    """A datacard: counts of channels, rates of processes in them, free parameters, and factors of rates."""

    counts: dict[str, float] = field(default_factory=dict)
    rates: dict[tuple[str, str], float] = field(default_factory=dict)
    signals: set[str] = field(default_factory=set)
    start: dict[str, float] = field(default_factory=dict)
    factors: dict[tuple[str, str], tuple[str, list[str]]] = field(default_factory=dict)
    constrained: list[str] = field(default_factory=list)

    def expected(self, signal: float, values: dict[str, float]) -> Numbers:
        """Return events of each channel."""
        total = dict.fromkeys(self.counts, 0.0)
        for (channel, process), rate in self.rates.items():
            factor = signal if process in self.signals else 1.0
            if (channel, process) in self.factors:
                formula, names = self.factors[channel, process]
                factor *= eval(
                    re.sub(r"@(\d+)", r"v[\1]", formula), {"v": [values[name] for name in names], "exp": np.exp}
                )
            total[channel] += rate * factor
        return np.array(list(total.values()))


def parsed(text: str) -> Card:
    """Read a card: head, observations, table of processes up to the rates, then a directive a line."""
    card, declared = Card(), {}
    table: list[list[str]] = []
    lines = [line.split() for line in text.splitlines() if not line.startswith(("#", "-"))]
    rated = next(i for i, line in enumerate(lines) if line[0] == "rate")
    for key, *rest in lines[: rated + 1]:
        if key in ("imax", "jmax", "kmax"):
            declared[key] = rest[0]
        elif key == "observation":
            card.counts = dict(zip(table.pop()[1:], map(float, rest), strict=True))
        else:
            table.append([key, *rest])
    assert [row[0] for row in table] == ["bin", "process", "process", "rate"]
    for channel, process, number, rate in zip(*(row[1:] for row in table), strict=True):
        assert channel in card.counts
        assert not channel[0].isdigit()
        card.rates[channel, process] = float(rate)
        if int(number) <= 0:
            card.signals.add(process)
    assert int(declared["imax"]) == len(card.counts)
    assert int(declared["jmax"]) == len({process for _, process in card.rates}) - 1
    assert declared["kmax"] == "*"
    for name, kind, *rest in lines[rated + 1 :]:
        if kind == "extArg":
            value, interval = rest
            assert re.fullmatch(r"\[[-\d.]+,[-\d.]+\]", interval)
            card.start[name] = float(value)
        elif kind == "param":
            assert rest == ["0", "1"]
            assert name in card.start
            card.constrained.append(name)
        else:
            channel, process, formula, names = rest
            assert kind == "rateParam"
            assert (channel, process) in card.rates
            card.factors[channel, process] = formula, names.split(",")
            assert set(names.split(",")) <= set(card.start)
    return card


@pytest.fixture(scope="module")
def templates() -> Templates:
    edges = dijet_edges(30)
    expected = dijet_expectation(3e4, 30) + 80 * gaussian(edges, MASS, RESOLUTION * MASS)
    spectrum = Spectrum(edges, np.random.default_rng(1).poisson(expected).astype(np.float64), expected > 5)
    fits = SpectrumFits(edges, Family("dijet", 3, 6, 13_000), SignalShape(RESOLUTION), [MASS])
    return fits.templates(spectrum, 1, 0, True)


@pytest.fixture(scope="module")
def path(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("cards") / "combine.txt"
    write_card(templates, file)
    return file


def test_a_card_expects_what_its_templates_do(templates: Templates, path: Path) -> None:
    card, used = parsed(path.read_text()), templates.spectrum.used
    assert list(card.counts.values()) == list(templates.spectrum.counts[used])
    moved = np.array([1.5, -2.0, 0.3, 0.7])
    expected = templates.background + moved @ templates.shifts + 55 * templates.shape
    found = card.expected(55, {f"shape_{j}": float(value) for j, value in enumerate(moved)})
    np.testing.assert_allclose(found, expected[used], rtol=1e-12)


def test_a_fit_of_the_card_is_that_of_the_search(templates: Templates, path: Path) -> None:
    card = parsed(path.read_text())
    counts, names = np.array(list(card.counts.values())), list(card.start)

    def cost(values: Numbers) -> float:
        expected = card.expected(values[0] * 10, dict(zip(names, values[1:], strict=True)))
        return float(-poisson.logpmf(counts, expected).sum()) if (expected > 0).all() else 1e9

    found = minimize(cost, [5.0, *card.start.values()], method="Nelder-Mead", options={"fatol": 1e-9, "maxiter": 4000})
    assert 10 * found.x[0] == pytest.approx(templates.signal, rel=2e-3)


def test_errors_of_a_signal_are_constrained_parameters(tmp_path: Path) -> None:
    edges = dijet_edges(30)
    counts = np.random.default_rng(1).poisson(dijet_expectation(3e4, 30)).astype(np.float64)
    spectrum = Spectrum(edges, counts, dijet_expectation(3e4, 30) > 5)
    systematics = (Systematic("scale", log_yield=-0.1, peak=0.01), Systematic("smearing", width=0.2))
    shape = SignalShape(RESOLUTION, None, systematics)
    made = SpectrumFits(edges, Family("dijet", 3, 6, 13_000), shape, [MASS]).templates(spectrum, 1, 0, True)
    write_card(made, tmp_path / "combine.txt")
    card, used = parsed((tmp_path / "combine.txt").read_text()), spectrum.used
    assert card.constrained == ["scale", "smearing"]
    pulls = {"scale": 0.7, "smearing": -1.2}
    moved = made.shape + 0.7 * made.errors[0].shift - 1.2 * made.errors[1].shift
    expected = made.background + 55 * np.exp(-0.1 * 0.7) * moved
    found = card.expected(55, {**dict.fromkeys(card.start, 0.0), **pulls})
    np.testing.assert_allclose(found, expected[used], rtol=1e-12)
    again = read_card(tmp_path / "combine.txt", MASS, made.signal)
    for one, other in zip(again.errors, made.errors, strict=True):
        assert (one.name, one.log_yield) == (other.name, other.log_yield)
        np.testing.assert_allclose(one.shift, other.shift[used], rtol=1e-12, atol=1e-25)


def test_a_card_says_that_combine_was_not_run(path: Path) -> None:
    assert "Combine itself was not run with it." in path.read_text()


def test_a_card_is_read_back(templates: Templates, path: Path, tmp_path: Path) -> None:
    again, used = read_card(path, templates.mass, templates.signal), templates.spectrum.used
    np.testing.assert_array_equal(again.background, templates.background[used])
    np.testing.assert_array_equal(again.shape, templates.shape[used])
    np.testing.assert_allclose(again.shifts, templates.shifts[:, used], rtol=1e-14)
    (tmp_path / "half.txt").write_text(path.read_text()[:1000])
    with pytest.raises(StatisticsFailed, match="is not as it was written"):
        read_card(tmp_path / "half.txt", templates.mass, templates.signal)
