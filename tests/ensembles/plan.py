"""How large ensembles are made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Plan:
    """How many data sets tables are made of, and on what.

    Attributes:
        scale: share of the data sets, or of the seeds, of a whole ensemble.
        threads: that share them.
        opendata: folder of open data; None without one.
        sets: background-only sets of a search by weak supervision, in place of the scaled number; None for that.
    """

    scale: float
    threads: int
    opendata: Path | None
    sets: int | None = None

    def number(self, whole: int) -> int:
        """Return the number of data sets of a table, whose whole ensemble has the given number; ten at least."""
        return max(int(whole * self.scale), 10)

    def seeds(self, whole: int) -> range:
        """Return the seeds of a table, whose whole ensemble has the given number of them; two at least."""
        return range(max(int(whole * self.scale), 2))

    @property
    def data(self) -> Path:
        """The folder of open data.

        Raises:
            SystemExit: there is none.
        """
        if self.opendata is None:
            raise SystemExit("open data are needed: set OPENDATA_DIR to the folder that holds them")
        return self.opendata
