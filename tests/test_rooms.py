"""Rooms: a folder uses what stands below it, never above; no circle; what a room never touches it never imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PACKAGES = ("analysis", "condor", "models", "plotting", "rdf")

GROUND = {
    *("rdf", "rdf.errors", "rdf.cache", "rdf.disk", "rdf.drafts", "rdf.faults", "rdf.memory", "rdf.printable"),
    *("rdf.local_files", "rdf.startup", "rdf.temporary", "rdf.yaml_tables"),
}
"""Modules that need neither ROOT nor any room: files of this user, text of this user, the start of a program."""

USES: Mapping[str, tuple[str, ...]] = {
    "rdf.schema": (),
    "rdf.code": ("rdf.schema",),
    "rdf.provenance": ("rdf.code",),
    "rdf.graph": ("rdf.code", "rdf.provenance", "rdf.schema"),
    "rdf.sources": ("rdf.code", "rdf.provenance", "rdf.schema"),
    "rdf.execution": ("rdf.code", "rdf.graph", "rdf.provenance", "rdf.schema", "rdf.sources"),
    "rdf.simulation": ("rdf.code", "rdf.execution", "rdf.graph", "rdf.provenance", "rdf.schema", "rdf.sources"),
    "models": ("models.detectors",),
    "models.detectors": ("models",),
    "plotting.errors": (),
    "plotting.style": ("plotting.errors",),
    "plotting.results": ("plotting.errors", "rdf.graph.histogram_keys"),
    "plotting.stack": ("plotting.errors", "plotting.results", "rdf.graph.histogram_keys"),
    "plotting.figures": ("plotting.errors", "plotting.results", "plotting.stack", "plotting.style"),
    "plotting.drawing": (*("plotting.errors", "plotting.figures", "plotting.results", "plotting.style"),),
    "plotting.pages": ("plotting.errors", "plotting.results"),
    "plotting.report": (
        *("plotting.errors", "plotting.figures", "plotting.pages", "plotting.results", "plotting.style"),
    ),
    "plotting.browsing": ("plotting.errors", "plotting.pages", "plotting.results", "rdf.code.interpreter"),
    "plotting.__main__": ("plotting",),
    "analysis.errors": (),
    "analysis.configuration": ("analysis.errors", "models", "rdf.schema"),
    "analysis.options": ("analysis.configuration", "analysis.errors"),
    "analysis.console": ("analysis.errors", "models.errors", "plotting.errors", "plotting.results"),
    "analysis.samples": (
        *("analysis.configuration", "analysis.console", "analysis.errors", "plotting.results"),
        *("rdf.schema", "rdf.sources"),
    ),
    "analysis.output": (
        *("analysis.configuration", "analysis.console", "analysis.errors", "analysis.samples"),
        *("models", "plotting", "rdf"),
    ),
    "analysis.steps": (
        *("analysis.configuration", "analysis.console", "analysis.errors", "analysis.output", "analysis.samples"),
        *("models", "plotting.results", "rdf"),
    ),
    "analysis.live": (
        *("analysis.configuration", "analysis.console", "analysis.errors", "analysis.output", "analysis.samples"),
        *("analysis.steps", "models", "plotting.errors", "plotting.results", "rdf"),
    ),
    "analysis": ("analysis", "models", "plotting", "rdf"),
    "condor": ("analysis", "plotting.errors", "plotting.results"),
}
"""Room -> rooms and modules that it may use, beside itself and GROUND; an entry rules the subfolders too."""

NEVER: Mapping[str, tuple[str, ...]] = {
    "rdf": ("matplotlib", "sklearn", "torch"),
    "models": ("ROOT", "matplotlib", "uproot"),
    "plotting": ("ROOT", "sklearn", "torch"),
    "plotting.results": ("ROOT", "matplotlib", "mplhep"),
    "plotting.stack": ("ROOT", "matplotlib", "mplhep"),
    "plotting.browsing": ("matplotlib", "mplhep", "sklearn", "torch"),
    "analysis": ("ROOT", "matplotlib"),
    "condor": ("ROOT", "matplotlib", "sklearn", "torch"),
}
"""Room -> libraries that it never touches, in functions neither."""

LARGEST_ROOM = 15
"""Modules beside a folder's subfolders; more are found by reading, no more at a glance."""

SOURCES = (".py", ".hxx", ".cxx", ".C")
MOST_PLACES = 6
MOST_LINES = 400

LONG: Mapping[str, str] = {
    "tests/analysis/test_run.py": "its tests look at the same few runs of the main job",
    "tests/analysis/test_run_formats.py": "each of its tests runs the main job, on another format",
    "tests/analysis/test_watch.py": "its tests share simulated files and models that are trained once",
    "tests/condor/test_on_pool.py": "its tests share one pool and the models that its jobs score with",
}
"""Files that may have more lines, with the reason: what tests share is made once for a file, and anew for another."""

LARGE = {"plotting/figures", "models/detectors", "analysis/samples", "rdf/schema/schemas"}
"""Folders of things of one kind, a file each."""


@dataclass(frozen=True)
class Import:
    """An import in a module: of which other one, and whether the module is only typed by it."""

    module: str
    line: int


