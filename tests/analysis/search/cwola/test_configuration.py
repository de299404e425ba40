"""What a search by weak supervision may be asked for, and what is refused before anything is read."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from analysis.errors import ConfigurationError
from analysis.options import load_configuration
from analysis.search.cwola.configuration import CwolaConfiguration
from tests.analysis.search.cwola.tables import SEARCH


def configured(**options: Any) -> CwolaConfiguration:
    given = {**SEARCH, "sample": "lhco_train", **options}
    return load_configuration(CwolaConfiguration, {key: v for key, v in given.items() if v is not None}, None)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"signal_region": "90:110"}, "has no sideband on either side"),
        ({"signal_region": "100:120"}, "has no sideband on either side"),
        ({"signal_region": None}, "declare one region with --signal-region, or windows with --scan"),
        ({"scan": "{width: 3, step: 1}"}, "declare one region with --signal-region, or windows with --scan"),
        ({"sample": None}, "name a sample with --sample, or a run"),
        ({"run": "output/mine"}, "name a sample with --sample, or a run"),
        ({"sample": None, "run": "output/mine"}, "add --unblind"),
        ({"signal_region": None, "scan": "{width: 3, step: 1}", "resolution": 0.01}, "nothing of it can stay blinded"),
        ({"signal_region": None, "scan": "{width: 3, step: 1}", "unblind": True}, "as wide as --resolution says"),
        ({"features": "a,mass"}, "mass is the observable, which gives itself away"),
        ({"detectors": "mlp"}, "trains classifiers of its own"),
        ({"train_on": "background"}, "trains classifiers of its own"),
        ({"cuts": "0.5,0.5"}, "name each cut once"),
        ({"cuts": "0.0001"}, "a cut keeps a fraction from 0.001 to 1"),
        ({"signal_region": "104:105", "resolution": 0.01}, "narrower than two standard deviations of a signal"),
        ({"folds": 1}, "greater than or equal to 2"),
        ({"known_peak": True, "unblind": True}, "leave --unblind out"),
    ],
)
def test_what_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        configured(**options)


def test_all_events_are_always_looked_at_first() -> None:
    assert configured(cuts="0.1,0.25").cuts == (1.0, 0.25, 0.1)


def test_the_windows_of_a_scan_lie_within_the_range() -> None:
    given = {"signal_region": None, "scan": "{width: 2, step: 1}", "resolution": 0.02, "unblind": True}
    windows = list(configured(**given).windows().values())
    assert len(windows) > 3
    for window in windows:
        width = window.high - window.low
        assert width == pytest.approx(2 * 0.02 * window.centre)
        assert window.low - window.begin == pytest.approx(width)
        assert window.end - window.high == pytest.approx(width)
        assert window.begin >= 90
        assert window.end <= 120
    centres = [window.centre for window in windows]
    assert [after / before for before, after in itertools.pairwise(centres)] == pytest.approx(
        [1.02] * (len(centres) - 1)
    )


def test_too_many_windows_are_refused() -> None:
    given = {"signal_region": None, "scan": "{width: 1, step: 0.1}", "resolution": 0.01, "unblind": True}
    with pytest.raises(ConfigurationError, match="windows with their sidebands fit into 90:120, where 1 to 16"):
        configured(**given)


def test_folders_and_threads_declare_nothing() -> None:
    assert configured().sha256() == configured(threads=2, output="elsewhere", unblind=True).sha256()
    assert configured().sha256() != configured(seed=7).sha256()


def test_what_is_collected_is_the_declared_features_and_the_observable_alone() -> None:
    """A label that a table has is no feature, and the run that collects asks for no other column."""
    assert configured(features="a,b").collecting().features == ("a", "b", "mass")
