"""Live detection: score files as they arrive in a folder, each event once, until Ctrl-C.

python -m analysis.watch incoming --models output/cms2010b/models
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from analysis.configuration import RunConfiguration, WatchConfiguration
from analysis.console.program import DONE, OptionParser, run_program
from analysis.console.summary import print_rows, print_summary, rows
from analysis.errors import ConfigurationError, DataError
from analysis.live.arrivals import Arrivals
from analysis.live.board import Board
from analysis.live.chunks import Chunk, ChunkScoring, Replay
from analysis.live.merging import PartMerging
from analysis.live.parts import ScoredParts
from analysis.live.report import LiveReport
from analysis.live.scorer import Setup
from analysis.live.set_aside import SET_ASIDE
from analysis.live.staging import Staging
from analysis.live.workers import Workers
from analysis.options import add_options, load_configuration, parse_configuration
from analysis.output.folder import held_output
from analysis.samples.inputs import RunInput, inputs_of, resolve_input, with_given_list
from analysis.steps.given_models import OF_TRAINING, check_schema, read_models, trusted_sha256
from models.detectors.registry import scoring_detectors
from models.folder import MODELS_JSON, ModelFolder, copy_model_folder, file_sha256
from plotting.results.run_record import RUN_JSON
from rdf.schema.model import load_schema
from rdf.startup import INTERRUPTED

DESCRIPTION = """\
Score files as they arrive in a folder, each event once, and print those that are flagged as they come. What is left is
what analysis.run would leave of all files together. Ends with Ctrl-C; the same command goes on where it ended."""

EPILOG = """\
examples:
  python -m analysis.watch incoming --models output/cms2010b/models
  python -m analysis.watch incoming --models output/lhco_train/models --schema lhco --settle 10 --output output/live
  python -m analysis.watch --replay cms2010b --rate 2000 --models output/cms2010b/models

Files may be of any format that analysis.run reads; hidden files and folders in DIR are not looked at, and DIR is never
changed. A file that cannot be scored is named and set aside (set_aside.csv), and tried again when it changes. The
result in the output folder is brought up to date when there is time; its parts/ hold all that was scored.

