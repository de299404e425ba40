"""How the process of a program begins: its signals and standard streams, before it imports libraries for seconds.

Only a process that runs one of our programs is changed; who imports our packages keeps signals and streams.
"""

from __future__ import annotations

import atexit
import io
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

TYPE_CHECKING = False

if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn, TextIO

INTERRUPTED = 130
"""Exit code of a program that was interrupted."""

OUT_OF_MEMORY = 3
"""Exit code of a program that has not enough memory: the machine lacks it, as it may lack data or room on a disk."""

LEAST_MEMORY = 250_000_000
"""Bytes of address space without which the libraries of a program cannot even be imported."""

NOTHING_LEFT = "interrupted; no result was left under its final name"

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals by which a user, a batch system or a closed terminal ends a program."""


class Interruption:
    """Handler of the signals that end a program.

    While the program starts nothing is there to be cleaned up, and an exception could get lost in, or break, the import
    of a library: the process ends at once. While it works a KeyboardInterrupt is raised, so that what was begun is
    removed. Once its exit code is known a signal does not change it any more.

    Attributes:
        requested: whether there was a signal. A KeyboardInterrupt that is raised while PyROOT calls back into Python
            is swallowed there.
        working: whether a KeyboardInterrupt is to be raised.
        ended: whether signals are to change nothing any more.
        code: the exit code, where there was a signal.
        message: what is said of the end; of results that are left, whoever leaves them says it.
    """

    def __init__(self, working: bool = False) -> None:
        self.requested = False
        self.working = working
        self.ended = False
        self.code: int | None = None
        self.message = NOTHING_LEFT

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        """Do what a signal asks for."""
        if self.ended:
            return
        self.requested = True
        if not self.working:
            _end_at_once(NOTHING_LEFT, INTERRUPTED)
        # Whoever closes a terminal or stops a job often sends two signals. The second must not cut short what the
        # first has begun to clean up; after one that got lost it has to count.
        if not _is_unwinding():
            raise KeyboardInterrupt


def _is_unwinding() -> bool:
    """Tell whether an interruption is being answered, by an `except`, a `finally` or the end of a context."""
    error = sys.exception() if sys.version_info >= (3, 12) else sys.exc_info()[1]
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__context__
    return False


def _end_at_once(message: str, code: int) -> NoReturn:
    """End the process with one line on stderr."""
    try:
        os.write(2, f"{message}\n".encode())
    finally:
        os._exit(code)


def handle_signals(interruption: Interruption) -> None:
    """Have an interruption handle the signals that end a program.

    Ctrl-C is handled also where a script started the program in the background, for which the shell sets it to be
    ignored. That a terminal is closed stays ignored where it is (nohup).
    """
    for number in ENDING:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interruption)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off the signals that end a program to the end of the block.

    A process that is started in it never gets them: in a terminal Ctrl-C is for all processes. They are blocked for
    what this thread starts, and noted where another thread of this process gets them.
    """
    noted: list[int] = []
    handlers = {number: signal.getsignal(number) for number in ENDING}
    for number, handler in handlers.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: noted.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if noted:
            signal.raise_signal(noted[0])


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Let an interruption handle signals in the block; after it they mean what they did before.

    Where the process is a program's, nothing follows but its end, which signals do not change.
    """
    before = {number: signal.getsignal(number) for number in ENDING}
    handler = before[signal.SIGINT]
    if isinstance(handler, Interruption) and not handler.working:
        yield handler
        return
    interruption = Interruption()
    handle_signals(interruption)
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def started_module() -> str:
    """Return the module that this process runs (`python -m MODULE`), if it is not found yet; nothing otherwise."""
    # Until Python has found the module, this stands for its path, and the arguments follow as they were given.
    if sys.argv[:1] != ["-m"]:
        return ""
    return sys.orig_argv[-len(sys.argv)].removeprefix("-m")


def begin_program() -> None:
    """Make signals and streams of this process those of a program, until it ends."""
    interruption = Interruption()
    handle_signals(interruption)
    atexit.register(_end, interruption)  # what is registered first is called last
    _open_lost_streams()
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < LEAST_MEMORY:
        _end_at_once(
            f"error: not enough memory: a program takes {LEAST_MEMORY / 1e9:.2g} GB of address space, at least, and "
            f"the limit is {limit / 1e9:.2g} GB; raise it (ulimit -v)",
            OUT_OF_MEMORY,
        )
    sys.stdout = _outlet(1, sys.stdout)
    sys.stderr = _outlet(2, sys.stderr)


def _end(interruption: Interruption) -> None:
    """Do what is left to do when Python has called all else that was to be called at its end."""
    # Python gives signals back their own meaning before C++ has taken itself apart.
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    if interruption.code is not None:
        # A KeyboardInterrupt in Python code that C++ ran makes Python end by SIGINT, whatever the exit code; and a
        # library that is half imported cannot always be taken apart.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(interruption.code)


def _open_lost_streams() -> None:
    """Let a standard stream that the caller has closed lead nowhere.

    The next file that is opened would take its number, and get what is written to the stream.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            os.set_inheritable(opened, True)


class _Outlet(io.TextIOWrapper):
    """A standard stream that takes all that is written, also where it is a full disk or a pipe that nobody reads.

    A result does not become worse because nobody reads what is said of it.
    """

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError:
            self._lead_nowhere()
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            self._lead_nowhere()
            super().flush()  # what was held back

    def _lead_nowhere(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def _outlet(descriptor: int, stream: TextIO | None) -> _Outlet:
    """Return an outlet like a standard stream of Python's, which there is none of if the caller has closed it."""
    raw = io.FileIO(descriptor, "w", closefd=False)
    errors = getattr(stream, "errors", None) or "strict"
    return _Outlet(
        io.BufferedWriter(raw),
        encoding=getattr(stream, "encoding", None) or "utf-8",
        # A name that the terminal has no letters for is no reason to end.
        errors="backslashreplace" if errors == "strict" else errors,
        line_buffering=descriptor == 2 or raw.isatty(),
    )
