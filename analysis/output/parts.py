"""Parts of a sample: output folders of runs over some entries of it, and whether they are whole and belong together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from analysis.console.program import error_console
from analysis.console.progress import progress_bar
from analysis.errors import ConfigurationError, DamagedPart
from models.folder import MODELS_JSON, file_sha256
from plotting.results.checksums import CHECKSUMS
from plotting.results.root_file import EVENTS_ROOT, HISTOGRAMS_ROOT
from plotting.results.run_record import RUN_JSON, EvaluationRecord, RunRecord, UnfitRecord, as_table, parse_record
from plotting.results.tables import ANOMALIES_CSV

RESULTS = (RUN_JSON, EVENTS_ROOT, HISTOGRAMS_ROOT, ANOMALIES_CSV, f"models/{MODELS_JSON}")
"""Files that every part has."""

REMEDY = "run this part again"
_CHECKSUM = re.compile(r"([0-9a-f]{64})  ((?:models/)?\w[\w.-]*)")

OF_THE_JOB = (
    *("output", "threads", "entries", "plan", "sample", "models", "engine", "cluster"),
    *("trust_models", "trusted_sha256", "certified"),
)
"""Keys of a configuration in which parts may differ: which part it is, and where and how a job works. The
list of certified runs is compared as what it says."""


def _compared(record: RunRecord) -> dict[str, tuple[str, Any]]:
    """Return, by key of run.json, what a part is that has another value than the first, and the value."""
    configuration = {name: value for name, value in record.configuration.items() if name not in OF_THE_JOB}
    sample = {name: value for name, value in as_table(record.sample).items() if name != "files"}
    other_columns, otherwise = "has other columns", "was scored otherwise"
    return {
        "plan": ("is of another plan", record.plan),
        "models_sha256": ("was scored by other models", record.models_sha256),
        "sample": ("is of another sample", sample),
        "configuration": ("was configured otherwise", configuration),
        "features": (other_columns, record.features),
        "observables": (other_columns, record.observables),
        "left_out": (other_columns, record.left_out),
        "objects": (other_columns, record.objects),
        "overlap": (other_columns, record.overlap),
        "define": (other_columns, record.define),
        "cuts": ("was selected otherwise", record.cuts),
        "ensemble": (otherwise, record.ensemble),
        "min_votes": (otherwise, record.min_votes),
        "weights": ("was weighted otherwise", as_table(record.weights)),
    }


@dataclass(frozen=True)
class Part:
    """An output folder whose files are what the run left.

    Attributes:
        folder: of the run.
        record: its run.json.
    """

    folder: Path
    record: RunRecord

    @property
    def entries(self) -> tuple[int, int]:
        """Entries of the sample that were read, half-open."""
        return self.record.entries


def check_part(folder: Path, entries: tuple[int, int] | None = None, plan: str | None = None) -> Part:
    """Read what a run over some entries left, and make sure that it is whole.

    Args:
        folder: output folder of the run, or of a merge.
        entries: of the sample, half-open, that it ought to have read; None if any will do.
        plan: that it ought to belong to; None if any will do.

    Raises:
        DamagedPart: names the part, the file and what is wrong with it.
    """
    if not folder.is_dir():
        raise DamagedPart(f"part {folder} is missing; {REMEDY}")
    checksums = _read_checksums(folder)
    for name, expected in checksums.items():
        found = _sha256(folder, name)
        if found != expected:
            raise DamagedPart(
                f"part {folder}: {name} is not as it was written (checksum {found[:12]}..., {CHECKSUMS} says "
                f"{expected[:12]}...); {REMEDY}"
            )
    for name in RESULTS:
        if name not in checksums:
            raise DamagedPart(f"part {folder}: {CHECKSUMS} has no line of {name}; {REMEDY}")
    part = Part(folder, _read_record(folder))
    _check_counts(part)
    if entries not in (None, part.entries):
        raise DamagedPart(
            f"part {folder} holds the entries {_range(part.entries)}, {_range(entries)} are expected; {REMEDY}"
        )
    if plan not in (None, part.record.plan):
        raise DamagedPart(
            f"part {folder}: {RUN_JSON} says that it is of the plan {part.record.plan}, not of {plan}; {REMEDY}"
        )
    return part


def check_parts(parts: Sequence[Path], entries: tuple[int, int] | None = None, plan: str | None = None) -> list[Part]:
    """Make sure that parts are whole and belong together, and return them in the order of their entries.

    Raises:
        ConfigurationError, DamagedPart: as `merge_parts` says, whose arguments these are.
    """
    if not parts:
        raise ConfigurationError("no part to merge; name the output folders of some runs")
    checked = _checked(parts, plan)
    _check_adjoining(checked, entries)
    for part in checked[1:]:
        _check_alike(checked[0], part)
    return checked


def _checked(parts: Sequence[Path], plan: str | None) -> list[Part]:
    """Check all parts, and return them in the order of their entries."""
    with progress_bar(error_console(), "checking parts", "parts") as move:
        checked = []
        for folder in parts:
            checked.append(check_part(folder, plan=plan))
            move(len(checked), len(parts))
    return sorted(checked, key=lambda part: part.entries)


def _read_checksums(folder: Path) -> dict[str, str]:
    """Return what SHA256SUMS says: name of a file -> sha256."""
    with _reading(folder, CHECKSUMS) as path:
        *lines, rest = path.read_bytes().decode("latin-1").split("\n")
    checksums = [line for line in map(_CHECKSUM.fullmatch, lines) if line]
    if rest or len(checksums) < len(lines):
        raise DamagedPart(f"part {folder}: {CHECKSUMS} is damaged; {REMEDY}")
    return {line[2]: line[1] for line in checksums}


@contextmanager
def _reading(folder: Path, name: str) -> Iterator[Path]:
    """Yield the path of a file of a part; what hinders its reading names the part."""
    try:
        if not (folder / name).stat().st_size:
            raise DamagedPart(f"part {folder}: {name} is empty; {REMEDY}")
        yield folder / name
    except FileNotFoundError as error:
        raise DamagedPart(f"part {folder}: {name} is missing; {REMEDY}") from error
    except OSError as error:
        raise DamagedPart(f"part {folder}: {name} cannot be read: {error.strerror}; {REMEDY}") from error
    except (ValueError, RecursionError) as error:
        raise DamagedPart(f"part {folder}: {name} is not what a run wrote ({error}); {REMEDY}") from error


def _sha256(folder: Path, name: str) -> str:
    with _reading(folder, name) as path:
        return file_sha256(path)


def _read_record(folder: Path) -> RunRecord:
    with _reading(folder, RUN_JSON) as path:
        text = path.read_bytes()
    try:
        record = parse_record(text)
    except UnfitRecord as error:
        raise DamagedPart(f"part {folder}: {RUN_JSON} {error.reason}; {error.remedy or REMEDY}") from error
    if isinstance(record, EvaluationRecord):
        raise DamagedPart(f"part {folder}: {RUN_JSON} is that of an evaluation; name the output folders of some runs")
    return record


def _check_counts(part: Part) -> None:
    """Refuse a part whose run did not process its entries, or that contradicts itself."""
    first, last = part.entries
    counts, cutflow = part.record.counts, part.record.cutflow
    wrong = [
        (counts.processed, last - first, f"entries {_range(part.entries)}"),
        (cutflow[0].events, counts.processed, f"{counts.processed} processed"),
        (cutflow[-1].events, counts.selected, f"{counts.selected} selected"),
    ]
    for found, expected, what in wrong:
        if found != expected:
            raise DamagedPart(f"part {part.folder}: {RUN_JSON} counts {found} events for {what}; {REMEDY}")


def _range(entries: tuple[int, int]) -> str:
    return f"{entries[0]}:{entries[1]}"


def _check_adjoining(parts: Sequence[Part], entries: tuple[int, int] | None) -> None:
    """Refuse parts, in the order of their entries, that leave out entries or hold some twice."""
    for one, other in pairwise(parts):
        if other.entries[0] < one.entries[1]:
            raise DamagedPart(
                f"parts {one.folder} (entries {_range(one.entries)}) and {other.folder} (entries "
                f"{_range(other.entries)}) hold the same events; name one of them"
            )
        if other.entries[0] > one.entries[1]:
            gap = _range((one.entries[1], other.entries[0]))
            raise DamagedPart(f"no part holds the entries {gap}, between {one.folder} and {other.folder}; add it")
    whole = (parts[0].entries[0], parts[-1].entries[1])
    if entries not in (None, whole):
        raise DamagedPart(
            f"the parts {parts[0].folder} to {parts[-1].folder} hold the entries {_range(whole)}, where "
            f"{_range(entries)} are expected; add what is missing"
        )


def _check_alike(first: Part, part: Part) -> None:
    """Refuse a part that is of another plan, of other models, of another sample or configured otherwise."""
    expected, found = _compared(first.record), _compared(part.record)
    for key, (words, one) in expected.items():
        _, other = found[key]
        if one != other:
            differing = ""
            if isinstance(one, dict) and isinstance(other, dict):
                differing = next(f" ({k})" for k in sorted({*one, *other}) if one.get(k) != other.get(k))
            raise DamagedPart(f"part {part.folder} {words} than {first.folder}: {key}{differing} differs; {REMEDY}")
