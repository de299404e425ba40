"""Cuts of a search on events without the signal: a cut that makes a bump by itself is not opened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import curve_fit

from analysis import find_anomalies, search_excess
from analysis.errors import ConfigurationError
from analysis.search import program
from analysis.search.control import passing_bump
from analysis.search.events import CutEvents, SearchEvents
from rdf.statistics.fits import SpectrumFits
from rdf.statistics.functions import Family, SignalShape
from rdf.statistics.spectrum import mass_edges
from tests.conftest import draw_nothing

pytestmark = pytest.mark.compiler

RESOLUTION, MASS = 0.1, 600.0


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "draw_search", lambda *_: [])


def control(height: float, fractions: tuple[float, ...] = (0.3,)) -> SearchEvents:
    """Events of a falling spectrum; more of them pass around 600 GeV, where `height` is above 0."""
    random = np.random.default_rng(7)
    values = 300 + random.exponential(250, 60_000)
    values = values[values < 1200]
    bump = height * np.exp(-((np.log(values / MASS) / RESOLUTION) ** 2) / 2)
    lots = random.uniform(size=len(values))
    cuts = tuple(CutEvents(fraction, "made up", lots < fraction + bump) for fraction in fractions)
    return SearchEvents(values, np.ones(len(values), dtype=np.bool_), cuts)


def fits() -> SpectrumFits:
    return SpectrumFits(
        mass_edges(300, 1200, RESOLUTION), Family("dijet", 3, 6, 7000.0), SignalShape(RESOLUTION), [450.0, MASS, 800.0]
    )


@pytest.mark.parametrize("height", [0.0, 0.06, 0.1])
def test_bump_of_the_passing_fraction(height: float) -> None:
    """Height and error are those of scipy's least squares with the same errors, in all bins within 6 sigma."""
    events, of_masses = control(height), fits()
    found = passing_bump(events, events.cuts[0], of_masses)
    counts, edges = np.histogram(events.values, of_masses.edges)
    passed, _ = np.histogram(events.values[events.cuts[0].passed], edges)
    centres = np.sqrt(edges[1:] * edges[:-1])
    expected = [0.0]
    for mass in of_masses.masses:
        near = np.abs(np.log(centres / mass)) < 6 * RESOLUTION
        share = passed[near].sum() / counts[near].sum()
        fitted, covariance = curve_fit(
            lambda x, a, b, c, d: a * np.exp(-(x**2) / 2) + b + c * x + d * x**2,
            np.log(centres[near] / mass) / RESOLUTION,
            passed[near] / counts[near],
            sigma=np.sqrt(share * (1 - share) / counts[near]),
            absolute_sigma=True,
        )
        expected.append(fitted[0] / np.sqrt(covariance[0, 0]))
    assert found.z == pytest.approx(max(expected), abs=1e-4)
    assert (found.z > 3) == (height > 0)
    if height:
        assert found.mass == MASS


@pytest.fixture(scope="module")
def folded(apart: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real events of jets, each scored by a forest that has not seen it."""
    folder = tmp_path_factory.mktemp("runs") / "cms"
    with pytest.MonkeyPatch.context() as patch:
        draw_nothing(patch)
        find_anomalies(sample="cms2010b", detectors=["isolation_forest"], folds=2, train_events=4000, output=folder)
    return folder


DIJETS = {"observable": "dijet_mass", "range": "300:1200", "resolution": 0.1, "family": "dijet", "sqrt_s": 7000}
DIJETS |= {"method": "scores", "detector": "isolation_forest", "toys": 200, "unblind": True}


def test_a_score_that_sculpts_makes_no_discovery(folded: Path, tmp_path: Path) -> None:
    record = search_excess(run=folded, output=tmp_path / "search", cuts="1,0.3,0.1", **DIJETS)
    whole, *selected = record.cuts
    assert whole.sculpting is None
    for cut in selected:
        assert cut.sculpting is not None
        assert cut.sculpting.chi2 > 100  # for 9: the fraction that passes depends on the mass
    assert record.status == "refused" or (record.largest is not None and record.largest.global_p > 0.01)


def test_a_cut_with_a_bump_in_the_control_is_not_opened(
    folded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "read_control", lambda *_: control(0.1, (1.0, 0.3)))
    given = {**DIJETS, "cuts": "1,0.3"}
    opened, refused = search_excess(run=folded, output=tmp_path / "one", **given).cuts
    assert opened.opened
    assert not refused.opened
    assert refused.control is not None
    assert refused.control.mass == pytest.approx(MASS, rel=0.05)
    assert refused.reason is not None
    assert "in the control, which has no signal, the fraction that passes has a bump of" in refused.reason
    monkeypatch.setattr(program, "read_control", lambda *_: control(0.1))
    record = search_excess(run=folded, output=tmp_path / "two", **{**given, "cuts": "0.3"})
    assert record.status == "refused"
    text = (tmp_path / "two/search.json").read_text()
    assert not any(name in text for name in ("local_p", "global_p", "toys_p", "goodness_p"))


def test_a_control_of_other_models_is_refused(folded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_nothing(monkeypatch)
    other = tmp_path / "other"
    find_anomalies(sample="cms2010b", detectors=["isolation_forest"], folds=2, train_events=3000, output=other)
    with pytest.raises(ConfigurationError, match="was scored by other models than"):
        search_excess(run=folded, output=tmp_path / "search", cuts="0.3", control=other, **DIJETS)
    control_of_itself = {**DIJETS, "cuts": "0.3", "unblind": False, "control": folded}
    record = search_excess(run=folded, output=tmp_path / "search", **control_of_itself)
    assert record.inputs.control_run_json_sha256 == record.inputs.run_json_sha256
