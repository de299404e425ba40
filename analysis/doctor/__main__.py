"""The doctor: what ROOT and this toolkit need, what of it this machine lacks, and which commands install that.

`--mend` sees to the operating system's part alone and works with nothing but Python, so every import of another
package is inside the function that needs it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from analysis.doctor.system import Finding, Machine, check_here, is_well, mend, remedies

# The toolkit's exit codes (analysis.console.program, which this Python may not be able to import yet).
WELL, NOT_WELL = 0, 4

PINS = Path(__file__).parents[2] / "requirements.txt"

# An interpreter without its headers seldom raises: it answers, wrongly. So its answers are compared.
CLING_PROBE = """
import json, warnings
warnings.simplefilter("ignore")
import ROOT
ROOT.PyConfig.DisableRootLogon = True
declared = ROOT.gInterpreter.Declare('''
#include <cmath>
#include <vector>
double doctor_probe(int n) {
   std::vector<double> roots;
   for (int i = 1; i <= n; ++i) roots.push_back(std::sqrt(i));
   double sum = 0;
   for (double root : roots) sum += root;
   return sum;
}''')
answer = {"version": ROOT.gROOT.GetVersion(), "declared": bool(declared)}
answer["two"] = ROOT.gInterpreter.ProcessLine("1 + 1;")
if declared:
    answer["sum"] = ROOT.doctor_probe(1000)
    answer["loop"] = ROOT.RDataFrame(1001).Define("root", "std::sqrt(rdfentry_)").Sum("root").GetValue()
print("\\n" + json.dumps(answer))
"""

SOFIE_PROBE = "import sofie; sofie.onnx.parse; print(sofie.__version__)"


def read_pins(requirements: Path) -> dict[str, str]:
    """Return the version that a requirements file pins for each package."""
    lines = (line.partition("#")[0].strip() for line in requirements.read_text(encoding="utf-8").splitlines())
    return {name: version for name, _, version in (line.partition("==") for line in lines) if version}


def installed_version(package: str) -> str | None:
    """Return the version of a package that this Python would import, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        # conda-forge's ROOT is no Python distribution, but it is ROOT: its version is its own affair.
        return "" if package == "root" and find_spec("ROOT") else None


def check_packages(pins: Mapping[str, str], installed: Mapping[str, str | None]) -> Finding:
    """Compare the packages that are installed with the pins.

    Args:
        pins: Version of each package, as `read_pins` gives it.
        installed: Version that is there, None where there is none, "" where it cannot be told. A local build such as
            2.13.0+cpu counts as its release.
    """
    lost = [package for package in pins if installed[package] is None]
    other = [
        f"{package} {version} (pinned: {pins[package]})"
        for package, version in installed.items()
        if version and version.partition("+")[0] != pins[package]
    ]
    if lost:
        return Finding("Python packages", "missing", f"no {', '.join(lost)}", "make install")
    if other:
        return Finding("Python packages", "warn", f"untried: {', '.join(other)}", "pip install -r requirements.txt")
    return Finding("Python packages", "ok", f"{len(pins)} as pinned")


