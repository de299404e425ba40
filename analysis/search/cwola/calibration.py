"""Calibration: the whole procedure on data sets that have no signal, by which a significance is judged.

In such a set the masses are drawn from the background fit and the features are those of the data, which have nothing to
do with them any more. Its classifiers are trained and cross-fitted like those of the data: a fluctuation in one fold
teaches the cut of another one, so that significances are spread wider than a normal deviate.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed

from analysis.search.cwola.selections import SpectrumSelection, declared_selections, selected_counts
from models.weak_supervision.ranked import MOST_RATIO, RankedEvents
from models.weak_supervision.window import Window
from rdf.cache import cache_folder

FORMAT = 1
"""Number of the way in which sets are made, which changes with it: counts of another one are not taken up."""

Counts = dict[str, npt.NDArray[np.float64]]
"""Name of a window -> events of each declared selection and bin, shape (selections, bins)."""


@dataclass(frozen=True, eq=False)
class BackgroundOnly:
    """What background-only data sets are made of. It can travel to another process.

    Attributes:
        X: features of the events, shape (events, features).
        fold_of: fold of each event, shape (events,).
        windows: by the names of their classifiers.
        edges: of the bins that masses are drawn in, shape (bins + 1,).
        expected: background events of these, shape (bins,).
        seed: with the number of a set it gives the set.
        ranked: name of a window -> scores and ranks of the events by classifiers that learned from others; None for
            classifiers that are trained anew in each set.
        weighted: whether events weighted by likelihood ratios are counted too.
    """

    X: npt.NDArray[np.float32]
    fold_of: npt.NDArray[np.int64]
    windows: Mapping[str, Window]
    edges: npt.NDArray[np.float64]
    expected: npt.NDArray[np.float64]
    seed: int
    ranked: Mapping[str, RankedEvents] | None = None
    weighted: bool = False

    def masses(self, number: int) -> npt.NDArray[np.float64]:
        """Return the masses of a set, shape (events,): of the bins by their expected events, within a bin anywhere."""
        random = np.random.default_rng((self.seed, number))
        bins = random.choice(len(self.expected), size=len(self.X), p=self.expected / self.expected.sum())
        return np.asarray(self.edges[bins] + random.random(len(bins)) * np.diff(self.edges)[bins])

    def counts(self, number: int) -> Counts:
        """Make the set of this number, go through the selection, and count."""
        from models.weak_supervision.forest import rank_held_out

        masses = self.masses(number)
        tree_seed = int(np.random.SeedSequence((self.seed, number)).generate_state(1)[0])
        found = {}
        for name, window in self.windows.items():
            inside = window.holds(masses)
            if self.ranked is None:
                ranked = rank_held_out(self.X[inside], masses[inside], self.fold_of[inside], window, tree_seed)
            else:
                ranked = self.ranked[name].where(inside)
            found[name] = selected_counts(window, self.selections(window), masses[inside], ranked)
        return found

    def selections(self, window: Window) -> tuple[SpectrumSelection, ...]:
        """Return what is counted in a window."""
        return declared_selections(window.cuts, weighted=self.weighted)

    def sha256(self) -> str:
        """Return a sha256 of all of it: the same sets have the same."""
        from sklearn import __version__

        from models.detectors.extra_trees import TREES
        from models.weak_supervision.forest import MIN_LEAF, MIN_LEAF_FRACTION

        made_by = [FORMAT, __version__, TREES, MIN_LEAF, MIN_LEAF_FRACTION]
        if self.weighted:
            made_by = [*made_by, MOST_RATIO]
        windows = {name: [window.model_dump(), window.edges().tolist()] for name, window in self.windows.items()}
        sums = hashlib.sha256(json.dumps([made_by, windows]).encode())
        arrays = [self.X, self.fold_of, self.edges, self.expected, np.array([self.seed])]
        fixed = [array for each in (self.ranked or {}).values() for array in (each.ranks, each.scores)]
        for array in (*arrays, *fixed):
            sums.update(np.ascontiguousarray(array).tobytes())
        return sums.hexdigest()


def calibrate(
    source: BackgroundOnly,
    sets: int,
    threads: int,
    progress: Callable[[int, int], None],
    say: Callable[[str], None],
) -> list[Counts]:
    """Make background-only data sets and count. What an interrupted search has counted is not counted again.

    Args:
        source: what they are made of.
        sets: their number.
        threads: processes that share them.
        progress: told the sets that are done, and their number.
        say: told, before it begins, how long it will take.

    Returns:
        The counts of each set, in order.
    """
    shapes = {
        name: (len(source.selections(window)), len(window.edges()) - 1) for name, window in source.windows.items()
    }
    kept = _Kept(cache_folder("calibrations") / f"{source.sha256()}.jsonl", shapes, say)
    found = {number: counts for number, counts in kept.read() if 0 <= number < sets}
    missing = [number for number in range(sets) if number not in found]
    if not missing:
        say(f"calibration: all {sets} background-only data sets are there from before")
    if len(missing) > 1:
        began = time.perf_counter()
        found[missing[0]] = source.counts(missing[0])
        kept.add(missing[0], found[missing.pop(0)])
        minutes = len(missing) * (time.perf_counter() - began) / threads / 60
        done = f", {len(found) - 1} are there from before" if len(found) > 1 else ""
        say(
            f"calibration: {sets} background-only data sets{done}; about {minutes:.1f} min on {threads} threads; "
            "an interrupted search goes on where it was"
        )
    progress(len(found), sets)
    runs = Parallel(n_jobs=threads, return_as="generator")
    tasks = (delayed(source.counts)(number) for number in missing)
    for number, counts in zip(missing, runs(tasks), strict=True):
        found[number] = counts
        kept.add(number, counts)
        progress(len(found), sets)
    return [found[number] for number in range(sets)]


@dataclass(frozen=True)
class _Kept:
    """Counts that are kept in the user's cache, a line a set.

    Attributes:
        path: of the file.
        shapes: name of a window -> shape of its counts.
        say: told that they cannot be kept.
    """

    path: Path
    shapes: Mapping[str, tuple[int, int]]
    say: Callable[[str], None]

    def read(self) -> Iterator[tuple[int, Counts]]:
        """Yield the number and the counts of each set; a line that is not as it was written is left out."""
        with suppress(OSError):
            for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
                with suppress(ValueError, TypeError, KeyError, AttributeError):
                    table = json.loads(line)
                    counts = {name: np.array(table["counts"][name], dtype=np.float64) for name in self.shapes}
                    if all(counts[name].shape == shape for name, shape in self.shapes.items()):
                        yield int(table["set"]), counts

    def add(self, number: int, counts: Counts) -> None:
        """Keep the counts of a set; without room for them the search goes on."""
        table = {"set": number, "counts": {name: rows.tolist() for name, rows in counts.items()}}
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(f"\n{json.dumps(table)}\n")  # what was cut off before does not take this line with it
        except OSError as error:
            self.say(f"the counts of set {number} are not kept in {self.path.parent}: {error.strerror}")
