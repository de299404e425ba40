"""A program as a process of its own that draws no figure: `python -m tests.analysis.without_figures analysis.run ...`.

To draw takes as long as the rest of a small run.
"""

from __future__ import annotations

import runpy
import sys

import pytest

from tests.conftest import draw_nothing

if __name__ == "__main__":
    program = sys.argv.pop(1)
    with pytest.MonkeyPatch.context() as patch:
        draw_nothing(patch)
        runpy.run_module(program, run_name="__main__", alter_sys=True)