def run_probe(probe: str) -> subprocess.CompletedProcess[str]:
    """Run some Python in a child process, so that a crash is a finding and not the end of the doctor."""
    question = [sys.executable, "-c", probe]
    try:
        return subprocess.run(
            question, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(question, 1, "", "gave no answer within 120 s")


def last_words(child: subprocess.CompletedProcess[str]) -> str:
    """Return the line of a child's errors that says most: the first that names an error, else the last."""
    lines = [line.strip() for line in child.stderr.splitlines() if line.strip()]
    named = [line for line in lines if "error:" in line.lower()]
    return next(iter(named + lines[-1:]), f"ended with exit code {child.returncode}")


def check_cling(child: subprocess.CompletedProcess[str]) -> Finding:
    """Judge what ROOT's interpreter answered to `CLING_PROBE`, by Python's own numbers."""
    mending = "mend what is missing above; if nothing is, see what python -c 'import ROOT' prints"
    try:
        answer = json.loads(child.stdout.strip().rpartition("\n")[2])
    except json.JSONDecodeError:
        crash = f"it crashed (exit code {child.returncode}): {last_words(child)}"
        return Finding("ROOT's interpreter", "missing", crash, mending)
    if not answer["declared"]:
        refusal = f"it cannot compile <vector> and <cmath>: {last_words(child)}"
        return Finding("ROOT's interpreter", "missing", refusal, mending)
    expected = {"two": 2.0, "sum": math.fsum(math.sqrt(i) for i in range(1, 1001))}
    expected["loop"] = expected["sum"]
    wrong = [
        f"{name} is {answer[name]}, not {number}"
        for name, number in expected.items()
        if not math.isclose(answer[name], number, rel_tol=1e-12)
    ]
    if wrong:
        return Finding("ROOT's interpreter", "missing", f"it computes wrongly: {', '.join(wrong)}", mending)
    return Finding("ROOT's interpreter", "ok", f"ROOT {answer['version']} computes as Python does")


def check_import(child: subprocess.CompletedProcess[str], what: str, use: str) -> Finding:
    """Judge a probe that prints a version if what it tries is there; `use` says what fails without it."""
    if child.returncode == 0:
        return Finding(what, "ok", child.stdout.strip())
    return Finding(what, "missing", f"{use} ({last_words(child)})", "make install")


def check_cache(folder: Path) -> Finding:
    """Check that downloads and converted files can be kept, and that nobody else can write them."""
    from rdf.cache import close_to_others

    remedy = "export XDG_CACHE_HOME=a folder that you can write"
    if fault := close_to_others(folder):
        return Finding("cache folder", "warn", f"{folder} {fault}: it is not used, and nothing is kept", remedy)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        why = f"cannot write {folder} ({error.strerror}): samples cannot be kept"
        return Finding("cache folder", "missing", why, remedy)
    return Finding("cache folder", "ok", str(folder))


def check_data(folder: str | None) -> Finding:
    """Tell where samples are looked for first."""
    if not folder:
        return Finding("OPENDATA_DIR", "ok", "not set: samples come from the cache or are downloaded")
    if Path(folder).is_dir():
        return Finding("OPENDATA_DIR", "ok", folder)
    return Finding("OPENDATA_DIR", "warn", f"{folder} is no folder: samples come from elsewhere", "unset OPENDATA_DIR")


def examine(machine: Machine) -> list[Finding]:
    """Check everything; what needs a package is left out where packages are missing, so that the cause stands alone."""
    findings = check_here(machine)
    pins = read_pins(PINS)
    packages = check_packages(pins, {package: installed_version(package) for package in pins})
    findings.append(packages)
    if packages.state != "missing":
        from rdf.cache import named_folder

        findings += [
            check_cling(run_probe(CLING_PROBE)),
            check_import(run_probe(SOFIE_PROBE), "SOFIE", "a trained detector cannot become C++"),
            check_cache(named_folder()),
        ]
    return [*findings, check_data(os.environ.get("OPENDATA_DIR"))]


def say(line: str) -> None:
    """Write one line to stdout, at once: a child's output may follow."""
    text = "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in line)  # no terminal is steered
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def show(findings: Sequence[Finding]) -> None:
    """Print the findings as a table, or line by line where rich is not installed."""
    try:
        from rich.table import Column, Table

        from analysis.console.program import output_console
    except ImportError:
        for finding in findings:
            say(finding.line())
        return
    table = Table("", "what", Column("found", overflow="fold"), box=None)
    colours = {"ok": "green", "missing": "bold red", "warn": "yellow"}
    for finding in findings:
        found = f"{finding.why}\nto mend: {finding.mend}" if finding.mend else finding.why
        table.add_row(finding.state, finding.what, found, style=colours[finding.state])
    output_console().print(table)


def main(arguments: Sequence[str]) -> int:
    """Examine this machine, or with `--mend` install what the system lacks; return the exit code."""
    machine = Machine.here()
    only_mend = list(arguments) == ["--mend"]
    if arguments and not only_mend:
        from analysis.console.program import OptionParser

        parser: argparse.ArgumentParser = OptionParser("analysis.doctor", str(__doc__).partition("\n")[0])
        parser.add_argument(
            "--mend",
            action="store_true",
            help="install what the system lacks (as root on Debian and Ubuntu), else say how",
        )
        only_mend = parser.parse_args(arguments).mend
    if only_mend:
        return WELL if mend(machine, say) else NOT_WELL
    findings = examine(machine)
    show(findings)
    states = Counter(finding.state for finding in findings)
    say(f"\n{states['ok']} well, {states['missing']} missing, {states['warn']} that a run can do without")
    if states["missing"]:
        say(f"to mend: {'; '.join(remedies(machine, findings))}")
    return WELL if is_well(findings) else NOT_WELL


def start(arguments: Sequence[str]) -> int:
    """Run the doctor as the toolkit's other programs are run, or alone where their packages are not installed yet."""
    try:
        from analysis.console.program import run_program
    except ImportError:
        return main(arguments)
    return run_program("analysis.doctor", main, arguments)


if __name__ == "__main__":
    sys.exit(start(sys.argv[1:]))
