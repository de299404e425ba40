"""Live detection: score files as they arrive in a folder, each event once, until Ctrl-C.

python -m analysis.watch incoming --models output/cms2010b/models
"""

from __future__ import annotations

import csv
import json
import shlex
import shutil
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.text import Text

from analysis.arrivals import SET_ASIDE, Arrival, Arrivals, state_of
from analysis.configuration import (
    RunConfiguration,
    WatchConfiguration,
    add_options,
    load_configuration,
    parse_configuration,
)
from analysis.drift import DriftMonitor
from analysis.errors import ConfigurationError, DataError, OutputFolderError
from analysis.inputs import InputFile, RunInput, resolve_input
from analysis.output import held_output, publish
from analysis.preparation import OF_TRAINING, check_schema, read_models
from analysis.program import DONE, INTERRUPTED, OptionParser, error_console, run_program
from analysis.scored_parts import ScoredPart, ScoredParts
from analysis.scorer import Merging, Refused, Scored, Scoring, Setup, columns_of, make_merger
from analysis.summary import UNWRAPPED, print_rows, print_summary, rows
from analysis.worker import Worker, WorkerDied
from models.folder import MODELS_JSON, ModelFolder, copy_model_folder, file_sha256
from rdf.errors import CacheUnusable, NoEvents
from rdf.schema import load_schema

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
SHOWN = 5
"""Flagged events of a chunk that are printed."""
QUICK = 100_000_000
"""Bytes of events that can be merged between two event loops: in less than a second."""
SPARED = 4
"""Times as long as a merge took nothing is merged after it: a result that grows is not copied all the time."""
SUSPECTS = 20
"""Chunks over which a scorer has died that are remembered."""
GROWTH = 1_000_000_000
"""Bytes by which a scorer's memory may grow until another one takes its place: what Cling compiles, it keeps."""
PATIENCE = 5.0
"""Seconds until what the disk had no room for is tried again."""
RESPITE = 1.2
"""Seconds that are left at the end to bring the result up to date."""
RECENT = 60.0
"""Seconds of which the rate is told."""
LATENCIES = 10_000
"""Most recent files whose latencies are told."""
REPLAY_STEP = 1.0
"""Seconds of which the events of a replay come together, at least."""


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
    with held_output(folder) as staging:
        copy_model_folder(models, configuration.models, staging / "models")
        setup = Setup(run, data, models, staging / "models", command, configuration.replay is not None)
        parts = ScoredParts(folder / "parts")
        _check_continues(parts, setup)
        with _Board() as board:
            live = _Live(configuration, setup, staging, folder, parts, board)
            try:
                live.run()
            except KeyboardInterrupt:
                live.stop()
            finally:
                live.end()
    return live.summarize()


def _described(configuration: WatchConfiguration, models: ModelFolder) -> tuple[RunConfiguration, RunInput]:
    """Return the configuration of the event loops, and what results say of the sample."""
    schema = configuration.schema_name or models.schema_name
    options = {
        "sample": configuration.replay or str(configuration.folder),
        "schema": configuration.schema_name if configuration.replay else schema,
        "models": configuration.models,
        "detectors": configuration.detectors,
        "threads": configuration.threads,
    }
    run = load_configuration(RunConfiguration, options, None)
    if configuration.folder is None:
        data = resolve_input(run)
    else:
        check_schema(models, load_schema(schema), run)
        folder = configuration.folder.resolve()
        data = RunInput(name=folder.name or "watched", title=f"files of {folder}", schema_name=schema, files=())
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
    same = {
        "of other models (--models)": (record["models_sha256"], file_sha256(setup.networks / MODELS_JSON)),
        "of other detectors (--detectors)": (
            record["configuration"]["detectors"],
            setup.configuration.model_dump(mode="json")["detectors"],
        ),
        "of other files": (record["sample"]["title"], described["title"]),
        "of files of another format (--schema)": (record["sample"]["schema"], described["schema"]),
    }
    for what, (before, now) in same.items():
        if before != now:
            raise ConfigurationError(f"{first.folder.parent} holds results {what}; choose another --output")


