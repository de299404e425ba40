"""search.json of a search by weak supervision (`method: cwola`), as types."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

from plotting.results.record_tables import Table
from plotting.results.search.head import Inputs, SearchHead
from plotting.results.search.record import Limit, Sculpting, Tried


@dataclass(frozen=True, kw_only=True)
class MassTest(Table):
    """How well the features tell where in the sidebands of a window an event lies.

    Attributes:
        auc: area under the ROC curve of the upper sideband against the lower one; 1/2 where features do not tell it.
        error: standard deviation of that area where it is 1/2.
        outer_auc: area of the outer halves of both sidebands against the inner halves.
        outer_error: standard deviation of that area where it is 1/2.
    """

    auc: float
    error: float
    outer_auc: float
    outer_error: float


@dataclass(frozen=True, kw_only=True)
class Calibrated(Table):
    """A significance among those of background-only data sets, each of which went through the whole procedure.

    Attributes:
        sets: their number; without those that the procedure refused.
        mean: of their significances.
        width: standard deviation of their significances.
        above: sets that are at least as significant as the data.
        p: (1 + above) / (1 + sets), below which the sets resolve nothing.
        z: (significance of the data less mean) / width: an extrapolation where no set is as significant.
        z_error: of that by the errors of mean and width.
        nulls: significances of all sets, in their order.
    """

    sets: int
    mean: float
    width: float
    above: int
    p: float
    z: float
    z_error: float
    nulls: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class CountedCut(Table):
    """A declared cut in a window: events of the region, and what is expected there from the sidebands.

    Attributes:
        fraction: of events that it keeps.
        by_ratio: whether events are weighted by the likelihood ratio of their scores. All numbers of events are then in
            units of the sum of squared weights over the sum of weights, in which their variance is that of counts.
        selection: what it asks of an event, or how it weighs it; None for all events.
        opened: whether its spectrum was looked at; while blinded, whether it will be.
        reason: why not; None where it was.
        counts: events of each bin of the window; that of the region is None while blinded. While blinded a cut that was
            learned has none.
        expected: events of each bin by the function.
        events: in the region; None while blinded.
        background: expected events of the region, by the fit to the sidebands.
        background_error: of these.
        deviance: of the fit to the sidebands.
        ndf: their bins less parameters.
        z: signed root of the likelihood ratio of the excess in the region; None while blinded, like what follows.
        p: local probability by that alone, before any calibration.
        calibrated: None while blinded, too.
        limit: on signal events in the region that pass; None for weighted events.
        sculpting: None for all events, and for weighted ones.
    """

    fraction: float
    by_ratio: bool = False
    selection: str | None
    opened: bool
    reason: str | None = None
    counts: tuple[float | None, ...] = ()
    expected: tuple[float, ...] = ()
    events: float | None = None
    background: float | None = None
    background_error: float | None = None
    deviance: float | None = None
    ndf: int | None = None
    z: float | None = None
    p: float | None = None
    calibrated: Calibrated | None = None
    limit: Limit | None = None
    sculpting: Sculpting | None = None


@dataclass(frozen=True, kw_only=True)
class SearchedWindow(Table):
    """A window: a region, and the sidebands on either side of it.

    Attributes:
        name: of its classifier, as in score_<name>.
        low: begin of the region.
        high: its end.
        begin: of the lower sideband.
        end: of the upper sideband.
        edges: of the bins; the region is one of them.
        tried: functions, on the sidebands of all events.
        function: the one that was chosen, for all cuts.
        mass_test: whether the features tell the mass.
        cuts: the declared ones in the order of the report; that of all events is the first.
    """

    name: str
    low: float
    high: float
    begin: float
    end: float
    edges: tuple[float, ...]
    tried: tuple[Tried, ...]
    function: str
    mass_test: MassTest
    cuts: tuple[CountedCut, ...]

    @property
    def region_bin(self) -> int:
        """Index of the bin that is the region."""
        return next(i for i, edge in enumerate(self.edges) if edge == self.low)


@dataclass(frozen=True, kw_only=True)
class LargestWindow(Table):
    """The largest calibrated significance of all windows and cuts.

    Attributes:
        window: its name.
        cut: fraction of the cut.
        by_ratio: whether it is that of weighted events.
        z: calibrated significance.
        global_p: (1 + above) / (1 + sets): probability of at least this in any window and cut.
        above: sets whose own largest is at least as large.
        sets: background-only sets that went through the whole procedure.
        trials: number of cuts that were opened in all windows, weighted events among them.
        bound: number of trials times the probability of z: an extrapolation, which is quoted where no set is as large.
    """

    window: str
    cut: float
    by_ratio: bool = False
    z: float
    global_p: float
    above: int
    sets: int
    trials: int
    bound: float


@dataclass(frozen=True, kw_only=True)
class CwolaInputs(Inputs):
    """What a search read: the run that scored, which lies in its own folder and is there when the region is looked at.

    Attributes:
        run: folder of the run; empty while blinded, like all checksums of it.
        run_json_sha256: of its run.json.
        events_sha256: of its events.root.
        models_sha256: of the models that scored.
        files: path of each file of the sample -> its sha256, where that is known.
    """

    run: str = ""
    run_json_sha256: str = ""
    events_sha256: str = ""
    models_sha256: str = ""
    files: dict[str, str | None] = field(default_factory=dict)

    @property
    def data_sha256(self) -> str:
        """Checksum by which the events that were searched are known again: of the sample's files.

        A file whose checksum is not known stands there by its path, so that its events are not told from those of
        another file that has replaced it.
        """
        sums = sorted(sha256 or path for path, sha256 in self.files.items())
        return hashlib.sha256("\n".join(sums).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class CwolaRecord(SearchHead):
    """search.json of a search by weak supervision.

    Attributes:
        method: by which it is told from those of other methods.
        inputs: what was read.
        observable: name of the column.
        title: its title.
        unit: its unit.
        features: that the classifiers learned from.
        folds: of the events.
        learned_here: whether the classifiers learned from these events; else their cuts were fixed before.
        windows: that were searched.
        largest: significance; None while blinded, and where the search was refused.
        refused_sets: background-only sets that the procedure refused; they do not count.
        seed: of all that is random.
        timings: seconds of each stage, and when the search began.
    """

    method: Literal["cwola"] = "cwola"
    inputs: CwolaInputs
    observable: str
    title: str
    unit: str
    features: tuple[str, ...] = ()
    folds: int = 0
    learned_here: bool = True
    windows: tuple[SearchedWindow, ...] = ()
    largest: LargestWindow | None = None
    refused_sets: int = 0
    seed: int
    timings: dict[str, float | str]
