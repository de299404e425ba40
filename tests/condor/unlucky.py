"""A Python for the jobs of a batch, of which some have accidents. It is a program:

    python unlucky.py FOLDER -m analysis.run --config run.yaml --entries A:B --output result

FOLDER/accidents.json says which accident awaits the job of which entries; a job that has had it runs as with any other
Python. For each try of a job the folder gets a file `A-B.1`, `A-B.2`, ..., and `A-B.half` once it was stopped half way.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

FAILS_TWICE, KILLED, STOPPED, GROWS = "fails twice", "killed", "stopped", "grows"
MEMORY_MB = 1200
"""Memory that a job which grows takes."""


def write_python(folder: Path, accidents: dict[str, str]) -> Path:
    """Make such a Python in a new folder, and return its path.

    Args:
        folder: made.
        accidents: entries of a job, as A:B -> what happens to it.
    """
    folder.mkdir()
    (folder / "accidents.json").write_text(json.dumps(accidents))
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).resolve()} {folder} "$@"\n')
    python.chmod(0o755)
    return python


def half_way(folder: Path, entries: str) -> Path:
    """Return the file that is there once the job of these entries was stopped half way."""
    return folder / f"{entries.replace(':', '-')}.half"


def main(folder: Path, arguments: list[str]) -> NoReturn:
    """Run what the arguments say, unless there is to be an accident."""
    entries = arguments[arguments.index("--entries") + 1]
    accident = json.loads((folder / "accidents.json").read_bytes()).get(entries)
    stem = entries.replace(":", "-")
    attempt = 1 + len(list(folder.glob(f"{stem}.[0-9]")))
    (folder / f"{stem}.{attempt}").touch()
    if accident == FAILS_TWICE and attempt <= 2:
        sys.exit("error: no luck today")
    if accident == GROWS and attempt == 1:
        taken = b"x" * (MEMORY_MB * 2**20)
        time.sleep(60)
        sys.exit(f"error: nobody minds {len(taken)} bytes")
    if accident in (KILLED, STOPPED) and attempt == 1:
        run = subprocess.Popen([sys.executable, *arguments])
        while not any(Path("result").glob("*/events.root")):
            time.sleep(0.001)
        run.send_signal(signal.SIGSTOP)
        half_way(folder, entries).touch()
        if accident == STOPPED:
            run.wait()
        run.kill()
        os.kill(os.getpid(), signal.SIGKILL)
    os.execv(sys.executable, [sys.executable, *arguments])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
