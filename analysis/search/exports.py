"""What a search leaves beside search.json: a ROOT file, and likelihoods and tables that others read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import uproot
import yaml

from analysis.search.configuration import SearchConfiguration
from analysis.search.procedure import Outcome
from plotting.results.search.record import SEARCH_ROOT, SearchedCut, SearchRecord
from rdf.errors import StatisticsFailed
from rdf.statistics.fitted import Templates

EXPORTS = "exports"
SAME = 1e-6
"""Largest difference of a negative log-likelihood that was written and read again."""


def write_exports(configuration: SearchConfiguration, outcome: Outcome, record: SearchRecord, folder: Path) -> None:
    """Write all files but search.json.

    Args:
        configuration: of the search.
        outcome: what was found.
        record: what search.json will say.
        folder: to write to.

    Raises:
        StatisticsFailed: what was written gives another likelihood when it is read again.
    """
    _write_root(record, folder / SEARCH_ROOT)
    if outcome.best is None or outcome.largest is None:
        return
    exports = folder / EXPORTS
    exports.mkdir()
    mass, place = outcome.best
    cut = outcome.opened[place][1]
    assert cut.choice.order is not None
    write_likelihoods(outcome.fits.templates(cut.spectrum, cut.choice.order, mass, True), exports)
    _write_hepdata(configuration, record, exports / "hepdata")


def _write_root(record: SearchRecord, path: Path) -> None:
    """Write spectra, expectations and scans of all cuts that were opened."""
    edges = np.array(record.edges)
    with uproot.recreate(path) as file:
        for cut in record.cuts:
            if not cut.opened:
                continue
            name = f"cut_{cut.fraction:g}".replace(".", "p")
            counts = np.array([0 if count is None else count for count in cut.counts], dtype=np.float64)
            file[f"{name}/spectrum"] = counts, edges
            file[f"{name}/expected"] = np.array(cut.expected), edges
            if cut.masses:
                columns = ("mass", "z", "signal", "signal_error", "background")
                rows = {c: np.array([_float(getattr(row, c)) for row in cut.masses]) for c in columns}
                file[f"{name}/scan"] = rows
            if cut.limits:
                limits = {"mass": np.array([row.mass for row in cut.limits])}
                limits["observed"] = np.array([_float(row.observed) for row in cut.limits])
                for number, band in enumerate(("minus2", "minus1", "median", "plus1", "plus2")):
                    limits[band] = np.array([row.expected[number] for row in cut.limits])
                limits["toys"] = np.array([row.toys for row in cut.limits])
                file[f"{name}/limits"] = limits


def _float(value: float | None) -> float:
    return math.nan if value is None else value


def write_likelihoods(templates: Templates, folder: Path) -> None:
    """Write the likelihood at the largest excess for pyhf, RooStats, HS3 and Combine; each is read again and fitted.

    Args:
        templates: the fit with a signal.
        folder: that is there, to write to.

    Raises:
        StatisticsFailed: what was written gives another likelihood when it is read again.
    """
    from rdf.statistics.combine import read_card, write_card
    from rdf.statistics.histfactory import (
        measurement,
        minimum,
        read_hs3,
        read_workspace,
        workspace,
        write_hs3,
        write_workspace,
    )
    from rdf.statistics.likelihoods import read_pyhf, write_pyhf

    made = workspace(measurement(templates, True))
    expected, _ = minimum(made)
    write_pyhf(templates, folder / "pyhf.json")
    write_workspace(made, folder / "workspace.root")
    write_hs3(made, folder / "hs3.json")
    write_card(templates, folder / "combine.txt")
    card = read_card(folder / "combine.txt", templates.mass, templates.signal)
    again = {
        "pyhf.json": minimum(workspace(measurement(read_pyhf(folder / "pyhf.json", templates.mass), True)))[0],
        "workspace.root": minimum(read_workspace(folder / "workspace.root"))[0],
        "hs3.json": minimum(read_hs3(folder / "hs3.json"))[0],
        "combine.txt": minimum(workspace(measurement(card, True)))[0],
    }
    for name, value in again.items():
        if abs(value - expected) > SAME * max(abs(expected), 1):
            raise StatisticsFailed(
                f"{name}: read again it gives -log L = {value:.9g}, where {expected:.9g} was written; report this"
            )


def _write_hepdata(configuration: SearchConfiguration, record: SearchRecord, folder: Path) -> None:
    """Write the spectrum, local p-values and limits as tables of HEPData (submission schema 1.1.1)."""
    folder.mkdir()
    observable = (
        {"name": configuration.observable, "units": record.unit} if record.unit else {"name": configuration.observable}
    )
    documents: list[dict[str, Any]] = [{"comment": record.quote}]
    for cut in record.cuts:
        if not cut.opened:
            continue
        suffix = f"cut_{cut.fraction:g}"
        for kind, described, table in (
            (
                "spectrum",
                "Events in each bin, and the expectation without a signal",
                _spectrum_table(record, cut, observable),
            ),
            ("scan", "Significance and fitted events of a signal at each mass", _scan_table(cut)),
            ("limits", "Upper limits on the events of a signal at 95 % confidence level (CLs)", _limit_table(cut)),
        ):
            if table is None:
                continue
            file = f"{kind}_{suffix}.yaml"
            (folder / file).write_text(yaml.safe_dump(table, sort_keys=False), encoding="utf-8")
            documents.append(
                {
                    "name": f"{kind}, {suffix}",
                    "location": "search",
                    "description": described,
                    "keywords": [{"name": "observables", "values": [kind]}],
                    "data_file": file,
                }
            )
    text = yaml.safe_dump_all(documents, sort_keys=False)
    (folder / "submission.yaml").write_text(text, encoding="utf-8")


def _column(name: str, values: list[float]) -> dict[str, Any]:
    return {"header": {"name": name}, "values": [{"value": value} for value in values]}


def _spectrum_table(record: SearchRecord, cut: SearchedCut, observable: dict[str, str]) -> dict[str, Any]:
    used = [i for i, count in enumerate(cut.counts) if count is not None]
    bins = [{"low": record.edges[i], "high": record.edges[i + 1]} for i in used]
    counts = [float(cut.counts[i] or 0) for i in used]
    return {
        "independent_variables": [{"header": observable, "values": bins}],
        "dependent_variables": [_column("Events", counts), _column("Background", [cut.expected[i] for i in used])],
    }


def _scan_table(cut: SearchedCut) -> dict[str, Any] | None:
    rows = [row for row in cut.masses if row.z is not None]
    if not rows:
        return None
    return {
        "independent_variables": [_column("Mass", [row.mass for row in rows])],
        "dependent_variables": [
            _column("Signed significance", [_float(row.z) for row in rows]),
            _column("Fitted events", [_float(row.signal) for row in rows]),
        ],
    }


def _limit_table(cut: SearchedCut) -> dict[str, Any] | None:
    if not cut.limits:
        return None
    names = ("Expected, -2 sigma", "Expected, -1 sigma", "Expected", "Expected, +1 sigma", "Expected, +2 sigma")
    columns = [_column("Observed", [_float(row.observed) for row in cut.limits])]
    columns += [_column(name, [row.expected[i] for row in cut.limits]) for i, name in enumerate(names)]
    return {
        "independent_variables": [_column("Mass", [row.mass for row in cut.limits])],
        "dependent_variables": columns,
    }