Every option can stand in the file of --config, as `key: value` with _ for -, and DIR as `folder`.
exit codes: 0 all that came is in the result, 2 bad command or configuration, 3 data or folder missing or unusable,
4 a result failed its own check, 130 interrupted while there was more to score or to merge: start again to go on"""

POLL = 0.1
"""Seconds between two looks at the folder, where looking does not take long itself."""
CHUNK_FILES, CHUNK_BYTES = 200, 50_000_000
"""What goes through one event loop at most, but for a file that is larger."""
LAST_MERGE_SECONDS = 1.2
"""Seconds that are left at the end to bring the result up to date."""


def option_parser() -> OptionParser:
    """Return the parser of the command line; what is not given is not in its result."""
    parser = OptionParser("analysis.watch", DESCRIPTION, EPILOG)
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="folder in which files arrive")
    add_options(parser, WatchConfiguration, (*OF_TRAINING, "seed"))
    return parser


def main(arguments: Sequence[str]) -> int:
    """Watch as these command-line arguments say."""
    configuration = parse_configuration(option_parser(), WatchConfiguration, arguments)
    return watch(configuration, shlex.join(["python", "-m", "analysis.watch", *arguments]))


def watch(configuration: WatchConfiguration, command: str) -> int:
    """Do what a configuration says until Ctrl-C, or the end of a replay, and print a summary.

    Args:
        configuration: checked.
        command: recorded in run.json.

    Returns:
        The exit code.

    Raises:
        AnalysisError, rdf.errors.*, models.errors.*: as those say.
    """
    models = read_models(configuration)
    assert models is not None
    run, data = _described(configuration, models)
    folder = run.output or Path()
    if configuration.folder is not None:
        _check_folders(configuration.folder, folder)
    with held_output(folder, inputs_of(run, [data])) as staging:
        copy_model_folder(models, configuration.models, staging / "models")
        setup = Setup(run, data, models, staging / "models", command, configuration.replay is not None)
        parts = ScoredParts(folder / "parts")
        _check_continues(parts, setup)
        with Board() as board:
            at_work = _Watch(configuration, setup, Staging(staging), folder, parts, board)
            try:
                at_work.run()
            except KeyboardInterrupt:
                at_work.stop()
            finally:
                at_work.end()
    return at_work.summarize()


def _described(configuration: WatchConfiguration, models: ModelFolder) -> tuple[RunConfiguration, RunInput]:
    """Return the configuration of the event loops, and what results say of the sample."""
    schema = configuration.schema_name or models.schema_name
    options = {
        "sample": configuration.replay or str(configuration.folder),
        "schema": configuration.schema_name if configuration.replay else schema,
        "models": configuration.models,
        "detectors": configuration.detectors,
        "triggers": configuration.triggers,
        "filters": configuration.filters,
        "certified": configuration.certified,
        "uncertified": configuration.uncertified,
        "weights": configuration.weights,
        "luminosity": configuration.luminosity,
        "threads": configuration.threads,
        "trusted_sha256": trusted_sha256(models, configuration),
    }
    run = load_configuration(RunConfiguration, options, None)
    if configuration.folder is None:
        data = resolve_input(run)
    else:
        check_schema(models, load_schema(schema), run)
        folder = configuration.folder.resolve()
        data = RunInput(name=folder.name or "watched", title=f"files of {folder}", schema_name=schema, files=())
        data = with_given_list(data, run)
    return run.model_copy(update={"output": configuration.output or Path("output") / data.name}), data


def _check_folders(watched: Path, output: Path) -> None:
    if not watched.is_dir():
        what = "is no folder" if watched.exists() else "does not exist"
        raise DataError(f"{watched} {what}; name the folder in which files arrive")
    try:
        next(watched.iterdir(), None)
    except OSError as error:
        raise DataError(f"{watched} cannot be read: {error.strerror}; check its permissions") from error
    one, other = watched.resolve(), output.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise ConfigurationError(
            f"--output: {output} and the watched folder {watched} lie within each other; choose another one"
        )


def _check_continues(parts: ScoredParts, setup: Setup) -> None:
    """Refuse an output folder in which another watch was."""
    first = next(iter(parts), None)
    if first is None:
        return
    record, described = first.record(), setup.data.describe()
    chosen = scoring_detectors(setup.configuration.detectors, setup.models.detectors)
    same = {
        "of other models (--models)": (record.models_sha256, file_sha256(setup.networks / MODELS_JSON)),
        "of other detectors (--detectors)": (set(record.detectors), set(chosen)),
        "of other files": (record.sample.title, described.title),
        "of files of another format (--schema)": (record.sample.schema, described.schema),
        "by another list of certified runs (--certified)": (record.sample.certified, described.certified),
    }
    for what, (before, now) in same.items():
        if before != now:
            raise ConfigurationError(f"{first.folder.parent} holds results {what}; choose another --output")


class _Watch:
    """A watch at work.

    The results are the parts. All else is kept in memory only: which files were scored is what the parts say, and
    whatever was under way when a watch ended is done anew.
    """

    def __init__(
        self,
        configuration: WatchConfiguration,
        setup: Setup,
        staging: Staging,
        output: Path,
        parts: ScoredParts,
        board: Board,
    ) -> None:
        self._setup, self._output, self._parts, self._board = setup, output, parts, board
        self._before = parts.entries
        self._arrivals: Arrivals | None = None
        if configuration.folder is not None:
            done = {path: file for part in parts for path, file in part.done()}
            self._arrivals = Arrivals(
                configuration.folder.resolve(), configuration.settle, output / SET_ASIDE, done, board.complain
            )
        self._replay = Replay(configuration.rate, parts.entries) if configuration.rate else None
        self._report = LiveReport(board, setup.models, configuration.detectors, self._replay is not None)
        self._workers = Workers(setup)
        self._merging = PartMerging(parts, self._workers, staging, output, setup.command, board)
        self._scoring = ChunkScoring(
            *(setup, self._workers, staging, parts),
            arrivals=self._arrivals,
            replay=self._replay,
            board=board,
            report=self._report,
        )

    def run(self) -> None:
        """Score what comes until Ctrl-C, or until all of a replay is scored and merged."""
        if self._before:
            self._board.say(f"going on after {self._before:,} events")
        while not (self._all_scored() and not self._merging.behind):
            self._look()
            self._scoring.begin()
            self._merging.begin(self._all_scored(), self._scoring.is_idle)
            self._board.show_status(self._status())
            self._workers.take_answers(max(POLL, self._scan_pause()))

    def _all_scored(self) -> bool:
        return self._replay is not None and self._parts.entries == self._replay.events

    def _scan_pause(self) -> float:
        return 10 * self._arrivals.scan_seconds if self._arrivals and not self._scoring.queue else 0.0

    def _look(self) -> None:
        """Look for what is new, and get the next chunk ready while another one is scored."""
        queue = self._scoring.queue
        if self._arrivals is not None:
            self._arrivals.scan()
            if not queue and (files := self._arrivals.take(CHUNK_FILES, CHUNK_BYTES)):
                queue.append(Chunk(tuple(files)))
        elif self._replay is not None and not queue and self._scoring.chunk is None:
            queue.extend(self._replay.due(self._parts.entries))

    def _status(self) -> str:
        doing = "starting" if self._scoring.is_starting else "watching"
        if (chunk := self._scoring.chunk) is not None:
            doing = f"scoring {len(chunk.files)} files" if chunk.files else "scoring"
        merging = ", merging" if self._merging.at_work else ""
        aside = f", {len(self._arrivals.aside)} set aside" if self._arrivals and self._arrivals.aside else ""
        waiting = f", {self._arrivals.waiting} waiting" if self._arrivals else ""
        return f"{doing}{merging}: {self._parts.entries:,} events{waiting}{aside}; {self._report.pace}"

    def stop(self) -> None:
        """End soon: bring the result up to date if that takes no time, and leave the rest to the next watch."""
        self._scoring.queue.clear()
        with suppress(KeyboardInterrupt):  # asked twice
            self._merging.finish(time.monotonic() + LAST_MERGE_SECONDS)

    def end(self) -> None:
        """End all processes."""
        self._workers.end()

    def summarize(self) -> int:
        """Print what there is, and return the exit code."""
        if self._merging.published and (self._output / RUN_JSON).is_file():
            print_summary(self._output)
        table = rows()
        entries, behind = self._parts.entries, self._merging.behind
        table.add_row("watch", f"{entries - self._before:,} events scored, {entries:,} in all; {self._report.pace}")
        if self._arrivals is not None and self._arrivals.aside:
            table.add_row("set aside", f"{len(self._arrivals.aside):,} files, see {self._output / SET_ASIDE}")
        for shift in self._report.drift.shifts.values():
            table.add_row("drift", str(shift))
        left = self._left()
        if left:
            table.add_row("left", left)
        if behind:
            table.add_row("to merge", f"{behind:,} events in {self._output / 'parts'} are not in the result yet")
        if left or behind:
            table.add_row("go on", self._setup.command)
        print_rows(table)
        return INTERRUPTED if left or behind else DONE

    def _left(self) -> str:
        """Say what has come, or will come in a replay, and is to be scored yet; nothing where all is scored."""
        if self._arrivals is not None:
            return f"{waiting:,} files to be scored" if (waiting := self._arrivals.waiting) else ""
        if self._replay is None or self._replay.events is None:
            return "the sample was not opened yet"
        return f"{left:,} events to be scored" if (left := self._replay.events - self._parts.entries) else ""


if __name__ == "__main__":
    sys.exit(run_program("analysis.watch", main, sys.argv[1:]))
