"""A TBrowser on the histograms of a run or the curves of an evaluation, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from plotting.browsing.browsable import find_root_file
from plotting.errors import BrowserFailed

REFUSED = 3
"""Exit code of a TBrowser that could not open; it has said why."""


def browse(folder: Path) -> bool:
    """Open a TBrowser and wait until its window is closed.

    Returns:
        Whether it opened; if not, it has said why on stderr.

    Raises:
        MissingResult: the folder, or its ROOT file, is not there.
        UnreadableResult: the file is truncated or damaged.
        BrowserFailed: there is no display, or the process crashed.
    """
    find_root_file(folder)
    if not os.environ.get("DISPLAY"):
        raise BrowserFailed(
            f"no DISPLAY for a TBrowser; log in with ssh -Y, or let `python -m plotting page {folder}` make a page for "
            "a web browser"
        )
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "plotting.browsing.tbrowser", folder],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.curdir for path in sys.path)},
        stdin=subprocess.DEVNULL,
        process_group=0,  # Ctrl-C reaches this process alone, which then ends the other
    )
    try:
        code = process.wait()
    finally:
        process.terminate()
        process.wait()
    if code not in (0, REFUSED):
        raise BrowserFailed(
            f"the TBrowser on {folder} " + (f"was ended by signal {-code}" if code < 0 else f"ended with code {code}")
        )
    return code == 0
