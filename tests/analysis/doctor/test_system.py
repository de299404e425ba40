"""What the doctor asks of a system, against made-up ones: Python, headers, libraries, and how it is mended."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.doctor.system import (
    Finding,
    Machine,
    check_compiler,
    check_headers,
    check_libraries,
    check_python,
    check_system,
    check_venv,
    header_folders,
    is_well,
    mend,
    remedies,
)

PROJECT = Path(__file__).parents[3]
ROOT_ON_DEBIAN = Machine("debian", is_root=True)
APT = "apt-get update && apt-get install -y --no-install-recommends"


def add_gcc(system: Path, version: str, with_headers: bool) -> None:
    """Lay out a GCC as Debian's packages do: libgcc-N-dev, and libstdc++-N-dev if `with_headers`."""
    gcc = system / "usr/lib/gcc/x86_64-linux-gnu" / version
    gcc.mkdir(parents=True)
    (gcc / "crtbegin.o").touch()
    include = system / "usr/include"
    if with_headers:
        (include / "c++" / version).mkdir(parents=True)
        for header in ("new", "vector", "cmath", "cassert"):
            (include / "c++" / version / header).touch()
    include.mkdir(parents=True, exist_ok=True)
    (include / "stdlib.h").touch()


@pytest.mark.parametrize(
    ("os_release", "family"),
    [
        ('ID=debian\nVERSION_ID="12"\n', "debian"),
        ("ID=ubuntu\nID_LIKE=debian\n", "debian"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "debian"),
        ("ID=fedora\n", "fedora"),
        ('ID="almalinux"\nID_LIKE="rhel centos fedora"\n', "fedora"),
        ("ID=arch\n", ""),
        ("# nothing that names a distribution\n\n", ""),
    ],
)
def test_family_is_read_from_os_release(tmp_path: Path, os_release: str, family: str) -> None:
    path = tmp_path / "os-release"
    path.write_text(os_release)
    assert Machine.here(path).family == family


def test_no_os_release_is_an_unknown_family(tmp_path: Path) -> None:
    assert Machine.here(tmp_path / "os-release").family == ""


@pytest.mark.parametrize(
    ("machine", "line"),
    [
        (Machine("debian", True), f"{APT} g++ libsm6"),
        (
            Machine("debian", False),
            "sudo apt-get update && sudo apt-get install -y --no-install-recommends g++ libsm6",
        ),
        (Machine("fedora", True), "dnf install -y gcc-c++ libSM"),
        (Machine("fedora", False), "sudo dnf install -y gcc-c++ libSM"),
    ],
)
def test_remedy_is_the_line_of_this_distribution(machine: Machine, line: str) -> None:
    assert machine.remedy(["g++", "libSM.so.6"]) == line


def test_remedy_elsewhere_names_what_is_needed_and_conda() -> None:
    remedy = Machine("", is_root=True).remedy(["g++", "libSM.so.6"])
    assert "g++, libSM.so.6" in remedy
    assert "conda env create -f environment.yml" in remedy
    assert (PROJECT / "environment.yml").is_file()


def test_all_remedies_are_one_line_without_repeats() -> None:
    found = [
        Finding("Python", "ok", "3.11.2"),
        ROOT_ON_DEBIAN.lacks("C++ headers", "", ["g++"]),
        ROOT_ON_DEBIAN.lacks("C++ compiler", "", ["g++"], optional=True),
        ROOT_ON_DEBIAN.lacks("X libraries", "", ["libX11.so.6"]),
        Finding("Python packages", "missing", "no numpy", "make install"),
    ]
    assert remedies(ROOT_ON_DEBIAN, found) == [f"{APT} g++ libx11-6", "make install"]


@pytest.mark.parametrize(("version", "state"), [((3, 10, 14), "missing"), ((3, 11, 0), "ok"), ((3, 14, 1), "ok")])
def test_python_has_to_be_3_11(version: tuple[int, ...], state: str) -> None:
    assert check_python(version).state == state


def test_missing_venv_is_debians_package_of_this_python() -> None:
    finding = check_venv(ROOT_ON_DEBIAN, module="no_such_ensurepip")
    assert finding.state == "missing"
    assert finding.mend == f"{APT} python{sys.version_info.major}.{sys.version_info.minor}-venv"


def test_headers_of_the_gcc_at_hand_are_found(tmp_path: Path) -> None:
    add_gcc(tmp_path, "12", with_headers=True)
    finding = check_headers(ROOT_ON_DEBIAN, header_folders(None, tmp_path))
    assert finding.state == "ok"
    assert finding.why == str(tmp_path / "usr/include/c++/12")


def test_headers_are_those_of_the_newest_gcc_by_number(tmp_path: Path) -> None:
    # As text, 9 is above 12. Without a compiler Cling takes 12 and is left without headers, though 9 has them.
    add_gcc(tmp_path, "9", with_headers=True)
    add_gcc(tmp_path, "12", with_headers=False)
    finding = check_headers(ROOT_ON_DEBIAN, header_folders(None, tmp_path))
    assert finding.state == "missing"
    assert finding.mend == f"{APT} g++"


