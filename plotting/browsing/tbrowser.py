"""The process of a TBrowser, which `plotting browse` starts; no other module of this package imports ROOT."""

from __future__ import annotations

import os
import re
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from plotting.browsing.browse import REFUSED
from plotting.errors import PlottingError
from rdf.code.interpreter import captured_stderr
from rdf.printable import printable

MACRO = Path(__file__).parents[2] / "macros" / "browse.C"

_PAUSE = 0.01  # seconds between two looks at what the user does
_LOOKS = 20  # before it is asked whether the window is still there
_LIBRARIES = ("libGX11", "libGui")  # which need the system's X libraries
_PACKAGES = "libx11-6 libxext6 libxrender1"
_NOT_LOADED = re.compile(r"\blib\S+\.so\S*: .*")


class NoWindow(PlottingError):
    """The TBrowser did not open; the message is one line with the remedy."""


def open_browser(folder: str) -> Any:
    """Return ROOT, with a TBrowser on a folder's histograms or curves.

    Raises:
        NoWindow: there is none.
    """
    with captured_stderr() as stderr, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"[\s\S]*This distribution of ROOT is in alpha stage")
        import ROOT

        ROOT.PyConfig.DisableRootLogon = True  # it may fail, and the macro sets styles
        ROOT.gROOT.SetWebDisplay("off")
        loaded = all(ROOT.gSystem.Load(library) >= 0 for library in _LIBRARIES)
        if loaded and ROOT.gROOT.LoadMacro(str(MACRO)) == 0:
            ROOT.browse(folder)
        opened = not ROOT.gROOT.IsBatch() and ROOT.gROOT.GetListOfBrowsers().GetSize() > 0
        for browser in ROOT.gROOT.GetListOfBrowsers():
            ROOT.SetOwnership(browser, False)  # ROOT keeps it in a list
    if not opened:
        page = f"let `python -m plotting page {folder}` make a page for a web browser"
        if not loaded:
            lines = (" ".join(line.split()) for line in stderr.text.splitlines())
            reason = next(
                (found[0] for line in lines if (found := _NOT_LOADED.search(line))), "X libraries are missing"
            )
            raise NoWindow(f"no TBrowser: {reason}; apt-get install {_PACKAGES}, or {page}")
        raise NoWindow(
            f"no TBrowser: DISPLAY is {os.environ.get('DISPLAY')}, where no window opens; correct it, or {page}"
        )
    return ROOT


def main(folder: str) -> int:
    """Show a TBrowser until its window is closed, and return the exit code."""
    try:
        root = open_browser(folder)
    except NoWindow as error:
        print(printable(f"error: {error}"), file=sys.stderr)  # noqa: T201
        return REFUSED
    caller = os.getppid()
    while _is_open(root) and os.getppid() == caller:  # the caller may have been killed
        for _ in range(_LOOKS):
            root.gSystem.ProcessEvents()
            time.sleep(_PAUSE)
    return 0


def _is_open(root: Any) -> bool:
    """Tell whether a TBrowser has a window; ROOT's list of them keeps those that were closed."""
    return any(window.InheritsFrom("TRootBrowser") for window in root.gClient.GetListOfWindows())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
