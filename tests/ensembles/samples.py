"""Events in which weak supervision is measured: LHC Olympics, anti-isolated dimuons of 2016, dimuons of 2011.

Masses are in TeV for the LHC Olympics, and in GeV otherwise. All files lie in the folder of open data, as published.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.options import load_configuration
from analysis.search.cwola.configuration import CwolaConfiguration
from analysis.search.cwola.selections import Priority

Numbers = npt.NDArray[np.float64]

FEATURES = slice(1, 5)
"""Columns of the LHC Olympics that classifiers learn from: two masses of jets and two ratios of subjettiness."""

LABEL = 5

ANTI_ISOLATED = 0.55
"""Relative isolation that both muons exceed (arXiv:2502.14036)."""

UPSILON_1S = 9.46
MOVED_TO = 11.3
"""Masses of the Upsilon(1S), and of a resonance that its events are turned into [GeV]."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Events, and the region in which a signal is looked for.

    Attributes:
        values: masses, shape (events,).
        X: features, shape (events, features), float32.
        configuration: of the search.
    """

    values: Numbers
    X: npt.NDArray[np.float32]
    configuration: CwolaConfiguration

    def shuffled_folds(self, seed: int) -> npt.NDArray[np.int64]:
        """Return folds of equal sizes, drawn at random, shape (events,)."""
        return np.random.default_rng(seed).permutation(len(self.values)) % self.configuration.folds

    def within(self, low: float, high: float) -> Sample:
        """Return the events in a half-open range of the mass."""
        kept = (self.values >= low) & (self.values < high)
        return replace(self, values=self.values[kept], X=self.X[kept])


def declared(
    observable: str,
    interval: tuple[float, float],
    region: tuple[float, float],
    cuts: tuple[float, ...],
    *,
    folds: int,
    likelihood_ratio: Priority | None = None,
) -> CwolaConfiguration:
    """Return the configuration of a search in one region, whose sidebands are the rest of the interval."""
    options = {
        "sample": observable,
        "observable": observable,
        "range": interval,
        "signal_region": region,
        "cuts": cuts,
        "folds": folds,
        "likelihood_ratio": likelihood_ratio,
        "unblind": True,
    }
    return load_configuration(CwolaConfiguration, options, None)


def olympics_files(opendata: Path) -> tuple[Numbers, Numbers]:
    """Return the events of the two files of training and test together, and those of the evaluation file.

    The columns are the mass of two jets, four features, and the label, 1 for a signal.
    """
    folder = opendata / "lhco"
    both = np.concatenate([np.load(folder / f"innerdata_{name}.npy") for name in ("train", "test")])
    return both, np.load(folder / "innerdata_evaluation.npy")


def olympics(
    opendata: Path,
    signals: int,
    interval: tuple[float, float] = (3.3, 3.7),
    region: tuple[float, float] = (3.4, 3.6),
    *,
    telling: float = 0.0,
) -> Sample:
    """Return the background of the LHC Olympics with a number of signals, the labels of which are dropped.

    Args:
        opendata: folder of open data.
        signals: their number; the first of the 772 of the two files, then those of the evaluation file.
        interval: range of the mass [TeV].
        region: in which a signal is looked for [TeV].
        telling: part of the mass that is added to the two features that are masses.
    """
    events, evaluation = olympics_files(opendata)
    signal = np.concatenate([each[each[:, LABEL] == 1] for each in (events, evaluation)])
    if signals > len(signal):
        raise ValueError(f"{signals} signals are asked for, and the files hold {len(signal)}")
    events = np.concatenate([events[events[:, LABEL] == 0], signal[:signals]])
    X = events[:, FEATURES].copy()
    X[:, :2] += telling * events[:, :1]
    configuration = declared("mjj", interval, region, (0.1, 0.01, 0.003), folds=3)
    return Sample(events[:, 0], X.astype(np.float32), configuration).within(*interval)


def upsilon(opendata: Path) -> Sample:
    """Return pairs of muons of opposite sign near the Upsilon(1S), both of which are not isolated.

    The features are the transverse momentum of the pair [GeV], and the impact parameters of both muons [cm].
    """
    table = np.genfromtxt(opendata / "cms2016dimuon" / "upsilon_os_9_10.6.csv", delimiter=",", names=True)
    table = table[(table["mu0_iso04"] > ANTI_ISOLATED) & (table["mu1_iso04"] > ANTI_ISOLATED)]
    X = np.stack([table[name] for name in ("dimu_pt", "mu0_ip3d", "mu1_ip3d")], axis=1).astype(np.float32)
    configuration = declared("dimu_mass", (9.0, 9.9), (9.3, 9.6), (0.25, 0.1, 0.05), folds=5, likelihood_ratio="last")
    return Sample(table["dimu_mass"], X, configuration).within(9.0, 9.9)


def diluted_continuum(opendata: Path, moved: int, seed: int) -> Sample:
    """Return dimuons between 10.6 and 12 GeV, with events of the Upsilon(1S) among them, whose masses are scaled.

    The features are the transverse momentum of the pair [GeV], the size of its rapidity, and those of the cosine and of
    the azimuth [rad] of the positive muon in the frame of Collins and Soper.

    Args:
        opendata: folder of open data.
        moved: events between 9.3 and 9.6 GeV that are scaled from 9.46 to 11.3 GeV.
        seed: by which they are drawn.
    """
    mass, X = _dimuons(opendata / "cmscsv" / "Ymumu.csv")
    core = np.flatnonzero((mass >= 9.3) & (mass < 9.6))
    taken = np.random.default_rng(seed).choice(core, moved, replace=False)
    continuum = (mass >= 10.6) & (mass < 12)
    values = np.concatenate([mass[continuum], mass[taken] * MOVED_TO / UPSILON_1S])
    configuration = declared("mll", (10.6, 12.0), (11.1, 11.5), (0.25, 0.1, 0.05), folds=5, likelihood_ratio="last")
    return Sample(values, np.concatenate([X[continuum], X[taken]]).astype(np.float32), configuration)


def _dimuons(path: Path) -> tuple[Numbers, Numbers]:
    """Return masses [GeV], shape (events,), and four features, shape (events, 4)."""
    table = np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="ascii")
    muons = [np.stack([table[f"{name}{place}"] for name in ("px", "py", "pz", "E")]) for place in (1, 2)]
    first_is_positive = table["Q1"] > 0
    plus, minus = (np.where(first_is_positive, muons[place], muons[1 - place]) for place in (0, 1))
    px, py, pz, energy = plus + minus
    pt = np.hypot(px, py)
    mass = np.sqrt(energy**2 - pt**2 - pz**2)
    transverse_mass = np.hypot(mass, pt)
    # J. Collins, D. Soper, Phys. Rev. D 16 (1977) 2219, in light-cone components of the two muons.
    difference = plus - minus
    cosine = (difference[2] * energy - pz * difference[3]) / (mass * transverse_mass)
    along = (difference[0] * px + difference[1] * py) / np.maximum(pt, 1e-9)
    across = (difference[1] * px - difference[0] * py) / np.maximum(pt, 1e-9)
    azimuth = np.arctan2(across, along * mass / transverse_mass)
    rapidity = 0.5 * np.log((energy + pz) / (energy - pz))
    return mass, np.stack([pt, np.abs(rapidity), np.abs(cosine), np.abs(azimuth)], axis=1)
