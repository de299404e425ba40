"""The C++ programs of the suite: made-up events, a hand-written event loop and a bare read by RDataFrame."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rdf.code.interpreter import MACROS, ROOT

HERE = Path(__file__).parent
FLAGS = ("-std=c++17", "-O3", "-march=native")
LIBRARIES = ("Core", "RIO", "Tree", "TreePlayer", "ROOTNTuple", "ROOTDataFrame", "ROOTVecOps", "GenVector", "MathCore")


def program(name: str, folder: Path) -> Path:
    """Compile a program, unless the folder has it from this source and these kernels, and return its path."""
    source, target = HERE / f"{name}.cxx", folder / name
    changed = max(file.stat().st_mtime for file in (source, *MACROS.rglob("*.hxx")))
    if not target.exists() or target.stat().st_mtime < changed:
        libraries = str(ROOT.TROOT.GetLibDir())
        command = [
            *("g++", *FLAGS, f"-I{MACROS}", "-isystem", str(ROOT.TROOT.GetIncludeDir()), str(source)),
            *("-o", str(target), f"-L{libraries}", f"-Wl,-rpath,{libraries}", *(f"-l{name}" for name in LIBRARIES)),
            # Libraries that ROOT's own need lie where only the loader looks.
            "-Wl,--unresolved-symbols=ignore-in-shared-libs",
        ]
        subprocess.run(command, check=True, capture_output=True)
    return target


def _seconds(command: list[str]) -> float:
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def loop_seconds(path: Path, folder: Path) -> float:
    """Return the seconds of the hand-written event loop over a TTree."""
    return _seconds([str(program("peers", folder)), "loop", str(path)])


def loop_columns(path: Path, folder: Path) -> npt.NDArray[np.float32]:
    """Return the columns of the hand-written event loop, shape (events, columns)."""
    output = folder / "loop.float32"
    _seconds([str(program("peers", folder)), "loop", str(path), str(output)])
    return np.fromfile(output, dtype=np.float32).reshape(-1, 8)


def read_seconds(path: Path, folder: Path) -> float:
    """Return the seconds of a bare read of the same branches by a compiled RDataFrame."""
    return _seconds([str(program("peers", folder)), "read", str(path)])
