"""Workers of a watch: processes that score and merge, so that whatever becomes of them the watch itself goes on.

ROOT can end a process, and does not let itself be interrupted everywhere: a worker can be killed at any time, since
nothing that it writes counts before the watch has moved it to its place.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from analysis.console.program import exit_code
from analysis.errors import AnalysisError
from rdf.startup import uninterrupted

Answer = Callable[[], Any]
"""The answer to a task: what a call returns, or the exception that it raises."""


class WorkerDied(AnalysisError):
    """A worker ended in the middle of a task; says by which signal."""


class Worker:
    """A process that does one task after the other."""

    def __init__(self, make: Callable[[], Callable[[Any], Any]], then: Callable[[Answer], None]) -> None:
        """Start the process.

        Args:
            make: factory, called once in the new process. It returns a function task -> answer.
            then: given the first answer, which is None once the process is ready.
        """
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        try:
            with uninterrupted():
                self._process.start()
        except KeyboardInterrupt:
            self.kill()  # nobody else will know of it
            raise
        theirs.close()
        self._then: Callable[[Answer], None] | None = then
        # More than a pipe holds, for a process that has still to import what it needs: a thread waits for that.
        threading.Thread(target=self._send, args=(make,), daemon=True).start()

    @property
    def connection(self) -> Connection:
        """What becomes ready when there is an answer, or the worker has ended."""
        return self._connection

    @property
    def is_idle(self) -> bool:
        """Whether the process waits for a task."""
        return self._then is None

    @property
    def memory(self) -> int:
        """Bytes of memory that the process has; 0 where the system does not tell (no /proc)."""
        try:
            pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        except OSError:
            return 0
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def ask(self, task: Any, then: Callable[[Answer], None]) -> None:
        """Give an idle worker a task.

        Args:
            task: of the worker.
            then: given the answer.
        """
        self._then = then
        self._send(task)

    def _send(self, task: Any) -> None:
        with suppress(OSError):  # it has died, which its answer will say
            self._connection.send(task)

    def take_answer(self) -> None:
        """Wait for the answer, and hand it to the asker; the process is idle by then."""
        then, self._then = self._then, None
        received = self._received()

        def answer() -> Any:
            if isinstance(received, BaseException):
                raise received
            return received

        if then is not None:
            then(answer)

    def _received(self) -> Any:
        """Return what the process has sent; WorkerDied if it has ended."""
        try:
            return self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode or 0
            ending = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            return WorkerDied(f"it ended the process that read it ({ending})")

    def kill(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join()
        self._connection.close()


def _serve(connection: Connection) -> None:
    """Answer tasks until the connection is closed. The first message is a factory of the function that does them."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    silence = os.open(os.devnull, os.O_WRONLY)  # messages are the watch's alone
    for stream in (1, 2):
        os.dup2(silence, stream)
    try:
        work = connection.recv()()
        connection.send(None)
        while True:
            task = connection.recv()
            try:
                answer = work(task)
            except Exception as error:  # noqa: BLE001 - the watch decides what becomes of it
                answer = _portable(error)
            connection.send(answer)
    except (EOFError, OSError):
        return
    except Exception as error:  # noqa: BLE001 - likewise
        connection.send(_portable(error))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
    os._exit(1)


def _portable(error: Exception) -> Exception:
    """Return an error that can travel: those that nobody foresaw by what they say."""
    if exit_code(error) is not None:
        try:
            pickle.loads(pickle.dumps(error))
            return error
        except Exception:  # noqa: BLE001 - whatever hinders it
            return AnalysisError(str(error))
    return RuntimeError(f"unforeseen {type(error).__name__}: {error}")
