"""What a batch does: what its jobs do, as options of `analysis.run`, and how there come to be jobs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from analysis.configuration import RunConfiguration
from condor.plan import FAN_IN

OF_THE_BATCH = (
    *("output", "models", "sample", "schema", "entries", "max_events", "plan", "threads", "allow_simulated"),
    *("trust_models", "trusted_sha256", "certified"),
)
"""Keys of RunConfiguration that a job gets otherwise, or not at all."""


class BatchConfiguration(RunConfiguration):
    """The options of `submit`."""

    models: Path = Field(description="models folder of an earlier run, which the jobs score with")
    jobs: int | None = Field(None, ge=1, description="number of jobs that share the events")
    events_per_job: int | None = Field(None, ge=1, description="events of a job, in place of --jobs")
    data: Literal["path", "transfer"] = Field(
        "path",
        description="how jobs get at the files: path, they read them where they lie (default), or transfer, HTCondor "
        "copies to each job those that it reads; root:// addresses are always read where they are",
    )
    python: Path = Field(
        Path(sys.executable), description="Python of the jobs, with what `make install` installs (default: this one)"
    )
    memory: int = Field(1500, ge=1, description="memory of a job in MB; it gets more if need be (default: 1500)")
    disk: int | None = Field(None, ge=1, description="disk of a job in MB (default: from its number of events)")
    minutes: int = Field(480, ge=1, description="time of a job; a longer one is held (default: 480)")
    retries: int = Field(2, ge=0, description="how often a job that fails is tried again (default: 2)")
    fan_in: int = Field(FAN_IN, ge=2, description="parts that are merged at once, at most (default: 200)")
    threads: Literal[1] = Field(1, exclude=True)
    plan: None = Field(None, exclude=True)
    trusted_sha256: None = Field(None, exclude=True)
    engine: Literal["local"] = Field("local", exclude=True)
    cluster: Literal["local"] = Field("local", exclude=True)

    @field_validator("jobs", "events_per_job", "memory", "disk", "minutes", "retries", "fan_in", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        try:
            return None if value is None else int(str(value))
        except ValueError:
            raise ValueError(f"{value!r} is not a whole number") from None

    @model_validator(mode="before")
    @classmethod
    def _with_models(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("models") is None:
            raise ValueError("a batch only scores; name models with --models (analysis.run trains them)")
        return values

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if (self.jobs is None) == (self.events_per_job is None):
            raise ValueError("say either how many jobs there are to be (--jobs) or how large (--events-per-job)")
        if self.friend and self.max_events:
            raise ValueError("--friend has a row for every entry of the sample; leave out --max-events")
        return self

    @field_validator("python")
    @classmethod
    def _whole_path(cls, value: Path) -> Path:
        return value.absolute()  # a link stays a link: it tells Python which environment it is of

    def of_jobs(self) -> dict[str, Any]:
        """Return the keys of a run that are the same for this batch's jobs, but for those that name files."""
        given = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return {key: given[key] for key in RunConfiguration.model_fields if key in given and key not in OF_THE_BATCH}
