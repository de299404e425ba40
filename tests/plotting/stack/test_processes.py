"""By what the histograms of a run are multiplied to show the events of a luminosity."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plotting.errors import UnfitRuns
from plotting.results.record_tables import Weights
from plotting.stack.processes import scale_of
from tests.records import RUN, SAMPLE

FOLDER = Path("output/ttbar")
WEIGHTS = Weights(expression="genWeight", per_event=None, factor=0.5, luminosity=20.0, sum_of_weights=3e6)


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ({"cross_section": 830.0, "sum_of_weights": 1e6}, 36.1 * 1000 * 830 / 1e6),
        (
            {"cross_section": 830.0, "sum_of_weights": 1e6, "k_factor": 1.1, "filter_efficiency": 0.25},
            36.1 * 1000 * 830 * 1.1 * 0.25 / 1e6,
        ),
    ],
)
def test_what_is_not_normalised_is_by_cross_section_and_sum_of_weights(sample: dict[str, Any], expected: float) -> None:
    for weights in (None, replace(WEIGHTS, luminosity=None, factor=1.0)):
        record = replace(RUN, sample=replace(SAMPLE, **sample), weights=weights)
        assert scale_of(FOLDER, record, 36.1) == pytest.approx(expected, rel=1e-14)


def test_what_is_normalised_is_by_the_luminosities() -> None:
    assert scale_of(FOLDER, replace(RUN, weights=WEIGHTS), 36.1) == pytest.approx(36.1 / 20, rel=1e-14)


@pytest.mark.parametrize(
    ("sample", "missing"),
    [({}, "cross_section"), ({"sum_of_weights": 3.0}, "cross_section"), ({"cross_section": 3.0}, "sum_of_weights")],
)
def test_what_is_not_known_is_named(sample: dict[str, Any], missing: str) -> None:
    with pytest.raises(UnfitRuns, match=rf"^output/ttbar: no {missing} of Synthetic multijet events is known; add"):
        scale_of(FOLDER, replace(RUN, sample=replace(SAMPLE, **sample)), 36.1)


def test_a_part_of_a_sample_has_no_scale() -> None:
    record = replace(RUN, configuration={**RUN.configuration, "max_events": 10}, weights=WEIGHTS)
    with pytest.raises(UnfitRuns, match="without --max-events"):
        scale_of(FOLDER, record, 36.1)
