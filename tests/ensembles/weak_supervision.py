"""What searches by weak supervision find, and whether they are calm where there is nothing.

All seeds are arguments; each repetition counts, none is left out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed
from scipy.stats import ks_2samp

from analysis.search.cwola.calibrated import calibrated
from analysis.search.cwola.calibration import BackgroundOnly, calibrate
from analysis.search.cwola.procedure import background_model, settle_windows, significances
from analysis.search.cwola.selections import SpectrumSelection, selected_counts
from models.detectors.extra_trees import Positions
from models.weak_supervision.forest import grow_trees, rank_held_out
from models.weak_supervision.mass_test import SidebandAreas, mass_test
from models.weak_supervision.window import Window
from plotting.results.search.cwola import CountedCut
from tests.ensembles.samples import FEATURES, LABEL, Numbers, Sample, olympics, olympics_files

IN_MIXTURE = 59_605
"""Background events of the mixture; the other 61,747 of the two files are what it is compared with."""

FEWEST_BACKGROUND = 25
"""Background events that a significance improvement is computed with, at least."""


@dataclass(frozen=True)
class Improvement:
    """How well scores tell signal from background, on events that no classifier has seen.

    Attributes:
        largest: significance improvement, signal efficiency / sqrt(background efficiency), with 25 background events at
            least.
        at_1e3: improvement where a background efficiency of 1e-3 is reached.
        at_1e2: the same at 1e-2.
        auc: area under the ROC curve.
    """

    largest: float
    at_1e3: float
    at_1e2: float
    auc: float


def improvement(scores: Numbers, is_signal: npt.NDArray[np.bool_]) -> Improvement:
    """Return what scores reach; events of the same score pass together.

    Args:
        scores: of events, shape (events,).
        is_signal: shape (events,).
    """
    signal, background = np.sort(scores[is_signal]), np.sort(scores[~is_signal])
    cuts = np.unique(scores)
    passing = len(background) - np.searchsorted(background, cuts, side="left")
    tpr = 1 - np.searchsorted(signal, cuts, side="left") / len(signal)
    usable = passing >= FEWEST_BACKGROUND
    sic = tpr[usable] / np.sqrt(passing[usable] / len(background))
    at = []
    for efficiency in (1e-3, 1e-2):
        # The loosest cut that passes no more background than is asked for, as if all of that had passed.
        tightest = np.flatnonzero(passing <= efficiency * len(background))
        at.append(float(tpr[tightest[0]] / np.sqrt(efficiency)) if len(tightest) else 0.0)
    below = np.searchsorted(background, signal, side="left") + np.searchsorted(background, signal, side="right")
    auc = below.mean() / (2 * len(background))
    return Improvement(float(sic.max()), at[0], at[1], float(auc))


def lhc_olympics_idealised(
    opendata: Path, signals: int, seed: int, *, is_told: bool = False, threads: int = 1
) -> Improvement:
    """Train on a mixture of 59,605 background events and signals against 61,747 others; the split is drawn by the seed.

    The classifier is tested on 40,000 background events and 20,000 signals of the evaluation file.

    Args:
        opendata: folder of open data.
        signals: of the mixture; the files hold 772.
        seed: of the split and of the trees.
        is_told: whether the classifier learns which of the same events are signals, in place of which are the mixture.
        threads: that train.
    """
    events, evaluation = olympics_files(opendata)
    random = np.random.default_rng(seed)
    is_signal = events[:, LABEL] == 1
    signal, background = random.permutation(events[is_signal]), random.permutation(events[~is_signal])
    if signals > len(signal):
        raise ValueError(f"{signals} signals are asked for, and the two files hold {len(signal)}")
    X = np.concatenate([signal[:signals], background])[:, FEATURES]
    labels = np.arange(len(X)) < (signals if is_told else signals + IN_MIXTURE)
    weights = np.where(labels, 1 / labels.sum(), 1 / (~labels).sum()) * len(labels) / 2
    positions = Positions(X)
    trees = grow_trees(positions(X), labels, weights, seed, threads)
    scores = trees.predict_proba(positions(evaluation[:, FEATURES]))[:, 1]
    return improvement(scores, evaluation[:, LABEL] == 1)


def window_of(sample: Sample) -> tuple[str, Window]:
    """Return the name and the window of a search in one region."""
    ((name, window),) = sample.configuration.windows().items()
    return name, window


def counted(sample: Sample, seed: int) -> Numbers:
    """Return the events of each selection and bin, shape (selections, bins), with folds and trees of a seed."""
    _, window = window_of(sample)
    ranked = rank_held_out(sample.X, sample.values, sample.shuffled_folds(seed), window, seed)
    return selected_counts(window, sample.configuration.selections(), sample.values, ranked)


def found_excesses(sample: Sample, seeds: Sequence[int], threads: int = 1) -> Numbers:
    """Return the significances before calibration, shape (seeds, selections); that of all events is the first.

    The function is chosen on the sidebands of all events, as a search does.
    """
    name, _ = window_of(sample)
    everything = list(Parallel(n_jobs=threads)(delayed(counted)(sample, seed) for seed in seeds))
    settled = settle_windows(sample.configuration, {name: everything[0]})[name]
    rows = []
    for counts in everything:
        z = []
        for place, row in enumerate(counts):
            excess = settled.fits.excess(row, settled.order, replace(settled, counts=counts).spurious(place))
            z.append(np.nan if excess is None else excess.z)
        rows.append(z)
    return np.array(rows)


def calm_windows(opendata: Path, seed: int) -> Iterator[tuple[float, Numbers]]:
    """Yield begin [TeV] and significances, shape (cuts,), of eight windows of 0.15 TeV without a signal.

    A region is 0.05 TeV wide, as are its sidebands; neighbouring windows overlap.
    """
    for place in range(8):
        begin = round(3.3 + 0.035 * place, 3)
        low, high, end = (round(begin + width, 3) for width in (0.05, 0.10, 0.15))
        yield begin, found_excesses(olympics(opendata, 0, (begin, end), (low, high)), [seed])[0]


@dataclass(frozen=True)
class HeldBack:
    """Background-only sets of a selection, the first half of which calibrates the other half.

    Attributes:
        selection: of the events.
        mean: significance of all sets before calibration.
        width: standard deviation of these.
        ks: Kolmogorov-Smirnov probability that both halves are alike.
        below: sets of the second half with a calibrated p below 0.05.
        sets: of the second half.
    """

    selection: SpectrumSelection
    mean: float
    width: float
    ks: float
    below: int
    sets: int


@dataclass(frozen=True)
class Null:
    """What the procedure says of background-only sets.

    Attributes:
        cuts: one for each.
        refused: sets that the procedure refused, of both halves.
    """

    cuts: tuple[HeldBack, ...]
    refused: int


def background_only(sample: Sample, sets: int, seed: int, threads: int = 1) -> Null:
    """Take background-only sets through the procedure, training included, and judge half of them by the other half.

    Sets that an interrupted ensemble has counted are not counted again.

    Args:
        sample: whose features and sidebands they have.
        sets: their number.
        seed: of folds and sets.
        threads: processes that share them.
    """
    name, window = window_of(sample)
    edges, expected = background_model(sample.configuration, sample.values)
    source = BackgroundOnly(
        sample.X,
        sample.shuffled_folds(seed),
        {name: window},
        edges,
        expected,
        seed,
        weighted=sample.configuration.likelihood_ratio is not None,
    )
    settled = settle_windows(sample.configuration, {name: counted(sample, seed)})
    counts = calibrate(source, sets, threads, lambda *_: None, partial(print, file=sys.stderr))
    selections = sample.configuration.selections()
    places = {name: range(len(selections))}
    z = [significances(settled, places, each) for each in counts]
    halves = [
        np.array([list(each.values()) for each in half if each is not None])
        for half in (z[: sets // 2], z[sets // 2 :])
    ]
    cuts = []
    for place, selection in enumerate(selections):
        first, second = (half[:, place] for half in halves)
        both = np.concatenate([first, second])
        p = [
            calibrated(CountedCut(fraction=selection.fraction, selection=None, opened=True, z=each), first).p
            for each in second
        ]
        cuts.append(
            HeldBack(
                selection,
                float(both.mean()),
                float(both.std(ddof=1)),
                float(ks_2samp(first, second).pvalue),
                int((np.array(p) < 0.05).sum()),
                len(second),
            )
        )
    return Null(tuple(cuts), sum(each is None for each in z))


def tested_mass(sample: Sample, seed: int) -> SidebandAreas:
    """Return how well the features of a sample tell where in the sidebands an event lies."""
    _, window = window_of(sample)
    return mass_test(sample.X, sample.values, sample.shuffled_folds(seed), window, seed)
