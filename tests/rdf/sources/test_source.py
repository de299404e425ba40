"""Files of events: the same from TTree and RNTuple, and each refusal with its reason."""

from __future__ import annotations

import shutil
from array import array
from pathlib import Path

import numpy as np
import pytest
import uproot

from rdf.code.interpreter import ROOT, include_kernels
from rdf.errors import EventLoopFailed, MissingColumn, NoEvents, SourceError, UnreadableFile
from rdf.execution.event_loop import EventLoop, use_threads
from rdf.schema.model import Schema, load_schema
from rdf.schema.tables import Available
from rdf.sources.source import Source, open_source

pytestmark = pytest.mark.compiler

EVENTS = 5000


def schema_of(tree: str = "Events", **columns: str) -> Schema:
    """A format in which each column is a physics column, of the name that it has in the file and an underscore."""
    columns = columns or {"mass": "float64", "charge": "int32", "event": "uint64"}
    return Schema.model_validate(
        {
            "name": "dimuon",
            "title": "",
            "tree": tree,
            "columns": columns,
            "quantities": {"event": {"expression": "event"}} if "event" in columns else {},
            "define": {f"{name}_": name for name in columns},
            "features": "razor",
        }
    )


def open_one(path: Path, schema: Schema | None = None) -> Source:
    return open_source([str(path)], schema or schema_of(), path.parent / "cache", [None])


@pytest.fixture(scope="module")
def events() -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    return {
        "mass": random.normal(91, 3, EVENTS),
        "charge": random.integers(-1, 2, EVENTS).astype(np.int32),
        "event": random.integers(2**63, 2**64 - 1, EVENTS, dtype=np.uint64),
        "pt": random.exponential(30, EVENTS).astype(np.float32),
    }


