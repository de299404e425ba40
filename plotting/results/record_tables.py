"""Tables within run.json, from the sample to the figures; the whole is `plotting.results.run_record.RunRecord`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from pydantic import ConfigDict


class Table:
    """Base of all tables of run.json: a key that is not known, or of another type, is refused when a file is read."""

    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid", "strict": True}


@dataclass(frozen=True, kw_only=True)
class Commit(Table):
    """State of the toolkit's code: the hash of its commit, and whether its files were as committed."""

    hash: str
    clean: bool


@dataclass(frozen=True, kw_only=True)
class Machine(Table):
    """Computer that a run ran on."""

    processor: str
    system: str


@dataclass(frozen=True, kw_only=True)
class File(Table):
    """File that was read: its path or address, its size in bytes and its sha256; None where these are not known."""

    path: str
    size: int | None
    sha256: str | None


@dataclass(frozen=True, kw_only=True)
class Published(Table):
    """Published sample that simulated events stand in for."""

    title: str
    doi: str | None
    record: int | None
    licence: str | None


@dataclass(frozen=True, kw_only=True)
class SampleHeader(Table):
    """What figures say of a sample, or of two that were evaluated together.

    Attributes:
        name: as the user gives it.
        title: in words.
        doi: of the published data.
        energy: centre-of-mass energy with its unit.
        luminosity: integrated luminosity in 1/fb.
        simulated: whether the events, or some of them, are simulated.
        uncertified: whether the sample has a list of certified runs which was not applied.
    """

    name: str
    title: str
    doi: str | None
    energy: str | None
    luminosity: float | None
    simulated: bool
    uncertified: bool = False


@dataclass(frozen=True, kw_only=True)
class CertifiedRuns(Table):
    """List of certified runs: of its file name and sha256, and its numbers of runs and of luminosity blocks."""

    name: str
    sha256: str
    runs: int
    sections: int


@dataclass(frozen=True, kw_only=True)
class Sample(SampleHeader):
    """Sample that was read.

    Attributes:
        files: in order.
        tree: name of the tree in place of the schema's.
        record: number of the record on the CERN Open Data portal.
        licence: of the data.
        schema: name of the schema.
        simulation: generator of the events that stand in for published ones; None where nothing stands in.
        stands_in_for: the published sample; None where nothing stands in.
        triggers: triggers of the sample file, of which at least one has to have fired unless `--triggers` names others.
        certified: list of the runs whose events count; None where all do.
        cross_section, k_factor, filter_efficiency, sum_of_weights: of simulated events, as the sample's file says.
    """

    files: tuple[File, ...]
    tree: str | None
    record: int | None
    licence: str | None
    schema: str
    simulation: str | None = None
    stands_in_for: Published | None = None
    triggers: tuple[str, ...] = ()
    certified: CertifiedRuns | None = None
    cross_section: float | None = None
    k_factor: float | None = None
    filter_efficiency: float | None = None
    sum_of_weights: float | None = None


@dataclass(frozen=True, kw_only=True)
class Cut(Table):
    """Step of the cutflow: events that passed it, sum of their weights, and those of negative weight; None without."""

    name: str
    events: int
    weighted: float | None = None
    negative: int | None = None


@dataclass(frozen=True, kw_only=True)
class Weights(Table):
    """How events are weighted, as `analysis.samples.weights.Weighting` says it; None for what goes into no weight."""

    expression: str | None
    per_event: str | None
    factor: float
    luminosity: float | None
    sum_of_weights: float | None


MEANING = (
    "The most unusual events are flagged, as many as are asked for: 5 % unless you choose otherwise. That share is an "
    "input, no finding. A score is no probability and no significance. Flagged events are rare in these features: "
    "tails of known processes, mismeasured objects or fakes, before anything new. A claim needs an expected background."
)
"""What a flag means, in the words of the README, of each report and of each run.json."""


@dataclass(frozen=True, kw_only=True)
class RecordedWarning(Table):
    """What a reader has to be warned of.

    Attributes:
        kind: "schema" for what of the schema's feature set and selection does not hold for the sample; "dropped",
            "few_events", "collinear", "share" and "sculpting" for what is not sane in the result.
        sentence: says it.
    """

    kind: Literal["schema", "dropped", "few_events", "collinear", "share", "sculpting"]
    sentence: str


@dataclass(frozen=True, kw_only=True)
class TestedSample(Sample):
    """Sample that an evaluation scored, with its cutflow and how its events are weighted; None where they are not."""

    __test__: ClassVar[bool] = False  # no test class, whatever its name begins with

    cutflow: tuple[Cut, ...]
    weights: Weights | None = None

    @classmethod
    def of(cls, sample: Sample, cutflow: tuple[Cut, ...], weights: Weights | None = None) -> TestedSample:
        """Return a sample with its cutflow and its weights."""
        values = {each.name: getattr(sample, each.name) for each in fields(sample)}
        return cls(**values, cutflow=cutflow, weights=weights)


