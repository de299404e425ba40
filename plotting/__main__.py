"""`python -m plotting OUTPUT_DIR` shows what a run or an evaluation left: as figures and a report, or for browsing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from plotting.errors import PlottingError
from rdf.printable import printable
from rdf.startup import INTERRUPTED, interruptible

DONE, BAD_DATA, FAILED_CHECK = 0, 3, 4

EPILOG = """\
examples:
  python -m plotting output/cms2010b           draw the figures again, and write figures/ and report.html
  python -m plotting browse output/cms2010b    look at the histograms in a TBrowser, which needs X
  python -m plotting page output/cms2010b      make browse.html of them, for any web browser, also without a network

A folder that is called browse or page is named ./browse or ./page.
"""


def draw(folder: Path) -> int:
    """Draw the figures again and write the report; a figure that fails is named, and it is a fault only if all fail."""
    from plotting.drawing.pool import Workers, draw_figures
    from plotting.report.page import write_report

    def say(message: str) -> None:
        print(printable(message), file=sys.stderr)  # noqa: T201

    with Workers() as workers:
        written = draw_figures(folder, lambda name: say(f"drew {name}"), workers)
        failed = workers.failed
    report = write_report(folder, failed)
    for name, reason in failed.items():
        say(f"warning: no figure {name}: {' '.join(reason.split())}")
    for name, reason in report.failed.items():
        say(f"warning: no caption of figure {name}: {' '.join(reason.split())}")
    print(printable(f"{len(written)} files in {folder / 'figures'}, and {report.path}"))  # noqa: T201
    return FAILED_CHECK if failed and not written else DONE


def browse(folder: Path) -> int:
    """Open a TBrowser and wait until it is closed."""
    from plotting.browsing.browse import browse

    return DONE if browse(folder) else BAD_DATA


def make_page(folder: Path) -> int:
    """Make the page for web browsers."""
    from plotting.browsing.page import write_browser_page

    path = write_browser_page(folder)
    print(printable(f"{path} ({path.stat().st_size / 1e6:.1f} MB); open it in a web browser"))  # noqa: T201
    return DONE


class _Parser(argparse.ArgumentParser):
    """An argument parser that repeats what it does not understand as text."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


VERBS: dict[str | None, Callable[[Path], int]] = {None: draw, "browse": browse, "page": make_page}


def main(arguments: Sequence[str]) -> int:
    """Do what the command says and return the exit code; argparse itself leaves with 2 for a bad command."""
    parser = _Parser(
        prog="python -m plotting",
        description="Show what a run or an evaluation left: as figures and a report, or for browsing.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "verb",
        nargs="?",
        choices=[verb for verb in VERBS if verb],
        help="browse: in a TBrowser; page: in a page for web browsers; without it: figures and report",
    )
    parser.add_argument(
        "folder",
        type=Path,
        metavar="OUTPUT_DIR",
        help="folder with run.json and histograms.root of a run, or metrics.json and curves.root of an evaluation",
    )
    chosen = parser.parse_args(arguments)
    with interruptible() as interruption:
        try:
            try:
                interruption.working = True
                code = VERBS[chosen.verb](chosen.folder)
            finally:
                interruption.ended = True
        except PlottingError as error:
            print(printable(f"error: {' '.join(str(error).split())}"), file=sys.stderr)  # noqa: T201
            code = BAD_DATA
        except KeyboardInterrupt:
            print("interrupted; nothing was left half written", file=sys.stderr)  # noqa: T201
            code = INTERRUPTED
        if interruption.requested:
            interruption.code = code
        return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
