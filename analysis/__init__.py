"""The programs a user starts, and the Python interface: the names below, each imported when it is asked for.

from analysis import find_anomalies

results = find_anomalies(sample="cms2010b", detectors=["isolation_forest"])
results.events("MR", "Rsq", "score_isolation_forest")
"""

from importlib import import_module
from typing import TYPE_CHECKING

from rdf.startup import begin_program, started_module

if TYPE_CHECKING:
    from analysis.configuration import EvaluationConfiguration
    from analysis.configuration import RunConfiguration as Configuration
    from analysis.interface import (
        evaluate_detectors,
        find_anomalies,
        list_samples,
        search_excess,
        search_plane,
        search_windows,
    )
    from analysis.trained import load_models
    from models.detectors.registry import register_detector
    from plotting.results.opened import open_results
    from rdf.code.interpreter import start_root
    from rdf.errors import ToolkitError

__all__ = [
    "Configuration",
    "EvaluationConfiguration",
    "ToolkitError",
    "evaluate_detectors",
    "find_anomalies",
    "list_samples",
    "load_models",
    "open_results",
    "register_detector",
    "search_excess",
    "search_plane",
    "search_windows",
    "start_root",
]

_HOMES = {
    "Configuration": ("analysis.configuration", "RunConfiguration"),
    "EvaluationConfiguration": ("analysis.configuration", "EvaluationConfiguration"),
    "ToolkitError": ("rdf.errors", "ToolkitError"),
    "evaluate_detectors": ("analysis.interface", "evaluate_detectors"),
    "find_anomalies": ("analysis.interface", "find_anomalies"),
    "list_samples": ("analysis.interface", "list_samples"),
    "load_models": ("analysis.trained", "load_models"),
    "open_results": ("plotting.results.opened", "open_results"),
    "register_detector": ("models.detectors.registry", "register_detector"),
    "search_excess": ("analysis.interface", "search_excess"),
    "search_plane": ("analysis.interface", "search_plane"),
    "search_windows": ("analysis.interface", "search_windows"),
    "start_root": ("rdf.code.interpreter", "start_root"),
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import one of the names of the interface."""
        if name not in _HOMES:
            raise AttributeError(f"module 'analysis' has no attribute {name!r}")
        module, attribute = _HOMES[name]
        return getattr(import_module(module), attribute)

    def __dir__() -> list[str]:
        return sorted({*globals(), *_HOMES})


if started_module().startswith("analysis."):
    begin_program()
