"""`python -m analysis.samples`: which samples there are and which are at hand; `... fetch NAME` downloads them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.filesize import decimal
from rich.padding import Padding
from rich.text import Text

from analysis.console.program import DONE, OptionParser, error_console, output_console, run_program
from analysis.errors import ChecksumMismatch, ConfigurationError, DataError, near_names
from analysis.samples import (
    Sample,
    catalogue,
    download_folder,
    find_sample,
    list_files,
    locate,
    obtain,
    opendata_folder,
)
from analysis.samples.certified import list_of_catalogue, place_of_list
from rdf.cache import close_to_others, named_folder

EPILOG = """\
A file is looked for under OPENDATA_DIR, then in the user's cache, then at the CERN Open Data portal. Wherever it
comes from, its size and checksum must be those of the catalogue. Large samples ("streamed") are read over the network
where they are not at hand; fetch downloads them, too.

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
    for folder in (named_folder(), named_folder() / "samples"):
        if fault := close_to_others(folder):
            raise DataError(
                f"{folder} {fault}: downloads could not be kept; set XDG_CACHE_HOME to a folder of your own"
            )
    # All names are looked up first: a misspelt second one is known before the first is downloaded.
    for sample in [find_sample(name) for name in names]:
        opendata, cache = opendata_folder(), download_folder()
        sample = list_files(sample, opendata, cache)
        if sample.access == "stream" and sample.bytes:
            # Nobody is to be surprised by hundreds of gigabytes.
            _say(f"{sample.name}: {len(sample.files)} files, {decimal(sample.bytes)}; downloads go to {cache}")
        for path in obtain(sample, opendata, cache, download=True):
            output_console().print(path, soft_wrap=True, highlight=False, markup=False)
        if sample.certified:
            list_of_catalogue(sample, opendata, cache)
            listed = place_of_list(sample.certified, opendata, cache)
            output_console().print(listed, soft_wrap=True, highlight=False, markup=False)
    return DONE


def _list() -> int:
    console = output_console()
    damages = []
    console.print(Text(_row("name", "at hand", "size", "events"), style="bold"))
    for sample in catalogue().values():
        try:
            at_hand = _place(sample)
        except DataError as error:
            at_hand = "corrupted" if isinstance(error, ChecksumMismatch) else "unreadable"
            damages.append(str(error))
        size = decimal(sample.bytes) if sample.bytes else "-"
        events = f"{sample.events:,}" if sample.events else "-"
        console.print(_row(sample.name, at_hand, size, events), highlight=False, markup=False)
        # On lines of their own: beside the numbers, title and DOI do not fit 80 columns.
        console.print(Padding(_describe(sample), (0, 0, 0, 2)))
    for damage in damages:
        _say(damage, style="bold red")
    return DONE


def _row(name: str, at_hand: str, size: str, events: str) -> str:
    return f"{name:<28}{at_hand:<22}{size:>12}{events:>15}"


def _describe(sample: Sample) -> Text:
    mark = Text("SIMULATED ", style="bold red") if sample.simulated else Text()
    source = sample.doi or sample.origin or sample.page
    certified = ["certified runs only"] if sample.certified else []
    return mark + Text("; ".join([sample.title, *([source] if source else []), *certified]), style="dim")


def _place(sample: Sample) -> str:
    opendata, cache = opendata_folder(), download_folder()
    paths = locate(sample, opendata, cache)
    if paths is None:
        return "streamed" if sample.access == "stream" else "no"
    places = {"cache" if path.is_relative_to(cache) else "OPENDATA_DIR" for path in paths}
    return ", ".join(sorted(places))


def _say(text: str, style: str | None = None) -> None:
    error_console().print(text, style=style, soft_wrap=True, highlight=False, markup=False)


if __name__ == "__main__":
    sys.exit(run_program("analysis.samples", main, sys.argv[1:]))
