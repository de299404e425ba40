"""Fetches the files of a sample from the portal into the cache: resumable, checked, and whole or not there at all."""

from __future__ import annotations

import fcntl
import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import requests
import urllib3
from requests.utils import get_environ_proxies, select_proxy
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from analysis.console.program import error_console
from analysis.errors import ChecksumMismatch, DataError, SampleUnavailable
from analysis.samples.checks import check, difference, remember
from analysis.samples.connection import ADDRESS_TIMEOUT, check_host
from analysis.samples.model import Download, SampleFile
from rdf.disk import require_room

READ_TIMEOUT = 30.0  # seconds
BLOCK = 1 << 16  # bytes


def check_room(files: Iterable[SampleFile], cache: Path) -> None:
    """Refuse to begin a download that the disk cannot hold.

    Raises:
        DataError: says what is needed and what is free.
    """
    needed = 0
    for file in files:
        if file.published:
            partial = _beside(cache / file.path, ".part")
            needed += file.published.size - (partial.stat().st_size if partial.exists() else 0)
            needed += file.size or 0 if file.published.compression else 0
    folder = next(folder for folder in (cache, *cache.parents) if folder.is_dir())

    def refusal(free: int) -> DataError:
        return DataError(
            f"{cache}: {decimal(needed)} are to be downloaded and {decimal(free)} are free; make room there, or move "
            "the cache with XDG_CACHE_HOME"
        )

    require_room(folder, needed, refusal)


def fetch_file(file: SampleFile, cache: Path) -> Path:
    """Download one file, check it, unpack it where it is packed, and check it again.

    The download grows in `<path>.part` and stays there when it is interrupted: the next one resumes it. The file gets
    its name when it is whole. Of several processes that fetch it one downloads, the others wait and take what it left.

    Returns:
        The file below `cache`.

    Raises:
        SampleUnavailable: the file is not published, or the portal cannot be reached, refuses, or breaks off.
        ChecksumMismatch: the download or the file in it is not the published one (size, adler32 or sha256).
        DataError: the cache cannot be written, or is full.
    """
    if file.published is None:
        raise SampleUnavailable(f"no portal publishes {file.path}")
    final = cache / file.path
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with _sole_fetcher(final):
            if not final.exists():
                _fetch(file, file.published, final)
                remember(final, file, cache)
            elif fault := check(final, file, cache):
                raise ChecksumMismatch(f"{final} is not the published file: {fault}; remove it and fetch again")
    except OSError as error:
        raise DataError(
            f"cannot write {final}: {error.strerror}; make room or a writable folder there, or move the cache with "
            "XDG_CACHE_HOME"
        ) from error
    return final


def receive_small(url: str, most: int) -> bytes:
    """Download what is small, and of which nobody publishes the size.

    Args:
        url: its address.
        most: bytes that it holds, at most; one more is returned where there are more.

    Raises:
        SampleUnavailable: the server cannot be reached, refuses, or breaks off.
    """
    _check_reachable(url)
    content = b""
    try:
        with requests.Session() as session, _get(session, url, {}) as response:
            if response.status_code != 200:
                raise SampleUnavailable(f"{url} answers {response.status_code} {response.reason}")
            for block in response.iter_content(BLOCK):
                content += block
                if len(content) > most:
                    break
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise SampleUnavailable(f"the download of {url} broke off ({type(error).__name__})") from error
    return content[: most + 1]


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


