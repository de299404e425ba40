"""A real HTCondor pool on this machine, started and stopped by the tests.

HTCondor takes no jobs from root, so root shows itself to the pool and its clients as another account, by a user
namespace that maps only this one user.

    python -m tests.condor.pool    installs the daemons, which the first pool does otherwise
"""

from __future__ import annotations

import os
import pwd
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from tests.condor.daemons import Unavailable, call, default_prefix, install

# Who root is inside the pool: an account of every Debian that is not root.
ROOTS_ACCOUNT = "daemon"
# A pool whose tests were killed ends with them; one that lost them otherwise, after this time.
LIFE_MINUTES = 30
# Only counted, never reserved: more than the machine may have.
MEMORY_MB_PER_CPU = 4096

T = TypeVar("T")

CONFIGURATION = """\
RELEASE_DIR = {prefix}/usr
LIBEXEC = $(RELEASE_DIR)/libexec/condor
LOCAL_DIR = {folder}
LOCAL_CONFIG_FILE =
LOCAL_CONFIG_DIR =
RUN = $(LOCAL_DIR)/run
LOG = $(LOCAL_DIR)/log
LOCK = $(LOCAL_DIR)/lock
SPOOL = $(LOCAL_DIR)/spool
EXECUTE = $(LOCAL_DIR)/execute
SEC_TOKEN_SYSTEM_DIRECTORY = $(LOCAL_DIR)/tokens.d
SEC_PASSWORD_DIRECTORY = $(LOCAL_DIR)/passwords.d

# On the loopback only, on ports that the kernel chooses: clients find them in the address files in LOG. Without the
# shared port there are no sockets in the file system, whose names may not be long.
DAEMON_LIST = MASTER, COLLECTOR, NEGOTIATOR, SCHEDD, STARTD
CONDOR_HOST = 127.0.0.1
COLLECTOR_HOST = 127.0.0.1:0
COLLECTOR_ADDRESS_FILE = $(LOG)/.collector_address
NETWORK_INTERFACE = 127.0.0.1
BIND_ALL_INTERFACES = False
ENABLE_IPV6 = False
NO_DNS = True
DEFAULT_DOMAIN_NAME = localdomain
USE_SHARED_PORT = False

# One account, which proves itself by files.
UID_DOMAIN = tests.localdomain
FILESYSTEM_DOMAIN = tests.localdomain
SEC_DEFAULT_AUTHENTICATION = REQUIRED
SEC_DEFAULT_AUTHENTICATION_METHODS = FS
# Bindings newer than the daemons would have the server's address in the file's name.
SEC_FS_ENFORCE_CHANNEL_BINDING = False
ALLOW_READ = {account}@tests.localdomain
ALLOW_WRITE = $(ALLOW_READ)
ALLOW_NEGOTIATOR = $(ALLOW_READ)
ALLOW_ADMINISTRATOR = $(ALLOW_READ)
ALLOW_DAEMON = $(ALLOW_READ), condor@family

# One slot that jobs take their parts of, and keep, whatever the machine's user does.
NUM_CPUS = {cpus}
MEMORY = {memory}
NUM_SLOTS_TYPE_1 = 1
SLOT_TYPE_1 = 100%
SLOT_TYPE_1_PARTITIONABLE = True
use POLICY : Always_Run_Jobs
CGROUP_TRACKING = False
BASE_CGROUP =
DOCKER =
SINGULARITY = /bin/false
MAIL = /bin/true
RunBenchmarks = False

# Seconds: jobs start at once, and how they are is known soon.
NEGOTIATOR_INTERVAL = 1
NEGOTIATOR_MIN_INTERVAL = 0
NEGOTIATOR_CYCLE_DELAY = 0
SCHEDD_INTERVAL = 1
SCHEDD_MIN_INTERVAL = 0
JOB_START_DELAY = 0
JOB_STOP_DELAY = 0
UPDATE_INTERVAL = 2
POLLING_INTERVAL = 1
STARTER_INITIAL_UPDATE_INTERVAL = 1
STARTER_UPDATE_INTERVAL = 1
PID_SNAPSHOT_INTERVAL = 1
PROCD_MAX_SNAPSHOT_INTERVAL = 1
SHADOW_QUEUE_UPDATE_INTERVAL = 1
PERIODIC_EXPR_INTERVAL = 1
MAX_PERIODIC_EXPR_INTERVAL = 2
MASTER_BACKOFF_CONSTANT = 1
MASTER_BACKOFF_CEILING = 5
DAGMAN_USER_LOG_SCAN_INTERVAL = 1
# DAGMan mistrusts a log below /tmp.
DAGMAN_USE_STRICT = 0

{extra}
"""


