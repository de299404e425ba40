"""Event loops on many machines: ROOT's distributed RDataFrame on Dask, with the graph that a local event loop runs.

ROOT divides a sample at the borders of its clusters, has Dask's workers open each range, adds up what comes back and
checks that every entry was read. What it records of a graph by itself are strings, which each task would compile anew,
and not the actions that ours has. So one more kind of action is entered into its tables here: it has the worker book
the whole of our compiled graph on the events of its range. The tables are internal to ROOT, whose version is pinned.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager
from typing import Any, Protocol

import cloudpickle
from distributed import Client, KilledWorker, get_worker

import rdf.execution.shipped
from rdf import RNode
from rdf.code.interpreter import ROOT, first_reason, start_root
from rdf.errors import (
    ClusterError,
    ComputationError,
    EventLoopFailed,
    ExecutionError,
    SchemaError,
    SourceError,
    UnreadableFile,
)
from rdf.execution.event_loop import Pass, Progress, broken_off, names_of
from rdf.local_files import is_address, is_plain
from rdf.sources.source import Source

start_root()  # gives ROOT its flags, before the next lines import it

from ROOT._distrdf import ComputationGraphGenerator, Operation  # isort: skip  # noqa: E402
from ROOT._distrdf.Backends import Utils  # isort: skip  # noqa: E402

PLUGIN, TOPIC = "anomaly-search", "anomaly-search-events"
"""Names under which a worker knows its task, and says how many events it has processed."""

ACTION = "BookTask"
"""Name of our action. It is an object of ROOT's: a scheduler looks at it, too, and has no code of ours."""


class Booked(Protocol):
    """What a pass over the events of a range will give."""

    @property
    def over(self) -> Pass:
        """The pass."""

    def results(self) -> list[Any]:
        """Return what the event loop has to run."""

    def found(self) -> Any:
        """Return what was found, after the loop.

        It travels, and has a method `merged(other)` that returns what one pass over both ranges would have found.
        """


class Task(Protocol):
    """What is done with the events of each range. It travels to the workers, where it may keep what it has prepared."""

    def book(self, events: RNode, range_index: int) -> Booked:
        """Book a graph on the events of a range, which is the one of this index among all ranges."""


class _Promise:
    """What a range's event loop will give.

    A loop runs in one thread of the worker, and Dask lets go of what a task held in another one, whenever it likes. A
    graph that is taken down there, while the loop of another range runs, would corrupt the memory of both: so the
    thread that has built a graph takes it down. Until then the head has hold of the promise, since ROOT forgets those
    of a run that fails while their loops still run.
    """

    def __init__(self, head: Any, range_index: int) -> None:
        # A worker that crashes is to end at once, and not to look for a debugger that tells all of its stack.
        ROOT.gSystem.ResetSignals()
        ROOT.gEnv.SetValue("Root.Stacktrace", "no")
        self.head, self.done = head, False
        self._task = get_worker().plugins[PLUGIN].task  # which has the detectors
        self._booked: Booked | None = self._task.book(ROOT.RDF.AsRNode(head), range_index)
        self._results = self._booked.results()  # what nobody holds is not run
        head.promise = self

    def value(self) -> _Value:
        assert self._booked, "ROOT asks once"
        found, processed = self._booked.found(), self._booked.over.processed
        self._results, self._booked = [], None
        self.done = True
        del self.head.promise
        get_worker().log_event(TOPIC, processed)
        return _Value(found)


class _Value:
    """What ROOT adds up, and what it takes for the final result."""

    def __init__(self, found: Any) -> None:
        self.found = found

    def GetValue(self) -> Any:  # noqa: N802 - ROOT's name
        return self.found


_as_recorded = ComputationGraphGenerator._call_rdf_operation.dispatch(Operation.Action)


def _book(action: Operation.Action, events: Any, range_index: int) -> tuple[Any, Operation.Action]:
    if action.name == ACTION:
        return _Promise(events, range_index), action
    recorded: tuple[Any, Operation.Action] = _as_recorded(action, events, range_index)
    return recorded


def _book_again(promise: _Promise, range_index: int) -> _Promise:
    if not promise.done:  # its actions are still booked, half-way in their files
        raise EventLoopFailed("an earlier range has failed on this worker")
    return _Promise(promise.head, range_index)  # the head now reads another range of its TTree


def _merge(value: _Value, other: _Value) -> None:
    value.found = value.found.merged(other.found)


Operation.SUPPORTED_OPERATIONS[ACTION] = Operation.Action
ComputationGraphGenerator._call_rdf_operation.register(Operation.Action, _book)
Utils.clone_action.register(_Promise, _book_again)
Utils.get_mergeablevalue.register(_Promise, _Promise.value)
Utils.merge_values.register(_Value, _merge)


_ENVIRONMENT = "start it again, in an environment with the packages of requirements.txt, and run again"


def check_scheduler(client: Client) -> dict[str, int]:
    """Return the workers that the scheduler has, each with its number of threads.

    Raises:
        ClusterError: the scheduler does not answer any more.
    """
    try:
        threads: dict[str, int] = client.nthreads()
    except OSError as error:
        raise ClusterError(f"the Dask scheduler does not answer any more ({error}); {_ENVIRONMENT}") from error
    return threads


