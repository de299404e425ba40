"""Batches are prepared, submitted and sent again, to a schedd that only keeps a list."""

import gzip
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis.batch import BatchInput
from analysis.console.program import run_program
from analysis.errors import AnalysisError, ConfigurationError, DamagedPart
from analysis.options import load_configuration
from analysis.output.folder import staged_output
from analysis.samples.inputs import InputFile, RunInput
from condor.__main__ import main
from condor.configuration import BatchConfiguration
from condor.descriptions import score_description
from condor.errors import BatchInTheWay, NoPool, RefusedByPool
from condor.folder import BatchFolder
from condor.plan import Plan, Requests
from condor.pool import Schedd
from condor.submission import INPUTS, prepare, remove, resubmit, submit

TOOLKIT = Path(__file__).resolve().parents[2]


@dataclass
class ListedDags:
    """Stands for the schedd: DAGs that were submitted are in the queue until they are taken out."""

    dags: dict[int, Path] = field(default_factory=dict)
    held: int = 0
    changes: Mapping[str, str] = field(default_factory=dict)
    breaks: bool = False

    def running_dags(self, batch: Path) -> dict[int, int]:
        return {number: 100 + number for number, dag in self.dags.items() if dag.parent == batch}

    def submit_dag(self, dag: Path, batch: Path, number: int) -> int:
        if self.breaks:
            raise KeyboardInterrupt
        assert dag.is_file()
        assert dag.parent == batch
        self.dags[number] = dag
        dag.with_name(f"{dag.name}.dagman.log").touch()
        return 100 + number

    def release(self, dag: int, changes: Mapping[str, str]) -> int:
        assert dag in (100 + number for number in self.dags)
        self.changes = changes
        return self.held

    def remove(self, dag: int) -> None:
        del self.dags[dag - 100]


@pytest.fixture
def schedd(monkeypatch: pytest.MonkeyPatch) -> ListedDags:
    listed = ListedDags()
    monkeypatch.setattr("condor.submission.Schedd", lambda: listed)
    return listed


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "models.json").write_text("{}")
    (folder / "forest.onnx").write_text("network")
    return folder


@pytest.fixture(autouse=True)
def inspected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> BatchInput:
    """Spare the tests ROOT: the sample is two files of 600 and 400 events."""
    library = tmp_path / "root-anomaly-search" / "compiled" / "abc.so"
    library.parent.mkdir(parents=True)
    library.write_text("library")
    files = tuple(InputFile(f"/data/{name}.root", 50_000_000, None, n) for name, n in (("a", 600), ("b", 400)))
    data = RunInput(name="qcd", title="QCD", schema_name="cms_nanoaod", files=files)
    found = BatchInput(data, None, (library,), "0" * 64)
    monkeypatch.setattr("condor.submission.inspect_sample", lambda _: found)
    return found


@pytest.fixture
def configured(models: Path, tmp_path: Path) -> Callable[..., BatchConfiguration]:
    def configure(**options: Any) -> BatchConfiguration:
        common = {
            "sample": "qcd.root",
            "models": models,
            "output": tmp_path / "out",
            "python": "/opt/python/bin/python",
        }
        return load_configuration(BatchConfiguration, {**common, **options}, None)

    return configure


Configured = Callable[..., BatchConfiguration]


