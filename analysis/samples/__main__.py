"""`python -m analysis.samples`: which samples there are and which are at hand; `... fetch NAME` downloads them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from analysis.errors import ChecksumMismatch, ConfigurationError, DataError, near_names
from analysis.program import DONE, OptionParser, error_console, run_program
from analysis.samples import Sample, catalogue, download_folder, find_sample, locate, obtain, opendata_folder

EPILOG = """\
A file is looked for under OPENDATA_DIR, then in the user's cache, then at the CERN Open Data portal.
Wherever it comes from, its size and sha256 must be those of the catalogue.

examples:
  python -m analysis.samples                   the samples, and which are at hand
  python -m analysis.samples fetch cms2010b    download one; an interrupted download is resumed
"""


def main(arguments: Sequence[str]) -> int:
    """List the catalogue or fetch samples, as the command line says, and return the exit code."""
    parser = OptionParser("analysis.samples", "List the samples of open data, or download them.", EPILOG)
    parser.add_argument(
        "command", nargs="?", choices=("list", "fetch"), default="list", help="what to do (default: list)"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="the samples to fetch")
    options = parser.parse_args(arguments)
    if options.command == "fetch":
        return _fetch(options.names)
    if options.names:
        raise ConfigurationError(f"list takes no sample name; to download: {parser.prog} fetch {options.names[0]}")
    return _list()


def _fetch(names: list[str]) -> int:
    if not names:
        raise ConfigurationError(f"fetch needs the name of a sample; {near_names('', catalogue())}")
    # All names are looked up first: a misspelt second one is known before the first is downloaded.
    for sample in [find_sample(name) for name in names]:
        for path in obtain(sample, opendata_folder(), download_folder()):
            Console().print(str(path), soft_wrap=True, highlight=False, markup=False)
    return DONE


def _list() -> int:
    # DOI below the title: side by side they do not fit 80 columns.
    table = Table("name", "title, DOI", "at hand", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("events", justify="right", no_wrap=True)
    damages = []
    for sample in catalogue().values():
        try:
            at_hand = _place(sample)
        except DataError as error:
            at_hand = "corrupted" if isinstance(error, ChecksumMismatch) else "unreadable"
            damages.append(str(error))
        size = decimal(sum(file.size for file in sample.files))
        table.add_row(sample.name, f"{sample.title}\n{sample.doi}", at_hand, size, f"{sample.events:,}")
    Console().print(table)
    for damage in damages:
        error_console().print(damage, style="bold red", soft_wrap=True, highlight=False, markup=False)
    return DONE


def _place(sample: Sample) -> str:
    cache = download_folder()
    paths = locate(sample, opendata_folder(), cache)
    if paths is None:
        return "no"
    places = {
        "cache" if path == cache / file.path else "OPENDATA_DIR" for path, file in zip(paths, sample.files, strict=True)
    }
    return ", ".join(sorted(places))


if __name__ == "__main__":
    sys.exit(run_program("analysis.samples", main, sys.argv[1:]))
