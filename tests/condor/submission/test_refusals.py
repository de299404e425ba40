"""Mistakes in options and verbs, and pools that are not there, do not answer or refuse."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.console.program import run_program
from analysis.errors import AnalysisError, ConfigurationError
from condor.__main__ import main
from condor.errors import NoPool, RefusedByPool
from condor.pool import Schedd
from condor.submission import submit
from tests.condor.submission.listed_dags import Configured, ListedDags

TOOLKIT = Path(__file__).resolve().parents[3]


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


def said_in_process(tmp_path: Path, arguments: list[str], **environment: str) -> tuple[int, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONDOR", "_CONDOR"))}
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**kept, **environment},
        cwd=TOOLKIT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stderr.strip()


@pytest.fixture
def arguments(models: Path, tmp_path: Path) -> list[str]:
    options = {"sample": "qcd.root", "models": models, "jobs": 2, "output": tmp_path / "out"}
    return ["-m", "condor", "submit", *(word for key, value in options.items() for word in (f"--{key}", str(value)))]


@pytest.mark.parametrize("configuration", ["/dev/null", "/nowhere/condor_config"])
def test_no_pool_is_one_line(configuration: str, arguments: list[str], tmp_path: Path) -> None:
    code, said = said_in_process(tmp_path, arguments, CONDOR_CONFIG=configuration)
    assert code == 3
    assert "\n" not in said
    assert said.startswith("error: ")
    assert "CONDOR_CONFIG" in said
    assert not (tmp_path / "out").exists()


def test_a_pool_that_never_answers_is_given_up(arguments: list[str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections, and says nothing
        collector = f"127.0.0.1:{silent.getsockname()[1]}"
        (tmp_path / "condor_config").write_text(
            f"COLLECTOR_HOST = {collector}\nSCHEDD_HOST = schedd.example.org\nENABLE_IPV6 = False\nNO_DNS = True\n"
            "DEFAULT_DOMAIN_NAME = example.org\nSEC_CLIENT_AUTHENTICATION_METHODS = FS\n"
        )
        code, said = said_in_process(tmp_path, arguments, CONDOR_CONFIG=str(tmp_path / "condor_config"))
    assert code == 3
    assert "no HTCondor schedd answers" in said
    assert "\n" not in said


def test_missing_bindings_are_one_line(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "htcondor2.py").write_text("raise ImportError('no module named htcondor2')")
    code, said = said_in_process(tmp_path, arguments, PYTHONPATH=str(tmp_path / "hidden"))
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