@dataclass(frozen=True)
class RunningJob:
    """A job that a starter of the pool runs now.

    Attributes:
        id: cluster and process, "12.0".
        node: name of the DAG's node that it belongs to, None outside a DAG.
        process: process id of the job's own program.
        starter: process id of the condor_starter above it.
        shadow: process id of its condor_shadow; None in the local universe, which has none.
        sandbox: the job's scratch folder.
    """

    id: str
    node: str | None
    process: int
    starter: int
    shadow: int | None
    sandbox: Path


@dataclass(frozen=True)
class _Process:
    id: int
    parent: int
    command: list[str]
    environment: dict[str, str]


def _read_process(folder: Path) -> _Process:
    """Read /proc/PID."""
    command = (folder / "cmdline").read_text(errors="surrogateescape").split("\0")
    environment = (folder / "environ").read_text(errors="surrogateescape").split("\0")
    # The fields behind the name, which may hold blanks and parentheses: state, parent, ...
    parent = (folder / "stat").read_text(errors="surrogateescape").rpartition(")")[2].split()[1]
    variables = dict(entry.partition("=")[::2] for entry in environment)
    return _Process(int(folder.name), int(parent), command, variables)


def _job_attribute(ad: str, name: str) -> str | None:
    """Return the text of a job's attribute that is a plain value."""
    found = re.search(rf'^{name} = "?(.*?)"?$', ad, re.MULTILINE)
    return found and found[1]


