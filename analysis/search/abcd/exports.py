"""What a search in a plane leaves for others: the likelihood of the largest excess for pyhf."""

from __future__ import annotations

from pathlib import Path

from analysis.search.abcd.procedure import PlaneOutcome
from analysis.search.exports import EXPORTS, SAME
from rdf.errors import StatisticsFailed
from rdf.statistics.abcd import significance
from rdf.statistics.abcd_pyhf import read_pyhf, write_pyhf


def write_abcd_exports(outcome: PlaneOutcome, folder: Path) -> None:
    """Write the likelihood; nothing while blinded.

    Raises:
        StatisticsFailed: what was written gives another significance when it is read again.
    """
    if outcome.regions is None:
        return
    exports = folder / EXPORTS
    exports.mkdir()
    path = exports / "pyhf.json"
    write_pyhf(outcome.regions, path)
    expected, found = significance(outcome.regions), significance(read_pyhf(path))
    if abs(found - expected) > SAME * max(abs(expected), 1):
        raise StatisticsFailed(
            f"{path.name}: read again it gives Z = {found:.9g}, where {expected:.9g} was written; report this"
        )
