"""Text files of the Dark Machines challenge: every value against a reading of its own, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from rdf.errors import MalformedRow, NoEvents, SchemaError, UnreadableFile
from rdf.schema.model import Schema, load_schema
from rdf.sources.source import open_source
from rdf.sources.tabular import convert

pytestmark = pytest.mark.compiler

FILES = {
    "background_chan1_7.79_reduced": 1000,
    "glgl1600_neutralino800_chan1_reduced": 1000,
    "monojet_Zp2000.0_DM_50.0_chan1": 1130,
}
SCHEMA = load_schema("darkmachines")
PARTS = ("energy", "pt", "eta", "phi")


def read(path: Path) -> dict[str, list[Any]]:
    with uproot.open(path) as file:
        table = file["events"]
        return {name: table[name].array().tolist() for name in table.keys()}  # noqa: SIM118 - not a dict


def reading(path: Path) -> list[dict[str, Any]]:
    """Events with their objects as (name, energy, pt, eta, phi), by Python's own means."""
    events = []
    for line in path.read_text().splitlines():
        event, _, weight, met, met_phi, *objects = line.removesuffix(";").split(";")
        split = [text.split(",") for text in objects]
        events.append(
            {
                "event": int(event),
                "weight": float(weight),
                "met": float(met),
                "met_phi": float(met_phi),
                "objects": [(name, *map(float, numbers)) for name, *numbers in split],
            }
        )
    return events


@pytest.mark.parametrize(("name", "events"), FILES.items())
def test_published_files_are_copied_bit_by_bit(name: str, events: int, opendata: Path, tmp_path: Path) -> None:
    path = opendata / "darkmachines" / f"{name}.csv"
    found, expected = read(convert(path, SCHEMA, tmp_path)), reading(path)
    assert len(expected) == events
    for column in ("event", "weight", "met", "met_phi"):
        assert found[column] == [event[column] for event in expected]
    assert found["source_row"] == list(range(events))
    types = {"j": "j", "b": "b", "e-": "e", "e+": "e", "m-": "m", "m+": "m", "g": "g"}
    charges = {"e-": -1, "e+": 1, "m-": -1, "m+": 1}
    objects = [event["objects"] for event in expected]
    assert found["object_type"] == [[ord(types[o[0]]) for o in event] for event in objects]
    assert found["object_charge"] == [[charges.get(o[0], 0) for o in event] for event in objects]
    for i, part in enumerate(PARTS, start=1):
        assert found[f"object_{part}"] == [[o[i] for o in event] for event in objects]


@pytest.mark.parametrize("name", FILES)
def test_quantities_of_published_files(name: str, opendata: Path, tmp_path: Path) -> None:
    path = opendata / "darkmachines" / f"{name}.csv"
    source = open_source([str(path)], SCHEMA, tmp_path, [None])
    events = source.open()
    for quantity, (expression, _) in source.available.quantities.items():
        events = events.Define(f"q_{quantity}", expression)
    found = events.AsNumpy(["source_row", *(f"q_{quantity}" for quantity in SCHEMA.quantities)])
    order = np.argsort(found["source_row"])
    expected = reading(path)
    kinds = {"jet": ("j", "b"), "electron": ("e-", "e+"), "muon": ("m-", "m+")}
    for kind, names in kinds.items():
        chosen = [[o for o in event["objects"] if o[0] in names] for event in expected]
        for i, part in enumerate(PARTS, start=1):
            values = [list(found[f"q_{kind}_{part}"][row]) for row in order]
            assert values == [[o[i] for o in event] for event in chosen]
        if kind == "jet":
            tags = [list(found["q_jet_btag"][row]) for row in order]
            assert tags == [[o[0] == "b" for o in event] for event in chosen]
        else:
            charges = [list(found[f"q_{kind}_charge"][row]) for row in order]
            assert charges == [[int(o[0][1] + "1") for o in event] for event in chosen]
    assert found["q_met_pt"][order].tolist() == [event["met"] for event in expected]
    assert found["q_met_phi"][order].tolist() == [event["met_phi"] for event in expected]
    assert found["q_weight"][order].tolist() == [event["weight"] for event in expected]


def test_a_long_file_becomes_many_clusters(write_csv: Callable[[str], Path], tmp_path: Path) -> None:
    rows = [f"{i};njets;1;{i}.25;0.5;" + f"j,{i}.5,3,1,2;" * (i % 4) for i in range(20_000)]
    path = write_csv("\n".join(rows))
    seen: list[tuple[int, int]] = []
    converted = convert(path, SCHEMA, tmp_path, progress=lambda done, total: seen.append((done, total)))
    found = read(converted)
    assert found["event"] == list(range(20_000))
    assert found["met"] == [i + 0.25 for i in range(20_000)]
    assert found["object_energy"] == [[i + 0.5] * (i % 4) for i in range(20_000)]
    with uproot.open(converted) as file:
        assert len(file["events"].cluster_summaries) == len(seen) > 4
    size = path.stat().st_size
    assert seen == sorted(seen)
    assert seen[-1] == (size, size)


