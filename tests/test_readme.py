"""The README's example in Python is executed as it is printed, in a folder that is not the clone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.compiler

README = Path(__file__).parents[1] / "README.md"


def test_the_example_in_python(opendata: Path, tmp_path: Path) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    example += "print(type(spectrum).__name__, results.record.sample.name)\n"
    # No PYTHONPATH: `make install` has made the packages known to this Python.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["OPENDATA_DIR"] = str(opendata.resolve())
    ended = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "1,087 of 21,726 events are flagged\nHist cms2010b\n"
    assert (tmp_path / "output" / "python" / "report.html").is_file()
