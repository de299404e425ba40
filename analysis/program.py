"""How a program of this toolkit starts and ends: options, one line an error, exit codes, the log.

Exit codes (a contract with shells and batch systems): 0 done; 2 bad command or configuration; 3 data missing,
unreachable or unreadable; 4 a result failed its own check; 130 interrupted.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import platformdirs
from rich.console import Console

import models.errors
import plotting.errors
import rdf.errors
from analysis.errors import AnalysisError, ConfigurationError, DataError, near_names
from rdf.cache import APPLICATION

DONE, BAD_COMMAND, BAD_DATA, FAILED_CHECK, INTERRUPTED = 0, 2, 3, 4, 130


def error_console() -> Console:
    """Return the console on stderr, where progress and errors go; results go to stdout."""
    return Console(stderr=True)


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
        (models.errors.ModelFolderError, BAD_COMMAND),
        (DataError, BAD_DATA),
        (rdf.errors.SourceError, BAD_DATA),
        (models.errors.TrainingError, BAD_DATA),
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
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    try:
        yield path if isinstance(handler, logging.FileHandler) else None
    finally:
        logger.removeHandler(handler)
        handler.close()
        if path.is_file() and not path.stat().st_size:
            path.unlink()


class Interruption:
    """Handler of SIGINT and SIGTERM that remembers them.

    A KeyboardInterrupt that is raised while PyROOT calls back into Python is swallowed there; `check_interruption`,
    called between the stages of a program, raises it again.
    """

    def __init__(self) -> None:
        self.requested = False

    def __call__(self, _signal: int, _frame: FrameType | None) -> NoReturn:
        """Remember the signal and raise KeyboardInterrupt."""
        self.requested = True
        raise KeyboardInterrupt


def check_interruption() -> None:
    """Raise KeyboardInterrupt if the user has interrupted the program and it got lost."""
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, Interruption) and handler.requested:
        raise KeyboardInterrupt


def run_program(program: str, main: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """Run a program and turn whatever ends it into an exit code and, for an error, one line on stderr.

    A batch system's SIGTERM is handled as Ctrl-C is, so that a stopped job cleans up after itself; and so is Ctrl-C
    where a script started the program in the background, for which the shell sets it to be ignored.
    """
    console = error_console()

    def say(message: str) -> None:
        console.print(message, style="bold red", soft_wrap=True, highlight=False, markup=False, emoji=False)

    interruption = Interruption()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, interruption)
    with log_file(program.rpartition(".")[2]) as log:
        try:
            code = main(arguments)
            # At the end Python looks through all objects once more, which with torch's takes a second.
            gc.freeze()
            return code
        except Exception as error:
            logging.getLogger(program).exception("ended by an error")
            # Inside a C++ call an interruption can end as an error of that call.
            known = INTERRUPTED if interruption.requested else exit_code(error)
            details = f" (traceback: {log})" if log else ""
            if known == INTERRUPTED:
                say("interrupted; no result was left under its final name")
            elif known is not None:
                say(f"error: {' '.join(str(error).split())}")
            else:
                say(f"error: unforeseen {type(error).__name__}: {' '.join(str(error).split())}{details}")
            return FAILED_CHECK if known is None else known
        except KeyboardInterrupt:
            logging.getLogger(program).exception("interrupted")
            say("interrupted; no result was left under its final name")
            return INTERRUPTED
