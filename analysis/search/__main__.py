"""`python -m analysis.search` asks whether the events of a finished run have an excess, where, and how significant.

python -m analysis.search --run output/zmumu2011 --observable mll --range 60:120 --resolution 0.02
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from analysis.console.program import DONE, OptionParser, run_program
from analysis.console.summary import print_rows, rows
from analysis.errors import ConfigurationError, SearchRefused, near_names
from analysis.options import add_options, parse_configuration, read_options
from analysis.search.abcd.configuration import AbcdConfiguration
from analysis.search.abcd.program import search_run_in_plane
from analysis.search.abcd.wording import plane_table
from analysis.search.configuration import SearchConfiguration
from analysis.search.cwola.configuration import CwolaConfiguration
from analysis.search.cwola.program import search_windows
from analysis.search.cwola.wording import windows_table
from analysis.search.declaration import Declaration
from analysis.search.program import search_run
from analysis.search.staging import Searched
from analysis.search.wording import shape_words, variation_words
from plotting.results.search.record import SearchRecord

DESCRIPTION = """\
Look for an excess in the spectrum of an observable: choose a function for the background by rule, fit a signal at each
mass, and say how probable the largest excess is anywhere, with toys that repeat the whole procedure. Without --unblind
no event in --signal-region is looked at, or, where there is no region, one event in ten alone."""

EPILOG = """\
examples:
  python -m analysis.search --run output/ymumu2011 --observable mll --range 8.5:11.5 --resolution 0.0085 \\
      --signal-region 9.1:10.7
  the same with --unblind
  python -m analysis.search --run output/data --observable mll --range 400:3000 --signal output/zprime
  python -m analysis.search --run output/cms2010b --observable dijet_mass --range 300:1200 --resolution 0.1 \\
      --family dijet --sqrt-s 7000 --method scores --detector isolation_forest --cuts 1,0.3,0.1
"""

PLANE_DESCRIPTION = """\
Look for an excess of events above cuts on two observables: A = B C / D is expected of independent ones, from the events
above one cut (B, C) and above none (D). Whether that holds is measured beside A, and is an error of the expectation.
Without --unblind no event above the loosest cut on both axes is looked at."""

PLANE_EPILOG = """
examples:
  python -m analysis.run --sample cms2010b --features MR,Rsq,MET_over_sqrt_HT --output output/plane
  python -m analysis.search --method abcd --run output/plane --axes MR,MET_over_sqrt_HT --cuts 0.2,0.1,0.05
  the same with --unblind
  python -m analysis.search --method abcd --run output/plane --scan-axes MR,Rsq,MET_over_sqrt_HT --output output/pairs
"""

WINDOWS_DESCRIPTION = """\
Look for an excess in a region of a spectrum among events that a classifier selects: it learns, from no label, what is
more frequent in the region than in its sidebands, and ranks events that it has not seen. The whole procedure, training
included, is repeated on background-only data sets, which say how significant an excess is. Without --unblind the
sidebands alone are looked at, and nothing is trained."""

WINDOWS_EPILOG = """
examples:
  python -m analysis.search --method cwola --sample lhco_train --observable mjj --range 3300:3700 \\
      --signal-region 3400:3600 --features mj_min,delta_mj,tau21_light,tau21_heavy --cuts 0.1,0.01
  the same with --unblind
  python -m condor submit --sample large.root --schema mine --models output/lhco_train_cwola/run/models --jobs 100
  python -m analysis.search --method cwola --run output/large --unblind ... (what was declared before)
