"""The Python interface: what the programs do, as functions that print nothing and return what they found.

The names that users need are those of the package `analysis` itself, which imports this module when one is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from analysis.configuration import AnalysisConfiguration, EvaluationConfiguration, RunConfiguration
from analysis.console.program import silent
from analysis.errors import ConfigurationError
from analysis.options import load_configuration
from analysis.samples import catalogue
from analysis.samples.model import Sample
from plotting.results.opened import EvaluationResults, RunResults, open_results

if TYPE_CHECKING:
    from analysis.search.abcd.configuration import AbcdConfiguration
    from analysis.search.configuration import SearchConfiguration
    from analysis.search.cwola.configuration import CwolaConfiguration
    from plotting.results.search.abcd import AbcdRecord
    from plotting.results.search.cwola import CwolaRecord
    from plotting.results.search.record import SearchRecord

C = TypeVar("C", bound=BaseModel)


def find_anomalies(configuration: RunConfiguration | None = None, **options: Any) -> RunResults:
    """Train detectors on a sample, or take trained ones, and score every event: as `python -m analysis.run` does.

    Args:
        configuration: checked; or the options one by one.
        options: as the command line names them, with _ for -: sample="cms2010b", detectors=["isolation_forest"],
            output="output/mine", models="output/cms2010b/models" and so on.

    Returns:
        The results that lie in the output folder.

    Raises:
        ToolkitError: as `analysis.run` ends with, and with the same message: an option is wrong, data are missing or
            unreadable, or a result failed its own check.
    """
    from analysis.run import analyse

    checked = _checked(RunConfiguration, configuration, options)
    with silent():
        folder = analyse(checked, _call("find_anomalies", checked)).folder
    results = open_results(folder)
    assert isinstance(results, RunResults)
    return results


def evaluate_detectors(configuration: EvaluationConfiguration | None = None, **options: Any) -> EvaluationResults:
    """Measure detectors on events with labels, or on a background and a signal: as `python -m analysis.evaluate` does.

    Args:
        configuration: checked; or the options one by one.
        options: as the command line names them, with _ for -: background="higgs_background", signal="higgs_signal".

    Returns:
        The results that lie in the output folder.

    Raises:
        ToolkitError: as `find_anomalies` says.
    """
    from analysis.evaluate import evaluate_samples

    checked = _checked(EvaluationConfiguration, configuration, options)
    with silent():
        folder = evaluate_samples(checked, _call("evaluate_detectors", checked)).folder
    results = open_results(folder)
    assert isinstance(results, EvaluationResults)
    return results


def search_excess(configuration: SearchConfiguration | None = None, **options: Any) -> SearchRecord:
    """Look for an excess in the spectrum of a finished run: as `python -m analysis.search` does.

    Args:
        configuration: checked; or the options one by one.
        options: as the command line names them, with _ for -: run="output/ymumu2011", observable="mll",
            range=(8.5, 11.5), resolution=0.0085.

    Returns:
        What search.json says; its `status` says whether a statement is made.

    Raises:
        ToolkitError: as `find_anomalies` says.
    """
    from analysis.search.configuration import SearchConfiguration
    from analysis.search.program import search_run

    if configuration is None:
        given = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
        configuration = load_configuration(SearchConfiguration, given, None)
    elif options:
        raise ConfigurationError(f"a configuration and options ({', '.join(options)}) are given; give one of both")
    with silent():
        return search_run(configuration).record


def search_plane(configuration: AbcdConfiguration | None = None, **options: Any) -> AbcdRecord:
    """Look for an excess in the plane of two observables: as `python -m analysis.search --method abcd` does.

    Args:
        configuration: checked; or the options one by one.
        options: as the command line names them, with _ for -: run="output/cms2010b", axes=("MR", "MET_over_sqrt_HT").

    Returns:
        What search.json says; its `status` says whether a statement is made.

    Raises:
        ToolkitError: as `find_anomalies` says.
    """
    from analysis.search.abcd.configuration import AbcdConfiguration
    from analysis.search.abcd.program import search_run_in_plane

    checked = _checked(AbcdConfiguration, configuration, options)
    with silent():
        return search_run_in_plane(checked).record


def search_windows(configuration: CwolaConfiguration | None = None, **options: Any) -> CwolaRecord:
    """Look for an excess by weak supervision: as `python -m analysis.search --method cwola` does.

    Args:
        configuration: checked; or the options one by one.
        options: as the command line names them, with _ for -: sample="lhco", observable="mjj", range=(3300, 3700),
            signal_region=(3400, 3600), features=["mj_min", "tau21_light"].

    Returns:
        What search.json says; its `status` says whether a statement is made.

    Raises:
        ToolkitError: as `find_anomalies` says.
    """
    from analysis.search.cwola import program
    from analysis.search.cwola.configuration import CwolaConfiguration

    checked = _checked(CwolaConfiguration, configuration, options)
    with silent():
        return program.search_windows(checked).record


def list_samples() -> dict[str, Sample]:
    """Return the samples of the catalogue by their names: title, origin, licence, schema, files."""
    return catalogue()


def _checked(kind: type[C], configuration: C | None, options: dict[str, Any]) -> C:
    """Return the configuration that is given, or that of options."""
    if configuration is None:
        given = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
        return load_configuration(kind, given, None)
    if options:
        raise ConfigurationError(f"a configuration and options ({', '.join(options)}) are given; give one of both")
    return configuration


def _call(function: str, configuration: AnalysisConfiguration) -> str:
    """Return what run.json records as the command."""
    given = configuration.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return f"analysis.{function}({', '.join(f'{name}={value!r}' for name, value in given.items())})"
