"""Simulate labelled events: background, signal, or a signal in a background, as trees that the main program can read.

python -m analysis.simulate squark --events 1e6 --mass 900 --lsp 100 -o squark.root
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from analysis.console.program import DONE, OptionParser, error_console, run_program
from analysis.console.progress import progress_bar, spinner
from analysis.console.summary import print_rows, rows
from analysis.errors import ConfigurationError, OutputFolderError, near_names
from analysis.output.provenance import git_commit
from plotting.results.run_record import as_table
from rdf.drafts import draft_of
from rdf.local_files import LONGEST_OUTPUT, odd_in_output, too_long_for_output
from rdf.simulation.processes import MAX_MASS, MIN_MASS, PROCESSES, SIGNAL_FRACTION, TRACKS, FileFormat

if TYPE_CHECKING:
    from rdf.simulation.generators import Simulation

BACKGROUNDS = tuple(name for name, process in PROCESSES.items() if not process.signal)
NAMES = (*PROCESSES, TRACKS)
FORMATS: Mapping[FileFormat, str] = {"rntuple": "RNTuple", "ttree": "TTree"}
COMMON = ("events", "seed", "output", "format")
OWN: Mapping[str, tuple[str, ...]] = {
    **{
        name: (*process.parameters, "background", "signal_fraction")
        for name, process in PROCESSES.items()
        if process.signal
    },
    TRACKS: ("signal_fraction",),
}
"""Process -> the options that it has and not every process has."""
EVENTS, SEED = 100_000, 1

EPILOG = """\
processes:
  qcd      QCD multijets, pT above 100 GeV
  zjets    Z -> ll + jets
  ttbar    top pairs with two leptons
  squark   signal: pairs of squarks, each to a jet and an invisible particle (--mass, --lsp)
  zprime   signal: Z' -> ll (--mass)
  tracks   displaced tracks, the signal, among prompt ones; an event is a track

examples:
  python -m analysis.simulate squark --events 1e6 --mass 900 --lsp 100 -o squark.root
  python -m analysis.simulate zprime --mass 1500 --background zjets --signal-fraction 0.01 -o mixture.root
  python -m analysis.run --sample squark.root --schema cms_nanoaod

