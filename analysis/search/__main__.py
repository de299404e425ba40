"""`python -m analysis.search` asks whether the events of a finished run have an excess, where, and how significant.

python -m analysis.search --run output/zmumu2011 --observable mll --range 60:120 --resolution 0.02
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from analysis.console.program import DONE, OptionParser, run_program
from analysis.console.summary import print_rows, rows
from analysis.errors import SearchRefused
from analysis.options import add_options, parse_configuration
from analysis.search.configuration import SearchConfiguration
from analysis.search.program import Searched, search_run
from analysis.search.wording import shape_words, variation_words

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

Every option can stand in the file of --config, as `key: value`; the command line takes precedence.
exit codes: 0 done, 2 bad command or configuration, 3 data missing or unreadable, 4 a result failed its own check or no
statement can be made, 130 interrupted"""


def main(arguments: Sequence[str]) -> int:
    """Search with these command-line arguments."""
    parser = OptionParser("analysis.search", DESCRIPTION, EPILOG)
    add_options(parser, SearchConfiguration)
    searched = search_run(parse_configuration(parser, SearchConfiguration, arguments))
    print_search(searched)
    if searched.record.status == "refused":
        raise SearchRefused(f"no statement: {searched.record.reason} (noted in {searched.folder})")
    return DONE


def print_search(searched: Searched) -> None:
    """Print what was found and where it lies, in about ten lines."""
    record = searched.record
    if record.status == "refused":
        return
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
    print_rows(table)


if __name__ == "__main__":
    sys.exit(run_program("analysis.search", main, sys.argv[1:]))
