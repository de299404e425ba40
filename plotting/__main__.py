"""`python -m plotting OUTPUT_DIR` shows what a run or an evaluation left: as figures and a report, or for browsing."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from plotting.errors import BadCommand, PlottingError
from rdf.printable import printable
from rdf.startup import INTERRUPTED, interruptible

DONE, BAD_COMMAND, BAD_DATA, FAILED_CHECK = 0, 2, 3, 4

EPILOG = """\
examples:
  python -m plotting output/cms2010b           draw the figures again, and write figures/ and report.html
  python -m plotting browse output/cms2010b    look at the histograms in a TBrowser, which needs X
  python -m plotting page output/cms2010b      make browse.html of them, for any web browser, also without a network
  python -m plotting stack output/data output/ttbar output/zjets --luminosity 36.1
                                               draw data over simulated processes, among the figures of the data

A folder that is called browse, page or stack is named ./browse, ./page or ./stack.
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


def draw_stacks(folders: Sequence[Path], luminosity: float | None) -> int:
    """Draw data, of the first folder, over simulated processes, and write the report of the data anew."""
    from plotting.drawing.saving import save_figure
    from plotting.figures.stack import agreement_text, draw_stack
    from plotting.report.page import write_report
    from plotting.stack.comparison import compare
    from plotting.stack.processes import read_stacks

    data, *simulated = folders
    found = read_stacks(data, simulated, luminosity)
    for folder, scale in zip(simulated, found.scales, strict=True):
        print(printable(f"{folder}: {scale:.6g} times what it filled, for {found.caption.luminosity:g}/fb"))  # noqa: T201
    for stack in found.stacks:
        save_figure(draw_stack(stack, found.caption), data / "figures", f"stack_{stack.name}", data)
        print(printable(f"{stack.name}: {agreement_text(compare(stack))}"))  # noqa: T201
    report = write_report(data)
    print(printable(f"{len(found.stacks)} figures stack_* in {data / 'figures'}, and {report.path}"))  # noqa: T201
    return DONE


class _Parser(argparse.ArgumentParser):
    """An argument parser that repeats what it does not understand as text."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


VERBS: dict[str | None, Callable[[Path], int]] = {None: draw, "browse": browse, "page": make_page}
"""What is done with one folder."""

STACK = "stack"
"""What is done with several."""


def _positive(text: str) -> float:
    """Return a number above zero."""
    number = float(text)
    if not 0 < number < math.inf:
        raise ValueError
    return number


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
        choices=[*(verb for verb in VERBS if verb), STACK],
        help="browse: in a TBrowser; page: in a page for web browsers; stack: data over simulation; without it: "
        "figures and report",
    )
    parser.add_argument(
        "folders",
        type=Path,
        nargs="+",
        metavar="OUTPUT_DIR",
        help="folder with run.json and histograms.root of a run, or metrics.json and curves.root of an evaluation; for "
        "a stack those of runs with the same models, the data first",
    )
    parser.add_argument(
        "--luminosity",
        type=_positive,
        metavar="L",
        help="of a stack: integrated luminosity of the data in 1/fb (default: that of the sample)",
    )
    chosen = parser.parse_args(arguments)
    if chosen.verb != STACK:
        more = [str(folder) for folder in chosen.folders[1:]]
        if unfit := more + ["--luminosity"] * (chosen.luminosity is not None):
            parser.error(f"unrecognized arguments: {' '.join(unfit)} (of use for stack alone)")
    with interruptible() as interruption:
        try:
            try:
                interruption.working = True
                if chosen.verb == STACK:
                    code = draw_stacks(chosen.folders, chosen.luminosity)
                else:
                    code = VERBS[chosen.verb](chosen.folders[0])
            finally:
                interruption.ended = True
        except PlottingError as error:
            print(printable(f"error: {' '.join(str(error).split())}"), file=sys.stderr)  # noqa: T201
            code = BAD_COMMAND if isinstance(error, BadCommand) else BAD_DATA
        except KeyboardInterrupt:
            print("interrupted; nothing was left half written", file=sys.stderr)  # noqa: T201
            code = INTERRUPTED
        if interruption.requested:
            interruption.code = code
        return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