def test_jobs_trust_the_models_that_were_trusted_at_submission(
    schedd: ListedDags, configured: Configured, inspected: BatchInput, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, plan = submit(configured(jobs=4))
    assert "trusted_sha256" not in (batch.path / "run.yaml").read_text()
    shutil.rmtree(batch.path)
    schedd.dags.clear()
    trusted = replace(inspected, trusted_sha256="e" * 64)
    monkeypatch.setattr("condor.submission.inspect_sample", lambda _: trusted)
    batch, again = submit(configured(jobs=4, trust_models=True))
    run = yaml.safe_load((batch.path / "run.yaml").read_text())
    assert run["trusted_sha256"] == "e" * 64
    assert "trust_models" not in run  # another folder in its place is not trusted
    assert again.id == plan.id


def test_models_that_a_link_leads_to_elsewhere_are_not_sent(
    schedd: ListedDags, configured: Configured, models: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.json").write_text("secret")
    (models / "link.json").symlink_to(tmp_path / "secret.json")
    (models / "notes.txt").write_text("mine")
    batch, _ = submit(configured(jobs=4))
    assert sorted(path.name for path in (batch.path / "models").iterdir()) == ["forest.onnx", "models.json"]
    assert schedd.dags


def test_a_submitted_batch_has_all_that_its_jobs_need(schedd: ListedDags, configured: Configured, models: Path) -> None:
    batch, plan = submit(configured(jobs=4, detectors="autoencoder", vary="{jes: 0.05}", seed=7))
    assert schedd.dags == {1: batch.path / "round_001.dag"}
    assert not list(batch.output.glob(".staging"))
    assert batch.read_plan() == plan
    assert [node.entries for node in plan.nodes(0)] == [(0, 250), (250, 500), (500, 750), (750, 1000)]
    of_jobs = {*INPUTS, "score.sh", "score.sub", "merge.sub", "logs", "parts"}
    of_batch = {"plan.json", "round_001.dag", "round_001.dag.dagman.log"}
    assert {path.name for path in batch.path.iterdir()} == of_jobs | of_batch
    run = yaml.safe_load((batch.path / "run.yaml").read_text())
    assert run == {
        "detectors": ["autoencoder"],
        "vary": {"jes": 0.05},
        "seed": 7,
        "sample": "sample/qcd.yaml",
        "models": "models",
        "plan": plan.id,
        "threads": 1,
    }
    sample = yaml.safe_load((batch.path / "sample" / "qcd.yaml").read_text())
    assert [(file["path"], file["events"]) for file in sample["files"]] == [
        ("/data/a.root", 600),
        ("/data/b.root", 400),
    ]
    assert {path.name: path.read_text() for path in (batch.path / "models").iterdir()} == {
        path.name: path.read_text() for path in models.iterdir()
    }


def test_a_job_of_the_batch_runs_in_its_sandbox(schedd: ListedDags, configured: Configured, tmp_path: Path) -> None:
    """The script of a job gets what HTCondor would transfer, and a Python that tells what it was called with."""
    batch, _ = submit(configured(jobs=2))
    python = tmp_path / "fake python"
    python.write_text(
        '#!/bin/sh\necho "$@"; echo "$HOME|$XDG_CACHE_HOME|$PYTHONPATH"\n'
        'mkdir -p result/models; echo done > result/run.json; exit "${FAKE_EXIT:-0}"\n'
    )
    python.chmod(0o755)
    for code in (0, 3):
        sandbox = tmp_path / f"sandbox{code}"
        sandbox.mkdir()
        subprocess.run(["cp", "-r", *(batch.path / name for name in INPUTS), sandbox], check=True)
        job = subprocess.run(
            [batch.path / "score.sh", python, "0:500"],
            cwd=sandbox,
            env={"PATH": os.environ["PATH"], "FAKE_EXIT": str(code)},
            capture_output=True,
            text=True,
        )
        assert job.returncode == code
        _, called, environment = job.stdout.splitlines()
        assert called == "-m analysis.run --config run.yaml --entries 0:500 --output result"
        assert environment == f"{sandbox}|{sandbox}/cache|{sandbox}/code"
        assert (sandbox / "cache" / "root-anomaly-search" / "compiled" / "abc.so").read_text() == "library"
        assert (sandbox / "code" / "analysis" / "run.py").read_bytes() == (TOOLKIT / "analysis" / "run.py").read_bytes()
        found = sorted(path.name for path in (sandbox / "part").iterdir())
        assert found == ([] if code else ["models", "run.json"])


def test_the_plan_names_all_that_decides_its_parts(
    configured: Configured, inspected: BatchInput, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folders = (tmp_path / f"prepared{number}" for number in itertools.count())

    def id_of(**options: Any) -> str:
        return prepare(configured(**options), inspected, next(folders), tmp_path / "out").id

    one = id_of(jobs=4)
    assert id_of(jobs=4) == one
    assert id_of(jobs=4, memory=4000, python="/other/python", retries=0, minutes=5, fan_in=2) == one
    assert id_of(events_per_job=250) == one
    others = [id_of(jobs=5), id_of(jobs=4, entries="0:999"), id_of(jobs=4, detectors="autoencoder")]
    others += [id_of(jobs=4, max_events=900), id_of(jobs=4, vary="jes")]
    monkeypatch.setattr("condor.submission.code_archive", lambda: gzip.compress(b"other code"))
    others.append(id_of(jobs=4))
    assert len({one, *others}) == 1 + len(others)


def test_transferred_files_are_read_from_the_sandbox(schedd: ListedDags, configured: Configured) -> None:
    batch, plan = submit(configured(jobs=4, data="transfer"))
    sample = yaml.safe_load((batch.path / "sample" / "qcd.yaml").read_text())
    assert [file["path"] for file in sample["files"]] == ["../a.root", "../b.root"]
    assert [plan.files_of(node) for node in plan.nodes(0)] == [
        ("/data/a.root",),
        ("/data/a.root",),
        ("/data/a.root", "/data/b.root"),
        ("/data/b.root",),
    ]
    assert plan.requests.disk >= 1000 + 100


# --- Once and no more


def test_submitting_twice_is_refused(schedd: ListedDags, configured: Configured) -> None:
    batch, _ = submit(configured(jobs=4))
    for removed in (False, True):
        if removed:  # its log tells that it was submitted
            schedd.dags.clear()
        with pytest.raises(BatchInTheWay, match=f"resubmit {batch.output}"):
            submit(configured(jobs=4))
    assert not schedd.dags


def test_submitting_twice_is_refused_while_the_batch_is_merged(schedd: ListedDags, configured: Configured) -> None:
    batch, _ = submit(configured(jobs=4))
    with staged_output(batch.output), pytest.raises(BatchInTheWay, match="was submitted already"):
        submit(configured(jobs=4))
    assert len(schedd.dags) == 1


def test_a_submission_whose_answer_was_lost_is_not_repeated(schedd: ListedDags, configured: Configured) -> None:
    batch, _ = submit(configured(jobs=4))
    (batch.path / "round_001.dag.dagman.log").unlink()
    with pytest.raises(BatchInTheWay, match="submitted already"):
        submit(configured(jobs=4))


def test_half_a_batch_is_never_left_where_another_replaces_it(
    schedd: ListedDags, configured: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_short(folder: Path, **options: Any) -> None:
        if not (folder / "plan.json").exists():
            return remove_tree(folder, **options)
        (folder / "plan.json").unlink()
        raise KeyboardInterrupt

    remove_tree, schedd.breaks = shutil.rmtree, True
    with pytest.raises(KeyboardInterrupt):
        submit(configured(jobs=2))
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", cut_short)
        with pytest.raises(KeyboardInterrupt):
            submit(configured(jobs=2))
    schedd.breaks = False
    batch, plan = submit(configured(jobs=2))
    assert batch.read_plan() == plan
    assert list(schedd.dags) == [1]
    assert [path.name for path in batch.output.iterdir()] == ["batch"]


def test_a_submit_that_was_cut_short_is_continued(schedd: ListedDags, configured: Configured) -> None:
    schedd.breaks = True
    with pytest.raises(KeyboardInterrupt):
        submit(configured(jobs=4))
    schedd.breaks = False
    with pytest.raises(BatchInTheWay, match=r"another batch, prepared and not submitted \(4 jobs, entries 0:1000"):
        submit(configured(jobs=5))
    assert not schedd.dags
    batch, plan = submit(configured(jobs=4, memory=3000))
    assert list(schedd.dags) == [1]
    assert plan.requests.memory == 3000
    assert "3000" in (batch.path / "score.sub").read_text()


# --- Again


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


# --- What HTCondor makes of it


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


# --- Mistakes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "say either how many jobs there are to be"),
        ({"jobs": 2, "events_per_job": 3}, "say either how many jobs there are to be"),
        ({"jobs": 2, "models": None}, "a batch only scores; name models with --models"),
        ({"jobs": "two"}, "--jobs: 'two' is not a whole number"),
        ({"jobs": 0}, "--jobs: .* greater than or equal to 1"),
        ({"jobs": 1001}, "--jobs: 1001 jobs for 1000 events; ask for fewer"),
        ({"jobs": 2, "entries": "0:1001"}, "--entries 0:1001: the sample has 1000 events"),
        ({"jobs": 2, "threads": 4}, "--threads"),
        ({"jobs": 2, "plan": "mine"}, "--plan"),
    ],
)
def test_mistakes_in_options(schedd: ListedDags, configured: Configured, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        submit(configured(**options))
    assert not schedd.dags


def said_by(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = run_program("condor", main, arguments)
    return code, capsys.readouterr().err.strip()


def test_mistakes_in_verbs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, said = said_by(capsys, "statsu", str(tmp_path))
    assert (code, said.count("\n")) == (2, 0)
    assert "unknown verb 'statsu'; did you mean status" in said or "status" in said
    assert said_by(capsys, "status", str(tmp_path))[0] == 3
    assert said_by(capsys, "resubmit", str(tmp_path), "--memory", "much")[0] == 2


def test_a_merge_that_the_plan_has_not(
    schedd: ListedDags, configured: Configured, capsys: pytest.CaptureFixture[str]
) -> None:
    batch, _ = submit(configured(jobs=2))
    for name in ("merge_2_000001", "score_000001", "all"):
        code, said = said_by(capsys, "merge", str(batch.output), "--node", name)
        assert code == 2
        assert f"the plan has no merge '{name}'; its last one is merge_1_000001" in said
    code, said = said_by(capsys, "merge", str(batch.output))
    assert code == 3
    assert "score_000001 is missing" in said.replace("parts/", "")


# --- No pool. In processes of their own: the bindings read their configuration once.


def said_in_process(tmp_path: Path, arguments: list[str], **environment: str) -> tuple[int, str, float]:
    started = time.perf_counter()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONDOR", "_CONDOR"))}
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**kept, **environment},
        cwd=TOOLKIT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stderr.strip(), time.perf_counter() - started


@pytest.fixture
def arguments(models: Path, tmp_path: Path) -> list[str]:
    options = {"sample": "qcd.root", "models": models, "jobs": 2, "output": tmp_path / "out"}
    return ["-m", "condor", "submit", *(word for key, value in options.items() for word in (f"--{key}", str(value)))]


@pytest.mark.parametrize("configuration", ["/dev/null", "/nowhere/condor_config"])
def test_no_pool_is_one_line(configuration: str, arguments: list[str], tmp_path: Path) -> None:
    code, said, _ = said_in_process(tmp_path, arguments, CONDOR_CONFIG=configuration)
    assert code == 3
    assert "\n" not in said
    assert said.startswith("error: ")
    assert "CONDOR_CONFIG" in said
    assert not (tmp_path / "out").exists()


def test_a_pool_that_never_answers_is_given_up_within_seconds(arguments: list[str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections, and says nothing
        collector = f"127.0.0.1:{silent.getsockname()[1]}"
        (tmp_path / "condor_config").write_text(
            f"COLLECTOR_HOST = {collector}\nSCHEDD_HOST = schedd.example.org\nENABLE_IPV6 = False\nNO_DNS = True\n"
            "DEFAULT_DOMAIN_NAME = example.org\nSEC_CLIENT_AUTHENTICATION_METHODS = FS\n"
        )
        code, said, seconds = said_in_process(tmp_path, arguments, CONDOR_CONFIG=str(tmp_path / "condor_config"))
    assert code == 3
    assert "no HTCondor schedd answers" in said
    assert "\n" not in said
    assert 1 < seconds < 30


def test_missing_bindings_are_one_line(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "htcondor2.py").write_text("raise ImportError('no module named htcondor2')")
    code, said, _ = said_in_process(tmp_path, arguments, PYTHONPATH=str(tmp_path / "hidden"))
    assert code == 3
    assert "\n" not in said
    assert "python -m pip install htcondor" in said


def test_what_the_schedd_refuses_is_told_by_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    import htcondor2

    def refuse(reason: str) -> Callable[..., None]:
        def query(*_: object) -> None:
            raise htcondor2.HTCondorException(reason)

        return query

    monkeypatch.setattr(htcondor2.Schedd, "__init__", lambda _: None)
    cases: list[tuple[str, type[AnalysisError], str]] = [
        ("Failed to connect to <192.0.2.1:9618>", NoPool, "no HTCondor schedd answers"),
        ('SECMAN:2010:Received "DENIED" from server', RefusedByPool, "refuses this user"),
        ("AUTHENTICATE:1003:Failed to authenticate", RefusedByPool, "refuses this user"),
        ("Queue is full", RefusedByPool, "refuses: Queue is full"),
    ]
    for reason, kind, said in cases:
        monkeypatch.setattr(htcondor2.Schedd, "query", refuse(reason))
        with pytest.raises(kind, match=said):
            Schedd()


def test_the_archive_of_libraries_unpacks_into_a_cache(schedd: ListedDags, configured: Configured) -> None:
    batch, plan = submit(configured(jobs=2))
    with tarfile.open(batch.path / "compiled.tar.gz") as packed:
        assert packed.getnames() == ["root-anomaly-search/compiled/abc.so"]
    assert json.loads((batch.path / "plan.json").read_text())["id"] == plan.id
    assert BatchFolder(batch.output).rounds() == [batch.round(1)]
