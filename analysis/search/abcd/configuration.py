"""What a search in a plane is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from analysis.search.declaration import Declaration, nested_cuts, split_list, whole_number

LOOSEST_CUT = 0.5
"""Largest fraction of events that a cut may keep on each axis: the prediction is tested below the loosest cut."""


class AbcdConfiguration(Declaration):
    """What a search in a plane does; the descriptions are the help texts of the options."""

    run: Path = Field(description="output folder of a finished run, whose events are searched")
    method: Literal["abcd"] = Field(
        "abcd", description="abcd: events where two observables are large, predicted from those where one or none is"
    )
    axes: tuple[str, str] | None = Field(
        None,
        description="X,Y, two columns of events.root: observables or features, or the score of a detector of a run "
        "with folds, as score_isolation_forest; large values are those of a signal",
    )
    scan_axes: tuple[str, ...] = Field(
        (),
        description="X,Y,Z, in place of --axes: columns of which each pair is tested beside its cuts; none is opened",
    )
    cuts: tuple[float, ...] = Field(
        (0.1,), description="fractions of events that the declared cuts keep on each axis: 0.2,0.1,0.05 (default: 0.1)"
    )
    pairs_tried: int = Field(
        1, ge=1, description="number of pairs of axes that were looked at before this one was chosen (default: 1)"
    )
    toys: int = Field(
        10_000, ge=20, le=10**7, description="toys in which one axis is permuted against the other (default: 10000)"
    )
    seed: int = Field(42, ge=0, lt=2**32, description="seed of all that is random")
    unblind: bool = Field(
        False,
        description="look at the events above the cuts on both axes; without it, only at those beside the loosest cut",
    )
    output: Path | None = Field(None, description="folder for the results (default: search in the run's folder)")

    _split = field_validator("cuts", "scan_axes", mode="before")(split_list)
    _read_number = field_validator("toys", mode="before")(whole_number)
    _nested = field_validator("cuts")(nested_cuts)

    @field_validator("axes", mode="before")
    @classmethod
    def _split_axes(cls, value: Any) -> Any:
        value = split_list(value)
        if isinstance(value, tuple) and len(value) != 2:
            raise ValueError(f"{', '.join(map(str, value))} is not two columns; give two, as MR,MET_over_sqrt_HT")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.axes is None) == (not self.scan_axes):
            raise ValueError("give one of them: two columns by --axes, or columns to be tested in pairs by --scan-axes")
        if self.axes is not None and self.axes[0] == self.axes[1]:
            raise ValueError(f"axes: {self.axes[0]} is named twice; give two different columns")
        if self.scan_axes and not 2 <= len(set(self.scan_axes)) == len(self.scan_axes):
            raise ValueError("scan_axes: give two columns or more, each once")
        if self.scan_axes and self.unblind:
            raise ValueError("scan_axes: nothing is opened; leave --unblind out, and declare one pair by --axes")
        if self.cuts[0] > LOOSEST_CUT:
            raise ValueError(f"cuts: {self.cuts[0]:g} of the events leaves too few below it; {LOOSEST_CUT:g} at most")
        return self
