"""Batches are sent again: what is not whole, and nothing else."""

from pathlib import Path

import pytest

from analysis.errors import DamagedPart
from condor.errors import BatchInTheWay
from condor.folder import BatchFolder
from condor.submission import remove, resubmit, submit
from tests.condor.submission.listed_dags import Configured, ListedDags


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of the folders whose parts count as whole."""
    names: set[str] = set()

    def check(folder: Path, entries: tuple[int, int], plan: str) -> None:
        if folder.name not in names:
            raise DamagedPart(f"part {folder} is missing")

    monkeypatch.setattr("condor.folder.check_part", check)
    return names


def jobs_in(dag: Path) -> list[str]:
    return [line.split()[1] for line in dag.read_text().splitlines() if line.startswith("JOB ")]


def test_only_what_is_not_whole_is_sent_again(schedd: ListedDags, configured: Configured, whole: set[str]) -> None:
    batch, plan = submit(configured(jobs=4, fan_in=2))
    schedd.dags.clear()
    whole |= {"merge_1_000001", "score_000003"}  # and below a whole merge, parts may be gone
    assert resubmit(batch, {"memory": 4000}) == "round 2: 1 of 4 jobs and 2 merges submitted"
    assert jobs_in(batch.round(2).dag) == ["score_000004", "merge_1_000002", "merge_2_000001"]
    assert batch.read_plan() == plan.model_copy(update={"requests": plan.requests.model_copy(update={"memory": 4000})})
    assert "4000" in (batch.path / "score.sub").read_text()
    schedd.dags.clear()
    whole.add("out")
    assert resubmit(batch, {}) == "nothing to do: the result is whole"
    assert not schedd.dags


def test_a_running_batch_is_left_alone_but_for_jobs_on_hold(
    schedd: ListedDags, configured: Configured, whole: set[str]
) -> None:
    batch, _ = submit(configured(jobs=4))
    with pytest.raises(BatchInTheWay, match="is running, and no job is on hold"):
        resubmit(batch, {})
    schedd.held = 3
    assert resubmit(batch, {"disk": 7}) == "3 jobs on hold released"
    assert schedd.changes == {"RequestDisk": str(7 * 1024)}
    assert batch.read_plan().requests.disk == 7
    assert list(schedd.dags) == [1]


def test_a_removed_batch_can_be_continued(schedd: ListedDags, configured: Configured, whole: set[str]) -> None:
    batch, _ = submit(configured(jobs=2))
    assert remove(batch) == 1
    assert remove(batch) == 0
    assert resubmit(batch, {}) == "round 2: 2 of 2 jobs and 1 merges submitted"


def test_a_batch_that_was_moved_is_merged_where_it_is(
    schedd: ListedDags, configured: Configured, whole: set[str]
) -> None:
    batch, _ = submit(configured(jobs=2))
    remove(batch)
    moved = BatchFolder(batch.output.rename(batch.output.with_name("moved")))
    assert resubmit(moved, {}) == "round 2: 2 of 2 jobs and 1 merges submitted"
    assert f"'{moved.output}'" in (moved.path / "merge.sub").read_text()
    assert str(batch.output) not in (moved.path / "merge.sub").read_text()
