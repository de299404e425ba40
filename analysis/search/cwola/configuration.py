"""What a search by weak supervision is asked for: declared before the data are looked at, and hashed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from analysis.configuration import CLUSTER_HELP, AnalysisConfiguration, RunConfiguration, ThresholdRules
from analysis.search.cwola.selections import Priority, SpectrumSelection, declared_selections
from analysis.search.declaration import (
    BackgroundFamily,
    CentreOfMassEnergy,
    Declaration,
    FamilyParameters,
    nested_cuts,
    split_interval,
    split_list,
)
from models.detectors.settings import AutoencoderSettings
from models.weak_supervision.window import Window, window_name
from rdf.yaml_tables import TableError, parse_table

MOST_WINDOWS = 16
"""Classifiers that the event loop holds, at most."""

_OF_RUNS = frozenset(
    (
        *("detectors", "models", "trust_models", "max_events", "train_events", "train_on", "threshold", "autoencoder"),
        *("settings", "weights", "luminosity"),
    )
)
"""Keys of runs that a search of this method does not have."""


class ScanConfiguration(BaseModel):
    """Windows that are scanned; in units of the resolution."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    width: float = Field(gt=0)
    step: float = Field(gt=0)


class CwolaConfiguration(Declaration, AnalysisConfiguration):
    """What a search by weak supervision does: it has a `sample`, or a `run` whose models it trained before."""

    method: Literal["cwola"] = Field(
        "cwola",
        description="cwola: a classifier of the region against its sidebands selects events, and background-only data "
        "calibrate it",
    )
    sample: str | None = Field(
        None, description="name of a sample of the catalogue, or a file, a folder, a pattern or a list (with --schema)"
    )
    run: Path | None = Field(
        None, description="in place of --sample: output folder of a run with models of such a search, as of batch jobs"
    )
    observable: str = Field(description="column in whose spectrum an excess is looked for, such as mjj")
    range: tuple[float, float] = Field(description="A:B, range of the spectrum, in the unit of the observable")
    signal_region: tuple[float, float] | None = Field(
        None, description="A:B, where a signal is looked for; what lies beside it within the range are the sidebands"
    )
    scan: ScanConfiguration | None = Field(
        None,
        description="{width: 3, step: 1.5} in place of a region: windows of this width and distance in units of the "
        "resolution, with sidebands as wide on either side",
    )
    resolution: float | None = Field(
        None,
        gt=0.0005,
        lt=0.5,
        description="standard deviation of a narrow signal, relative to its mass: the unit of --scan, and what a "
        "region must not be narrower than twice of",
    )
    cuts: tuple[float, ...] = Field(
        (1.0, 0.1, 0.01),
        description="fractions of events that the declared cuts keep, by rank (default: 1,0.1,0.01)",
    )
    likelihood_ratio: Priority | None = Field(
        None,
        description="first or last: beside the cuts, a spectrum of all events, weighted by the classifier's likelihood "
        "ratio, for signals that a cut loses; it is reported before the cuts or after them, and is a trial like a cut",
    )
    folds: int = Field(
        5, ge=2, le=10, description="folds: an event is scored by trees that were trained on the others (default: 5)"
    )
    family: BackgroundFamily = "exp-polynomial"
    parameters: FamilyParameters = None
    sqrt_s: CentreOfMassEnergy = None
    sets: int = Field(
        200,
        ge=20,
        le=100_000,
        description="background-only data sets that go through the whole procedure, training included (default: 200)",
    )
    engine: Literal["local", "dask"] = Field(
        "local", description="where events are scored: local (default), or dask: worker processes, see --cluster"
    )
    cluster: str = Field("local", description=CLUSTER_HELP)
    allow_simulated: bool = Field(False, description="go on with simulated events where the sample cannot be had")
    output: Path | None = Field(
        None, description="folder for the results (default: output/<sample>_cwola; search in the folder of --run)"
    )
    unblind: bool = Field(False, description="look at the events in the region; without it, only at the sidebands")
    known_peak: bool = Field(False, description="of a peak that everybody knows: nothing is blinded, and that is said")
    detectors: None = Field(None, exclude=True)
    models: None = Field(None, exclude=True)
    trust_models: Literal[False] = Field(False, exclude=True)
    max_events: None = Field(None, exclude=True)
    train_events: None = Field(None, exclude=True)
    train_on: Literal["all"] = Field("all", exclude=True)
    threshold: ThresholdRules = Field(default_factory=dict, exclude=True)
    autoencoder: AutoencoderSettings = Field(AutoencoderSettings(), exclude=True)
    settings: dict[str, dict[str, Any]] = Field(default_factory=dict, exclude=True)
    weights: None = Field(None, exclude=True)
    luminosity: None = Field(None, exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _without_keys_of_runs(cls, values: Any) -> Any:
        if isinstance(values, dict) and (unknown := sorted(values.keys() & _OF_RUNS)):
            raise ValueError(f"{unknown[0]}: --method cwola trains classifiers of its own; leave it out")
        return values

    @field_validator("range", "signal_region", "parameters", mode="before")
    @classmethod
    def _split_interval(cls, value: Any) -> Any:
        return split_interval(value) if isinstance(value, str) else value

    _split_cuts = field_validator("cuts", mode="before")(split_list)

    @field_validator("scan", mode="before")
    @classmethod
    def _read_scan(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return parse_table(value)
        except TableError as error:
            raise ValueError(f"{value!r} is no table ({error.problem})") from None

    @field_validator("cuts")
    @classmethod
    def _with_all_events(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        # All events are looked at in any case: their sidebands choose the function, and their excess is the plain one.
        return tuple(dict.fromkeys((1.0, *nested_cuts(value))))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        low, high = self.range
        if not 0 < low < high:
            raise ValueError(f"range: {low:g}:{high:g} is no range above 0")
        if (self.sample is None) == (self.run is None):
            raise ValueError("name a sample with --sample, or a run that its models have scored with --run")
        if (self.signal_region is None) == (self.scan is None):
            raise ValueError("declare one region with --signal-region, or windows with --scan")
        if self.scan and self.resolution is None:
            raise ValueError("the windows of --scan are as wide as --resolution says; add it")
        if self.signal_region and not low < self.signal_region[0] < self.signal_region[1] < high:
            raise ValueError(
                f"signal_region: {self.signal_region[0]:g}:{self.signal_region[1]:g} has no sideband on either side "
                f"within the range {low:g}:{high:g}"
            )
        if self.signal_region and self.resolution is not None:
            width, centre = self.signal_region[1] - self.signal_region[0], sum(self.signal_region) / 2
            if width < 2 * self.resolution * centre:
                raise ValueError(
                    f"signal_region: {self.signal_region[0]:g}:{self.signal_region[1]:g} is narrower than two standard "
                    "deviations of a signal, most of which would lie in the sidebands; take a wider one"
                )
        if self.known_peak and self.unblind:
            raise ValueError("known_peak: nothing is blinded then; leave --unblind out")
        if self.is_blind and self.scan:
            raise ValueError(
                "a scan learns from the events of all windows, and nothing of it can stay blinded; declare one "
                "--signal-region, or add --unblind"
            )
        if self.is_blind and self.run:
            raise ValueError("the models of a run have learned from its region, which is not blinded; add --unblind")
        if self.engine == "local" and self.cluster != "local":
            raise ValueError(f"--cluster {self.cluster} is for --engine dask; add it")
        if isinstance(self.features, tuple) and self.observable in self.features:
            raise ValueError(f"features: {self.observable} is the observable, which gives itself away; leave it out")
        self.windows()
        return self

    @property
    def is_blind(self) -> bool:
        """Whether nothing may depend on the events of the region."""
        return not (self.unblind or self.known_peak)

    def windows(self) -> dict[str, Window]:
        """Return the windows by the names of their classifiers.

        Raises:
            ValueError: no window of the scan fits into the range, or too many do.
        """
        low, high = self.range
        if self.signal_region:
            return {window_name(1): self._window(*self.signal_region, low, high)}
        assert self.scan is not None
        assert self.resolution is not None
        found = []
        centre = low
        while centre < high:
            half = self.scan.width * self.resolution * centre / 2
            begin, end = centre - 3 * half, centre + 3 * half
            if low <= begin and end <= high:
                found.append(self._window(centre - half, centre + half, begin, end))
            centre *= 1 + self.scan.step * self.resolution
        if not 0 < len(found) <= MOST_WINDOWS:
            raise ValueError(
                f"scan: {len(found)} windows with their sidebands fit into {low:g}:{high:g}, where 1 to {MOST_WINDOWS} "
                "can be searched; take another width, step or range"
            )
        return {window_name(number): window for number, window in enumerate(found, start=1)}

    def selections(self) -> tuple[SpectrumSelection, ...]:
        """Return the spectra that are looked at in each window; that of weighted events is the last."""
        return declared_selections(self.cuts, weighted=self.likelihood_ratio is not None)

    def _window(self, low: float, high: float, begin: float, end: float) -> Window:
        return Window(observable=self.observable, low=low, high=high, begin=begin, end=end, cuts=list(self.cuts))

    def collecting(self) -> RunConfiguration:
        """Return the configuration of the run that reads features and observable."""
        features = self.features
        if isinstance(features, tuple):
            features = (*features, self.observable)
        given = {name: getattr(self, name) for name in self.model_fields_set & RunConfiguration.model_fields.keys()}
        return RunConfiguration(**{**given, "features": features, "weights": False, "train_events": None})

    def scoring(self, models: Path, output: Path) -> RunConfiguration:
        """Return the configuration of the run that scores all events.

        Args:
            models: that were trained.
            output: folder for its results.
        """
        of_training = {"features", "define", "objects", "overlap", "select", "folds", "seed"}
        given = {
            name: getattr(self, name)
            for name in (self.model_fields_set & RunConfiguration.model_fields.keys()) - of_training
        }
        return RunConfiguration(**{**given, "models": models, "output": output, "weights": False})


def default_folder(sample: str) -> Path:
    """Return the folder of a search in a sample for which none is named.

    Args:
        sample: its name.
    """
    return Path("output") / f"{sample}_cwola"
