"""Lists of certified runs: where they are found, and what they say. They are small, and read whole."""

from __future__ import annotations

import hashlib
import zlib
from contextlib import suppress
from pathlib import Path

from analysis.errors import ChecksumMismatch, DataError, SampleUnavailable
from analysis.samples.model import EOS, PORTAL, Sample, SampleFile
from analysis.samples.named_files import check_exists
from plotting.results import record_tables as recorded
from rdf.drafts import whole_file
from rdf.schema.certified import CertifiedRuns, parse_certified

LARGEST = 20_000_000
"""Bytes of a list that is read, at most: all of a year's runs take a hundredth of that."""


def describe_list(certified: CertifiedRuns | None) -> recorded.CertifiedRuns | None:
    """Return what run.json says of a list."""
    if certified is None:
        return None
    runs = len(certified.blocks)
    return recorded.CertifiedRuns(name=certified.name, sha256=certified.sha256, runs=runs, sections=certified.sections)


def given_list(named: str) -> CertifiedRuns:
    """Read the list that the user names: a file, or an address, from which it is fetched each time.

    Raises:
        DataError: it is not there, or cannot be fetched.
        UnreadableFile: it is no list of certified runs.
    """
    if "://" in named:
        return _checked(_download(named), SampleFile.model_construct(), named)
    check_exists(Path(named), "--certified")
    return _checked(_read(Path(named)), SampleFile.model_construct(), named)


def list_of_sample(file: SampleFile, folder: Path, named_in: Path) -> CertifiedRuns:
    """Read the list that a user's own sample file names, a path relative to the folder or an address.

    Raises:
        DataError: it is not there, cannot be fetched, or is another one than the sample file says.
        UnreadableFile: it is no list of certified runs.
    """
    if file.url:
        return _checked(_download(file.url), file, file.url)
    path = folder / file.path
    check_exists(path, f"`certified` in {named_in}")
    return _checked(_read(path), file, str(path))


def list_of_catalogue(sample: Sample, opendata: Path | None, cache: Path) -> CertifiedRuns:
    """Read the list of a sample of the catalogue, which is fetched to the cache where it is not at hand.

    Raises:
        SampleUnavailable: it is neither at hand nor to be fetched.
        DataError: it cannot be read, or is another one than the catalogue says.
        UnreadableFile: it is no list of certified runs.
    """
    file = sample.certified
    assert file is not None
    if path := place_of_list(file, opendata, cache):
        return _checked(_read(path), file, str(path))
    name = file.path.name
    try:
        text = _download(file.url or "")
    except SampleUnavailable as error:
        raise SampleUnavailable(
            f"sample {sample.name}: its list of certified runs, {name}, is neither at hand nor downloadable: {error}; "
            f"put it{f' ({file.url})' if file.url else ''} under OPENDATA_DIR as {file.path}, name a copy with "
            "--certified FILE, or go on without it with --uncertified"
        ) from error
    found = _checked(text, file, file.url or name)
    with suppress(OSError):  # without a writable cache it is fetched again next time
        (cache / file.path).parent.mkdir(parents=True, exist_ok=True)
        with whole_file(cache / file.path) as draft:
            draft.write_bytes(text)
    return found


def place_of_list(file: SampleFile, opendata: Path | None, cache: Path) -> Path | None:
    """Return where the list of a sample of the catalogue lies on this machine, None where it does not."""
    return next((folder / file.path for folder in (opendata, cache) if folder and (folder / file.path).exists()), None)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as content:
            return content.read(LARGEST + 1)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; check the file and its permissions") from error


def _download(url: str) -> bytes:
    url = url.replace(EOS, PORTAL, 1)
    if not url.startswith("http"):
        what = f"{url} is no address that begins with http" if url else "no portal publishes it"
        raise SampleUnavailable(what)
    # Loaded here, so that a worker which has its list at hand needs no HTTP client.
    from analysis.samples.fetch import receive_small

    return receive_small(url, LARGEST)


def _checked(text: bytes, file: SampleFile, place: str) -> CertifiedRuns:
    """Return the list that was read, which has to be the one that a sample file describes, if one does."""
    if len(text) > LARGEST:
        raise DataError(f"{place} is larger than {LARGEST} bytes, which no list of certified runs is; name another one")
    found = {"size": len(text), "sha256": hashlib.sha256(text).hexdigest(), "adler32": f"{zlib.adler32(text):08x}"}
    for key, value in found.items():
        if (expected := getattr(file, key)) not in (None, value):
            raise ChecksumMismatch(f"{place} is not the published list: expected {key} {expected}, found {value}")
    parsed = parse_certified(text, place)
    return CertifiedRuns(place.rpartition("/")[2], parsed.text, parsed.blocks)
