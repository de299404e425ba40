"""The pool, through HTCondor's Python bindings: what is asked of its schedd, within seconds or with one clear error."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from condor.errors import NoPool, RefusedByPool

ANSWER_SECONDS = 5
"""Time that a daemon gets for an answer; HTCondor's own 20 to 60 s are long for a wrong address."""

BATCH, ROUND = "ScoringBatch", "ScoringRound"
"""Attributes of a DAG's job: the batch folder, and the number of the round."""

IN_QUEUE = "JobStatus =!= 3 && JobStatus =!= 4"
"""Neither removed nor completed: such jobs stay in the queue for a moment."""


def bindings() -> ModuleType:
    """Return HTCondor's Python bindings, which the other programs of this toolkit do without.

    Raises:
        NoPool: they are not installed, or their configuration does not exist.
    """
    configured = os.environ.get("CONDOR_CONFIG")
    if configured and not Path(configured).exists():  # HTCondor would only warn of that, on several lines
        raise NoPool(f"CONDOR_CONFIG: {configured} does not exist; set it to the pool's condor_config, or unset it")
    try:
        import htcondor2
    except ImportError as error:
        raise NoPool(
            f"HTCondor's Python bindings cannot be imported ({error}); python -m pip install htcondor installs them"
        ) from error
    bindings: ModuleType = htcondor2
    return bindings


class Schedd:
    """The schedd that this machine submits to, which answered when this was made.

    Raises:
        NoPool: there is none, or none that answers.
        RefusedByPool: it does not let this user ask.
    """

    def __init__(self) -> None:
        self._bindings = bindings()
        for timeout in ("QUERY_TIMEOUT", "Q_QUERY_TIMEOUT"):
            self._bindings.param[timeout] = str(ANSWER_SECONDS)
        with _one_line(self._bindings):
            self._schedd = self._bindings.Schedd()
            self._schedd.query("false")

    def running_dags(self, batch: Path) -> dict[int, int]:
        """Return which DAGs of a batch are in the queue: number of the round -> of the DAG's job (cluster)."""
        with _one_line(self._bindings):
            ads = self._schedd.query(f"{_of(batch)} && {IN_QUEUE}", [ROUND, "ClusterId"])
        return {int(ad[ROUND]): int(ad["ClusterId"]) for ad in ads}

    def submit_dag(self, dag: Path, batch: Path, number: int) -> int:
        """Submit the DAG of a round and return the number of its job (cluster)."""
        with _one_line(self._bindings):
            description = self._bindings.Submit.from_dag(str(dag), {"force": True})
            description["initialdir"] = str(batch)
            description[f"My.{BATCH}"] = _quoted(str(batch))
            description[f"My.{ROUND}"] = str(number)
            return int(self._schedd.submit(description).cluster())

    def remove(self, dag: int) -> None:
        """Remove a DAG's job from the queue; DAGMan removes the jobs of its nodes."""
        with _one_line(self._bindings):
            self._schedd.act(self._bindings.JobAction.Remove, [f"{dag}.0"])

    def release(self, dag: int, changes: Mapping[str, str]) -> int:
        """Let the held jobs of a DAG go again, after giving them other values of attributes; return how many."""
        held = f"DAGManJobId == {dag} && JobStatus == 5"
        with _one_line(self._bindings):
            for attribute, value in changes.items():
                self._schedd.edit(held, attribute, value)
            done = self._schedd.act(self._bindings.JobAction.Release, held)
        return int(done["TotalSuccess"])


def read_events(log: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the events of a job event log, as they are in the file now; none where there is no file."""
    if not log.is_file():
        return
    htcondor2 = bindings()
    with _one_line(htcondor2), htcondor2.JobEventLog(str(log)) as events:
        yield from events.events(stop_after=0)


def _of(batch: Path) -> str:
    return f"{BATCH} =?= {_quoted(str(batch))}"


def _quoted(text: str) -> str:
    """Write a string of ClassAds."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@contextmanager
def _one_line(htcondor2: ModuleType) -> Iterator[None]:
    """Turn what the bindings raise into an error that names the remedy."""
    try:
        yield
    except htcondor2.HTCondorException as error:
        reason = " ".join(str(error).split()).removesuffix(".")
        # The bindings set it to /dev/null where there is no configuration.
        configured = os.environ.get("CONDOR_CONFIG", "/etc/condor/condor_config").replace("/dev/null", "not set")
        if any(word in reason for word in ("Unable to locate", "Failed to connect to <")):
            raise NoPool(
                f"no HTCondor schedd answers ({reason}); submit from a machine that runs one, and check CONDOR_CONFIG "
                f"({configured}) and `condor_status -schedd`"
            ) from error
        if any(word in reason.lower() for word in ("authenticat", "authoriz", "permission", "denied")):
            raise RefusedByPool(
                f"the HTCondor schedd refuses this user ({reason}); ask the pool's administrator, or log in as a user "
                "who may submit"
            ) from error
        raise RefusedByPool(
            f"the HTCondor schedd refuses: {reason}; `condor_q` and its log, SchedLog, tell more"
        ) from error