@dataclass(frozen=True)
class _Chunk:
    """What goes through one event loop: files, or entries of a replay with the time when the first of them came."""

    files: tuple[Arrival, ...] = ()
    entries: tuple[int, int] | None = None
    since: float = 0.0

    def halves(self) -> tuple[_Chunk, _Chunk]:
        middle = len(self.files) // 2
        return replace(self, files=self.files[:middle]), replace(self, files=self.files[middle:])


class _Board:
    """What a watch says: results to stdout, all else to stderr, and below it a line on how things stand."""

    def __init__(self) -> None:
        self._console = error_console()
        out = Console(markup=False, emoji=False)
        # On a terminal both streams are one: the line on how things stand has to know what is printed above it.
        self._results = self._console if out.is_terminal and self._console.is_terminal else out
        if not out.is_terminal:
            out.width = UNWRAPPED
        self._live = Live(Text(""), console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> _Board:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, message: str, style: str = "") -> None:
        self._console.print(message, style=style, soft_wrap=True, highlight=False, markup=False, emoji=False)

    def result(self, message: str) -> None:
        self._results.print(message, style="bold", soft_wrap=True, highlight=False, markup=False, emoji=False)

    def stand(self, message: str) -> None:
        if self._live.is_started:
            self._live.update(Text(message, overflow="ellipsis", no_wrap=True, style="cyan"), refresh=True)