def modules(folder: Path) -> dict[str, Path]:
    """Return the modules of the packages, by their dotted names."""
    found = {}
    for package in PACKAGES:
        for path in sorted((folder / package).rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(source: str, known: Mapping[str, Path]) -> Iterator[Import]:
    """Yield what a module imports, wherever in it: of a package's names the submodules."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield Import(submodule if submodule in known else node.module, node.lineno)


def is_in(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def room_of(module: str, rooms: Mapping[str, tuple[str, ...]]) -> str | None:
    """Return the innermost room that rules a module."""
    return max((room for room in rooms if is_in(module, room)), key=len, default=None)


def faults(sources: Mapping[str, str], known: Mapping[str, Path]) -> list[str]:
    """Say which imports of these modules their rooms do not allow."""
    found = []
    for module, source in sources.items():
        room, strict = room_of(module, USES), room_of(module, NEVER)
        for made in imports(source, known):
            ours = made.module.partition(".")[0] in PACKAGES
            if strict and any(is_in(made.module, library) for library in NEVER[strict]):
                if module != "plotting.browsing.tbrowser":  # the one module of plotting that opens a TBrowser
                    found.append(f"{module}:{made.line} imports {made.module}, which {strict} never touches")
            elif ours and room and made.module not in GROUND and room_of(made.module, USES) != room:
                if not any(is_in(made.module, allowed) for allowed in USES[room]):
                    found.append(f"{module}:{made.line} imports {made.module}, which does not stand below {room}")
            elif ours and module in GROUND and made.module not in GROUND:
                found.append(f"{module}:{made.line} imports {made.module}, and is to stand on the ground")
    return found


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the modules that import each other, directly or by others (Tarjan's strongly connected components)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        stack.append(module)
        for other in sorted(graph.get(module, ())):
            if other not in number:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in stack:
                lowest[module] = min(lowest[module], number[other])
        if lowest[module] == number[module]:
            circle = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(circle) > 1 or module in graph.get(module, ()):
                found.append(sorted(circle))

    for module in sorted(graph):
        if module not in number:
            visit(module)
    return found


@pytest.fixture(scope="module")
def known() -> dict[str, Path]:
    return modules(PROJECT)


@pytest.fixture(scope="module")
def sources(known: Mapping[str, Path]) -> dict[str, str]:
    return {module: path.read_text(encoding="utf-8") for module, path in known.items()}


def test_rooms_use_what_stands_below_them(sources: Mapping[str, str], known: Mapping[str, Path]) -> None:
    assert faults(sources, known) == []


@pytest.mark.parametrize(
    ("module", "line", "fault"),
    [
        ("models.thresholds", "import ROOT", "which models never touches"),
        ("models.folder", "from rdf.code.interpreter import ROOT", "does not stand below models"),
        ("rdf.graph.selection", "from analysis.errors import AnalysisError", "does not stand below rdf.graph"),
        ("rdf.schema.model", "from rdf.graph import scoring", "does not stand below rdf.schema"),
        ("rdf.graph.scoring", "import sklearn.svm", "which rdf never touches"),
        ("plotting.results.run", "import matplotlib.pyplot", "which plotting.results never touches"),
        ("plotting.results.run", "from plotting.style import house", "does not stand below plotting.results"),
        ("plotting.figures.roc", "from plotting.report.page import write_report", "does not stand below"),
        ("analysis.output.folder", "from analysis.steps import timings", "does not stand below analysis.output"),
        ("analysis.console.progress", "import analysis.run", "does not stand below analysis.console"),
        ("analysis.steps.training", "from analysis.live.worker import Worker", "does not stand below analysis.steps"),
        ("condor.plan", "    from rdf.graph import merging", "does not stand below condor"),
        ("rdf.cache", "from rdf.schema.model import Schema", "is to stand on the ground"),
    ],
)
def test_a_wrong_import_is_told(module: str, line: str, fault: str, known: Mapping[str, Path]) -> None:
    wrapped = f"def late() -> None:\n{line}\n" if line.startswith(" ") else f"{line}\n"
    (told,) = faults({module: wrapped}, known)
    assert told.startswith(f"{module}:")
    assert fault in told


def test_no_module_imports_itself_by_others(sources: Mapping[str, str], known: Mapping[str, Path]) -> None:
    graph = {name: {made.module for made in imports(source, known)} & known.keys() for name, source in sources.items()}
    assert circles(graph) == []
    graph["rdf.errors"] = {"rdf.graph.scoring"}
    assert any("rdf.errors" in circle for circle in circles(graph))


def test_arguments_that_travel_together_are_objects(sources: Mapping[str, str]) -> None:
    """No function takes more arguments by their places than a reader can tell apart."""
    found = {}
    for module, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                placed = [
                    each.arg for each in (*node.args.posonlyargs, *node.args.args) if each.arg not in ("self", "cls")
                ]
                if len(placed) > MOST_PLACES:
                    found[f"{module}.{node.name}"] = len(placed)
    assert found == {}


def test_files_can_be_read_at_a_sitting() -> None:
    """Python and C++, the tests and benchmarks too."""
    long = {}
    for folder in (*PACKAGES, "macros", "tests"):
        for path in (PROJECT / folder).rglob("*"):
            if path.suffix in SOURCES and (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES:
                long[str(path.relative_to(PROJECT))] = lines
    assert {name: lines for name, lines in long.items() if name not in LONG} == {}


def test_rooms_can_be_taken_in_at_a_glance() -> None:
    crowded = {}
    for package in (*PACKAGES, "macros"):
        for folder in [PROJECT / package, *(PROJECT / package).rglob("*/")]:
            name = str(folder.relative_to(PROJECT))
            held = [path for path in folder.iterdir() if path.suffix in (".py", ".hxx", ".cxx")]
            count = len([path for path in held if path.name != "__init__.py"])
            if count > LARGEST_ROOM and name not in LARGE:
                crowded[name] = count
    assert crowded == {}