class Pool:
    """An HTCondor pool of one machine, running while the context is entered, or between `start` and `stop`.

    It ends with the thread that started it, however that ends.

    Args:
        folder: Made if need be, and filled; what the pool leaves in it stays. Its path may be long.
        cpus: How many jobs of one CPU run at a time.
        extra: More lines for the configuration.
        prefix: Where the daemons are, or will be, installed; by default in the user's cache.
    """

    def __init__(self, folder: Path, cpus: int = 4, extra: str = "", prefix: Path | None = None) -> None:
        self.folder = folder
        self.cpus = cpus
        self.extra = extra
        self.prefix = prefix or default_prefix()
        self._namespace: list[str] = []
        self.account = pwd.getpwuid(os.getuid()).pw_name
        if os.getuid() == 0:
            account = pwd.getpwnam(ROOTS_ACCOUNT)
            self.account = ROOTS_ACCOUNT
            self._namespace = ["unshare", f"--map-user={account.pw_uid}", f"--map-group={account.pw_gid}", "--"]
        self._master: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a client, for a process of `as_account`."""
        programs = self.prefix / "usr"
        return {
            **os.environ,
            "CONDOR_CONFIG": str(self.folder / "condor_config"),
            "PATH": f"{programs / 'bin'}:{programs / 'sbin'}:{os.environ['PATH']}",
        }

    def as_account(self, command: Sequence[str | Path]) -> list[str]:
        """Return the command that runs a command as the pool's account; both are one process."""
        return [*self._namespace, *map(str, command)]

    def run(
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run a client as the pool's account to its end, with more environment variables if given."""
        return subprocess.run(
            self.as_account(command),
            cwd=cwd,
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def __enter__(self) -> Pool:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the daemons, and wait until they take jobs.

        Raises:
            Unavailable: this machine cannot have a pool.
        """
        install(self.prefix)
        call(*self.as_account(["setpriv", "--pdeathsig", "QUIT", "true"]))
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("run", "log", "lock", "spool", "execute", "tokens.d", "passwords.d"):
            (self.folder / name).mkdir(mode=0o700, exist_ok=True)
        configuration = CONFIGURATION.format(
            prefix=self.prefix,
            folder=self.folder,
            account=self.account,
            cpus=self.cpus,
            memory=self.cpus * MEMORY_MB_PER_CPU,
            extra=self.extra,
        )
        (self.folder / "condor_config").write_text(configuration)
        # Inside the namespace: a change of credentials forgets the signal that the end of the parent is to send.
        master: list[str | Path] = ["setpriv", "--pdeathsig", "QUIT", self.prefix / "usr" / "sbin" / "condor_master"]
        master += ["-f", "-r", str(LIFE_MINUTES)]
        with (self.folder / "log" / "output").open("wb") as output:
            self._master = subprocess.Popen(
                self.as_account(master),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_for(self._is_ready, "the pool to be ready", 30)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all processes of the pool, and its jobs; nothing if it does not run."""
        if not self._master:
            return
        # Jobs end at once; they are still in the queue.
        self._master.send_signal(signal.SIGQUIT)
        try:
            self._master.wait(20)
        except subprocess.TimeoutExpired:
            self._master.kill()
            self._master.wait()
        while left := self.processes():
            for process in left:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.02)
        self._master = None

    def processes(self) -> list[int]:
        """Return the ids of all processes that came of this pool, the jobs' too."""
        return [process.id for process in self._processes()]

    def running_jobs(self) -> list[RunningJob]:
        """Return the jobs that run now, by id."""
        processes = {process.id: process for process in self._processes()}
        jobs = []
        for process in processes.values():
            starter = processes.get(process.parent)
            if not starter or Path(starter.command[0]).name != "condor_starter":
                continue
            try:
                ad = Path(process.environment["_CONDOR_JOB_AD"]).read_text()
            except (KeyError, OSError):
                # It transfers files, or has just ended.
                continue
            cluster, number = (_job_attribute(ad, name) for name in ("ClusterId", "ProcId"))
            job = f"{cluster}.{number}"
            shadows = (
                p.id for p in processes.values() if Path(p.command[0]).name == "condor_shadow" and job in p.command
            )
            sandbox = Path(process.environment["_CONDOR_SCRATCH_DIR"])
            node = _job_attribute(ad, "DAGNodeName")
            jobs.append(RunningJob(job, node, process.id, starter.id, next(shadows, None), sandbox))
        return sorted(jobs, key=lambda job: [int(part) for part in job.id.split(".")])

    def wait_for_job(self, name: str, timeout: float = 60) -> RunningJob:
        """Wait until a job runs, by its id or the name of its node, and return it.

        Raises:
            TimeoutError: it does not run.
        """

        def find() -> RunningJob | None:
            return next((job for job in self.running_jobs() if name in (job.id, job.node)), None)

        return self._wait_for(find, f"job {name} to run", timeout)

    def _is_ready(self) -> bool:
        """Whether a slot, a schedd and a negotiator have reported to the collector."""
        found = self.run(["condor_status", "-any", "-autoformat", "MyType"]).stdout.split()
        return {"Machine", "Scheduler", "Negotiator"} <= set(found)

    def _wait_for(self, look: Callable[[], T | None], what: str, timeout: float) -> T:
        """Return what `look` finds at last."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if found := look():
                return found
            if not self._master or self._master.poll() is not None:
                break
            time.sleep(0.05)
        log = self.folder / "log" / "MasterLog"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        raise TimeoutError("\n".join([f"waited for {what}; the end of {log}:", *lines[-10:]]))

    def _processes(self) -> Iterator[_Process]:
        """Yield all processes that came of the master: each has the master's id in its environment, so do orphans."""
        if not self._master:
            return
        mark = f"_CONDOR_ANCESTOR_{self._master.pid}"
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                process = _read_process(folder)
            except OSError:
                # It has ended, or is another user's.
                continue
            if process.id == self._master.pid or mark in process.environment:
                yield process


if __name__ == "__main__":
    try:
        install(default_prefix())
    except Unavailable as problem:
        sys.exit(f"error: no HTCondor: {problem}")
