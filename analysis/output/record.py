"""run.json: what was done, by what, and how long it took. It vouches for all else, and is written last."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import plotting.drawing.pool
import plotting.errors
from analysis.configuration import AnalysisConfiguration
from analysis.console.program import error_console, tell_when_interrupted
from analysis.console.progress import spinner
from analysis.errors import FiguresFailed
from analysis.output.folder import replace_record, write_checksums, write_record
from analysis.output.provenance import git_commit, library_versions, machine
from analysis.output.timings import Timings
from plotting.results.record_tables import Figures
from plotting.results.run_record import (
    AnyRecord,
    Ending,
    EvaluationFindings,
    EvaluationRecord,
    Origin,
    RunFindings,
    RunRecord,
)


class Record:
    """What a program says in run.json; made when it starts.

    Attributes:
        folder: of the results.
        timings: of the stages.
        failed: figures, and report.html, that could not be made, each with the reason.
    """

    def __init__(self, command: str, configuration: AnalysisConfiguration, folder: Path) -> None:
        """Note what was asked for, and when.

        Args:
            command: that started the program.
            configuration: as checked; what was left to defaults is filled in.
            folder: of the results.
        """
        self.timings = Timings()
        self.failed: dict[str, str] = {}
        self._uncaptioned: Mapping[str, str] = {}
        self.folder = folder
        self._begin = time.perf_counter()
        self._origin = Origin(
            command=command,
            configuration={
                **configuration.model_dump(mode="json", by_alias=True),
                "output": str(configuration.output or folder),
            },
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            versions=library_versions(),
            commit=git_commit(),
            machine=machine(),
        )
        self._written: AnyRecord | None = None

    def write(
        self, staging: Path, findings: RunFindings | EvaluationFindings, latent: Mapping[str, Sequence[float]]
    ) -> None:
        """Write run.json and the checksums of all results.

        Args:
            staging: folder that results are written to.
            findings: of the program.
            latent: for each set of points in latent.csv, the fractions of the variance that PCA's axes carry.
        """
        self.timings.add("total", time.perf_counter() - self._begin)
        ending = Ending(
            latent={name: tuple(fractions) for name, fractions in latent.items()},
            figures=Figures(),
            timings=self.timings.rounded(),
        )
        if isinstance(findings, RunFindings):
            self._written = RunRecord.of(self._origin, findings, ending)
        else:
            self._written = EvaluationRecord.of(self._origin, findings, ending)
        write_record(staging, self._written)
        write_checksums(staging)

    def draw(self, staging: Path, workers: plotting.drawing.pool.Workers) -> None:
        """Draw the figures of results that have been written and have their final names, and write the report.

        Whatever goes wrong is noted, in run.json too, which gets the time that all of this took; the results stand.

        Args:
            staging: of the run, which still holds the folder of the results.
            workers: draw the figures.
        """
        tell_when_interrupted(
            f"interrupted while figures were drawn; the results are in {self.folder}, and python -m plotting "
            f"{self.folder} draws them"
        )
        with self.timings.stage("figures"), spinner(error_console(), "drawing figures") as say:
            try:
                plotting.drawing.pool.draw_figures(self.folder, lambda name: say(f"drawing figures: {name}"), workers)
            except plotting.errors.PlottingError as error:
                self.failed["figures"] = str(error)
        self.failed |= workers.failed
        figures = Figures(drawn=tuple(workers.drawn), failed=dict(self.failed))
        del self.timings.seconds["total"]  # so that it comes last again
        self.timings.add("total", time.perf_counter() - self._begin)
        assert self._written is not None
        self._written = replace(self._written, figures=figures, timings=self.timings.rounded())
        replace_record(staging, self.folder, self._written)
        self._write_report()

    def _write_report(self) -> None:
        from plotting.report.page import write_report

        try:
            self._uncaptioned = write_report(self.folder, self.failed).failed
        except Exception as error:
            logging.getLogger(__name__).exception("no report")
            self.failed["report.html"] = str(error)

    def tell_failures(self) -> None:
        """Name on the console what could not be drawn, and figures that the report says nothing of.

        Raises:
            FiguresFailed: no figure could be.
        """
        failed = {
            name if name in ("figures", "report.html") else f"figure {name}": reason
            for name, reason in self.failed.items()
        }
        failed |= {f"caption of figure {name}": reason for name, reason in self._uncaptioned.items()}
        for what, reason in failed.items():
            error_console().print(
                f"warning: no {what}: {' '.join(reason.split())}",
                style="bold yellow",
                soft_wrap=True,
                highlight=False,
                markup=False,
                emoji=False,
            )
        if self.failed.keys() - {"report.html"} and not (self._written and self._written.figures.drawn):
            raise FiguresFailed(
                f"{self.folder}: the results are whole, but no figure could be drawn; see the reasons above, and draw "
                f"them with python -m plotting {self.folder}"
            )
