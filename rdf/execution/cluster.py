"""Dask clusters: worker processes on this machine, of a scheduler that runs already, or as jobs of an HTCondor pool."""

from __future__ import annotations

import logging
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import dask
from distributed import Client, LocalCluster

from rdf.errors import ClusterError
from rdf.temporary import TemporaryFolder

# It takes SIGINT for itself when it is imported, which ROOT would do in another thread, where that is an error.
_handler = signal.getsignal(signal.SIGINT)
import dask_jobqueue  # noqa: E402

signal.signal(signal.SIGINT, _handler)

LOCAL, HTCONDOR = "local", "htcondor"
"""Kinds of clusters that are started; any other is the address of a running scheduler."""

CONNECTING = 10
"""Seconds that a scheduler has to answer in."""

WORKER_MEMORY, WORKER_DISK = "2 GB", "1 GB"
"""Requested for each worker in an HTCondor pool, unless Dask's own configuration (jobqueue.htcondor) says otherwise."""


@contextmanager
def open_cluster(kind: str, workers: int) -> Iterator[Client]:
    """Connect to a cluster, which is started if need be and then stopped at the end.

    Args:
        kind: `local`, `htcondor`, or the address of a scheduler that runs already.
        workers: that are started, with one thread each.

    Yields:
        The client. Workers in a pool may join later.

    Raises:
        ClusterError: it cannot be started or does not answer.
    """
    with (
        # What workers say that come, go, or are told to stop: errors are told by this toolkit.
        dask.config.set({"logging.distributed": "critical"}),
        TemporaryFolder("dask") as folder,
        ExitStack() as opened,
    ):
        try:
            if kind == LOCAL:
                cluster = LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    dashboard_address=None,
                    local_directory=str(folder),
                    silence_logs=logging.CRITICAL,
                )
            elif kind == HTCONDOR:
                cluster = _pool(workers)
            else:
                cluster = kind
            if not isinstance(cluster, str):
                opened.enter_context(cluster)
            client = opened.enter_context(Client(cluster, timeout=CONNECTING))
        except (OSError, ValueError, RuntimeError, subprocess.TimeoutExpired) as error:
            reason = str(error) or "no answer"
            raise ClusterError(f"--cluster {kind}: {reason}; {_REMEDIES.get(kind, _ADDRESS)}") from error
        yield client


_ADDRESS = "give the address that dask-scheduler prints, as tcp://host:8786, or start it"
_REMEDIES = {
    LOCAL: "try fewer --threads",
    HTCONDOR: "condor_submit has to be on the PATH, and CONDOR_CONFIG to name a pool that answers (condor_status)",
}


def _pool(workers: int) -> dask_jobqueue.HTCondorCluster:
    """Start a scheduler here, and workers as jobs of the pool that HTCondor's configuration names."""
    if not shutil.which("condor_ping"):
        raise OSError("HTCondor's commands are not there")
    # Workers that cannot be submitted would be waited for without end.
    ping = ["condor_ping", "-type", "SCHEDD", "WRITE"]
    asked = subprocess.run(ping, capture_output=True, text=True, timeout=CONNECTING, check=False)
    if asked.returncode:
        answer = next(iter((asked.stderr + asked.stdout).splitlines()), "condor_ping fails")
        raise OSError(f"no pool answers, or it takes no jobs of this user ({answer.strip()})")
    wanted = {"cores": 1, "processes": 1, "memory": WORKER_MEMORY, "disk": WORKER_DISK}
    site = dask.config.get("jobqueue.htcondor")
    configured = {key: site[key] for key in ("memory", "disk") if site[key] is not None}
    cluster = dask_jobqueue.HTCondorCluster(
        **wanted | configured, python=sys.executable, scheduler_options={"dashboard_address": ":0"}
    )
    cluster.scale(jobs=workers)
    return cluster
