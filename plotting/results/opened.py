"""Results that are opened from Python: arrays of events, histograms as objects of `hist`, tables, and the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import uproot

from plotting.errors import MissingResult, PlottingError, UnreadableResult
from plotting.results.checksums import check_results
from plotting.results.evaluation import Evaluated, read_evaluation
from plotting.results.objects import OBJECTS_JSON, DisplayedEvent, read_displayed_events
from plotting.results.root_file import EVENTS_ROOT, HISTOGRAMS_ROOT
from plotting.results.run_record import RUN_JSON, AnyRecord, EvaluationRecord, RunRecord, read_record
from plotting.results.tables import ANOMALIES_CSV, read_rows
from rdf.errors import near_names
from rdf.graph.histogram_keys import HistogramKey

if TYPE_CHECKING:
    from hist import Hist

REMEDY = "repeat the run"


@dataclass(frozen=True)
class _Opened:
    """A folder of results.

    Attributes:
        folder: the output folder.
    """

    folder: Path

    def _checked(self, name: str) -> Path:
        """Return the path of a file that is as it was written."""
        check_results(self.folder, (name,), REMEDY)
        path = self.folder / name
        if not path.is_file():
            raise MissingResult(f"{path}: not there; {REMEDY}")
        return path

    def events(self, *columns: str) -> dict[str, npt.NDArray[Any]]:
        """Read columns of events.root, one row an event that passed the cuts and was scored, in no order.

        Args:
            columns: names such as "MR", "score_ensemble" or "event"; all columns by default.

        Returns:
            Column -> values, shape (events,), of the type that the file has: float32 for features and scores.

        Raises:
            UnreadableResult: the file is damaged, or has no such column; names the nearest.
        """
        path = self._checked(EVENTS_ROOT)
        with _reading(path), uproot.open(path) as file:
            table = file["events"]
            known = tuple(str(name) for name in table.keys())  # noqa: SIM118 - a table of uproot
            for name in columns:
                if name not in known:
                    raise UnreadableResult(f"{path}: has no column {name!r}; {near_names(name, known)}")
            arrays = table.arrays(list(columns or known), library="np")
            return {name: np.asarray(arrays[name]) for name in columns or known}


@dataclass(frozen=True)
class RunResults(_Opened):
    """The results of a run.

    Attributes:
        folder: the output folder.
        record: run.json.
    """

    record: RunRecord

    @property
    def models(self) -> Path:
        """The folder of the models that scored."""
        return self.folder / "models"

    @cached_property
    def histogram_keys(self) -> tuple[HistogramKey, ...]:
        """The histograms that there are."""
        path = self._checked(HISTOGRAMS_ROOT)
        with _reading(path), uproot.open(path) as file:
            named = file.classnames(recursive=True, cycle=False)
            return tuple(
                HistogramKey.of_path(name) for name, kind in named.items() if kind.startswith(("TH", "TProfile"))
            )

    def histogram(self, key: HistogramKey | str) -> Hist[Any]:
        """Read one histogram.

        Args:
            key: of the histogram, or its path in histograms.root such as "features/anomalous/MR".

        Raises:
            UnreadableResult: the file is damaged, or has no such histogram; names the nearest.
        """
        name = key if isinstance(key, str) else key.path
        path = self._checked(HISTOGRAMS_ROOT)
        with _reading(path), uproot.open(path) as file:
            known = file.keys(recursive=True, cycle=False)
            if name not in known:
                raise UnreadableResult(f"{path}: has no histogram {name!r}; {near_names(name, known)}")
            return _mean_hist(file[name]) if file[name].classname == "TProfile2D" else file[name].to_hist()

    @cached_property
    def anomalies(self) -> tuple[Mapping[str, str], ...]:
        """The rows of anomalies.csv, the most anomalous event first: column -> text."""
        return tuple(read_rows(self._checked(ANOMALIES_CSV), REMEDY))

    @cached_property
    def displayed(self) -> tuple[DisplayedEvent, ...]:
        """The objects of the most anomalous events; empty where the sample has none."""
        return read_displayed_events(self.folder / OBJECTS_JSON, REMEDY)


@dataclass(frozen=True)
class EvaluationResults(_Opened):
    """The results of an evaluation.

    Attributes:
        folder: the output folder.
        record: run.json.
    """

    record: EvaluationRecord

    @property
    def models(self) -> Path:
        """The folder of the models that were evaluated."""
        return self.folder / "models"

    @cached_property
    def detectors(self) -> Mapping[str, Evaluated]:
        """Name -> metrics and curves of a detector, or of the ensemble of them."""
        return read_evaluation(self.folder).detectors


Opened: TypeAlias = RunResults | EvaluationResults


def open_results(folder: Path | str) -> Opened:
    """Open what a run or an evaluation left; nothing but run.json is read at first.

    Args:
        folder: of the results, such as output/cms2010b.

    Raises:
        MissingResult: there is no such folder, or no run.json in it.
        UnreadableResult: run.json is damaged, or of another format; says what to do.
    """
    folder = Path(folder)
    check_results(folder, (RUN_JSON,), REMEDY)
    path = folder / RUN_JSON
    if not path.is_file():
        raise MissingResult(f"{path}: not there; name the folder that a run or an evaluation left, or {REMEDY}")
    record: AnyRecord = read_record(path, REMEDY)
    return RunResults(folder, record) if isinstance(record, RunRecord) else EvaluationResults(folder, record)


def _mean_hist(profile: Any) -> Hist[Any]:
    """Return a two-dimensional profile, for which uproot has no conversion, as means with their numbers of entries."""
    import hist

    axes = [
        hist.axis.Regular(
            axis.member("fNbins"), axis.member("fXmin"), axis.member("fXmax"), label=axis.member("fTitle")
        )
        for axis in (profile.member("fXaxis"), profile.member("fYaxis"))
    ]
    made = hist.Hist(*axes, storage=hist.storage.Mean(), name=profile.name, label=profile.title)
    shape = tuple(axis.size + 2 for axis in axes)

    def by_bin(values: Any) -> npt.NDArray[np.float64]:
        return np.asarray(values, dtype=np.float64).reshape(shape[::-1]).T

    counts, squares = by_bin(profile.member("fBinEntries")), by_bin(profile.member("fSumw2"))
    means = np.where(counts > 0, profile.values(flow=True), 0.0)
    view = made.view(flow=True)
    view["count"], view["value"] = counts, means
    view["_sum_of_deltas_squared"] = np.maximum(squares - counts * means**2, 0.0)
    return made


class _reading:  # noqa: N801 - used as a context
    """Turns whatever uproot's decoders raise in the block into UnreadableResult."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, PlottingError) or not isinstance(error, Exception):
            return
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UnreadableResult(f"{self._path}: truncated or damaged ({reason}); {REMEDY}") from error
