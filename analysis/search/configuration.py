"""What a search is asked for: declared before the data are looked at, and hashed into search.json."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from analysis.configuration import CLUSTER_HELP
from analysis.search.declaration import (
    BackgroundFamily,
    CentreOfMassEnergy,
    Declaration,
    FamilyParameters,
    nested_cuts,
    split_interval,
    split_list,
    whole_number,
)
from rdf.yaml_tables import TableError, parse_table


class TailsConfiguration(BaseModel):
    """Power tails of a two-sided Crystal Ball."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    alpha_low: float = Field(gt=0)
    power_low: float = Field(gt=1)
    alpha_high: float = Field(gt=0)
    power_high: float = Field(gt=1)


class SearchConfiguration(Declaration):
    """What a search does; the descriptions are the help texts of the options."""

    run: Path = Field(description="output folder of a finished run, whose events are searched")
    observable: str = Field(description="column of events.root in whose spectrum an excess is looked for, such as mll")
    method: Literal["spectrum", "scores"] = Field(
        "spectrum",
        description="spectrum: all events (default); scores: events that a detector ranks high, see "
        "--detector; abcd: a plane of two observables, with options of its own, see --method abcd --help",
    )
    range: tuple[float, float] = Field(description="A:B, range of the spectrum, in the unit of the observable")
    resolution: float | None = Field(
        None, gt=0.0005, lt=0.5, description="standard deviation of a narrow signal, relative to its mass; or --signal"
    )
    signal: Path | None = Field(
        None,
        description="output folder of a finished run over simulated signal, or with labels: width, tails and "
        "efficiency are those of its signal, systematic errors those of its --vary",
    )
    tails: TailsConfiguration | None = Field(
        None,
        description="{alpha_low: 1.5, power_low: 3, alpha_high: 1.5, power_high: 3} of a two-sided Crystal Ball "
        "(default: a Gaussian)",
    )
    signal_region: tuple[float, float] | None = Field(
        None,
        description="A:B, where a signal is looked for; the function is chosen on what lies beside it (default: "
        "everywhere)",
    )
    mask: tuple[tuple[float, float], ...] = Field(
        (), description="A:B,C:D, windows that are left out, as that of a known peak"
    )
    family: BackgroundFamily = "exp-polynomial"
    parameters: FamilyParameters = None
    sqrt_s: CentreOfMassEnergy = None
    detector: str | None = Field(None, description="of --method scores, such as isolation_forest")
    cuts: tuple[float, ...] = Field(
        (1.0,), description="fractions of events that the declared cuts keep, by rank in training: 1,0.25,0.1"
    )
    control: Path | None = Field(
        None,
        description="of --method scores: output folder of a run over events without the signal, as same-sign pairs, "
        "scored by the models of --run; a cut whose passing fraction has a bump there is not opened",
    )
    toys: int = Field(1000, ge=20, le=10**7, description="toys that go through the whole procedure (default: 1000)")
    seed: int = Field(42, ge=0, lt=2**32, description="seed of all that is random")
    threads: int = Field(
        default_factory=lambda: len(os.sched_getaffinity(0)), ge=1, description="threads (default: all cores)"
    )
    engine: Literal["local", "dask"] = Field(
        "local", description="where toys are thrown: local (default), or dask: worker processes, see --cluster"
    )
    cluster: str = Field("local", description=CLUSTER_HELP)
    unblind: bool = Field(
        False,
        description="look at the events in the signal region, or at all events where there is none; without it, only "
        "at what lies beside the region, or at one event in ten",
    )
    known_peak: bool = Field(False, description="of a peak that everybody knows: nothing is blinded, and that is said")
    output: Path | None = Field(None, description="folder for the results (default: search in the run's folder)")

    @field_validator("range", "signal_region", "parameters", mode="before")
    @classmethod
    def _split_range(cls, value: Any) -> Any:
        return split_interval(value) if isinstance(value, str) else value

    @field_validator("mask", mode="before")
    @classmethod
    def _split_mask(cls, value: Any) -> Any:
        return tuple(split_interval(part) for part in value.split(",")) if isinstance(value, str) else value

    _split_cuts = field_validator("cuts", mode="before")(split_list)
    _read_number = field_validator("toys", mode="before")(whole_number)
    _nested = field_validator("cuts")(nested_cuts)

    @field_validator("tails", mode="before")
    @classmethod
    def _read_tails(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return parse_table(value)
        except TableError as error:
            raise ValueError(f"{value!r} is no table ({error.problem})") from None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        low, high = self.range
        if not 0 < low < high:
            raise ValueError(f"range: {low:g}:{high:g} is no range above 0")
        for name, window in (("signal_region", self.signal_region), *(("mask", window) for window in self.mask)):
            if window and not low < window[0] < window[1] < high:
                raise ValueError(f"{name}: {window[0]:g}:{window[1]:g} does not lie within the range {low:g}:{high:g}")
        windows = sorted(self.mask)
        for first, second in pairwise(windows):
            if second[0] < first[1]:
                raise ValueError(f"mask: {first[0]:g}:{first[1]:g} and {second[0]:g}:{second[1]:g} overlap; join them")
        if (self.resolution is None) == (self.signal is None):
            raise ValueError("give the width of a signal by --resolution, or a run over signal by --signal")
        if self.signal is not None and self.tails is not None:
            raise ValueError("tails: those of --signal are taken; leave them out")
        if (self.method == "scores") != (self.detector is not None):
            raise ValueError("--method scores and --detector go together")
        if self.control is not None and self.method != "scores":
            raise ValueError("--control is for --method scores; leave it out")
        if self.method == "spectrum" and self.cuts != (1.0,):
            raise ValueError("cuts: --method spectrum takes all events; leave them out, or take --method scores")
        if self.known_peak and self.unblind:
            raise ValueError("known_peak: nothing is blinded then; leave --unblind out")
        if self.engine == "local" and self.cluster != "local":
            raise ValueError(f"--cluster {self.cluster} is for --engine dask; add it")
        return self

    @property
    def is_blind(self) -> bool:
        """Whether nothing may depend on the events of the region."""
        return not (self.unblind or self.known_peak)

    @property
    def takes_tenth(self) -> bool:
        """Whether a declared tenth of the events stands for all of them: there is no region, and nothing is opened."""
        return self.is_blind and self.signal_region is None
