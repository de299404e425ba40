"""Formats of files: which are read, and what a file is that is of none of them, by its first bytes."""

from __future__ import annotations

import zipfile
from pathlib import Path

from rdf.errors import UnreadableFile

ROOT_MAGIC = b"root"
"""What a ROOT file begins with."""

GZIP_MAGIC = b"\x1f\x8b"
"""What a file begins with that gzip packed."""

READ = (
    "ROOT (.root), CSV (.csv, .tsv, .txt, .dat, packed by gzip too), numpy (.npy, .npz), HDF5 (.h5, .hdf5, .hdf) "
    "and Parquet (.parquet, .pq)"
)
"""The formats that are read, in words."""

_ENDINGS = {
    ".root": "ROOT",
    **dict.fromkeys((".csv", ".tsv", ".txt", ".dat"), "text"),
    **dict.fromkeys((".npy", ".npz"), "numpy"),
    **dict.fromkeys((".h5", ".hdf5", ".hdf"), "HDF5"),
    **dict.fromkeys((".parquet", ".pq"), "Parquet"),
}

_READ_MAGICS = {
    ROOT_MAGIC: ("a ROOT file", ".root"),
    b"\x89HDF\r\n\x1a\n": ("an HDF5 file", ".h5"),
    b"\x93NUMPY": ("a numpy array", ".npy"),
    b"PAR1": ("a Parquet file", ".parquet"),
}
"""First bytes -> what a file is that is read, and the ending that it has to have."""

_PACKED_MAGICS = {
    GZIP_MAGIC: "a file packed by gzip",
    b"BZh": "a file packed by bzip2",
    b"\xfd7zXZ\0": "a file packed by xz",
    b"\x28\xb5\x2f\xfd": "a file packed by zstd",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
}

_OTHER_MAGICS = {
    b"\xd0\xcf\x11\xe0": "an old Excel or Office file",
    b"ARROW1": "an Arrow (Feather) file",
    b"SQLite format 3\0": "an SQLite data base",
    b"SIMPLE  =": "a FITS file",
    b"MATLAB 5.0": "a MATLAB file",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\x7fELF": "a program",
    **{bytes([128, protocol]): "a pickle, which could run any code" for protocol in range(2, 6)},
}

_TEXTS = {
    b"<leshouchesevents": "a file of generated events (LHE)",
    b"hepmc::": "a file of generated events (HepMC)",
    b"<?xml": "an XML file",
    b"{": "a JSON file",
    b"[": "a JSON file",
}

_HEAD = 4096  # bytes in which a file shows what it is


def format_of(path: Path) -> str | None:
    """Return the format that a file has by its ending, as "ROOT" or "text"; None where it is none that is read."""
    name = path.name.lower()
    ending = Path(name.removesuffix(".gz")).suffix
    found = _ENDINGS.get(ending)
    return found if found == "text" or not name.endswith(".gz") else None


def is_root(path: Path) -> bool:
    """Say whether a file begins as ROOT files do, as far as it goes; it may be damaged all the same."""
    begin = head_of(path)[: len(ROOT_MAGIC)]
    return ROOT_MAGIC.startswith(begin)


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file."""
    with path.open("rb") as file:
        return file.read(_HEAD)


def other_format(path: Path, wanted: str, head: bytes | None = None) -> UnreadableFile:
    """Return the error that says what a file is in place of what its ending promises, and what to do.

    Args:
        path: of the file, which is not what is wanted.
        wanted: as in "a ROOT file".
        head: its first bytes, where it is packed and these are those of what is in it.
    """
    head = head_of(path) if head is None else head
    if known := known_format(path, wanted, head):
        return known
    if not head:
        return UnreadableFile(f"{path} is empty; download it again")
    if b"\0" in head or any(byte < 7 for byte in head):
        return UnreadableFile(f"{path} is not {wanted}, nor of another format that is known; read are {READ}")
    return UnreadableFile(f"{path} is text, not {wanted}; if it is a table, give it the ending .csv; read are {READ}")


def known_format(path: Path, wanted: str, head: bytes) -> UnreadableFile | None:
    """Return the error that says what a file is in place of what is wanted; None where its first bytes do not tell."""
    for magic, (what, ending) in _READ_MAGICS.items():
        if head.startswith(magic) and what != wanted:
            return UnreadableFile(f"{path} is {what}, not {wanted}; give it the ending {ending}")
    for magic, what in _PACKED_MAGICS.items():
        if head.startswith(magic):
            return UnreadableFile(f"{path} is {what}; unpack it, and give the file its own ending; read are {READ}")
    if head.startswith(b"PK\x03\x04"):
        return _of_zip(path)
    if _is_utf16(head):
        return not_utf8(path, head)
    begin = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if begin.startswith((b"<!doctype html", b"<html")):
        return UnreadableFile(f"{path} is a web page, maybe an error that stands in for the file; get the file itself")
    if begin.startswith(b"version https://git-lfs"):
        return UnreadableFile(f"{path} is a pointer to the file; `git lfs pull` gets the file itself")
    kinds = [what for magic, what in _OTHER_MAGICS.items() if head.startswith(magic)]
    kinds += [what for words, what in _TEXTS.items() if begin.startswith(words)]
    return UnreadableFile(f"{path} is {kinds[0]}; read are {READ}") if kinds else None


def not_utf8(path: Path, head: bytes, place: str = "") -> UnreadableFile:
    """Return the error for a text in another encoding than UTF-8.

    Args:
        path: of the file.
        head: some of its bytes.
        place: of these, as in ", line 3".
    """
    encoding = "UTF-16" if _is_utf16(head) else "LATIN1"
    what = "UTF-16" if encoding == "UTF-16" else "another encoding than UTF-8, maybe Latin-1"
    return UnreadableFile(
        f"{path}{place} is text in {what}; save it as UTF-8, as `iconv -f {encoding} -t UTF-8 {path.name} > "
        f"utf8_{path.name}` does"
    )


def _is_utf16(head: bytes) -> bool:
    """Say whether a text begins with UTF-16's mark, or has zeros as every second byte, as words in UTF-16 have."""
    return head.startswith((b"\xff\xfe", b"\xfe\xff")) or (
        len(head) > 3 and (not any(head[1:64:2]) or not any(head[:64:2])) and any(head[:64])
    )


def _of_zip(path: Path) -> UnreadableFile:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, NotImplementedError):
        names = []
    if any(name.startswith("xl/") for name in names):
        return UnreadableFile(f"{path} is an Excel workbook; save its table as CSV; read are {READ}")
    if names and all(name.endswith(".npy") for name in names):
        return UnreadableFile(f"{path} is an archive of numpy arrays; give it the ending .npz")
    return UnreadableFile(f"{path} is a zip archive; unpack it, and name a file in it; read are {READ}")
