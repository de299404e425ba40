"""What every record of a search begins with, whatever its method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from plotting.results.record_tables import Commit, SampleHeader, Table

FORMAT: Literal[1] = 1

Status = Literal["claimed", "blinded", "refused"]


@dataclass(frozen=True, kw_only=True)
class Inputs(Table):
    """What a search read: the run's folder, and the sha256 of its run.json and events.root; the same of a control."""

    run: str
    run_json_sha256: str
    events_sha256: str
    control_run_json_sha256: str | None = None
    control_events_sha256: str | None = None

    @property
    def data_sha256(self) -> str:
        """Checksum by which the events that were searched are known again."""
        return self.events_sha256


@dataclass(frozen=True, kw_only=True)
class SearchHead(Table):
    """Fields of search.json that all methods share.

    Attributes:
        format: number of the format of the file.
        status: "claimed", "blinded" or "refused".
        reason: why it was refused; None where it was not.
        quote: one paragraph that states the result.
        configuration: every option with its value, as JSON has it.
        configuration_sha256: of what was declared.
        blinded_sha256: of what a blinded search in this folder had declared; None where there was none.
        blinded_events_sha256: checksum of the events of that search, by `Inputs.data_sha256`.
        unblinded: whether the search was to look at the data.
        looked_before: whether the data had been looked at in this folder before, by a search that was refused.
        inputs: what was read.
        sample: that the run read.
        commit: of the toolkit; None outside a git checkout.
        versions: of Python and of the libraries.
    """

    format: Literal[1] = FORMAT
    status: Status
    reason: str | None = None
    quote: str
    configuration: dict[str, Any]
    configuration_sha256: str
    blinded_sha256: str | None = None
    blinded_events_sha256: str | None = None
    unblinded: bool = False
    looked_before: bool = False
    inputs: Inputs
    sample: SampleHeader
    commit: Commit | None
    versions: dict[str, str]