Files are like NanoAOD (tree Events; tracks: tree tracks), with a column label: 1 for signal, 0 for background. Equal
seeds give equal events. Only a file that is itself simulated is replaced.
exit codes: 0 done, 2 bad command, 3 the file cannot be written, 4 a result failed its own check, 130 interrupted"""


def option_parser() -> OptionParser:
    """Return the parser of the command line; what is not given is None."""
    parser = OptionParser("analysis.simulate", "Simulate labelled events, written as trees.", EPILOG)
    parser.add_argument("process", metavar="PROCESS", help=", ".join(NAMES))
    parser.add_argument("--events", metavar="N", help="number of events, as 1e6 or 1000000 (default: 1e5)")
    parser.add_argument("--seed", metavar="N", help="of the random numbers (default: 1)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="ROOT file to write")
    parser.add_argument("--format", metavar="NAME", help="of the tree: rntuple (default) or ttree")
    parser.add_argument("--mass", metavar="GEV", help=f"of the squark or the Z' (default: {_defaults('mass')})")
    parser.add_argument("--lsp", metavar="GEV", help=f"of the invisible particle (default: {_defaults('lsp')})")
    parser.add_argument("--background", metavar="NAME", help=f"mix the signal into {', '.join(BACKGROUNDS)}")
    parser.add_argument("--signal-fraction", metavar="F", help=f"of the events (default: {SIGNAL_FRACTION})")
    return parser


def _defaults(parameter: str) -> str:
    values = (process.parameters.get(parameter) for process in PROCESSES.values())
    return " or ".join(f"{value:g}" for value in values if value is not None)


def main(arguments: Sequence[str]) -> int:
    """Simulate what the command line says."""
    options = option_parser().parse_args(arguments)
    _refuse_foreign_options(options)
    events = _whole_number(options, "events", EVENTS, least=1)
    seed = _whole_number(options, "seed", SEED, least=0)
    file_format = _format(options.format or "rntuple")
    masses = _masses(options)
    fraction = _fraction(options)
    output = _checked_output(options.output)

    with spinner(error_console(), "starting ROOT"):
        from rdf.code.interpreter import check_interpreter, start_root

        start_root()  # says whether there is enough memory, before libraries fail for want of it
        from rdf.provenance import Provenance
        from rdf.simulation.generators import simulated_collisions, simulated_tracks
        from rdf.simulation.writing import says_simulated, write_simulation

        check_interpreter()
    if output.exists() and not says_simulated(output):
        raise OutputFolderError(
            f"{output} is there already and is no file of simulated events; choose another one with --output"
        )
    if options.process == TRACKS:
        simulation = simulated_tracks(fraction)
    else:
        simulation = simulated_collisions(options.process, masses, options.background, fraction)
    record = {
        "simulation": simulation.title,
        "events": events,
        "seed": seed,
        "command": shlex.join(["python", "-m", "analysis.simulate", *arguments]),
        "commit": as_table(git_commit()),
    }
    with progress_bar(error_console(), "simulating", "events") as move:
        provenance = Provenance(json.dumps(record), simulated=True)
        signal = write_simulation(simulation, output, events, seed, provenance, file_format, progress=move)
    _print_summary(
        *(simulation, output, file_format),
        events=events,
        signal=signal,
        seed=seed,
        expectation=_expectation(options.process, masses),
    )
    return DONE


def _refuse_foreign_options(options: argparse.Namespace) -> None:
    """Refuse an unknown process, an option that the process does not have, and a fraction of nothing."""
    process = options.process
    if process not in NAMES:
        raise ConfigurationError(f"unknown process {process!r}; {near_names(process, NAMES)}")
    allowed = ("process", *COMMON, *OWN.get(process, ()))
    for name, value in vars(options).items():
        if value is not None and name not in allowed:
            has = ", ".join(_option(name) for name in allowed[1:])
            raise ConfigurationError(f"{process} has no option {_option(name)}; it has {has}")
    if options.background is not None and options.background not in BACKGROUNDS:
        raise ConfigurationError(f"--background {options.background}: {near_names(options.background, BACKGROUNDS)}")
    if options.signal_fraction is not None and process != TRACKS and options.background is None:
        raise ConfigurationError("--signal-fraction: of what? name the other events with --background")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _number(options: argparse.Namespace, name: str, default: float) -> float:
    text = getattr(options, name)
    try:
        return default if text is None else float(text)
    except ValueError as error:
        raise ConfigurationError(f"{_option(name)} {text}: not a number") from error


def _whole_number(options: argparse.Namespace, name: str, default: int, least: int) -> int:
    number = _number(options, name, float(default))
    if not (number >= least and number.is_integer() and number < 2**53):
        raise ConfigurationError(
            f"{_option(name)} {getattr(options, name)}: a whole number from {least} up is expected"
        )
    return int(number)


def _format(name: str) -> FileFormat:
    for known in FORMATS:
        if name == known:
            return known
    raise ConfigurationError(f"--format {name}: {near_names(name, FORMATS)}")


def _masses(options: argparse.Namespace) -> dict[str, float]:
    """Return the masses that the process has [GeV], checked."""
    if options.process == TRACKS:
        return {}
    defaults = PROCESSES[options.process].parameters
    masses = {name: _number(options, name, default) for name, default in defaults.items()}
    if "mass" in masses and not MIN_MASS <= masses["mass"] <= MAX_MASS:
        raise ConfigurationError(f"--mass {masses['mass']:g}: a mass from {MIN_MASS:g} to {MAX_MASS:g} GeV is expected")
    if "lsp" in masses and not 0 <= masses["lsp"] < masses["mass"]:
        raise ConfigurationError(f"--lsp {masses['lsp']:g}: a mass from 0 to below {masses['mass']:g} GeV is expected")
    return masses


def _fraction(options: argparse.Namespace) -> float:
    fraction = _number(options, "signal_fraction", SIGNAL_FRACTION)
    if not 0 < fraction < 1:
        raise ConfigurationError(f"--signal-fraction {fraction:g}: a number between 0 and 1 is expected")
    return fraction


def _checked_output(output: Path | None) -> Path:
    """Return the file to write, once it can be written as far as that is known beforehand."""
    if output is None:
        raise ConfigurationError("no file to write; name one with --output")
    absolute = output.absolute()
    if odd := odd_in_output(str(absolute)):
        raise OutputFolderError(f"{output}: ROOT takes {odd!r} in a path for something else; name another --output")
    if too_long_for_output(draft_of(absolute)):
        raise OutputFolderError(
            f"{output}: the path is too long for ROOT, which takes {LONGEST_OUTPUT} bytes; name another --output"
        )
    if absolute.is_dir():
        raise OutputFolderError(f"{output} is a folder; name a file in it with --output")
    if not absolute.parent.is_dir():
        raise OutputFolderError(f"{output}: there is no folder {absolute.parent}; make it or name another --output")
    if not os.access(absolute.parent, os.W_OK):
        raise OutputFolderError(f"{output}: the folder {absolute.parent} cannot be written; name another --output")
    return output


def _expectation(process: str, masses: Mapping[str, float]) -> str | None:
    """Return where a physicist will look first."""
    if process == "squark":
        mass, lsp = masses["mass"], masses["lsp"]
        return f"MR of the signal peaks near (m^2 - lsp^2) / m = {(mass**2 - lsp**2) / mass:.1f} GeV"
    if process == "zprime":
        return f"mll of the signal peaks at {masses['mass']:g} GeV"
    return "mll peaks at 91.2 GeV" if process == "zjets" else None


def _print_summary(
    simulation: Simulation,
    output: Path,
    file_format: FileFormat,
    *,
    events: int,
    signal: int,
    seed: int,
    expectation: str | None,
) -> None:
    table = rows()
    table.add_row("simulated", Text("SIMULATED ", style="bold red") + Text(simulation.title, style="red"))
    table.add_row("events", f"{events:,}: {signal:,} signal (label 1), {events - signal:,} background (label 0)")
    if expectation:
        table.add_row("look for", expectation)
    size = f"{output.stat().st_size / 1e6:,.1f} MB"
    table.add_row("file", f"{output} ({FORMATS[file_format]} {simulation.layout.tree}, {size}, seed {seed})")
    print_rows(table)


if __name__ == "__main__":
    sys.exit(run_program("analysis.simulate", main, sys.argv[1:]))
