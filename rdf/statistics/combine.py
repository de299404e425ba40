"""The likelihood of a spectrum as a datacard of Combine, and read back from it.

CMS Collaboration, "The CMS statistical analysis and combination tool: Combine", arXiv:2404.06614; the grammar is that
of its documentation, https://cms-analysis.github.io/HiggsAnalysis-CombinedLimit, "Preparing the datacard".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from rdf.errors import StatisticsFailed
from rdf.statistics.fitted import SignalError, Templates
from rdf.statistics.histfactory import RANGE
from rdf.statistics.spectrum import Numbers, Spectrum

CHANNEL = "bin"
"""Begin of the names of channels, since a digit may not be."""

PULLS = 7.0
"""Standard deviations by which a systematic error of the signal may move."""

SMALLEST = 1e-30
"""Fraction of a signal in a bin, below which its changes are in units of this."""

_TERM = re.compile(r"([+-][^@]+)\*@(\d+)")


def card_text(templates: Templates) -> str:
    """Return a datacard, in which each bin is a channel that counts, so that no other file is needed.

    The rate of the background is its expectation times a `rateParam` that is linear in free parameters, `extArg`s
    without a constraint: shapes among the templates have bins below 0, which Combine does not take as histograms. The
    rate of the signal is its fraction in a bin, so that `r` is the number of signal events. Bins that no fit looks at
    are left out.

    Each systematic error of the signal is one more parameter, with a constraint by `param`, in a `rateParam` of the
    signal.

    Args:
        templates: the fit with a signal.
    """
    used = templates.spectrum.used
    counts, background, shape = templates.spectrum.counts[used], templates.background[used], templates.shape[used]
    changes = templates.shifts[:, used] / background
    bins = [f"{CHANNEL}_{i}" for i in range(len(counts))]
    names = [f"shape_{j}" for j in range(len(changes))]
    reach = 5 * abs(templates.signal) + 10 * (float(np.sqrt(background.max())) + 1)
    rates = np.array([shape, background]).T.ravel()
    lines = [
        f"# A signal at {templates.mass:.6g} in a spectrum: each bin is a channel that counts.",
        "# This card was read back and fitted by other programs. Combine itself was not run with it.",
        f"# r is the number of signal events, {templates.signal:.6g} in the fit; its range is to be set, such as",
        f"# --rMin {-reach:.0f} --rMax {reach:.0f}",
        f"imax {len(bins)} number of channels",
        "jmax 1 number of backgrounds",
        "kmax * number of parameters with constraints",
        "---",
        f"bin {' '.join(bins)}",
        f"observation {_row(counts)}",
        "---",
        f"bin {' '.join(name for name in bins for _ in range(2))}",
        f"process {' '.join(['signal background'] * len(bins))}",
        f"process {' '.join(['0 1'] * len(bins))}",
        f"rate {_row(rates)}",
        "---",
        *(f"{name} extArg 0 [{-RANGE:g},{RANGE:g}]" for name in names),
        *(f"{error.name} extArg 0 [{-PULLS:g},{PULLS:g}]" for error in templates.errors),
        *(f"{error.name} param 0 1" for error in templates.errors),
    ]
    for i, name in enumerate(bins):
        lines.append(f"change_{i} rateParam {name} background (1{_terms(changes[:, i])}) {','.join(names)}")
    if templates.errors:
        moved = np.array([error.shift[used] for error in templates.errors]) / np.maximum(shape, SMALLEST)
        factor = "exp(" + _terms([error.log_yield for error in templates.errors]) + ")"
        errors = ",".join(error.name for error in templates.errors)
        lines += [
            f"signal_{i} rateParam {name} signal (1{_terms(moved[:, i])})*{factor} {errors}"
            for i, name in enumerate(bins)
        ]
    return "\n".join(lines) + "\n"


def _terms(numbers: Iterable[float]) -> str:
    """Return a sum of numbers times parameters, as a formula has it."""
    return "".join(f"{float(number):+.17g}*@{j}" for j, number in enumerate(numbers))


def _row(values: Numbers) -> str:
    return " ".join(f"{float(value):.17g}" for value in values)


def write_card(templates: Templates, path: Path) -> None:
    """Write the likelihood as a datacard of Combine."""
    path.write_text(card_text(templates), encoding="utf-8")


def read_card(path: Path, mass: float, signal: float) -> Templates:
    """Read a likelihood that `write_card` wrote.

    Args:
        path: of the file.
        mass: of the signal, which the file does not say.
        signal: events near which a fit is to start.

    Raises:
        StatisticsFailed: the file is not what was written.
    """
    try:
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
        (counts,) = ([float(count) for count in line[1:]] for line in lines if line[0] == "observation")
        (rates,) = ([float(rate) for rate in line[1:]] for line in lines if line[0] == "rate")
        formulas: dict[str, list[list[float]]] = {process: [] for process in ("signal", "background")}
        for line in lines:
            if line[1:2] == ["rateParam"]:
                formulas[line[3]].append([float(number) for number, _ in _TERM.findall(line[4])])
        shape, background = np.array(rates).reshape(len(counts), 2).T
        shifts = np.array(formulas["background"]).T * background
        names = [line[0] for line in lines if line[1:2] == ["param"]]
        moved = np.array(formulas["signal"]).T
        errors = tuple(
            SignalError(name, moved[k] * np.maximum(shape, SMALLEST), float(moved[len(names) + k, 0]))
            for k, name in enumerate(names)
        )
    except (OSError, ValueError, IndexError) as error:
        raise StatisticsFailed(
            f"{path}: is not as it was written ({error}); free space and repeat the search"
        ) from error
    spectrum = Spectrum(np.arange(len(counts) + 1.0), np.array(counts))
    return Templates(spectrum, background, shifts, shape, mass, signal, 0.0, errors)
