"""Batches are prepared and submitted, once, to a schedd that only keeps a list."""

import gzip
import itertools
import json
import os
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis.batch import BatchInput
from analysis.output.folder import staged_output
from condor.errors import BatchInTheWay
from condor.folder import BatchFolder
from condor.submission import INPUTS, prepare, submit
from tests.condor.submission.listed_dags import Configured, ListedDags

TOOLKIT = Path(__file__).resolve().parents[3]


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


def test_the_archive_of_libraries_unpacks_into_a_cache(schedd: ListedDags, configured: Configured) -> None:
    batch, plan = submit(configured(jobs=2))
    with tarfile.open(batch.path / "compiled.tar.gz") as packed:
        assert packed.getnames() == ["root-anomaly-search/compiled/abc.so"]
    assert json.loads((batch.path / "plan.json").read_text())["id"] == plan.id
    assert BatchFolder(batch.output).rounds() == [batch.round(1)]
