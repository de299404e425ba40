"""Whether features tell the mass, against scikit-learn's area under the curve, and on the LHC Olympics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import rankdata
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import roc_auc_score

from models.weak_supervision.mass_test import mass_test
from models.weak_supervision.window import Window
from tests.ensembles.samples import olympics

Numbers = npt.NDArray[np.float64]

WINDOW = Window(observable="mass", low=100, high=110, begin=90, end=120, cuts=[1.0])
LEVELS = np.linspace(0, 1, 1000)


def tilted(tilt: float) -> tuple[npt.NDArray[np.float32], Numbers, npt.NDArray[np.int64]]:
    """Return features of 4,000 events, the first of which grows with the mass; masses between 85 and 125; folds."""
    random = np.random.default_rng(1)
    mass = 85 + 40 * random.beta(1, 1.5, 4000)
    X = np.stack([random.normal(0, 1, 4000) + tilt * (mass - 105), random.exponential(1, 4000)], axis=1)
    return X.astype(np.float32), mass, random.permutation(4000) % 2


@pytest.mark.parametrize(("tilt", "passed"), [(0.0, True), (0.1, False)])
def test_the_area_is_that_of_scikit_learn(tilt: float, passed: bool) -> None:
    X, mass, fold_of = tilted(tilt)
    found = mass_test(X, mass, fold_of, WINDOW, 3)
    beside = ((mass >= 90) & (mass < 100)) | ((mass >= 110) & (mass < 120))
    X, upper, fold_of = X[beside].astype(float), mass[beside] >= 110, fold_of[beside]
    ranks = np.zeros(len(X))
    for fold in (0, 1):
        train, held = fold_of != fold, fold_of == fold
        places = np.stack([np.interp(x, np.quantile(x[train], LEVELS), LEVELS) for x in X.T], axis=1)
        trees = ExtraTreesClassifier(
            100, min_samples_leaf=20, max_features=None, random_state=3, class_weight="balanced"
        ).fit(places[train], upper[train])
        ranks[held] = rankdata(trees.predict_proba(places[held])[:, 1]) / held.sum()
    assert found.auc == pytest.approx(roc_auc_score(upper, ranks), abs=0.002)
    assert found.passed is passed


def test_a_feature_that_bends_with_the_mass_is_refused() -> None:
    """Upper and lower sideband look alike then, and the outer halves of both unlike the inner ones."""
    X, mass, fold_of = tilted(0.0)
    X[:, 0] += 0.01 * (mass - 105) ** 2
    found = mass_test(X, mass, fold_of, WINDOW, 3)
    assert abs(found.auc - 0.5) < 0.05
    assert found.outer_auc > 0.6
    assert not found.passed


def test_the_error_is_the_spread_of_areas_of_random_scores() -> None:
    X, mass, fold_of = tilted(0.0)
    found = mass_test(X, mass, fold_of, WINDOW, 3)
    above = int(((mass >= 110) & (mass < 120)).sum())
    below = int(((mass >= 90) & (mass < 100)).sum())
    random = np.random.default_rng(2)
    places = np.arange(1, above + below + 1)
    sums = np.array([random.permutation(places)[:above].sum() for _ in range(4000)])
    areas = (sums - above * (above + 1) / 2) / (above * below)
    # The relative error of a standard deviation of 4,000 numbers is 1.1 %.
    assert found.error == pytest.approx(areas.std(), rel=0.04)


@pytest.mark.parametrize(("telling", "area", "passed"), [(0.0, 0.503, True), (0.1, 0.722, False)])
def test_a_tenth_of_the_mass_in_two_features_of_the_lhc_olympics_is_refused(
    telling: float, area: float, passed: bool, opendata: Path
) -> None:
    """The areas are those of all events; a third of them have an error of 0.004, and learn a little less."""
    sample = olympics(opendata, 772, telling=telling)
    third = np.random.default_rng(1).permutation(len(sample.values)) % 3 == 0
    (window,) = sample.configuration.windows().values()
    found = mass_test(sample.X[third], sample.values[third], sample.shuffled_folds(0)[third], window, 0)
    assert found.auc == pytest.approx(area, abs=0.02)
    assert found.passed is passed
