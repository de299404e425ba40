import tracemalloc
from collections import deque
from collections.abc import Iterable
from itertools import pairwise

import pytest
from pydantic import ValidationError

from condor.plan import Node, Plan, PlannedFile, Requests, dag_lines

REQUESTS = Requests(memory=1500, disk=1000, minutes=60, retries=2)


def planned(events: int, jobs: int, fan_in: int = 200, files: Iterable[PlannedFile] = (), first: int = 0) -> Plan:
    return Plan(
        id="abc",
        sample="qcd",
        entries=(first, first + events),
        jobs=jobs,
        fan_in=fan_in,
        files=tuple(files),
        python="/usr/bin/python3",
        requests=REQUESTS,
    )


@pytest.mark.parametrize(("events", "jobs"), [(10, 3), (200_000, 8), (7, 7), (1, 1), (10**10, 999)])
def test_jobs_share_all_entries_evenly(events: int, jobs: int) -> None:
    ranges = [node.entries for node in planned(events, jobs, first=5).nodes(0)]
    assert len(ranges) == jobs
    assert (ranges[0][0], ranges[-1][1]) == (5, 5 + events)
    assert all(one[1] == other[0] for one, other in pairwise(ranges))
    sizes = [last - first for first, last in ranges]
    assert sum(sizes) == events
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 1


@pytest.mark.parametrize(
    ("jobs", "fan_in", "levels"),
    [(1, 2, (1, 1)), (8, 200, (8, 1)), (200, 200, (200, 1)), (201, 200, (201, 2, 1)), (9, 2, (9, 5, 3, 2, 1))],
)
def test_every_part_is_merged_once_and_in_order(jobs: int, fan_in: int, levels: tuple[int, ...]) -> None:
    plan = planned(1000, jobs, fan_in)
    assert plan.levels == levels
    for level in range(1, len(levels)):
        merges = list(plan.nodes(level))
        groups = [list(plan.children(merge)) for merge in merges]
        assert [child for group in groups for child in group] == list(plan.nodes(level - 1))
        assert all(1 <= len(group) <= fan_in for group in groups)
        for merge, group in zip(merges, groups, strict=True):
            assert merge.entries == (group[0].entries[0], group[-1].entries[1])
    assert plan.result.entries == (0, 1000)


def test_names_are_sorted_as_entries_are_and_lead_back_to_their_nodes() -> None:
    plan = planned(10**7, 1_000_001)
    nodes = [plan.node(0, number) for number in (1, 2, 999_999, 1_000_001)]
    names = [node.name for node in nodes]
    assert names == sorted(names) == ["score_0000001", "score_0000002", "score_0999999", "score_1000001"]
    assert [plan.named(name) for name in names] == nodes
    assert plan.named(plan.result.name) == plan.result
    for unknown in ("score_1", "score_0000000", "score_1000002", "merge_1_0005002", "merge_4_0000001", "round", ""):
        assert plan.named(unknown) is None


def test_more_jobs_than_events_are_refused() -> None:
    with pytest.raises(ValidationError, match="8 jobs for 7 events"):
        planned(7, 8)


def test_dag_of_three_jobs_in_a_tree() -> None:
    assert "".join(dag_lines(planned(100, 3, fan_in=2))) == (
        "# Batch abc: entries 0:100 of qcd in 3 jobs.\n"
        "JOB score_000001 score.sub\n"
        'VARS score_000001 entries="0:33" files=""\n'
        "JOB score_000002 score.sub\n"
        'VARS score_000002 entries="33:66" files=""\n'
        "JOB score_000003 score.sub\n"
        'VARS score_000003 entries="66:100" files=""\n'
        "MAXJOBS merge 2\n"
        "JOB merge_1_000001 merge.sub\n"
        "CATEGORY merge_1_000001 merge\n"
        "PARENT score_000001 CHILD merge_1_000001\n"
        "JOB merge_1_000002 merge.sub\n"
        "CATEGORY merge_1_000002 merge\n"
        "PARENT score_000002 score_000003 CHILD merge_1_000002\n"
        "JOB merge_2_000001 merge.sub\n"
        "CATEGORY merge_2_000001 merge\n"
        "PARENT merge_1_000001 merge_1_000002 CHILD merge_2_000001\n"
    )


def test_dag_of_what_is_missing_waits_only_for_what_it_has() -> None:
    plan = planned(100, 3, fan_in=2)
    wanted: set[Node] = {plan.node(0, 3), plan.node(1, 2), plan.result}
    lines = list(dag_lines(plan, wanted))
    jobs = [line.split()[1] for line in "".join(lines).splitlines() if line.startswith("JOB ")]
    assert jobs == ["score_000003", "merge_1_000002", "merge_2_000001"]
    parents = [line for line in "".join(lines).splitlines() if line.startswith("PARENT ")]
    assert parents == ["PARENT score_000003 CHILD merge_1_000002", "PARENT merge_1_000002 CHILD merge_2_000001"]


def test_a_job_gets_the_files_that_hold_its_entries() -> None:
    sizes = [10, 0, 25, 1, 40, 24]
    plan = planned(90, 9, first=5, files=[PlannedFile(path=f"/data/{i}.root", events=n) for i, n in enumerate(sizes)])
    owner = [i for i, n in enumerate(sizes) for _ in range(n)]  # of each entry
    for node in plan.nodes(0):
        first, last = owner[node.entries[0]], owner[node.entries[1] - 1]
        assert list(plan.files_of(node)) == [f"/data/{i}.root" for i in range(first, last + 1)]
    text = "".join(dag_lines(plan))
    assert 'VARS score_000001 entries="5:15" files=", /data/0.root, /data/1.root, /data/2.root"\n' in text


def test_files_of_a_server_are_not_copied() -> None:
    files = [PlannedFile(path="root://host//a.root", events=5), PlannedFile(path="/b.root", events=5)]
    plan = planned(10, 1, files=files)
    assert plan.files_of(plan.node(0, 1)) == ("/b.root",)


def _peak_bytes(jobs: int) -> int:
    plan = planned(10**10, jobs)
    tracemalloc.start()
    deque(dag_lines(plan), maxlen=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_of_a_plan_does_not_grow_with_its_jobs() -> None:
    few, many = _peak_bytes(1_000), _peak_bytes(20_000)
    assert many < 1.5 * few
    assert many < 1_000_000


def test_many_jobs_are_planned() -> None:
    lines = sum(line.count("JOB ") for line in dag_lines(planned(10**10, 10**5)))
    assert lines == 10**5 + 500 + 3 + 1
