"""Descriptions of jobs, as HTCondor understands them."""

import pytest

from condor.descriptions import score_description
from condor.plan import Plan, Requests
from condor.submission import INPUTS


def _attributes(requests: Requests) -> dict[str, str]:
    plan = Plan(id="abc", sample="qcd", entries=(0, 10), jobs=1, python="/it's python", requests=requests)
    lines = score_description(plan, INPUTS).splitlines()
    return dict(line.split(" = ", 1) for line in lines if " = " in line and not line.startswith("#"))


@pytest.mark.parametrize(
    ("held", "memory", "released"),
    [
        ({}, 1500, False),
        ({"Code": 3, "SubCode": 1001, "MemoryProvisioned": 1536, "MemoryUsage": 1600}, 3072, True),
        ({"Code": 34, "SubCode": 102, "MemoryProvisioned": 1536, "MemoryUsage": 5000}, 7500, True),
        ({"Code": 21, "SubCode": 102, "MemoryProvisioned": 12000, "MemoryUsage": 12100}, 24000, False),
        ({"Code": 34, "SubCode": 104, "MemoryProvisioned": 1536, "MemoryUsage": 100}, 1500, False),
        ({"Code": 12, "SubCode": 28, "MemoryProvisioned": 1536, "MemoryUsage": 100}, 1500, False),
    ],
)
def test_memory_grows_with_holds_for_memory_only(held: dict[str, int], memory: int, released: bool) -> None:
    import classad2

    rules = _attributes(Requests(memory=1500, disk=1000, minutes=60, retries=2))
    job = classad2.ClassAd()
    for name, value in held.items():
        for prefix in ("HoldReason", "LastHoldReason") if "Code" in name else ("",):
            job[prefix + name] = value
    for name in ("request_memory", "periodic_release"):
        job[name] = classad2.ExprTree(rules[name])
    assert job.eval("request_memory") == memory
    assert job.eval("periodic_release") in ((True,) if released else (False, classad2.Value.Undefined))


def test_a_python_with_blanks_and_quotes_is_one_word() -> None:
    rules = _attributes(Requests(memory=1500, disk=1000, minutes=90, retries=2))
    assert rules["arguments"] == "\"'/it''s python' $(entries)\""
    assert rules["allowed_execute_duration"] == "5400"
