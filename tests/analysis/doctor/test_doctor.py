"""What the doctor asks of packages, Cling and folders, and the program on the system that the tests run on."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from analysis.doctor.__main__ import (
    CLING_PROBE,
    PINS,
    check_cache,
    check_cling,
    check_data,
    check_import,
    check_packages,
    installed_version,
    read_pins,
    run_probe,
)

PROJECT = Path(__file__).parents[3]


def child(stdout: str = "", stderr: str = "", returncode: int = 0) -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess(["python"], returncode, stdout, stderr)


def test_pins_are_read_without_comments_and_inclusions(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("# why\n-r other.txt\n\nroot==0.1a12\nsofie==0.1.0   # ONNX to C++\n")
    assert read_pins(path) == {"root": "0.1a12", "sofie": "0.1.0"}


def test_every_requirement_is_pinned_and_only_root_is_a_pre_release() -> None:
    for path in (PINS, PROJECT / "requirements-dev.txt"):
        lines = [line.partition("#")[0].strip() for line in path.read_text().splitlines()]
        wanted = [line for line in lines if line and not line.startswith("-r ")]
        pins = read_pins(path)
        assert len(pins) == len(wanted)
        assert [name for name, version in pins.items() if not version.replace(".", "").isdigit()] == (
            ["root"] if path == PINS else []
        )


def test_the_conda_twin_has_the_pinned_versions() -> None:
    twin = yaml.safe_load((PROJECT / "environment.yml").read_text())["dependencies"]
    pins = read_pins(PINS) | read_pins(PROJECT / "requirements-dev.txt")
    renamed = {"pytorch-cpu": "torch", "matplotlib-base": "matplotlib"}
    plain = dict(line.split("=") for line in twin if isinstance(line, str) and "=" in line)
    del plain["python"]
    assert plain.pop("root") == "6.40.*"
    plain |= dict(line.split("==") for entry in twin if isinstance(entry, dict) for line in entry["pip"])
    plain = {renamed.get(name, name): version for name, version in plain.items()}
    assert plain == {name: pins[name] for name in plain}
    direct = PINS.read_text().partition("# What those bring")[0].splitlines()
    assert {line.partition("==")[0] for line in direct if "==" in line} - {"root"} <= set(plain)


def test_packages_are_compared_with_their_pins() -> None:
    pins = {"numpy": "2.4.6", "torch": "2.13.0", "root": "0.1a12"}
    assert check_packages(pins, {"numpy": "2.4.6", "torch": "2.13.0+cpu", "root": ""}).state == "ok"

    other = check_packages(pins, {"numpy": "2.4.60", "torch": "2.13.0", "root": "0.1a12"})
    assert other.state == "warn"
    assert "numpy 2.4.60 (pinned: 2.4.6)" in other.why
    assert "torch" not in other.why

    lost = check_packages(pins, {"numpy": "1.0", "torch": None, "root": "0.1a12"})
    assert (lost.state, lost.why, lost.mend) == ("missing", "no torch", "make install")


def test_a_package_that_is_not_there_has_no_version() -> None:
    assert installed_version("no-such-distribution-anywhere") is None


@pytest.mark.parametrize(
    ("stdout", "stderr", "returncode", "words"),
    [
        # As ROOT 6.40 answers on a Debian 12 without the headers: exit code 0, a refused Declare, and 1 + 1 = 0.
        (
            '\n{"version": "6.40.00", "declared": false, "two": 0}\n',
            "ERROR in cling: cannot extract\ninput_line_1:1:10: fatal error: 'new' file not found\nMaybe\n",
            0,
            "'new' file not found",
        ),
        # ... and as an RDataFrame ends there.
        ("", "symbol unresolved\n *** Break *** segmentation violation\n", 129, "segmentation violation"),
        ('\n{"version": "6.40.00", "declared": true, "two": 2, "sum": 21097.5, "loop": 0.0}\n', "", 0, "loop is 0.0"),
        ("", "ModuleNotFoundError: No module named 'ROOT'\n", 1, "No module named 'ROOT'"),
    ],
)
def test_a_broken_interpreter_is_found_out(stdout: str, stderr: str, returncode: int, words: str) -> None:
    finding = check_cling(child(stdout, stderr, returncode))
    assert finding.state == "missing"
    assert words in finding.why


@pytest.mark.compiler
def test_this_interpreter_computes() -> None:
    finding = check_cling(run_probe(CLING_PROBE))
    assert finding.state == "ok", finding.why


def test_a_crashing_probe_is_a_finding() -> None:
    finding = check_import(run_probe("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"), "SOFIE", "no C++")
    assert finding.state == "missing"
    assert "no C++" in finding.why


def test_a_cache_that_cannot_be_made_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    finding = check_cache(tmp_path / "file" / "cache")
    assert finding.state == "missing"
    assert "XDG_CACHE_HOME" in finding.mend


def test_a_cache_that_can_be_made_is_made_and_left_empty(tmp_path: Path) -> None:
    assert check_cache(tmp_path / "a" / "b").state == "ok"
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_data_folder_is_told_not_required(tmp_path: Path) -> None:
    assert check_data(None).state == "ok"
    assert check_data(str(tmp_path)).state == "ok"
    assert check_data(str(tmp_path / "gone")).state == "warn"


def run_doctor(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "analysis.doctor", *options],
        cwd=PROJECT,
        env={**os.environ, "COLUMNS": "120", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.compiler
def test_doctor_finds_this_machine_well(tmp_path: Path) -> None:
    doctor = run_doctor(XDG_CACHE_HOME=str(tmp_path))
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    assert "computes as Python does" in doctor.stdout
    assert " 0 missing" in doctor.stdout
    assert str(tmp_path) in doctor.stdout.replace("\n", "")


@pytest.mark.compiler
def test_doctor_ends_with_4_where_something_is_missing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    doctor = run_doctor(XDG_CACHE_HOME=str(tmp_path / "file"))
    assert doctor.returncode == 4
    assert " 1 missing" in doctor.stdout
    assert doctor.stdout.splitlines()[-1].startswith("to mend: ")


def test_an_unknown_option_is_one_line_and_exit_2() -> None:
    doctor = run_doctor("--mnd")
    assert doctor.returncode == 2
    assert doctor.stdout == ""
    assert "--mend" in doctor.stderr


def test_mend_on_a_whole_system_is_one_line() -> None:
    doctor = run_doctor("--mend")
    assert (doctor.returncode, doctor.stdout.count("\n"), doctor.stderr) == (0, 1, "")
    assert doctor.stdout.startswith("the system has what ROOT needs")


def test_mend_needs_no_package(tmp_path: Path) -> None:
    # -S: no site-packages, as the system's python is before anything is installed.
    for package in ("analysis", "rdf"):
        shutil.copytree(PROJECT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    bare = [sys.executable, "-S", "-m", "analysis.doctor", "--mend"]
    doctor = subprocess.run(bare, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (doctor.returncode, doctor.stderr) == (0, "")


@pytest.mark.parametrize(
    "module",
    [
        *("analysis/__init__", "analysis/doctor/__init__", "analysis/doctor/__main__", "analysis/doctor/system"),
        *("rdf/__init__", "rdf/startup"),
    ],
)
def test_what_starts_before_the_packages_imports_only_the_standard_library(module: str) -> None:
    tree = ast.parse((PROJECT / f"{module}.py").read_text())
    names = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in tree.body if isinstance(node, ast.ImportFrom)}
    of_others = names - {"analysis.doctor.system", "rdf.startup"}
    assert {name.partition(".")[0] for name in of_others} <= sys.stdlib_module_names
