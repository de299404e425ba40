"""Whether a host answers, asked before a run relies on it: a wait without end is the worst answer."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Iterable
from urllib.parse import urlsplit

from analysis.errors import SampleUnavailable

# Seconds. One dead address (IPv6 without a route, say) leaves time for the next before the host counts as unreachable.
ADDRESS_TIMEOUT, HOST_TIMEOUT = 2.5, 5.0
XROOTD_PORT = 1094


def check_host(host: str, port: int, url: str) -> None:
    """Connect to a port and hang up.

    Raises:
        SampleUnavailable: nothing answers there within a few seconds; names `url`, for which it was asked.
    """
    # A library limits the time of one attempt at one address, neither the look-up of the name nor the sum over all
    # addresses: a dead name server or a firewall that drops packets would hold a run up for a minute.
    outcome: queue.SimpleQueue[OSError | None] = queue.SimpleQueue()

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=ADDRESS_TIMEOUT).close()
            outcome.put(None)
        except OSError as error:
            outcome.put(error)

    threading.Thread(target=connect, daemon=True).start()
    try:
        failure = outcome.get(timeout=HOST_TIMEOUT)
    except queue.Empty:
        failure = TimeoutError(f"no answer within {HOST_TIMEOUT:g} s")
    if failure:
        reason = failure.strerror or failure
        raise SampleUnavailable(f"cannot reach {host}:{port} for {url} ({reason})") from failure


def check_streams(urls: Iterable[str]) -> None:
    """Check once that each of the hosts answers from which files of `root://` addresses would be read.

    Raises:
        SampleUnavailable: one does not.
    """
    hosts = {(parts.hostname or "", parts.port or XROOTD_PORT): url for url in urls for parts in [urlsplit(url)]}
    for (host, port), url in hosts.items():
        check_host(host, port, url)
