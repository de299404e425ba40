"""The catalogue of samples: which open data there is, where its files lie, and whether they are the published ones.

One YAML file a sample, beside this module. A file is looked for under `OPENDATA_DIR`, then in the user's cache, then
fetched from the portal; of the large samples what is not at hand is read from the portal as it is. Wherever a file is
found, its size and checksum must be those of the catalogue.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, PositiveInt, TypeAdapter, ValidationError

from analysis.errors import ChecksumMismatch, DataError, SampleUnavailable, UnknownSample, near_names
from analysis.samples.checks import check
from analysis.samples.connection import check_streams
from analysis.samples.model import Original, Sample, SampleFile, read_sample
from rdf.cache import cache_folder

__all__ = [
    "Original",
    "Sample",
    "SampleFile",
    "catalogue",
    "download_folder",
    "find_sample",
    "list_files",
    "locate",
    "obtain",
    "opendata_folder",
    "read_sample",
]


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
    return cache_folder("samples")


def locate(sample: Sample, opendata: Path | None, cache: Path) -> list[Path] | None:
    """Look for the files of a sample on this machine, each first under `opendata`, then under `cache`.

    Returns:
        The checked files in the catalogue's order, or None where one of them, or a list of them, is not at hand.

    Raises:
        ChecksumMismatch: a file at hand differs from the catalogue in size or checksum.
        DataError: a file at hand cannot be read.
    """
    found = [_find(file, opendata, cache) for file in sample.indexes or sample.files]
    paths = [path for path in found if path is not None]
    if len(paths) < len(found):
        return None
    return locate(_listed(sample, paths), opendata, cache) if sample.indexes else paths


def list_files(sample: Sample, opendata: Path | None, cache: Path) -> Sample:
    """Return a sample with all its files, reading, and fetching if need be, the indexes that name them.

    Raises:
        SampleUnavailable: an index is neither at hand nor downloadable.
        ChecksumMismatch: an index, at hand or downloaded, is not the one that the catalogue describes.
        DataError: an index cannot be read, or the cache cannot be written.
    """
    if not sample.indexes:
        return sample
    with _remedies(sample, sample.indexes, opendata, cache):
        return _listed(sample, _fetch_missing(sample.indexes, opendata, cache))


def obtain(sample: Sample, opendata: Path | None, cache: Path, download: bool = False) -> list[str]:
    """Return where the files of a sample can be read: those at hand as `locate` does, else as the sample's access says.

    Args:
        sample: of the catalogue.
        opendata: looked into first.
        cache: looked into next; downloads go there.
        download: also what would be read over the network.

    Returns:
        A checked path, or a `root://` address whose host answers, for each file in the catalogue's order.

    Raises:
        SampleUnavailable: a file is neither at hand nor can it be had from the portal.
        ChecksumMismatch: a file, at hand or downloaded, is not the one that the catalogue describes.
        DataError: a file cannot be read, or the cache cannot be written or has no room for the sample.
    """
    sample = list_files(sample, opendata, cache)
    with _remedies(sample, sample.files, opendata, cache):
        if sample.access == "fetch" or download:
            return [str(path) for path in _fetch_missing(sample.files, opendata, cache)]
        found = [_find(file, opendata, cache) for file in sample.files]
        places = [str(path or file.url) for path, file in zip(found, sample.files, strict=True)]
        check_streams(place for place, path in zip(places, found, strict=True) if path is None)
        return places


def _find(file: SampleFile, opendata: Path | None, cache: Path) -> Path | None:
    for folder in (opendata, cache):
        if folder is None:
            continue
        path = folder / file.path
        try:
            if not path.exists():
                continue
            fault = check(path, file, cache)
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}; check the file and its permissions") from error
        # A damaged file ends the search: the next place would hide that OPENDATA_DIR or the cache is not what it was.
        if fault:
            raise ChecksumMismatch(
                f"{path} is not the published file: {fault}; replace it, or remove it and it is looked for elsewhere"
            )
        return path
    return None


def _fetch_missing(files: Sequence[SampleFile], opendata: Path | None, cache: Path) -> list[Path]:
    found = [_find(file, opendata, cache) for file in files]
    missing = [file for file, path in zip(files, found, strict=True) if path is None]
    if not missing:
        return [path for path in found if path]
    # Loaded here, so that a worker which has its files at hand needs no HTTP client.
    from analysis.samples.fetch import check_room, fetch_file

    check_room(missing, cache)
    return [path or fetch_file(file, cache) for path, file in zip(found, files, strict=True)]


class _IndexEntry(BaseModel):
    """One file of an index as the portal writes it; what else it says is of no use here."""

    uri: str = Field(pattern="^root://")
    size: PositiveInt
    checksum: str = Field(pattern="^adler32:[0-9a-f]{8}$")


_INDEX = TypeAdapter(Annotated[list[_IndexEntry], Field(min_length=1)])


def _listed(sample: Sample, indexes: Sequence[Path]) -> Sample:
    """Return the sample with the files that its indexes name in place of these."""
    files = []
    for path in indexes:
        try:
            entries = _INDEX.validate_json(path.read_bytes())
            files += [
                SampleFile.model_validate(
                    {"url": entry.uri, "size": entry.size, "adler32": entry.checksum.removeprefix("adler32:")}
                )
                for entry in entries
            ]
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}; check the file and its permissions") from error
        except ValidationError as error:
            fault = error.errors()[0]
            raise DataError(
                f"{path} is no list of files as the portal publishes them "
                f"({'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}); correct the catalogue"
            ) from error
    return sample.model_copy(update={"files": tuple(files), "indexes": ()})


@contextmanager
def _remedies(sample: Sample, files: Sequence[SampleFile], opendata: Path | None, cache: Path) -> Iterator[None]:
    """Let an error that says why a sample cannot be had also say what can be done about it."""
    try:
        yield
    except SampleUnavailable as error:
        missing = [file for file in files if _find(file, opendata, cache) is None]
        names = ", ".join(str(file.path) for file in missing) if len(missing) < 5 else f"its {len(missing)} files"
        source = sample.origin or sample.page
        remedies = [f"put {names}{f' ({source})' if source else ''} under OPENDATA_DIR"]
        if all(file.published for file in missing):
            remedies.append(f"run 'python -m analysis.samples fetch {sample.name}' where there is a network")
        if sample.simulation:
            remedies.append("run the analysis with --allow-simulated")
        misspelt = f"OPENDATA_DIR={opendata} is not a folder; " if opendata and not opendata.is_dir() else ""
        had = "readable over the network" if sample.access == "stream" else "downloadable"
        raise SampleUnavailable(
            f"sample {sample.name} is neither at hand nor {had}: {misspelt}{error}; {', or '.join(remedies)}"
        ) from error
