"""Certified runs: the list of luminosity blocks that an experiment has found good, as CMS publishes it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate, chain, pairwise
from typing import Any

from rdf.errors import UnreadableFile
from rdf.printable import shortened

CERTIFIED = "certified"
"""Name of the cut."""

SECTION = "recorded_section"
"""Column of an event's run and luminosity block, by which the list is asked."""

SECTION_EXPRESSION = "certified_runs::as_section(run, luminosityBlock)"

Blocks = tuple[int, int]
"""First and last luminosity block of a range, both of which belong to it."""

_LARGEST = 2**32 - 1
"""Largest number of a run or a luminosity block."""

_SHOWN = 60
"""Characters of what is wrong that a message repeats."""


@dataclass(frozen=True)
class CertifiedRuns:
    """The list.

    Attributes:
        name: of the file.
        text: of the file, in bytes.
        blocks: run -> its ranges; runs and ranges ascend, and ranges have no block in common.
    """

    name: str
    text: bytes = field(repr=False)
    blocks: Mapping[int, tuple[Blocks, ...]] = field(repr=False, compare=False)

    @property
    def sha256(self) -> str:
        """Checksum of the file."""
        return hashlib.sha256(self.text).hexdigest()

    @property
    def sections(self) -> int:
        """Number of luminosity blocks in all runs."""
        return sum(last - first + 1 for ranges in self.blocks.values() for first, last in ranges)

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last run."""
        return min(self.blocks), max(self.blocks)

    def arrays(self) -> tuple[list[int], list[int], list[int], list[int]]:
        """Return runs (R), the place of each one's first range and their number in all (R + 1), and for each range its
        first and its last block.
        """
        begins = list(accumulate(map(len, self.blocks.values()), initial=0))
        ranges = list(chain.from_iterable(self.blocks.values()))
        return list(self.blocks), begins, [first for first, _ in ranges], [last for _, last in ranges]


def parse_certified(text: bytes, name: str) -> CertifiedRuns:
    """Return the list that a file holds, in JSON: {"273158": [[1, 1279], [1300, 1310]], ...}.

    Ranges of a run may stand in any order. Ranges that have a block in common are refused: lists were put together
    wrongly then.

    Args:
        text: of the file.
        name: of the file.

    Raises:
        UnreadableFile: it holds no such list; names the file, the run and the range.
    """
    try:
        runs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError) as error:
        raise _malformed(name, f"is no JSON ({shortened(str(error), _SHOWN)})") from error
    if not runs or not isinstance(runs, list) or not all(isinstance(run, tuple) for run in runs):
        raise _malformed(name, "is no list of certified runs")
    blocks: dict[int, tuple[Blocks, ...]] = {}
    for run, ranges in runs:
        if not re.fullmatch(r"[0-9]{1,10}", run) or int(run) > _LARGEST:
            raise _malformed(name, f"{_shown(run)} is no number of a run")
        if int(run) in blocks:
            raise _malformed(name, f"run {int(run)} is listed twice")
        blocks[int(run)] = _ranges(ranges, name, run)
    return CertifiedRuns(name, text, dict(sorted(blocks.items())))


def _ranges(ranges: Any, name: str, run: str) -> tuple[Blocks, ...]:
    """Return the ranges of a run in ascending order."""
    if not isinstance(ranges, list):
        raise _malformed(name, f"run {run}: {_shown(ranges)} is no list of ranges")
    for each in ranges:
        if not (isinstance(each, list) and len(each) == 2 and all(type(block) is int for block in each)):
            raise _malformed(name, f"run {run}: {_shown(each)} is no range of two whole numbers")
        if not all(0 <= block <= _LARGEST for block in each):
            raise _malformed(name, f"run {run}: {_shown(each)} has a number that no luminosity block has")
        if each[0] > each[1]:
            raise _malformed(name, f"run {run}: {_shown(each)} ends before it begins")
    ordered = sorted((first, last) for first, last in ranges)
    for one, other in pairwise(ordered):
        if other[0] <= one[1]:
            raise _malformed(name, f"run {run}: {_shown([*one])} and {_shown([*other])} have blocks in common")
    return tuple(ordered)


def _malformed(name: str, what: str) -> UnreadableFile:
    return UnreadableFile(
        f'{name}: {what}; a list of certified runs is JSON of the form {{"273158": [[1, 1279], [1300, 1310]]}}'
    )


def _shown(value: Any) -> str:
    return shortened(json.dumps(value), _SHOWN)
