"""A path means one file: the file that is named is read, whatever ROOT takes its name for."""

from __future__ import annotations

import os
import pickle
import shutil
import string
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rdf.code.interpreter import ROOT
from rdf.errors import SourceError, UnreadableFile
from rdf.execution.event_loop import EventLoop, use_threads
from rdf.local_files import LocalFiles, is_plain
from rdf.schema.model import Schema
from rdf.sources.source import open_source
from tests.rdf.trees import WRITERS

pytestmark = pytest.mark.compiler

ODD_NAMES = (
    *(f"x{character}1.root" for character in string.printable[:95] if character != "/"),
    *("~", "~root.root", "-x.root", "-", "%20.root", "$HOME.root", "$HOME", "a.root?x", "x|y.root", "a.root#b"),
    *("[0-9].root", "{a,b}.root", "*.root", "?.root", "a b.root", "größe.root", "日本.root", "http:", "file:x.root"),
    *("root:x.root", "x.root:t", "a.root.root", "x\ty.root", "x\ny.root", "x.root;1", "x.zip#1", "@list"),
    *("a,b.root", "no ending", "\N{SNOWMAN}.root", f"{'long ' * 45}.root"),
)
ODD_FOLDERS = (
    *("run[2]", "a*b", "c?d", "e.root", "f|g", "$HOME", "~", "http:", "x y", "#h", "file:", "{i,j}", "é", "-k", "%20"),
    "l;m",
)
DECOYS = ("x1.root", "xa1.root", "0.root", "1.root", "a.root", "y.root", "b.root", "x.root")
"""Names that a pattern would match, or that are left of a name when something is cut off."""

SCHEMA = Schema.model_validate(
    {
        "name": "numbers",
        "title": "",
        "tree": "t",
        "columns": {"x": "float64"},
        "quantities": {},
        "define": {"x_": "x", "y_": "2 * x"},
        "features": "razor",
    }
)


def write_numbered(kind: str, path: Path, value: float) -> str:
    """A file with three entries of one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name("draft")
    WRITERS[kind](draft.with_suffix(".root"), "t", {"x": np.full(3, value)}, {"x": "float64"}).replace(path)
    return str(path)


def values_of(files: Sequence[str], cache: Path, threads: int = 1) -> list[float]:
    use_threads(threads)
    source = open_source(files, SCHEMA, cache, [None] * len(files))
    loop = EventLoop(source, (0, source.events))
    taken = loop.events.Take["double"]("x")
    loop.run([taken])
    return sorted(float(x) for x in taken.GetValue())


@pytest.mark.parametrize("kind", WRITERS)
def test_the_named_file_is_read_whatever_its_name_and_its_folder_are(kind: str, tmp_path: Path) -> None:
    for i, name in enumerate(DECOYS):
        write_numbered(kind, tmp_path / name, -1.0 - i)
    paths = [tmp_path / name for name in ODD_NAMES if name not in DECOYS]
    paths += [tmp_path / "folders" / folder / "x.root" for folder in ODD_FOLDERS]
    paths += [tmp_path / "folders" / folder / "[0-9]?.root" for folder in ODD_FOLDERS]
    files = [write_numbered(kind, path, float(i)) for i, path in enumerate(paths)]
    expected = sorted([float(i) for i in range(len(files))] * 3)
    assert values_of(files, tmp_path) == expected
    assert values_of(files, tmp_path, threads=2) == expected


def test_entries_are_numbered_in_files_of_odd_names(tmp_path: Path) -> None:
    files = [write_numbered("ttree", tmp_path / f"part[{i}].root", float(i)) for i in range(3)]
    for threads in (1, 2):
        use_threads(threads)
        head = open_source(files, SCHEMA, tmp_path, [None] * 3)
        found = head.open().AsNumpy(["source_row", "x"])
        assert dict(zip(found["source_row"].tolist(), found["x"].tolist(), strict=True)) == {
            row: float(row // 3) for row in range(9)
        }


def test_messages_name_the_file_and_not_the_path_by_which_root_opens_it(tmp_path: Path) -> None:
    path = Path(write_numbered("ttree", tmp_path / "odd[1].root", 1.0))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UnreadableFile, match=r"odd\[1\]\.root is not a whole ROOT file") as caught:
        values_of([str(path)], tmp_path)
    assert "/proc/" not in str(caught.value)


def test_many_files_of_a_folder_need_one_open_folder(tmp_path: Path) -> None:
    local = LocalFiles()
    folder = tmp_path / "my data"
    folder.mkdir()
    paths = {local.path_of(str(folder / f"{i}.root")) for i in range(1000)}
    assert len({path.rpartition("/")[0] for path in paths}) == 1
    assert len(paths) == 1000
    held = int(next(iter(paths)).split("/")[4])
    assert os.path.samestat(os.fstat(held), folder.stat())
    del local
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(held)


def test_plain_paths_and_addresses_are_given_as_they_are() -> None:
    local = LocalFiles()
    for path in ("/data/a_1-2.root", "root://host//x_1.root?remote=1"):
        assert local.path_of(path) == path
    for path in ("/d/x.root/y.root", "/d/a b", "", "/" + "x" * 1000):
        assert not is_plain(path)
    for address in (
        "root://h//x*.root",
        "root://h//x[1].root",
        "root://h//a.root/b.root",
        "root://h//x?.root?remote=1",
    ):
        with pytest.raises(UnreadableFile, match="in an address for something else; name each file, or download it"):
            local.path_of(address)
    with pytest.raises(UnreadableFile, match=r"a b\.root cannot be opened: No such file"):
        local.path_of("/nowhere/at all/a b.root")


def test_it_does_not_travel() -> None:
    assert pickle.loads(pickle.dumps(LocalFiles())).named("/proc/self/fd/3") == "/proc/self/fd/3"


def test_a_file_that_is_replaced_changed_or_removed_is_named(tmp_path: Path) -> None:
    for change, words in (
        (lambda path: shutil.copyfile(path, tmp_path / "new").replace(path), "was removed or replaced"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "was changed"),
        (lambda path: path.unlink(), "was removed or replaced"),
    ):
        path = Path(write_numbered("ttree", tmp_path / "input.root", 1.0))
        use_threads(1)
        source = open_source([str(path)], SCHEMA, tmp_path, [None])
        loop = EventLoop(source, (0, 3))
        total = loop.events.Sum("x")
        change(path)
        with pytest.raises(SourceError, match=rf"input\.root {words} while it was read; wait until it is whole"):
            loop.run([total])


def test_a_file_that_is_replaced_between_two_looks_at_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RDataFrame finds another file than the one in which the tree was found."""
    path = Path(write_numbered("ttree", tmp_path / "input.root", 1.0))
    other = tmp_path / "other"
    other.write_text("no events any more")

    class Replacing:
        """ROOT, but for a file that is replaced before an RDataFrame finds it."""

        def __getattr__(self, name: str) -> object:
            return self.replace_and_read if name == "RDataFrame" else getattr(ROOT, name)

        def replace_and_read(self, *arguments: object) -> object:
            other.replace(path)
            return ROOT.RDataFrame(*arguments)

    monkeypatch.setattr("rdf.sources.source.ROOT", Replacing())
    with pytest.raises(UnreadableFile, match=r"input\.root was removed or replaced while it was read"):
        open_source([str(path)], SCHEMA, tmp_path, [None])