def wait_for_workers(client: Client) -> int:
    """Wait until a first worker has come, and return how many there are, or are to come.

    Raises:
        ClusterError: the workers have more than one thread each, or the scheduler does not answer any more.
    """
    while not (threads := check_scheduler(client)):
        time.sleep(0.2)
    if several := [address for address, count in threads.items() if count > 1]:
        raise ClusterError(f"worker {several[0]} has several threads; start more workers, with --nthreads 1")
    return max(len(threads), len(getattr(client.cluster, "worker_spec", {})))


def run_distributed(
    source: Source,
    client: Client,
    shipped: tuple[bytes, bytes],
    task: Task,
    ranges: int,
    progress: Progress | None = None,
) -> Any:
    """Run a task over all events of a source on the workers of a Dask cluster.

    A worker that dies is survived: Dask has others do again what it had done and not yet given away.

    Args:
        source: whose files the workers can read under the same names.
        client: of the cluster. Its workers have one thread each.
        shipped: tar archives of our packages and of our cache, which the workers need not have.
        task: what is done in each range.
        ranges: about how many ranges the sample is read in.
        progress: called with the events done and the events in all; an exception that it raises ends all.

    Returns:
        What was found, merged over all ranges.

    Raises:
        EventLoopFailed: it broke off, on some worker or all.
        rdf.errors.*: as the task says.
    """
    _refuse_unfit(source)
    done = 0

    def count(logged: tuple[float, int]) -> None:
        nonlocal done
        done += logged[1]

    with ship(client, shipped, task), ThreadPoolExecutor(1) as waiting:
        client.subscribe_topic(TOPIC, count)
        events = ROOT.RDataFrame(source.tree, list(source.files), executor=client, npartitions=ranges)
        result = getattr(events, ACTION)()
        # ROOT's own progress bar goes to stdout.
        with contextlib.redirect_stdout(io.StringIO()):
            running = waiting.submit(result.GetValue)
            try:
                while not running.done():
                    with contextlib.suppress(NotYet):
                        running.exception(timeout=0.1)
                    if client.status != "running":  # its scheduler has gone, or cannot read what it was sent
                        raise ClusterError(f"the Dask scheduler does not answer any more; {_ENVIRONMENT}")
                    if progress:
                        progress(min(done, source.events), source.events)
                return running.result()
            except Exception as error:  # noqa: BLE001 - whatever it was, it is told
                raise _ending_error(error, source, client) from None
            finally:
                client.unsubscribe_topic(TOPIC)
                if not running.done():
                    client.close()  # ends what waits for it


def _refuse_unfit(source: Source) -> None:
    """Refuse what ROOT can read only with the help that this process has given it, and workers lack."""
    if odd := [file for file in source.files if not (is_address(file) or is_plain(file))]:
        raise UnreadableFile(
            f"{odd[0]}: with --engine dask ROOT takes a character in this path for something else; rename the file or "
            "its folder"
        )
    if source.absent_friends:
        raise UnreadableFile(
            f"{names_of(source.files)}: a friend of the tree is missing, which --engine dask cannot do without: "
            f"{source.absent_friends[0]}; get it, or leave --engine out"
        )


def _ending_error(error: BaseException, source: Source, client: Client) -> Exception:
    """Return the error by which a distributed event loop that broke off ends this program."""
    while isinstance(error, OSError) and error.__context__:  # ROOT's clearing up fails too where workers have died
        error = error.__context__
    # C++ exceptions of another process, which to print would crash this one.
    error.__cause__ = error.__context__ = None
    if isinstance(error, ComputationError | SourceError | ExecutionError | SchemaError):
        return error
    if isinstance(error, KilledWorker):
        return EventLoopFailed(
            f"{names_of(source.files)}: one worker after the other died over the same events; a file may be damaged "
            "(get it again), or the memory too small"
        )
    check_scheduler(client)
    return broken_off(source, error)


@contextmanager
def ship(client: Client, shipped: tuple[bytes, bytes], task: object) -> Iterator[None]:
    """Give the task to all workers while the block lasts, and to workers that join meanwhile.

    Args:
        client: of the cluster.
        shipped: tar archives of our packages and of our cache, which the workers need not have.
        task: that workers find under `PLUGIN`; it travels.

    Raises:
        EventLoopFailed: the workers cannot take it.
    """
    cloudpickle.register_pickle_by_value(rdf.execution.shipped)
    try:
        client.register_plugin(rdf.execution.shipped.Shipped(*shipped, pickle.dumps(task)), PLUGIN)
    except Exception as error:
        raise EventLoopFailed(
            f"the workers cannot start: {first_reason(error)}; they need the packages of requirements.txt"
        ) from error
    finally:
        cloudpickle.unregister_pickle_by_value(rdf.execution.shipped)
    try:
        yield
    finally:
        if client.status == "running":
            with contextlib.suppress(OSError):  # a worker may just have died
                client.unregister_worker_plugin(PLUGIN)