"""

ENDING = """
Every option can stand in the file of --config, as `key: value`; the command line takes precedence. Other methods
have other options: `--method spectrum --help` says those in a spectrum, `--method abcd --help` those in a plane, and
`--method cwola --help` those of weak supervision.
exit codes: 0 done, 2 bad command or configuration, 3 data missing or unreadable, 4 a result failed its own check or no
statement can be made, 130 interrupted"""


def main(arguments: Sequence[str]) -> int:
    """Search with these command-line arguments."""
    method = METHODS[find_method(arguments)]
    parser = OptionParser("analysis.search", method.description, method.epilog + ENDING)
    add_options(parser, method.configuration)
    searched = method.search(parse_configuration(parser, method.configuration, arguments))
    if searched.record.status == "refused":
        raise SearchRefused(f"no statement: {searched.record.reason} (noted in {searched.folder})")
    print_rows(method.table(searched))
    return DONE


def find_method(arguments: Sequence[str]) -> str:
    """Return the method that a command line or the file of its --config names; spectrum where none does.

    Raises:
        ConfigurationError: there is no such method.
    """
    finder = OptionParser("analysis.search", "")
    finder.add_argument("--method")
    finder.add_argument("--config", type=Path)
    named, _ = finder.parse_known_args([each for each in arguments if each not in ("-h", "--help")])
    method = named.method
    if method is None and named.config is not None:
        method = read_options(named.config).get("method")
    if method is None:
        return "spectrum"
    if method not in METHODS:
        raise ConfigurationError(f"--method {method}: there is none of this name; {near_names(str(method), METHODS)}")
    return str(method)


def spectrum_table(searched: Searched[SearchRecord]) -> Table:
    """Return what was found in a spectrum and where it lies, in about ten lines."""
    record = searched.record
    table = rows()
    table.add_row("sample", ("SIMULATED " if record.sample.simulated else "") + record.sample.title)
    for cut in record.cuts:
        which = "all events" if cut.selection is None else cut.selection
        said = (
            f"{cut.events:,} events, {cut.function}, deviance {cut.deviance:.1f} for {cut.ndf}"
            if cut.opened
            else cut.reason
        )
        table.add_row(f"cut {cut.fraction:g}", f"{which}: {said}")
        if cut.sculpting is not None:
            ratio = "some slice passes none" if cut.sculpting.ratio is None else f"{cut.sculpting.ratio:.2f} times"
            table.add_row(
                "",
                f"passing fraction against {record.observable}: largest to smallest {ratio}, "
                f"chi2 {cut.sculpting.chi2:.0f} for {cut.sculpting.ndf}",
            )
        if cut.control is not None:
            table.add_row("", f"largest bump of it in the control: {cut.control.z:.1f} sigma at {cut.control.mass:.4g}")
        if cut.efficiency is not None:
            found = cut.efficiency
            table.add_row(
                "",
                f"efficiency {found.value:.4g} ± {found.error:.1g}: {found.passed:,.6g} of {found.of:,.6g} events of "
                f"the signal that its run has {found.relative_to}",
            )
    if record.signal is not None:
        table.add_row("signal", f"{record.signal.run}: {shape_words(record.signal)}")
        if errors := variation_words(record.signal):
            table.add_row("", errors)
    if widths := [f"{row.z:.2f} with {row.factor:g} times the width" for row in record.width_scan if row.z is not None]:
        table.add_row("widths", f"the largest excess has Z = {' and '.join(widths)}")
    table.add_row("result", record.quote)
    table.add_row("files", f"{searched.folder}: search.json, search.root, figures, exports")
    return table


@dataclass(frozen=True)
class Method:
    """A method of a search.

    Attributes:
        configuration: that it is asked by.
        search: does what a configuration says.
        table: what the console says of a search.
        description: of the help.
        epilog: examples.
    """

    configuration: type[Declaration]
    search: Callable[[Any], Searched[Any]]
    table: Callable[[Any], Table]
    description: str
    epilog: str


_SPECTRUM = Method(SearchConfiguration, search_run, spectrum_table, DESCRIPTION, EPILOG)
METHODS: Mapping[str, Method] = {
    "spectrum": _SPECTRUM,
    "scores": _SPECTRUM,
    "abcd": Method(AbcdConfiguration, search_run_in_plane, plane_table, PLANE_DESCRIPTION, PLANE_EPILOG),
    "cwola": Method(CwolaConfiguration, search_windows, windows_table, WINDOWS_DESCRIPTION, WINDOWS_EPILOG),
}


if __name__ == "__main__":
    sys.exit(run_program("analysis.search", main, sys.argv[1:]))
