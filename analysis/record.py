"""run.json: what was done, by what, and how long it took. It vouches for all else, and is written last."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import plotting.figures
from analysis.configuration import AnalysisConfiguration
from analysis.output import write_checksums, write_record
from analysis.program import error_console
from analysis.progress import spinner
from analysis.provenance import git_commit, library_versions, machine
from analysis.timings import Timings


class Record:
    """What a program says in run.json; made when it starts.

    Attributes:
        timings: counts the stages.
    """

    def __init__(self, command: str, configuration: AnalysisConfiguration, folder: Path) -> None:
        """Note what was asked for, and when.

        Args:
            command: that started the program.
            configuration: as checked; what was left to defaults is filled in.
            folder: of the results.
        """
        self.timings = Timings()
        self._begin = time.perf_counter()
        self._content = {
            "command": command,
            "configuration": {**configuration.model_dump(mode="json", by_alias=True), "output": str(folder)},
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": library_versions(),
            "commit": git_commit(),
            "machine": machine(),
        }

    def write(self, staging: Path, found: Mapping[str, Any], workers: plotting.figures.Workers | None) -> None:
        """Write run.json, draw the figures, which need it, and write it again with the time that all of this took.

        Then come the report, where there are figures, and the checksums of all results.

        Args:
            staging: folder that results are written to.
            found: what else there is to say.
            workers: draw the figures; if None nobody does, and there is no report.
        """
        self._write(staging, found)
        if workers is not None:
            with self.timings.stage("figures"), spinner(error_console(), "drawing figures") as say:
                plotting.figures.draw_figures(staging, lambda name: say(f"drawing figures: {name}"), workers)
        self.timings.add("total", time.perf_counter() - self._begin)
        self._write(staging, found)
        if workers is not None:
            from plotting.report import write_report

            write_report(staging)
        write_checksums(staging)

    def _write(self, staging: Path, found: Mapping[str, Any]) -> None:
        write_record(staging, {**self._content, **found, "timings": self.timings.rounded()})