@contextmanager
def _sole_fetcher(final: Path) -> Iterator[None]:
    # The lock file is left behind: were it removed, two processes could hold locks on two files of one name.
    with _beside(final, ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            error_console().print(f"another process fetches {final.name}; waiting for it", highlight=False)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(file: SampleFile, download: Download, final: Path) -> None:
    partial = _beside(final, ".part")
    _download(download, partial)
    if download.compression:
        sent = SampleFile(path=PurePosixPath(partial), size=download.size, adler32=download.adler32)
        _check_sent(download, partial, sent)
        assert file.size is not None  # the catalogue has it of each file that comes packed
        _unpack(file, file.size, download, partial, final)
    else:
        _check_sent(download, partial, file)
        partial.replace(final)
        _discard(partial)


def _check_reachable(url: str) -> None:
    proxy = select_proxy(url, get_environ_proxies(url))
    way = proxy or url
    target = urlsplit(way if "://" in way else f"http://{way}")
    host, port = target.hostname or "", target.port or (443 if target.scheme == "https" else 80)
    check_host(host, port, url)


def _download(download: Download, partial: Path) -> None:
    # The validator names the version of the remote file that was begun to download (RFC 9110, section 13.1.5).
    validator = _beside(partial, ".validator")
    have = partial.stat().st_size if partial.exists() else 0
    if have == download.size:
        return
    # Without "identity" a server may compress once more, and size and adler32 would be those of something else.
    headers = {"Accept-Encoding": "identity"}
    resume = {"Range": f"bytes={have}-"} if have else {}
    if have and validator.exists() and (version := validator.read_text(encoding="latin-1")):
        resume["If-Range"] = version
    _check_reachable(download.url)
    try:
        with requests.Session() as session:
            response = _get(session, download.url, headers | resume)
            resumed = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            if response.status_code == 416 or (response.status_code == 206 and not resumed):
                response.close()
                response = _get(session, download.url, headers)
                resumed = False
            with response:
                if response.status_code != (206 if resumed else 200):
                    raise SampleUnavailable(f"{download.url} answers {response.status_code} {response.reason}")
                _check_announced(response, download, have if resumed else 0)
                if not resumed:
                    partial.unlink(missing_ok=True)
                    validator.write_text(_version(response), encoding="latin-1")
                _receive(response, download, partial)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise SampleUnavailable(
            f"the download of {download.url} broke off ({type(error).__name__}), the next fetch resumes it"
        ) from error


def _get(session: requests.Session, url: str, headers: dict[str, str]) -> requests.Response:
    return session.get(url, headers=headers, stream=True, timeout=(ADDRESS_TIMEOUT, READ_TIMEOUT))


def _receive(response: requests.Response, download: Download, partial: Path) -> None:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with partial.open("ab") as content, Progress(*columns, TimeRemainingColumn(), console=error_console()) as progress:
        task = progress.add_task(download.url.rpartition("/")[2], total=download.size, completed=content.tell())
        # The raw stream: some servers label a .gz file "Content-Encoding: gzip", and requests would unpack it.
        # One byte more than is expected is read: then it is not the published file, whatever more would come.
        while block := response.raw.read(min(BLOCK, download.size + 1 - content.tell()), decode_content=False):
            content.write(block)
            progress.update(task, completed=content.tell())


def _check_announced(response: requests.Response, download: Download, have: int) -> None:
    """Refuse what is larger than the published file before any of it is read."""
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and have + int(announced[:20]) > download.size:
        raise ChecksumMismatch(
            f"{download.url} did not send the published file: expected {download.size} bytes, "
            f"{have + int(announced[:20])} are announced; fetch again, or correct the catalogue"
        )


def _version(response: requests.Response) -> str:
    """Return the strong ETag, else the date of the last change, as If-Range wants it."""
    etag = response.headers.get("ETag", "W/")
    return response.headers.get("Last-Modified", "") if etag.startswith("W/") else etag


def _check_sent(download: Download, partial: Path, file: SampleFile) -> None:
    if fault := difference(partial, file):
        _discard(partial)
        raise ChecksumMismatch(f"{download.url} did not send the published file: {fault}; it was removed, fetch again")


def _unpack(file: SampleFile, size: int, download: Download, partial: Path, final: Path) -> None:
    whole = _beside(final, ".unpacked")
    try:
        try:
            with gzip.open(partial) as packed, whole.open("wb") as content:
                # A page of zeros unpacks to gigabytes: no more is unpacked than is expected, and one byte.
                left = size + 1
                while left and (block := packed.read(min(BLOCK, left))):
                    left -= content.write(block)
            fault = difference(whole, file) if left else f"it holds more than the expected {size} bytes"
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            fault = f"not a whole gzip file ({error})"
        if fault:
            _discard(partial)
            raise ChecksumMismatch(
                f"{download.url} does not hold the published {file.path}: {fault}; it was removed, fetch again or "
                "correct the catalogue"
            )
        whole.replace(final)
        _discard(partial)
    finally:
        whole.unlink(missing_ok=True)


def _discard(partial: Path) -> None:
    partial.unlink(missing_ok=True)
    _beside(partial, ".validator").unlink(missing_ok=True)