class _Live:
    """A watch at work.

    The results are the parts. All else is kept in memory only: which files were scored is what the parts say, and
    whatever was under way when a watch ended is done anew.
    """

    def __init__(
        self,
        configuration: WatchConfiguration,
        setup: Setup,
        staging: Path,
        output: Path,
        parts: ScoredParts,
        board: _Board,
    ) -> None:
        self._setup, self._staging, self._output, self._parts, self._board = setup, staging, output, parts, board
        self._rate = configuration.rate
        self._names = count()
        self._arrivals: Arrivals | None = None
        if configuration.folder is not None:
            done = {path: file for part in parts for path, file in part.done()}
            self._arrivals = Arrivals(
                configuration.folder.resolve(), configuration.settle, output / SET_ASIDE, done, self._complain
            )
        first = next(iter(parts), None)
        self._like = columns_of(first.record()) if first else None
        detectors = tuple(
            name for name in setup.models.detectors if name in (configuration.detectors or setup.models.detectors)
        )
        self._drift = DriftMonitor(setup.models, detectors)
        self._voters = sum(name in setup.models.ensemble for name in detectors) or len(detectors)

        self._scorer = Worker(setup)
        self._merger: Worker | None = None
        self._queue: deque[_Chunk] = deque()
        self._suspects: deque[_Chunk] = deque(maxlen=SUSPECTS)
        self._chunk: _Chunk | None = None
        self._folder = staging
        self._started = 0.0
        self._memory = 0
        self._again_at = 0.0
        self._trouble = ""
        self._published = self._entries_published()
        self._merged_at, self._merge_seconds, self._merge_begun = 0.0, 0.0, 0.0
        self._merging: Merging | None = None
        self._merged_parts: list[ScoredPart] = []
        self._latencies: deque[float] = deque(maxlen=LATENCIES)
        self._scored: deque[tuple[float, int]] = deque()
        self._begin = time.monotonic()
        self._before = parts.entries
        self._total: int | None = None

    # What comes

    def run(self) -> None:
        """Score what comes until Ctrl-C, or until all of a replay is scored and merged."""
        if self._drift.lacking:
            self._complain(f"drift is looked for in the scores only: {self._drift.lacking}")
        if before := self._parts.entries:
            self._board.say(f"going on after {before:,} events")
        while not self._at_end():
            self._look()
            self._begin_chunk()
            self._begin_merge()
            self._board.stand(self._standing())
            waiting = [self._scorer.connection, *([self._merger.connection] if self._merger else [])]
            for connection in wait(waiting, timeout=max(POLL, self._scan_pause())):
                if connection is self._scorer.connection:
                    self._take_answer()
                elif self._merger is not None:
                    self._take_merge(self._merger)

    def _at_end(self) -> bool:
        return self._total is not None and self._parts.entries == self._published == self._total

    def _scan_pause(self) -> float:
        return 10 * self._arrivals.scan_seconds if self._arrivals and not self._queue else 0.0

    def _look(self) -> None:
        """Look for what is new, and get the next chunk ready while another one is scored."""
        if self._arrivals is not None:
            self._arrivals.scan()
            if not self._queue and (files := self._arrivals.take(CHUNK_FILES, CHUNK_BYTES)):
                self._queue.append(_Chunk(tuple(files)))
        elif self._total is not None and not self._queue and self._chunk is None and self._rate:
            begin, now = self._parts.entries, time.monotonic()
            end = min(int((now - self._started) * self._rate) + self._before, self._total)
            since = self._started + (begin - self._before) / self._rate
            if end > begin and (end == self._total or now - since >= REPLAY_STEP):
                self._queue.append(_Chunk(entries=(begin, end), since=since))

    # What is scored

    def _begin_chunk(self) -> None:
        if self._scorer.task is not None or not self._queue or time.monotonic() < self._again_at:
            return
        self._chunk = self._queue.popleft()
        self._folder = self._new_folder("chunk")
        files = tuple(InputFile(str(file.path), file.state.size, file.sha256) for file in self._chunk.files)
        self._scorer.ask(Scoring(self._folder, files, self._parts.entries, self._chunk.entries, self._like))

    def _new_folder(self, kind: str) -> Path:
        # By what no other process calls its own: one that was orphaned may still be writing.
        return self._staging / f"{kind}-{time.time_ns()}-{next(self._names)}"

    def _take_answer(self) -> None:
        """Take what the scorer has to say."""
        task, chunk = self._scorer.task, self._chunk
        if task == "start":
            self._scorer.answer()
            if self._arrivals is None:
                self._scorer.ask(None)
                self._total = int(self._scorer.answer())
            self._started = self._started or time.monotonic()
            self._memory = self._scorer.memory
            return
        if isinstance(task, Merging):
            self._take_merge(self._scorer)
            return
        if chunk is None:
            return
        self._chunk = None
        try:
            answer = self._scorer.answer()
        except (CacheUnusable, OutputFolderError, OSError) as error:
            self._wait_for_room(chunk, str(error))
        except WorkerDied as error:
            self._restart_scorer()
            if len(chunk.files) == 1 and chunk not in self._suspects:  # it may have been killed
                self._suspects.append(chunk)
                self._queue.appendleft(chunk)
            else:
                self._blame(chunk, str(error))
        except Exception as error:
            if self._arrivals is None:
                raise
            self._blame(chunk, str(error))
        else:
            self._trouble = ""
            if isinstance(answer, Refused):
                self._refuse(chunk, answer)
            else:
                self._commit(chunk, answer)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._scorer.task is None and self._scorer.memory > self._memory + GROWTH:
            self._restart_scorer()

    def _restart_scorer(self) -> None:
        self._scorer.kill()
        self._scorer = Worker(self._setup)

    def _wait_for_room(self, chunk: _Chunk, reason: str) -> None:
        if reason != self._trouble:
            self._complain(f"{reason}; waiting for it")
        self._trouble = reason
        self._queue.appendleft(chunk)
        self._again_at = time.monotonic() + PATIENCE

    def _blame(self, chunk: _Chunk, reason: str) -> None:
        """Find out which file of a chunk cannot be scored: halves are tried, down to single files."""
        if self._arrivals is None:
            raise DataError(f"{self._setup.data.title}: {reason}")
        if len(chunk.files) > 1:
            self._queue.extendleft(reversed(chunk.halves()))
        else:
            self._arrivals.set_aside(chunk.files[0], reason)

    def _refuse(self, chunk: _Chunk, refused: Refused) -> None:
        assert self._arrivals is not None
        for file in chunk.files:
            if reason := refused.reasons.get(str(file.path)):
                self._arrivals.set_aside(file, reason)
        if rest := tuple(file for file in chunk.files if str(file.path) not in refused.reasons):
            self._queue.appendleft(replace(chunk, files=rest))

    def _commit(self, chunk: _Chunk, scored: Scored) -> None:
        """Make a part of what was scored, unless a file has changed meanwhile."""
        changed = [file for file in chunk.files if _changed(file)]
        if changed and self._arrivals is not None:
            self._arrivals.give_back(changed)
            if rest := tuple(file for file in chunk.files if file not in changed):
                self._queue.appendleft(replace(chunk, files=rest))
            return
        part = self._parts.commit(self._folder, scored.events)
        now = time.monotonic()
        self._scored.append((now, scored.events))
        record = part.record()
        if self._like is None:
            self._like = columns_of(record)
            if record["left_out"]:
                self._complain(f"left out, for want of what they are made of: {', '.join(record['left_out'])}")
            if record["sample"]["simulated"]:
                self._board.say("SIMULATED: the events of these files are simulated", style="bold red")
        if self._arrivals is not None:
            self._arrivals.finish(chunk.files, time.time())
            self._latencies.extend(now - file.seen for file in chunk.files)
        else:
            self._latencies.append(now - chunk.since)
        self._report(part, record, len(chunk.files))
        for shift in self._drift.add(scored.sample):
            self._complain(f"drift: {shift}")

    def _report(self, part: ScoredPart, record: dict[str, Any], files: int) -> None:
        counts = record["counts"]
        of = f" of {files:,} file{'s' if files > 1 else ''}" if files else ""
        self._board.say(
            f"{time.strftime('%H:%M:%S')}  {counts['processed']:,} events{of}, {counts['anomalous']:,} flagged; "
            f"{self._pace()}"
        )
        with (part.folder / "anomalies.csv").open(newline="", encoding="utf-8") as file:
            flagged = [row for row in csv.DictReader(file) if float(row["flag_ensemble"])]
        for row in flagged[:SHOWN]:
            self._board.result(
                f"  flagged: run {row['run']} luminosityBlock {row['luminosityBlock']} event {row['event']}: "
                f"{float(row['votes']):.0f} of {self._voters} votes, score {float(row['score_ensemble']):.4f}, "
                f"for its {row['why']}"
            )
        if (more := counts["anomalous"] - len(flagged[:SHOWN])) > 0:
            self._board.result(f"  ... and {more:,} more in {part.folder / 'events.root'}")

    # What is merged

    def _begin_merge(self) -> None:
        """Merge parts that have become many; or, when there is nothing else to do, all of them to the result."""
        now = time.monotonic()
        if self._merging is not None or now < self._again_at:
            return
        if few := self._parts.to_merge():
            self._ask_to_merge(Worker(make_merger), few, as_part=True)
        elif (
            self._published < self._parts.entries
            and not self._queue
            and self._chunk is None
            and self._scorer.task is None
            and (now - self._merged_at > SPARED * self._merge_seconds or self._total == self._parts.entries)
        ):
            quick = self._parts.size <= QUICK
            self._ask_to_merge(self._scorer if quick else Worker(make_merger), list(self._parts), as_part=False)

    def _ask_to_merge(self, worker: Worker, parts: list[ScoredPart], as_part: bool) -> None:
        self._merged_parts, self._merge_begun = parts, time.monotonic()
        folders = tuple(part.folder for part in parts)
        folder = self._new_folder("merge")
        self._merging = Merging(folders, folder, self._output, self._setup.command, as_part)
        if worker is self._scorer:
            worker.ask(self._merging)
        else:
            self._merger = worker

    def _take_merge(self, worker: Worker) -> None:
        """Put a finished merge in its place."""
        task = self._merging
        if task is None:
            return
        if worker.task == "start":
            worker.answer()
            worker.ask(task)
            return
        end = self._merged_parts[-1].entries[1]
        try:
            worker.answer()
            if task.as_part:
                self._parts.replace(self._merged_parts, task.folder)
            else:
                publish(task.folder, self._output)
                self._published = end
        except NoEvents:
            self._published = end  # there is no result until an event has passed the cuts
        except Exception as error:  # noqa: BLE001 - the parts are there, and new files may come
            self._complain(f"parts are not merged: {error}")
            self._again_at = time.monotonic() + PATIENCE
            if worker is self._scorer and isinstance(error, WorkerDied):
                self._restart_scorer()
        finally:
            shutil.rmtree(task.folder, ignore_errors=True)
            self._merging = None
            self._merged_at = time.monotonic()
            self._merge_seconds = self._merged_at - self._merge_begun
            if worker is self._merger:
                worker.kill()
                self._merger = None

    def _entries_published(self) -> int:
        """Return how many of the parts' entries the result in the output folder holds."""
        with suppress(OSError, ValueError, KeyError):
            record = json.loads((self._output / "run.json").read_bytes())
            first = next(iter(self._parts)).record()
            if record["merged"] and all(record[key] == first[key] for key in ("models_sha256", "features")):
                return min(int(record["entries"][1]), self._parts.entries)
        return 0

    # The end

    def stop(self) -> None:
        """End soon: bring the result up to date if that takes no time, and leave the rest to the next watch."""
        until = time.monotonic() + RESPITE
        self._queue.clear()
        with suppress(KeyboardInterrupt):  # asked twice
            while time.monotonic() < until:
                merging = isinstance(self._scorer.task, Merging)
                if self._published == self._parts.entries or not (merging or self._scorer.task is None):
                    break
                if not merging:
                    if self._parts.size > QUICK:
                        break
                    self._ask_to_merge(self._scorer, list(self._parts), as_part=False)
                if wait([self._scorer.connection], timeout=max(until - time.monotonic(), 0)):
                    self._take_merge(self._scorer)

    def end(self) -> None:
        """End all processes."""
        for worker in (self._scorer, self._merger):
            if worker is not None:
                worker.kill()

    def summarize(self) -> int:
        """Print what there is, and return the exit code."""
        if self._published and (self._output / "run.json").is_file():
            print_summary(self._output)
        table = rows()
        table.add_row("watch", f"{self._events_here():,} events scored, {self._parts.entries:,} in all; {self._pace()}")
        if self._arrivals is not None and self._arrivals.aside:
            table.add_row("set aside", f"{len(self._arrivals.aside):,} files, see {self._output / SET_ASIDE}")
        for shift in self._drift.shifts.values():
            table.add_row("drift", str(shift))
        left = self._arrivals.waiting if self._arrivals is not None else (self._total or 0) - self._parts.entries
        behind = self._parts.entries - self._published
        if left:
            table.add_row("left", f"{left:,} {'files' if self._arrivals is not None else 'events'} to be scored")
        if behind:
            table.add_row("to merge", f"{behind:,} events in {self._output / 'parts'} are not in the result yet")
        if left or behind:
            table.add_row("go on", self._setup.command)
        print_rows(table)
        return INTERRUPTED if left or behind else DONE

    # What is told

    def _events_here(self) -> int:
        return self._parts.entries - self._before

    def _pace(self) -> str:
        """Tell the rate, and the time from a file's arrival to its results on disk."""
        now = time.monotonic()
        while self._scored and now - self._scored[0][0] > RECENT:
            self._scored.popleft()
        told = f"{sum(events for _, events in self._scored) / max(min(now - self._begin, RECENT), 1e-3):,.0f} events/s"
        if self._latencies:
            half, most = np.percentile(self._latencies, (50, 99))
            of = "files" if self._arrivals is not None else "a chunk's first event"
            told += f", latency of {of} p50 {half:.2g} s, p99 {most:.2g} s"
        return told

    def _standing(self) -> str:
        doing = "starting" if self._scorer.task == "start" else "watching"
        if self._chunk is not None:
            doing = f"scoring {len(self._chunk.files)} files" if self._chunk.files else "scoring"
        merging = ", merging" if self._merging else ""
        aside = f", {len(self._arrivals.aside)} set aside" if self._arrivals and self._arrivals.aside else ""
        waiting = f", {self._arrivals.waiting} waiting" if self._arrivals else ""
        return f"{doing}{merging}: {self._parts.entries:,} events{waiting}{aside}; {self._pace()}"

    def _complain(self, message: str) -> None:
        self._board.say(message, style="yellow")


def _changed(file: Arrival) -> bool:
    """Say whether a file has changed since it was read; one that has gone is as it was."""
    try:
        return state_of(file.path) != file.state
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(run_program("analysis.watch", main, sys.argv[1:]))
