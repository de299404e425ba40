"""Plans: the DAG of a batch of 1e6 jobs against one of 1e5."""

from __future__ import annotations

import json
import statistics
from functools import partial
from pathlib import Path

from tests.benchmarks.child import run_python
from tests.benchmarks.measure import Line, alternate, compare

FEWER, MORE = 100_000, 1_000_000
EVENTS_PER_JOB, ROUNDS = 10_000_000, 3

WRITE_DAG = """
import json, re, time
from pathlib import Path
from condor.plan import Plan, Requests, dag_lines
requests = Requests(memory=1500, disk=3000, minutes=480, retries=2)
plan = Plan(id="0", sample="made", entries=(0, {events}), jobs={jobs}, python="python", requests=requests)
started = time.process_time()
with Path({dag!r}).open("w", encoding="utf-8") as file:
    file.writelines(dag_lines(plan))
took = time.process_time() - started
# Not that of getrusage, which a process inherits from the one that started it.
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
Path({measured!r}).write_text(json.dumps([took, 1024 * int(peak[1])]))
"""


def measure(folder: Path) -> list[Line]:
    """Measure in processes of their own; the time is the processor's, for the writing of the DAG."""
    dag, measured = folder / "round_001.dag", folder / "dag.json"
    peaks: dict[int, list[float]] = {FEWER: [], MORE: []}

    def write(jobs: int) -> float:
        code = WRITE_DAG.format(events=jobs * EVENTS_PER_JOB, jobs=jobs, dag=str(dag), measured=str(measured))
        run_python("-c", code)
        took, peak = json.loads(measured.read_text())
        peaks[jobs].append(peak)
        return float(took)

    taken = alternate({"fewer": partial(write, FEWER), "more": partial(write, MORE)}, ROUNDS, warm_up=False)
    dag.unlink()
    per_job = [took * FEWER / MORE for took in taken["more"]]
    whole = f"1; 1e6 jobs: {statistics.median(taken['more']):.2g} s, {statistics.median(peaks[MORE]) / 1e6:.0f} MB"
    return [
        compare("plan", "plan, peak memory: 1e6 / 1e5 jobs", peaks[MORE], peaks[FEWER], MORE, 1.05, limit=whole),
        compare("plan", "plan, time a job: 1e6 / 1e5 jobs", per_job, taken["fewer"], MORE, 1.2, limit=whole),
    ]