@pytest.fixture(scope="module")
def files(events: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same events in both formats, written by uproot."""
    folder = tmp_path_factory.mktemp("files")
    with uproot.recreate(folder / "tree.root") as file:
        file.mktree("Events", {name: values.dtype for name, values in events.items()})
        for part in np.array_split(np.arange(EVENTS), 3):
            file["Events"].extend({name: values[part] for name, values in events.items()})
        file["notes"] = "not a tree"
    with uproot.recreate(folder / "ntuple.root") as file:
        file.mkrntuple("Events", events)
    with uproot.recreate(folder / "empty.root") as file:
        file.mktree("Events", {name: values.dtype for name, values in events.items()})
    return {path.stem: path for path in folder.glob("*.root")}


def test_ttree_and_rntuple_give_the_same_columns(files: dict[str, Path], events: dict[str, np.ndarray]) -> None:
    use_threads(1)
    for kind in ("tree", "ntuple"):
        source = open_one(files[kind])
        available = Available({"event": ("event", "")}, frozenset(events))
        assert source == Source("Events", (str(files[kind]),), (EVENTS,), available, simulated=False)
        assert source.events == EVENTS
        found = source.open().AsNumpy(list(events))
        for name, values in events.items():
            assert np.asarray(found[name]).dtype == values.dtype
            assert np.asarray(found[name]).tobytes() == values.tobytes()


def test_several_files_are_one_sample(files: dict[str, Path], tmp_path: Path) -> None:
    for kind in ("tree", "ntuple"):
        second = tmp_path / f"{kind}.root"
        shutil.copyfile(files[kind], second)
        both = open_source([str(files[kind]), str(second)], schema_of(), tmp_path, [None, None])
        assert (both.entries, both.events) == ((EVENTS, EVENTS), 2 * EVENTS)
        assert both.open().Count().GetValue() == 2 * EVENTS


def test_a_file_that_is_listed_twice_is_refused(files: dict[str, Path]) -> None:
    with pytest.raises(UnreadableFile, match=r"tree\.root is listed twice; list each file once"):
        open_source([str(files["tree"])] * 2, schema_of(), files["tree"].parent, [None, None])


def test_files_of_both_formats_are_no_sample(files: dict[str, Path]) -> None:
    """RDataFrame reads the first file's format and dies of a segmentation fault at the other."""
    for first, second in (("tree", "ntuple"), ("ntuple", "tree")):
        with pytest.raises(SourceError, match=rf"{second}\.root"):
            open_source([str(files[first]), str(files[second])], schema_of(), files["tree"].parent, [None, None])


def test_a_missing_tree_and_another_object_of_that_name(files: dict[str, Path]) -> None:
    with pytest.raises(MissingColumn, match=r"tree\.root has no tree 'events'; did you mean Events"):
        open_one(files["tree"], schema_of(tree="events"))
    with pytest.raises(MissingColumn, match=r"ntuple\.root has no tree 'mini'; known: Events"):
        open_one(files["ntuple"], schema_of(tree="mini"))
    with pytest.raises(MissingColumn, match=r"tree\.root: 'notes' is a TObjString, not a TTree or RNTuple"):
        open_one(files["tree"], schema_of(tree="notes"))


@pytest.mark.parametrize("kind", ["tree", "ntuple"])
def test_a_missing_column_and_one_of_another_kind(kind: str, files: dict[str, Path]) -> None:
    with pytest.raises(MissingColumn, match=rf"{kind}\.root: no column 'masss', .* did you mean mass\?"):
        open_one(files[kind], schema_of(masss="float64"))
    with pytest.raises(MissingColumn, match=rf"{kind}\.root: column 'pt' is a \w+, where schema dimuon says int32"):
        open_one(files[kind], schema_of(pt="int32"))
    # A whole number serves as a real one.
    assert open_one(files[kind], schema_of(charge="float64")).events == EVENTS


def test_a_jagged_column_where_one_number_is_needed(opendata: Path) -> None:
    path = opendata / "atlas2020" / "data_A.4lep.root"
    with pytest.raises(MissingColumn, match=r"column 'lep_pt' is a .*RVec<float>, where schema dimuon says float32"):
        open_one(path, schema_of(tree="mini", lep_pt="float32"))
    assert open_one(path, schema_of(tree="mini", eventNumber="int32")).events == 39


@pytest.mark.parametrize("kind", ["tree", "ntuple"])
@pytest.mark.parametrize("kept", [0.0, 0.001, 0.3, 0.6, 0.9, 0.99])
def test_a_truncated_file(kind: str, kept: float, files: dict[str, Path], tmp_path: Path) -> None:
    content = files[kind].read_bytes()
    path = tmp_path / "part.root"
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(UnreadableFile, match=r"part\.root is not a whole ROOT file .*; delete it and get it again"):
        open_one(path)


def test_a_file_that_lacks_its_last_byte(files: dict[str, Path], tmp_path: Path) -> None:
    for kind in ("tree", "ntuple"):
        path = tmp_path / f"{kind}.root"
        path.write_bytes(files[kind].read_bytes()[:-1])
        with pytest.raises(UnreadableFile, match="truncated"):
            open_one(path)


def test_not_a_root_file_and_no_file(tmp_path: Path) -> None:
    path = tmp_path / "page.root"
    path.write_text("<html>404</html>\n" * 100)
    with pytest.raises(UnreadableFile, match=r"page\.root is a web page, .*; get the file itself"):
        open_one(path)
    with pytest.raises(UnreadableFile, match=r"nowhere\.root does not exist; check the path"):
        open_one(tmp_path / "nowhere.root")


def test_no_events(files: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(NoEvents, match=r"empty\.root: the tree 'Events' holds no events"):
        open_one(files["empty"])
    include_kernels("sources/table_writer")
    path = tmp_path / "none.root"
    ROOT.table_writer.TableWriter(str(path), "Events", ["mass"], ["double"]).close()
    with pytest.raises(NoEvents, match=r"none\.root: the tree 'Events' holds no events"):
        open_one(path, schema_of(mass="float64"))


def test_one_simulated_file_makes_a_simulated_sample(files: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "simulated.root"
    with uproot.recreate(path) as file:
        file.mktree("Events", {"mass": np.float64})
        file["Events"].extend({"mass": np.array([91.0])})
        file["SIMULATED"] = "these events are simulated"
    schema = schema_of(mass="float64")
    assert open_one(path, schema).simulated
    assert open_source([str(files["tree"]), str(path)], schema, tmp_path, [None, None]).simulated
    assert not open_one(files["tree"], schema).simulated


def test_a_csv_file_is_converted_and_named_for_its_contents(tmp_path: Path) -> None:
    path = tmp_path / "Table.CSV"
    path.write_text("mass,charge,event\n91.5,-1,7\n3.1,1,8\n")
    source = open_one(path)
    assert source.entries == (2,)
    converted = Path(source.files[0])
    assert converted.parent == tmp_path / "cache"
    with uproot.open(converted) as file:
        assert file["Events"]["mass"].array(library="np").tolist() == [91.5, 3.1]


def test_a_damaged_conversion_is_made_anew(tmp_path: Path) -> None:
    schema = load_schema("cms_razor")
    table = tmp_path / "a$b.csv"  # a name that ROOT would read its own way
    table.write_text(f"{','.join(schema.columns)}\n{','.join('1' for _ in schema.columns)}\n")
    first = open_source([str(table)], schema, tmp_path / "cache", [None])
    converted = Path(first.files[0])
    whole = converted.read_bytes()
    converted.write_bytes(whole[: len(whole) // 2])
    again = open_source([str(table)], schema, tmp_path / "cache", [None])
    assert again.files == first.files
    assert again.entries == (1,)


def test_a_compressed_file_cannot_be_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "packed.npy.gz").write_bytes(b"anything")
    with pytest.raises(UnreadableFile, match="unpack it first"):
        open_source([str(tmp_path / "packed.npy.gz")], load_schema("cms_razor"), tmp_path / "cache", [None])


def test_a_tree_in_a_folder_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "nested.root"
    with uproot.recreate(path) as file:
        file["sub/ntuple"] = {"x": np.arange(7, dtype=np.float32), "y": np.arange(7, dtype=np.float32)}
    schema = Schema(
        name="nested",
        title="",
        tree="sub/ntuple",
        columns={"x": "float32"},
        quantities={"met_pt": {"expression": "x"}},
        features=("razor",),
    )
    source = open_source([str(path)], schema, tmp_path, [None])
    assert source.events == 7
    assert source.open().Sum("x").GetValue() == 21
    missing = schema.model_copy(update={"tree": "sub/ntupel"})
    with pytest.raises(MissingColumn, match="no tree 'sub/ntupel'; did you mean ntuple"):
        open_source([str(path)], missing, tmp_path, [None])


def write_with_friend(folder: Path, path: str, friend_in: str, friend_entries: int = 5, entries: int = 5) -> Path:
    """A tree `Events` with a column `mass`, and its friend `more` with a column `x` in another file, or its own."""
    friend = ROOT.TFile(str(folder / (friend_in or path)), "RECREATE")
    more = ROOT.TTree("more", "")
    x = array("d", [0.0])
    more.Branch("x", x, "x/D")
    for i in range(friend_entries):
        x[0] = 100.0 + i
        more.Fill()
    more.Write()
    file = ROOT.TFile(str(folder / path), "RECREATE") if friend_in else friend
    file.cd()
    tree = ROOT.TTree("Events", "")
    mass = array("d", [0.0])
    tree.Branch("mass", mass, "mass/D")
    for i in range(entries):
        mass[0] = float(i)
        tree.Fill()
    tree.AddFriend("more", str(folder / friend_in) if friend_in else "")
    tree.Write()
    file.Close()
    if friend_in:
        friend.Close()
    return folder / path


def masses(source: Source) -> list[float]:
    return sorted(source.open().AsNumpy(["mass"])["mass"].tolist())


@pytest.mark.parametrize("threads", [1, 2])
def test_a_friend_that_no_one_asks_for_may_be_missing(threads: int, tmp_path: Path) -> None:
    use_threads(threads)
    schema = schema_of(mass="float64")
    path = write_with_friend(tmp_path, "tree.root", "friend.root")
    assert open_one(path, schema).absent_friends == ()
    assert masses(open_one(path, schema)) == [0, 1, 2, 3, 4]
    (tmp_path / "friend.root").unlink()
    source = open_one(path, schema)
    assert source.absent_friends == (f"more of {tmp_path / 'friend.root'}",)
    assert masses(source) == [0, 1, 2, 3, 4]
    with uproot.recreate(tmp_path / "friend.root") as file:
        file["other"] = {"y": np.zeros(3)}
    assert open_one(path, schema).absent_friends == (f"more of {tmp_path / 'friend.root'}",)  # its tree is gone
    assert masses(open_one(path, schema)) == [0, 1, 2, 3, 4]
    both = open_source([str(path), str(write_with_friend(tmp_path, "own.root", ""))], schema, tmp_path, [None, None])
    assert masses(both) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert both.absent_friends == source.absent_friends


def test_a_friend_that_is_asked_for_and_missing_is_named(tmp_path: Path) -> None:
    path = write_with_friend(tmp_path, "tree.root", "friend.root")
    (tmp_path / "friend.root").unlink()
    with pytest.raises(
        MissingColumn, match=r"no column 'x', .* \(a friend of the tree is missing: more of .*friend\.root\)"
    ):
        open_one(path, schema_of(mass="float64", x="float64"))


def test_a_friend_that_is_shorter_is_read_or_refused(tmp_path: Path) -> None:
    use_threads(1)
    source = open_one(
        write_with_friend(tmp_path, "tree.root", "friend.root", friend_entries=3), schema_of(mass="float64")
    )
    assert masses(source) == [0, 1, 2, 3, 4]
    loop = EventLoop(source, (0, 5))
    with pytest.raises(EventLoopFailed, match="friend tree has less entries than the main tree"):
        loop.run([loop.events.Sum("more.x")])


@pytest.mark.parametrize("kind", ["TNtuple", "TNtupleD"])
def test_trees_of_classes_that_inherit_from_ttree(kind: str, tmp_path: Path) -> None:
    use_threads(1)
    with ROOT.TFile.Open(str(tmp_path / "tree.root"), "RECREATE") as file:
        tree = getattr(ROOT, kind)("Events", "", "mass:y")
        ROOT.SetOwnership(tree, False)  # it is the file's
        for i in range(4):
            tree.Fill(i, -i)
        file.WriteObject(tree, "Events")
        chain = ROOT.TChain("t")
        chain.Add("/elsewhere/other.root")
        file.WriteObject(chain, "chain")
    assert masses(open_one(tmp_path / "tree.root", schema_of(mass="float32"))) == [0, 1, 2, 3]
    with pytest.raises(MissingColumn, match="'chain' is a TChain, not a TTree or RNTuple"):
        open_one(tmp_path / "tree.root", schema_of(tree="chain", mass="float32"))
