"""Files of formats that are not read: what they are is said, and what is read, never that a whole one is damaged."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import re
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
import uproot

from rdf.errors import SourceError
from rdf.schema.model import Schema
from rdf.sources.formats import READ
from rdf.sources.source import open_source
from rdf.sources.tabular import is_table

SCHEMA = Schema(
    name="table",
    title="a table",
    tree="events",
    columns={"pt": "float64", "eta": "float64"},
    quantities={},
    features="razor",
)
CSV = b"pt,eta\n1.5,2.5\n"
VALUES = {"pt": np.array([1.5]), "eta": np.array([2.5])}


def zipped(**files: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/"), text)
    return content.getvalue()


def in_tar(text: bytes) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        info = tarfile.TarInfo("table.csv")
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text))
    return content.getvalue()


def made(write: Callable[[Path], object], folder: Path) -> bytes:
    path = folder / "made"
    write(path)
    content = path.read_bytes()
    path.unlink()
    return content


def as_root(path: Path) -> None:
    with uproot.recreate(path) as file:
        file.mktree("events", {"pt": "f8", "eta": "f8"})
        file["events"].extend(VALUES)


def as_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for name, values in VALUES.items():
            file[name] = values


def as_sqlite(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("create table t (pt real)")
    connection.commit()
    connection.close()


def as_numpy(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.ones((3, 2)))


def as_archive(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, **VALUES)


def as_parquet(path: Path) -> None:
    pa.parquet.write_table(pa.table(VALUES), path)


def as_feather(path: Path) -> None:
    pa.feather.write_feather(pa.table(VALUES), str(path))


CONTENTS: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "ROOT": (lambda folder: made(as_root, folder), "is a ROOT file, not .*; give it the ending .root"),
    "HDF5": (lambda folder: made(as_hdf5, folder), "is an HDF5 file, not .*; give it the ending .h5"),
    "numpy": (lambda folder: made(as_numpy, folder), "is a numpy array, not .*; give it the ending .npy"),
    "numpy archive": (
        lambda folder: made(as_archive, folder),
        "is an archive of numpy arrays; give it the ending .npz",
    ),
    "Parquet": (lambda folder: made(as_parquet, folder), "is a Parquet file, not .*; give it the ending .parquet"),
    "gzip": (
        lambda _: gzip.compress(b"\0" * 50),
        "is a file packed by gzip; unpack it|no table: its first|is not a table",
    ),
    "bzip2": (lambda _: bz2.compress(CSV), "is a file packed by bzip2; unpack it"),
    "xz": (lambda _: lzma.compress(CSV), "is a file packed by xz; unpack it"),
    "zstd": (lambda _: pa.compress(CSV, "zstd", asbytes=True), "is a file packed by zstd; unpack it"),
    "zip": (lambda _: zipped(a=CSV), "is a zip archive; unpack it, and name a file in it"),
    "Excel": (lambda _: zipped(xl__workbook=b"<xml/>"), "is an Excel workbook; save its table as CSV"),
    "old Excel": (lambda _: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "is an old Excel or Office file"),
    "Feather": (lambda folder: made(as_feather, folder), r"is an Arrow \(Feather\) file"),
    "SQLite": (lambda folder: made(as_sqlite, folder), "is an SQLite data base"),
    "FITS": (lambda _: b"SIMPLE  =                    T" + b" " * 2850, "is a FITS file"),
    "PDF": (lambda _: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(range(256)), "is a PDF document"),
    "picture": (lambda _: b"\x89PNG\r\n\x1a\n" + bytes(100), "is a picture"),
    "pickle": (lambda _: pickle.dumps(VALUES), "is a pickle, which could run any code"),
    "JSON": (lambda _: json.dumps({"pt": [1.5]}).encode(), "is a JSON file"),
    "JSON list": (lambda _: json.dumps([{"pt": 1.5}], indent=1).encode(), "is a JSON file"),
    "LHE": (lambda _: b"<LesHouchesEvents version='3.0'>\n", r"is a file of generated events \(LHE\)"),
    "HepMC": (lambda _: b"\nHepMC::Version 3.02.05\nHepMC::Asciiv3-START_EVENT_LISTING\n", r"\(HepMC\)"),
    "XML": (lambda _: b'<?xml version="1.0"?><events/>', "is an XML file"),
    "web page": (
        lambda _: b"\n<!DOCTYPE html>\n<html>404</html>",
        "is a web page, maybe an error .*; get the file itself",
    ),
    "git-lfs": (lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n", "`git lfs pull`"),
    "tar": (lambda _: in_tar(CSV), "is not an? .*, nor of another format that is known"),
    "noise": (lambda _: np.random.default_rng(4).bytes(3000), "is not an? .*, nor of another format that is known"),
    "UTF-16": (lambda _: CSV.decode().encode("utf-16"), "is text in UTF-16; save it as UTF-8"),
}
ENDINGS = (".csv", ".txt", ".root", ".npy", ".npz", ".h5", ".parquet", "")
FITTING = {"ROOT": (".root", ""), "HDF5": (".h5",), "numpy": (".npy",), "Parquet": (".parquet",)}
FITTING |= {"numpy archive": (".npz",)}


@pytest.mark.parametrize("what", CONTENTS)
def test_what_a_file_is_and_what_is_read(what: str, tmp_path: Path) -> None:
    make, message = CONTENTS[what]
    content = make(tmp_path)
    for ending in ENDINGS:
        if ending in FITTING.get(what, ()):
            continue
        path = tmp_path / f"table{ending}"
        path.write_bytes(content)
        with pytest.raises(SourceError) as caught:
            open_source([str(path)], SCHEMA, tmp_path / "cache", [None])
        said = str(caught.value)
        assert said.startswith(str(path))
        assert "\n" not in said
        assert "again" not in said
        assert "delete" not in said
        if ending == ".npz" and content.startswith(b"PK"):
            continue  # an archive, of other things than arrays: tests/rdf/test_numpy_table.py
        assert re.search(message, said), said


def test_every_ending_that_is_named_is_read() -> None:
    for ending in (".csv", ".tsv", ".txt", ".dat", ".npy", ".npz", ".h5", ".hdf5", ".hdf", ".parquet", ".pq"):
        assert ending in READ
        assert is_table(f"table{ending}")
    assert is_table("table.csv.gz")
    assert not any(is_table(f"table{ending}") for ending in (".root", ".npy.gz", ".root.gz", ".xlsx", ".json", ""))