@dataclass(frozen=True, kw_only=True)
class TrainingSample(Table):
    """Sample that the detectors were trained on, as models.json has it.

    Attributes:
        sample: its name.
        title: in words.
        simulated: whether its events are.
        tree: name of the tree.
        files: paths or addresses.
        sha256: of the files, as far as known.
        entries: that were read, half-open.
        events: that passed all cuts.
    """

    sample: str
    title: str
    simulated: bool
    tree: str
    files: tuple[str, ...]
    sha256: tuple[str, ...]
    entries: tuple[int, int]
    events: int


@dataclass(frozen=True, kw_only=True)
class Training(Table):
    """What the detectors were trained on, as models.json has it.

    Attributes:
        samples: the samples that were read.
        part: C++ condition that training events had to fulfil beyond the cuts, or None.
        train_events: events that were drawn at most; None for all.
        events: number of events that were drawn.
        train_on: "all", or "background" where the unsupervised detectors saw only that.
        folds: number of the trainings of each detector.
    """

    samples: tuple[TrainingSample, ...]
    part: str | None
    train_events: int | None
    events: int
    train_on: str
    folds: int

    @property
    def simulated(self) -> bool:
        """Whether simulated events were among them."""
        return any(sample.simulated for sample in self.samples)


@dataclass(frozen=True, kw_only=True)
class LocalEngine(Table):
    """Event loops on the threads of one process."""

    name: Literal["local"] = "local"


@dataclass(frozen=True, kw_only=True)
class DaskEngine(Table):
    """Event loops on Dask workers: the kind of the cluster, and the number of workers."""

    name: Literal["dask"] = "dask"
    cluster: str
    workers: int


@dataclass(frozen=True, kw_only=True)
class Merged(Table):
    """Number of the parts that a result was put together from."""

    parts: int


@dataclass(frozen=True, kw_only=True)
class Quantity(Table):
    """Column of an event: its title in ROOT's TLatex, and its unit, "" for none."""

    name: str
    title: str
    unit: str


@dataclass(frozen=True, kw_only=True)
class Counts(Table):
    """Events of a run.

    Attributes:
        expected: entries that were to be read.
        processed: number of events that were read.
        selected: that passed all cuts and were scored.
        normal: of these, events that the ensemble does not flag.
        anomalous: events that it flags.
    """

    expected: int
    processed: int
    selected: int
    normal: int
    anomalous: int


@dataclass(frozen=True, kw_only=True)
class ScoringDetector(Table):
    """What a run says of a detector.

    Attributes:
        threshold: events with a higher score are flagged; a list of those of the folds where there are several.
        flagged: events.
        parity: largest difference of a score in C++ from that in Python.
        notes: what the user should know of the training.
    """

    threshold: float | tuple[float, ...]
    flagged: int
    parity: float
    notes: tuple[str, ...]

    @property
    def thresholds(self) -> tuple[float, ...]:
        """Threshold of each fold."""
        return self.threshold if isinstance(self.threshold, tuple) else (self.threshold,)


@dataclass(frozen=True, kw_only=True)
class TestedDetector(Table):
    """What an evaluation says of a detector beside its metrics; the attributes are those of `ScoringDetector`."""

    __test__: ClassVar[bool] = False

    parity: float
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class History(Table):
    """Loss of the training and of the validation events after each epoch."""

    training: tuple[float, ...]
    validation: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class ErrorSummary(Table):
    """Squared reconstruction errors of each scaled feature in some events; all tuples are in the order of the features.

    They are the mean, and the percentiles 16, 50 and 84.
    """

    events: int
    mean: tuple[float, ...]
    low: tuple[float, ...]
    median: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Reconstruction(Table):
    """How well an autoencoder reconstructs the features; None for a kind of events that there are none of.

    Attributes:
        normal: errors in the training events that it does not flag.
        flagged: errors in the training events that it flags.
    """

    normal: ErrorSummary | None
    flagged: ErrorSummary | None


@dataclass(frozen=True, kw_only=True)
class Agreement(Table):
    """Which detectors flag the same events.

    Attributes:
        flagged: events that both of two detectors flag, by their names.
        votes: events with 0, 1, ... votes.
    """

    flagged: dict[str, dict[str, int]]
    votes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class VariedCounts(Table):
    """Events with a scale in one place: those selected, those that the ensemble flags, and those of each detector."""

    selected: int
    anomalous: int
    flagged: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Variation(Table):
    """Events with a scale up, nominal and down; the size of the change is a fraction."""

    size: float
    up: VariedCounts
    nominal: VariedCounts
    down: VariedCounts


@dataclass(frozen=True, kw_only=True)
class Mean(Table):
    """Mean of a feature over normal and over anomalous events, and their ratio; None where there is none."""

    normal: float | None
    anomalous: float | None
    ratio: float | None


def most_different(means: Mapping[str, Mean]) -> dict[str, float]:
    """Return the ratios of means, by feature, the one farthest from 1 first; a feature without a ratio is left out."""
    known = {name: mean.ratio for name, mean in means.items() if mean.ratio}
    return dict(sorted(known.items(), key=lambda item: abs(math.log(item[1])), reverse=True))


@dataclass(frozen=True, kw_only=True)
class Figures(Table):
    """Figures that were drawn, and those (or report.html) that could not be, each with the reason."""

    drawn: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)
