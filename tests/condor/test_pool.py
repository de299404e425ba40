"""The pool of the tests is a real one: its jobs run, its processes end, and it minds no other pool."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.condor.pool import Pool

pytestmark = pytest.mark.pool

REPOSITORY = Path(__file__).parents[2]
SUBMIT = "import htcondor2; print(htcondor2.Schedd().submit(htcondor2.Submit(open('job.sub').read())).cluster())"
# Prints the events of a log: the type, and the code that a job returned.
READ_EVENTS = """
import sys, json, htcondor2
events = htcondor2.JobEventLog(sys.argv[1]).events(stop_after=0)
print(json.dumps([[event.type.name, event.get("ReturnValue")] for event in events]))
"""
QUEUE = 'import htcondor2; print(*(f\'{ad["ClusterId"]}.{ad["ProcId"]}\' for ad in htcondor2.Schedd().query()))'


def submit(pool: Pool, folder: Path, program: str, **description: str) -> str:
    """Submit a job that runs a Python program in its sandbox, with the log `job.log`; return its id."""
    (folder / "program.py").write_text(program)
    commands = {
        "executable": sys.executable,
        "transfer_executable": "False",
        "arguments": "program.py",
        "transfer_input_files": "program.py",
        "should_transfer_files": "YES",
        "request_memory": "100",
        "request_disk": "1M",
        "output": "output",
        "error": "error",
        "log": "job.log",
        **description,
    }
    text = "".join(f"{name} = {value}\n" for name, value in commands.items()) + "queue\n"
    (folder / "job.sub").write_text(text)
    submitted = pool.run([sys.executable, "-c", SUBMIT], cwd=folder)
    assert submitted.returncode == 0, submitted.stderr
    return f"{submitted.stdout.strip()}.0"


def events(pool: Pool, log: Path) -> list[tuple[str, Any]]:
    """What the bindings read in a job's log: types of events, and the code that a job returned."""
    read = pool.run([sys.executable, "-c", READ_EVENTS, log])
    assert read.returncode == 0, read.stderr
    return [(name, code) for name, code in json.loads(read.stdout)]


def wait_for_event(pool: Pool, log: Path, name: str, seconds: float = 30) -> list[tuple[str, Any]]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = events(pool, log)
        if name in dict(found):
            return found
        time.sleep(0.1)
    raise TimeoutError(f"no {name} in {log}: {log.read_text()}")


def alive(process: int) -> bool:
    """Whether a process runs: one that has ended may wait for its parent to ask how."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_job_runs_in_its_sandbox_as_the_pools_account(pool: Pool, tmp_path: Path) -> None:
    program = "import getpass, os; print(getpass.getuser(), os.getcwd() == os.environ['_CONDOR_SCRATCH_DIR'])"
    submit(pool, tmp_path, f"{program}\nopen('made', 'w').write('here'); raise SystemExit(7)")
    found = wait_for_event(pool, tmp_path / "job.log", "JOB_TERMINATED")
    assert [event for event in found if event[0] not in ("FILE_TRANSFER", "IMAGE_SIZE")] == [
        ("SUBMIT", None),
        ("EXECUTE", None),
        ("JOB_TERMINATED", 7),
    ]
    assert (tmp_path / "output").read_text().split() == [pool.account, "True"]
    assert (tmp_path / "made").read_text() == "here"
    if os.getuid() == 0:
        assert pool.account != "root"


def test_a_job_whose_starter_is_killed_runs_again(pool: Pool, tmp_path: Path) -> None:
    again = tmp_path / "again"
    program = f"import os, time\nif not os.path.exists({str(again)!r}): time.sleep(60)"
    job = pool.wait_for_job(submit(pool, tmp_path, program))
    again.touch()
    os.kill(job.starter, signal.SIGKILL)
    found = wait_for_event(pool, tmp_path / "job.log", "JOB_TERMINATED")
    types = [name for name, _ in found]
    assert types.count("EXECUTE") == 2
    assert types.count("JOB_EVICTED") == 1
    assert found[-1] == ("JOB_TERMINATED", 0)
    assert not alive(job.process)


def test_a_job_is_held_for_its_memory(pool: Pool, tmp_path: Path) -> None:
    submit(
        pool,
        tmp_path,
        "import time; data = bytearray(300 * 2**20); time.sleep(60)",
        periodic_hold="MemoryUsage > RequestMemory",
    )
    wait_for_event(pool, tmp_path / "job.log", "EXECUTE")
    wait_for_event(pool, tmp_path / "job.log", "JOB_HELD", seconds=5)


def test_nodes_of_a_dag_are_found_by_name(pool: Pool, tmp_path: Path) -> None:
    common = "executable = /bin/sleep\narguments = 30\nlog = nodes.log\nrequest_memory = 1\nrequest_disk = 1M\n"
    (tmp_path / "vanilla.sub").write_text(f"{common}should_transfer_files = YES\nqueue\n")
    (tmp_path / "local.sub").write_text(f"{common}universe = local\nqueue\n")
    (tmp_path / "two.dag").write_text("JOB here local.sub\nJOB there vanilla.sub\n")
    code = "import htcondor2; htcondor2.Schedd().submit(htcondor2.Submit.from_dag('two.dag'))"
    submitted = pool.run([sys.executable, "-c", code], cwd=tmp_path)
    assert submitted.returncode == 0, submitted.stderr
    here, there = pool.wait_for_job("here"), pool.wait_for_job("there")
    assert here.shadow is None
    assert there.shadow
    for job in (here, there):
        assert Path(f"/proc/{job.process}/cmdline").read_bytes().endswith(b"sleep\x0030\0")
        os.kill(job.process, signal.SIGKILL)


def test_two_pools_do_not_meet(pool: Pool, tmp_path: Path) -> None:
    # A socket's name could not be as long as this path.
    with Pool(tmp_path / ("long" * 30), cpus=1) as other:
        job = submit(other, tmp_path, "import time; time.sleep(60)")
        running = other.wait_for_job(job)
        assert other.run([sys.executable, "-c", QUEUE]).stdout.split() == [job]
        assert running.process not in pool.processes()
        assert not set(other.processes()) & set(pool.processes())
    assert pool.run(["condor_status", "-autoformat", "Name"]).stdout


# A job that ends neither when asked to nor with its parent.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if len(sys.argv) == 1:
    subprocess.Popen([sys.executable, "program.py", "again"], start_new_session=True)
time.sleep(60)
"""
# A test's process, which is killed.
HOLDER = """
import sys
from pathlib import Path
from tests.condor.pool import Pool
from tests.condor.test_pool import STUBBORN, submit
folder = Path(sys.argv[1])
with Pool(folder / "pool", cpus=1) as pool:
    pool.wait_for_job(submit(pool, folder, STUBBORN))
    while sum("program.py" in Path(f"/proc/{process}/cmdline").read_text() for process in pool.processes()) < 2:
        pass
    print(*pool.processes(), flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
def test_no_process_of_a_pool_outlives_the_test(pool: Pool, tmp_path: Path, killed: bool) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    with holder:
        assert holder.stdout
        processes = [int(process) for process in holder.stdout.readline().split()]
        # master, procd, collector, negotiator, schedd, startd; shadow, starter; the job and its child
        assert len(processes) == 10
        assert all(map(alive, processes))
        if killed:
            holder.kill()
    end = time.monotonic() + (300 if killed else 0)
    while any(map(alive, processes)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(alive, processes))
    assert not set(processes) & set(pool.processes())
