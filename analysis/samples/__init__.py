"""The catalogue of samples: which open data there is, where its files lie, and whether they are the published ones.

One YAML file a sample, beside this module. A file is looked for under `OPENDATA_DIR`, then in the user's cache, then
fetched from the portal; wherever it is found, its size and sha256 must be those of the catalogue.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError

from analysis.errors import (
    ChecksumMismatch,
    ConfigurationError,
    DataError,
    SampleUnavailable,
    UnknownSample,
    near_names,
)
from analysis.program import cache_folder


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Download(_Entry):
    """What a portal publishes of a file: the address, and size (bytes) and adler32 of the bytes that it sends."""

    url: str
    size: PositiveInt
    adler32: Annotated[str, Field(pattern="^[0-9a-f]{8}$")]
    compression: Literal["gzip"]


class SampleFile(_Entry):
    """One file of a sample as it is read: its place below a data folder, its size (bytes) and its sha256."""

    path: PurePosixPath
    size: PositiveInt
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    download: Download


class Sample(_Entry):
    """One sample of open data; `schema_name` is the key `schema` of the YAML file, a name that pydantic keeps."""

    name: str
    title: str
    schema_name: str = Field(alias="schema")
    doi: str
    record: PositiveInt = Field(description="number of the record on the CERN Open Data portal")
    licence: str
    energy: str = Field(description="centre-of-mass energy with its unit")
    luminosity: PositiveFloat | None = Field(description="integrated luminosity in 1/fb, None where unpublished")
    events: PositiveInt
    simulation: str = Field(description="name of the embedded generator that may stand in")
    files: tuple[SampleFile, ...] = Field(min_length=1)

    @property
    def page(self) -> str:
        """The portal's page of the record."""
        return f"https://opendata.cern.ch/record/{self.record}"


def read_sample(path: Path) -> Sample:
    """Read one sample from its YAML file, which bears the sample's name.

    Raises:
        ConfigurationError: the file is not YAML, lacks a key, has one too many or a wrong value, or bears another name.
    """
    try:
        sample = Sample.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not valid YAML ({error}); correct it") from error
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}" for fault in error.errors())
        raise ConfigurationError(f"{path} is no sample ({'; '.join(faults)}); correct these keys") from error
    if sample.name != path.stem:
        raise ConfigurationError(f"{path} describes the sample {sample.name}; rename the file or the sample")
    return sample


def catalogue() -> dict[str, Sample]:
    """Return all samples by name, in the order of the names; raises what `read_sample` raises."""
    return {path.stem: read_sample(path) for path in sorted(Path(__file__).parent.glob("*.yaml"))}


def find_sample(name: str) -> Sample:
    """Return the sample of that name, or raise UnknownSample with the names near to it."""
    samples = catalogue()
    if name not in samples:
        raise UnknownSample(
            f"no sample '{name}' in the catalogue; {near_names(name, samples)} (python -m analysis.samples lists them)"
        )
    return samples[name]


def opendata_folder() -> Path | None:
    """Return the folder that the environment names in `OPENDATA_DIR`, None where it names none."""
    named = os.environ.get("OPENDATA_DIR")
    return Path(named) if named else None


def download_folder() -> Path:
    """Return the folder of the user's cache into which samples are fetched."""
    return cache_folder() / "samples"


def mismatch(path: Path, file: SampleFile) -> str | None:
    """Say in what the file at `path` differs from the catalogue, None where size and sha256 agree.

    Raises:
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    if size != file.size:
        return f"expected {file.size} bytes, found {size}"
    with path.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    return None if sha256 == file.sha256 else f"expected sha256 {file.sha256}, found {sha256}"


def _find(file: SampleFile, opendata: Path | None, cache: Path) -> Path | None:
    for folder in (opendata, cache):
        if folder is None:
            continue
        path = folder / file.path
        try:
            if not path.exists():
                continue
            fault = mismatch(path, file)
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}; check the file and its permissions") from error
        # A damaged file ends the search: the next place would hide that OPENDATA_DIR or the cache is not what it was.
        if fault:
            raise ChecksumMismatch(
                f"{path} is not the published file: {fault}; replace it, or remove it and it is looked for elsewhere"
            )
        return path
    return None


def locate(sample: Sample, opendata: Path | None, cache: Path) -> list[Path] | None:
    """Look for the files of a sample on this machine, each first under `opendata`, then under `cache`.

    Returns:
        The checked files in the catalogue's order, or None where one of them is not at hand.

    Raises:
        ChecksumMismatch: a file at hand differs from the catalogue in size or sha256.
        DataError: a file at hand cannot be read.
    """
    paths = [_find(file, opendata, cache) for file in sample.files]
    at_hand = [path for path in paths if path is not None]
    return at_hand if len(at_hand) == len(paths) else None


def obtain(sample: Sample, opendata: Path | None, cache: Path) -> list[Path]:
    """Return the checked files of a sample as `locate` does, and fetch into `cache` those that are not at hand.

    Raises:
        SampleUnavailable: a file is neither at hand nor downloadable.
        ChecksumMismatch: a file, at hand or downloaded, is not the one that the catalogue describes.
        DataError: a file cannot be read, or the cache cannot be written.
    """
    # Loaded here, so that a worker which has its files at hand needs no HTTP client.
    from analysis.samples.fetch import fetch_file

    found = [_find(file, opendata, cache) for file in sample.files]
    try:
        return [path or fetch_file(file, cache) for path, file in zip(found, sample.files, strict=True)]
    except SampleUnavailable as error:
        missing = ", ".join(str(file.path) for file, path in zip(sample.files, found, strict=True) if path is None)
        misspelt = f"OPENDATA_DIR={opendata} is not a folder; " if opendata and not opendata.is_dir() else ""
        raise SampleUnavailable(
            f"sample {sample.name} is neither at hand nor downloadable: {misspelt}{error}; "
            f"put {missing} ({sample.page}) under OPENDATA_DIR, or run "
            f"'python -m analysis.samples fetch {sample.name}' where there is a network, "
            "or run the analysis with --allow-simulated"
        ) from error
