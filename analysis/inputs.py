"""What a run reads: a sample of the catalogue, or a file of the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from analysis import samples
from analysis.configuration import RunConfiguration
from analysis.errors import ConfigurationError, DataError, SampleUnavailable
from analysis.samples import Sample


@dataclass(frozen=True)
class InputFile:
    """One file of a run: where it lies, its size in bytes, and its sha256 where that is known."""

    path: Path
    size: int
    sha256: str | None


@dataclass(frozen=True)
class RunInput:
    """What a run reads and how results are to speak of it; a simulation has no files until it has been made."""

    name: str
    title: str
    schema_name: str
    files: tuple[InputFile, ...]
    simulated: bool = False
    doi: str | None = None
    record: int | None = None
    licence: str | None = None
    energy: str | None = None
    luminosity: float | None = None
    simulation: str | None = None
    events: int | None = None

    def describe(self) -> dict[str, Any]:
        """Return what run.json says of the sample."""
        described = asdict(self)
        described["schema"] = described.pop("schema_name")
        described["files"] = [{**file, "path": str(file["path"])} for file in described["files"]]
        del described["events"]
        if not self.simulated:
            # Of what the catalogue says of a sample, this much only a run that was simulated has used.
            del described["simulation"]
        elif self.simulation:
            # What was published of the data does not hold for what stands in for them.
            published = {key: described[key] for key in ("title", "doi", "record", "licence")}
            described |= dict.fromkeys(published) | {"title": f"stand-in for {self.title}"}
            described["stands_in_for"] = published
        return described


def resolve_input(configuration: RunConfiguration) -> RunInput:
    """Find what the configuration names, fetching it from the portal if need be.

    Raises:
        UnknownSample, ConfigurationError: no such sample, or a file without a schema.
        DataError: the file does not exist, the sample cannot be had or is not the published one.
    """
    path = Path(configuration.sample)
    if path.is_file() or path.suffix or len(path.parts) > 1:
        return _user_file(path, configuration.schema_name)
    sample = samples.find_sample(configuration.sample)
    if configuration.schema_name not in (None, sample.schema_name):
        raise ConfigurationError(f"--schema: sample {sample.name} has the schema {sample.schema_name}; leave it out")
    try:
        files = samples.obtain(sample, samples.opendata_folder(), samples.download_folder())
    except SampleUnavailable:
        if not configuration.allow_simulated:
            raise
        return _of_catalogue(sample, (), simulated=True)
    sizes_and_sums = [(file.size, file.sha256) for file in sample.files]
    return _of_catalogue(sample, [InputFile(f, *known) for f, known in zip(files, sizes_and_sums, strict=True)])


def _of_catalogue(sample: Sample, files: Sequence[InputFile], simulated: bool = False) -> RunInput:
    return RunInput(
        files=tuple(files),
        simulated=simulated,
        **{
            key: getattr(sample, key)
            for key in (
                *("name", "title", "schema_name", "doi", "record", "licence"),
                *("energy", "luminosity", "simulation", "events"),
            )
        },
    )


def _user_file(path: Path, schema_name: str | None) -> RunInput:
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise DataError(f"{path} {what}; check --sample (python -m analysis.samples lists the samples)")
    if schema_name is None:
        raise ConfigurationError(f"{path} is a file: say its format with --schema")
    file = InputFile(path.resolve(), path.stat().st_size, None)
    return RunInput(name=path.stem, title=path.name, schema_name=schema_name, files=(file,))