def test_what_is_let_through(write_csv: Callable[[str], Path], tmp_path: Path) -> None:
    text = "\n18446744073709551615;a b-ü;-1.5;nan;inf\r\n\n7;;1;1e-400;-Infinity;g,-inf,5e-324,-0.0,1;"
    found = read(convert(write_csv(text), SCHEMA, tmp_path / "cache"))
    assert found["event"] == [2**64 - 1, 7]
    assert repr(found["met"]) == "[nan, 0.0]"
    assert found["met_phi"] == [np.inf, -np.inf]
    assert found["object_type"] == [[], [ord("g")]]
    assert found["object_energy"] == [[], [-np.inf]]
    assert found["object_pt"] == [[], [5e-324]]
    assert repr(found["object_eta"]) == "[[], [-0.0]]"
    assert found["source_row"] == [0, 1]


def test_events_without_objects(write_csv: Callable[[str], Path], tmp_path: Path) -> None:
    found = read(convert(write_csv("1;a;2;3;4;\n2;a;5;6;7\n"), SCHEMA, tmp_path / "cache"))
    assert found["met"] == [3, 6]
    for name in ("object_type", "object_charge", *(f"object_{part}" for part in PARTS)):
        assert found[name] == [[], []]


GOOD = "1;njets;1;2;3;j,1,2,3,4;\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("event,MR,Rsq", "1 fields, where 5 precede the objects"),
        ("1;njets;1;2;", "4 fields, where 5 precede the objects"),
        ("1.5;njets;1;2;3;", "event is '1.5', which is not a uint64"),
        ("-1;njets;1;2;3;", "event is '-1', which is not a uint64"),
        ("18446744073709551616;njets;1;2;3;", "event is '18446744073709551616', which is not a uint64"),
        ("1;njets;;2;3;", "weight is '', which is not a float64"),
        ("1;njets;1;2_0;3;", "met is '2_0', which is not a float64"),
        ("1;njets;1;2;1e400;", "met_phi is '1e400', which is too large for a float64"),
        ("1;njets;1;2;3;j,1,2,3;", "object 'j,1,2,3' is not of the form obj,E,pt,eta,phi"),
        ("1;njets;1;2;3;j,1,2,3,4;;", "object '' is not of the form obj,E,pt,eta,phi"),
        ("1;njets;1;2;3;j,1,2,3,4,b,1,2,3,4", "object 'j,1,2,3,4,b,1,2,3,4' is not of the form"),
        ("1;njets;1;2;3;t,1,2,3,4", "unknown object 't' (known: b, e+, e-, g, j, m+, m-)"),
        ("1;njets;1;2;3;mu+,1,2,3,4", "unknown object 'mu+' (did you mean m+?)"),
        ("1;njets;1;2;3;b,1,2,3,4;j,1,2,x,4", "object_eta is 'x', which is not a float64"),
        ("1;njets;1;2;3;b,1,2,3,4;j,1,2,3,-1e999", "object_phi is '-1e999', which is too large for a float64"),
    ],
)
@pytest.mark.parametrize("before", [0, 30_000])
def test_malformed_lines(
    line: str, message: str, before: int, write_csv: Callable[[str], Path], tmp_path: Path
) -> None:
    path = write_csv("\n" + GOOD * before + line + "\n" + GOOD)
    with pytest.raises(MalformedRow) as caught:
        convert(path, SCHEMA, tmp_path / "cache")
    assert str(caught.value).startswith(f"{path}, line {before + 2}: {message}")
    assert str(caught.value).endswith("; mend or remove the row")
    assert not list((tmp_path / "cache").iterdir())


def test_files_of_another_kind(write_csv: Callable[[str], Path], tmp_path: Path) -> None:
    for text in ("", "\n\n"):
        with pytest.raises(NoEvents, match=r"table\d\.csv has no events; nothing can be analysed"):
            convert(write_csv(text), SCHEMA, tmp_path / "cache")
    path = tmp_path / "picture.csv"
    path.write_bytes(GOOD.encode() + b"\x89PNG\xff")
    with pytest.raises(UnreadableFile, match=r"picture\.csv, line 2 is text in another encoding .*save it as UTF-8"):
        convert(path, SCHEMA, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize(
    ("column", "kind", "message"),
    [
        ("process", "int32", "no column process: int32"),
        ("object_pt", "float32[]", r"no column object_pt: float32\[\]; did you mean object_pt: float64\[\]"),
        ("jet_pt", "float64[]", r"no column jet_pt: float64\[\]; did you mean object_pt: float64\[\]"),
    ],
)
def test_columns_that_these_files_do_not_have(
    column: str, kind: str, message: str, write_csv: Callable[[str], Path], tmp_path: Path
) -> None:
    schema = SCHEMA.model_copy(update={"columns": {column: kind}})
    with pytest.raises(SchemaError, match=f"schema darkmachines: the layout darkmachines has {message}"):
        convert(write_csv(GOOD), schema, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_the_layout_is_part_of_what_is_converted(write_csv: Callable[[str], Path], tmp_path: Path) -> None:
    columns = {"weight": "float64", "met": "float64"}
    table = Schema(name="t", title="t", tree="events", columns=columns, quantities={}, features="razor")
    path = write_csv("1;a;2;3;4;,weight,met\nx,5,6\n")
    converted = convert(path, table, tmp_path / "cache")
    assert read(converted)["met"] == [6]
    with pytest.raises(MalformedRow, match="line 2: 1 fields"):
        convert(path, table.model_copy(update={"layout": "darkmachines"}), tmp_path / "cache")
