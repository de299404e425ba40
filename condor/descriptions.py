"""What HTCondor is told of the jobs of a batch: the submit descriptions that the nodes of its DAG use."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from condor.plan import MEMORY_GROWTH, Plan, Requests

RETRY_NEVER = 2
"""Exit code of a job that would fail again: its command or configuration is bad."""

OVER_MEMORY = 1001
"""Subcode of the hold of a job that uses more memory than it was given."""

_MEMORY_EXCEEDED = (
    f"({{0}}Code =?= 3 && {{0}}SubCode =?= {OVER_MEMORY}"
    " || {0}Code =?= 34 && {0}SubCode =!= 104"
    " || {0}Code =?= 21 && {0}SubCode =?= 102)"
)
"""Held for memory: by the rule below, by the kernel's limit, or by the pool's policy; 104 is for disk."""

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ROOT_MAX_THREADS"), "1")


def score_description(plan: Plan, inputs: Sequence[str]) -> str:
    """Return the submit description of the scoring jobs; what differs between them is given by the DAG.

    Args:
        plan: of the batch.
        inputs: names of files and folders in the batch folder that every job gets.
    """
    requests = plan.requests
    environment = {"PATH": f"{Path(plan.python).parent}:{_SYSTEM_PATH}", "LANG": "C.UTF-8", **_ONE_THREAD}
    return f"""\
# A scoring job. It gets all that it needs by file transfer, and sends its part back.
universe = vanilla
executable = score.sh
arguments = {_words(plan.python)} $(entries)"
environment = {_variables(environment)}
output = logs/$(JOB).out
error = logs/$(JOB).err

should_transfer_files = YES
when_to_transfer_output = ON_EXIT
transfer_input_files = {", ".join(inputs)}$(files)
transfer_output_files = part
transfer_output_remaps = "part=parts/$(JOB)"

request_cpus = 1
request_disk = {_disk(requests)}
allowed_execute_duration = {_seconds(requests)}

# A job that fails is tried again, unless it would fail again. One that ends by a signal has no exit code.
max_retries = {requests.retries}
retry_until = ExitCode =?= {RETRY_NEVER}

# A job that needs more memory than it was given is put on hold, released, and given twice as much. What the job used
# last is known before what it uses now, so it is to get more than that.
request_memory = {_memory_request(requests)}
periodic_hold = JobStatus == 2 && MemoryUsage > MemoryProvisioned
periodic_hold_reason = strcat("uses ", MemoryUsage, " MB of memory, of ", MemoryProvisioned, " MB that it was given")
periodic_hold_subcode = {OVER_MEMORY}
periodic_release = {_memory_release(requests)}

queue
"""


def merge_description(output: Path) -> str:
    """Return the submit description of the merges, which run on the machine that the batch is submitted from.

    Args:
        output: folder of the result.
    """
    code = Path(__file__).resolve().parent.parent
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{_SYSTEM_PATH}",
        "HOME": str(Path.home()),
        "PYTHONPATH": str(code),
        "LANG": "C.UTF-8",
        **{name: os.environ[name] for name in ("XDG_CACHE_HOME",) if name in os.environ},
        **_ONE_THREAD,
    }
    return f"""\
# A merge. It runs where the parts are.
universe = local
executable = {sys.executable}
transfer_executable = False
arguments = {_words("-m", "condor", "merge", str(output), "--node")} $(JOB)"
environment = {_variables(environment)}
output = logs/$(JOB).out
error = logs/$(JOB).err
queue
"""


def job_attributes(requests: Requests) -> dict[str, str]:
    """Return the attributes of a job in the queue that follow from its requests."""
    return {
        "RequestMemory": _memory_request(requests),
        "PeriodicRelease": _memory_release(requests),
        "RequestDisk": str(1024 * requests.disk),
        "AllowedExecuteDuration": str(_seconds(requests)),
    }


def _memory_request(requests: Requests) -> str:
    """Return the expression for the memory of a job, in MB."""
    exceeded = _MEMORY_EXCEEDED.format("LastHoldReason")
    more = f"max({{{requests.memory}, 2 * MemoryProvisioned, 3 * MemoryUsage / 2}})"
    return f"ifThenElse({exceeded}, {more}, {requests.memory})"


def _memory_release(requests: Requests) -> str:
    """Return the expression that says whether a job on hold is let go again."""
    return f"{_MEMORY_EXCEEDED.format('HoldReason')} && MemoryProvisioned < {MEMORY_GROWTH * requests.memory}"


def _disk(requests: Requests) -> str:
    return f"{requests.disk}MB"


def _seconds(requests: Requests) -> int:
    return 60 * requests.minutes


def _words(*words: str) -> str:
    """Begin a list of arguments in HTCondor's quoting, to which more are appended."""
    return '"' + " ".join(map(_quoted, words))


def _variables(environment: Mapping[str, str]) -> str:
    """Write an environment in HTCondor's quoting."""
    return '"' + " ".join(f"{name}={_quoted(value)}" for name, value in environment.items()) + '"'


def _quoted(word: str) -> str:
    escaped = word.replace("'", "''").replace('"', '""').replace("$", "$(DOLLAR)")
    return f"'{escaped}'"