def test_missing_c_headers_are_found_out(tmp_path: Path) -> None:
    add_gcc(tmp_path, "12", with_headers=True)
    (tmp_path / "usr/include/stdlib.h").unlink()
    finding = check_headers(ROOT_ON_DEBIAN, header_folders(None, tmp_path))
    assert finding.state == "missing"
    assert "<stdlib.h>" in finding.why


def test_a_bare_system_has_no_headers(tmp_path: Path) -> None:
    assert check_headers(ROOT_ON_DEBIAN, header_folders(None, tmp_path)).state == "missing"


def test_a_compiler_is_asked_for_its_folders(tmp_path: Path) -> None:
    compiler = tmp_path / "c++"
    folder = tmp_path / "toolchain"
    folder.mkdir()
    for header in ("new", "vector", "cmath", "cassert", "stdlib.h"):
        (folder / header).touch()
    compiler.write_text(
        "#!/bin/sh\n"
        f"echo '#include \"...\" search starts here:' >&2\necho ' {tmp_path}/quoted' >&2\n"
        f"echo '#include <...> search starts here:' >&2\necho ' {folder}' >&2\necho 'End of search list.' >&2\n"
        f"echo 'COMPILER_PATH={tmp_path}' >&2\n"
    )
    compiler.chmod(0o755)
    assert header_folders(str(compiler)) == [folder]
    assert check_headers(ROOT_ON_DEBIAN, header_folders(str(compiler))).state == "ok"


def test_a_compiler_without_headers_is_found_out(tmp_path: Path) -> None:
    compiler = tmp_path / "c++"
    compiler.write_text("#!/bin/sh\necho 'c++: fatal error: cannot execute cc1plus' >&2\nexit 1\n")
    compiler.chmod(0o755)
    assert check_headers(ROOT_ON_DEBIAN, header_folders(str(compiler))).state == "missing"


def test_no_compiler_is_no_obstacle() -> None:
    assert check_compiler(ROOT_ON_DEBIAN, None).state == "warn"


def test_only_the_libraries_that_do_not_load_are_asked_for() -> None:
    finding = check_libraries(
        Machine("fedora", True), ["libSM.so.6", "libX11.so.6"], "X", "no PNG", False, lambda name: name == "libX11.so.6"
    )
    assert (finding.state, finding.mend) == ("missing", "dnf install -y libSM")
    assert "libX11" not in finding.why


def test_a_bare_debian_is_asked_for_five_packages_and_offered_a_sixth(tmp_path: Path) -> None:
    findings = check_system(ROOT_ON_DEBIAN, None, header_folders(None, tmp_path), loads=lambda _: False)
    assert not is_well(findings)
    assert remedies(ROOT_ON_DEBIAN, findings) == [f"{APT} g++ libsm6 libice6 libx11-6 libxext6 libxrender1"]
    required = {need for finding in findings if finding.state == "missing" for need in finding.needs}
    assert required == {"g++", "libSM.so.6", "libICE.so.6", "libX11.so.6", "libXext.so.6"}


@pytest.fixture
def apt_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An apt-get that writes down its arguments, and fails where a file `broken` lies beside it."""
    log, apt = tmp_path / "log", tmp_path / "bin" / "apt-get"
    apt.parent.mkdir()
    apt.write_text(f'#!/bin/sh\necho "$DEBIAN_FRONTEND $@" >>{log}\ntest ! -e {apt.parent}/broken\n')
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", str(apt.parent), prepend=os.pathsep)
    return log


def lacks_headers_until(log: Path, word: str) -> Callable[[Machine], list[Finding]]:
    """Return a check of a system that lacks its headers until apt-get was called with `word`."""

    def check(machine: Machine) -> list[Finding]:
        installed = log.exists() and word in log.read_text().split()
        return [Finding("C++ headers", "ok", "") if installed else machine.lacks("C++ headers", "", ["g++"])]

    return check


def test_root_on_debian_is_mended(apt_log: Path) -> None:
    said: list[str] = []
    assert mend(ROOT_ON_DEBIAN, said.append, lacks_headers_until(apt_log, "g++"))
    assert apt_log.read_text().splitlines() == [
        "noninteractive update",
        "noninteractive install -y --no-install-recommends g++",
    ]
    assert "C++ headers" in said[0]
    assert f"{APT} g++" in said[0]


@pytest.mark.parametrize("machine", [Machine("debian", False), Machine("fedora", True), Machine("", True)])
def test_nobody_else_is_touched_but_told_in_one_line(apt_log: Path, machine: Machine) -> None:
    said: list[str] = []
    assert not mend(machine, said.append, lacks_headers_until(apt_log, "g++"))
    assert not apt_log.exists()
    assert len(said) == 1
    assert machine.remedy(["g++"]) in said[0]


def test_an_apt_that_fails_mends_nothing(apt_log: Path) -> None:
    (apt_log.parent / "bin" / "broken").touch()
    said: list[str] = []
    assert not mend(ROOT_ON_DEBIAN, said.append, lacks_headers_until(apt_log, "g++"))
    assert "apt-get failed" in said[-1]


def test_an_apt_that_installs_nothing_useful_mends_nothing(apt_log: Path) -> None:
    said: list[str] = []
    assert not mend(ROOT_ON_DEBIAN, said.append, lacks_headers_until(apt_log, "never"))
    assert "still missing: C++ headers" in said[-1]
