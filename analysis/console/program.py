"""How a program of this toolkit starts and ends: options, one line an error, exit codes, the log.

Exit codes (a contract with shells and batch systems): 0 done; 2 bad command or configuration; 3 data missing,
unreachable or unreadable; 4 a result failed its own check; 130 interrupted.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NoReturn

import platformdirs
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

import models.errors
import plotting.errors
import rdf.errors
from analysis.errors import AnalysisError, ConfigurationError, DataError, near_names
from rdf.cache import APPLICATION
from rdf.errors import Interrupted, OutOfMemory
from rdf.memory import REMEDY
from rdf.printable import printable
from rdf.startup import INTERRUPTED, OUT_OF_MEMORY, Interruption, interruptible

_NO_MEMORY = re.compile(
    "OutOfMemory|MemoryError|bad_alloc|[Cc]annot allocate memory|can't allocate memory|failed to map segment"
    "|can't start new thread"
)
"""In what libraries say that get none."""

DONE, BAD_COMMAND, BAD_DATA, FAILED_CHECK = 0, 2, 3, 4


class PrintableConsole(Console):
    """A console on which names, titles and messages are text: none of their characters steers the terminal."""

    def __init__(self, stderr: bool = False) -> None:
        # In names and paths brackets and colons stand for themselves.
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Generate the segments of what is printed; those that steer the terminal are rich's own."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


_SILENT = ContextVar("silent", default=False)
"""Whether the calls of a context are those of a function, which prints nothing."""


@contextmanager
def silent() -> Iterator[None]:
    """Print neither progress nor warnings in the block; warnings stand in run.json too."""
    token = _SILENT.set(True)
    try:
        yield
    finally:
        _SILENT.reset(token)


def error_console() -> Console:
    """Return the console on stderr, where progress and errors go; results go to stdout."""
    console = PrintableConsole(stderr=True)
    console.quiet = _SILENT.get()
    return console


def output_console() -> Console:
    """Return the console on stdout."""
    return PrintableConsole()


class _PrintableFormatter(logging.Formatter):
    """Logs are read in terminals."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


class OptionParser(argparse.ArgumentParser):
    """An argument parser whose errors are exceptions with near names, so that they end as one line."""

    def __init__(self, prog: str, description: str, epilog: str | None = None) -> None:
        super().__init__(
            prog=f"python -m {prog}",
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Parse the options; an unknown one is an error that names its nearest neighbours."""
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            option = unknown[0].split("=")[0]
            known = [name for action in self._actions for name in action.option_strings if name.startswith("--")]
            raise ConfigurationError(f"unknown option {option}; {near_names(option, known)}")
        return parsed

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        raise ConfigurationError(f"{message} (see {self.prog} --help)")


def exit_code(error: BaseException) -> int | None:
    """Return the exit code that an error stands for, or None for an error that nobody foresaw."""
    codes: list[tuple[type[BaseException], int]] = [
        (ConfigurationError, BAD_COMMAND),
        (rdf.errors.SchemaError, BAD_COMMAND),
        (rdf.errors.SpectrumError, BAD_COMMAND),
        (models.errors.ModelFolderError, BAD_COMMAND),
        (models.errors.DetectorError, BAD_COMMAND),
        (DataError, BAD_DATA),
        (rdf.errors.SourceError, BAD_DATA),
        (rdf.errors.ExecutionError, BAD_DATA),
        (models.errors.TrainingError, BAD_DATA),
        (plotting.errors.BadCommand, BAD_COMMAND),
        (plotting.errors.PlottingError, BAD_DATA),
        (AnalysisError, FAILED_CHECK),
        (rdf.errors.ComputationError, FAILED_CHECK),
        (rdf.errors.Interrupted, INTERRUPTED),
    ]
    return next((code for kind, code in codes if isinstance(error, kind)), None)


@contextmanager
def log_file(program: str) -> Iterator[Path | None]:
    """Send log records, tracebacks among them, to a file in the user's log folder.

    Yields:
        The path of the file, or None where no log can be written; a run does not fail for want of a log.
    """
    folder = Path(platformdirs.user_log_dir(APPLICATION))
    path = folder / f"{program}-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.log"
    logger = logging.getLogger()
    handler: logging.Handler
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Opened now: that a disk is full has to show here, not while an error is being told.
        handler = logging.FileHandler(path)
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(_PrintableFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    try:
        yield path if isinstance(handler, logging.FileHandler) else None
    finally:
        logger.removeHandler(handler)
        handler.close()
        if path.is_file() and not path.stat().st_size:
            path.unlink()


def check_interruption() -> None:
    """Raise KeyboardInterrupt if the user has interrupted the program and it got lost."""
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, Interruption) and handler.requested:
        raise KeyboardInterrupt


@contextmanager
def _tracebacks_in_log(logger: logging.Logger) -> Iterator[None]:
    """Send to the log what Python would print of exceptions in threads and in the removal of objects."""
    before = sys.unraisablehook, threading.excepthook

    def log_unraisable(ignored: sys.UnraisableHookArgs) -> None:
        logger.error("ignored in %r", ignored.object, exc_info=ignored.exc_value)

    def log_thread(ended: threading.ExceptHookArgs) -> None:
        logger.error("ended %r", ended.thread, exc_info=ended.exc_value)

    sys.unraisablehook, threading.excepthook = log_unraisable, log_thread
    try:
        yield
    finally:
        sys.unraisablehook, threading.excepthook = before


def tell_when_interrupted(message: str) -> None:
    """Have an interruption from now on say what is left then."""
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, Interruption):
        handler.message = message


def run_program(program: str, main: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """Run a program and turn whatever ends it into an exit code and, for an error, one line on stderr.

    A batch system's SIGTERM, and the SIGHUP of a terminal that is closed, are handled as Ctrl-C is, so that a stopped
    program cleans up after itself.
    """
    logger = logging.getLogger(program)
    with (
        interruptible() as interruption,
        log_file(program.rpartition(".")[2]) as log,
        _tracebacks_in_log(logger),
    ):
        try:
            try:
                interruption.working = True
                code = main(arguments)
            finally:
                interruption.ended = True
            # At the end Python looks through all objects once more, which with torch's takes a second.
            gc.freeze()
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            # Inside a C++ call, or a library, an interruption can end as another error.
            if interruption.requested or isinstance(error, KeyboardInterrupt):
                error = Interrupted()
            if isinstance(error, SystemExit):  # argparse has printed its help
                raise
            logger.exception("ended by an error")
            code = _tell(error, interruption.message, log)
        if interruption.requested:
            interruption.code = code
        return code


def _tell(error: BaseException, interrupted: str, log: Path | None) -> int:
    """Say in one line what ended a program, and return the exit code."""
    code, reason = exit_code(error), " ".join(str(error).split())
    if code == INTERRUPTED:
        _say(interrupted)
    elif _NO_MEMORY.search(f"{type(error).__name__} {reason}"):
        code = OUT_OF_MEMORY
        _say(f"error: {reason if isinstance(error, OutOfMemory) else f'not enough memory ({reason}); {REMEDY}'}")
    elif code is not None:
        _say(f"error: {reason}")
    elif isinstance(error, OSError) and error.filename is not None:
        code = BAD_DATA
        _say(f"error: {os.fsdecode(error.filename)}: {error.strerror}; check the path, its permissions and the disk")
    else:
        code = FAILED_CHECK
        _say(f"error: unforeseen {type(error).__name__}: {reason}{f' (traceback: {log})' if log else ''}")
    return code


def _say(message: str) -> None:
    error_console().print(message, style="bold red", soft_wrap=True, highlight=False, markup=False, emoji=False)
