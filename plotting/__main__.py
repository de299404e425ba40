"""`python -m plotting OUTPUT_DIR` draws the figures of a run or an evaluation again, from the files that it left."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from plotting.errors import PlottingError
from plotting.figures import draw_figures

DONE, BAD_DATA, INTERRUPTED = 0, 3, 130


def main(arguments: Sequence[str]) -> int:
    """Draw the figures and return the exit code; argparse itself leaves with 2 for a bad command."""
    parser = argparse.ArgumentParser(
        prog="python -m plotting",
        description="Draw the figures of a run or of an evaluation again.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "folder",
        type=Path,
        metavar="OUTPUT_DIR",
        help="folder with run.json and histograms.root of a run, or metrics.json and curves.root of an evaluation",
    )
    folder: Path = parser.parse_args(arguments).folder
    try:
        written = draw_figures(folder, lambda name: print(f"drew {name}", file=sys.stderr))  # noqa: T201
    except PlottingError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201
        return BAD_DATA
    except KeyboardInterrupt:
        print("interrupted; no figure was left half written", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    print(f"{len(written)} files in {folder / 'figures'}")  # noqa: T201
    return DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
