"""Work without events on many machines: a task is done in pieces by the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from distributed import Client, KilledWorker, as_completed, get_worker

from rdf.errors import ClusterError, EventLoopFailed
from rdf.execution.distributed import PLUGIN, check_scheduler, ship


class PieceTask(Protocol):
    """What is done in pieces. It travels to the workers, where it may keep what it has prepared."""

    def run(self, piece: range) -> Any:
        """Do the pieces of these numbers, and return what travels back."""


def run_pieces(
    client: Client,
    shipped: tuple[bytes, bytes],
    task: PieceTask,
    pieces: Sequence[range],
    progress: Callable[[int], None],
) -> list[Any]:
    """Do a task in pieces on the workers of a Dask cluster.

    Args:
        client: of the cluster.
        shipped: tar archives of our packages and of our cache, which the workers need not have.
        task: that is done.
        pieces: numbers that are done together.
        progress: called with the length of each piece that is done; an exception that it raises ends all.

    Returns:
        What each piece gave, in their order.

    Raises:
        EventLoopFailed: one worker after the other died.
        ClusterError: the scheduler does not answer any more.
    """
    found: dict[int, Any] = {}
    with ship(client, shipped, task):
        futures = client.map(_run, pieces, pure=False)
        places = {future.key: place for place, future in enumerate(futures)}
        try:
            for future in as_completed(futures):
                place = places[future.key]
                found[place] = future.result()
                progress(len(pieces[place]))
        except KilledWorker as error:
            raise EventLoopFailed("one worker after the other died; the memory may be too small") from error
        except OSError as error:
            check_scheduler(client)
            raise ClusterError(f"the Dask cluster does not answer any more ({error}); start it again") from error
        finally:
            if len(found) < len(pieces):
                client.cancel(futures)
    return [found[place] for place in range(len(pieces))]


def _run(piece: range) -> Any:
    return get_worker().plugins[PLUGIN].task.run(piece)
