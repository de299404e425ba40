"""Branches of another kind than the schema says, and files of one sample that are not alike."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rdf.errors import MissingColumn
from rdf.schema.model import load_schema
from rdf.sources.source import open_source
from tests.rdf.trees import NANOAOD_KINDS, WRITERS, nanoaod, opened, write_ttree

pytestmark = pytest.mark.compiler


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize(
    ("column", "found", "values", "message"),
    [
        (
            "Jet_pt",
            "float32",
            np.ones(9),
            r"column 'Jet_pt' is a (float|Float_t), where schema cms_nanoaod says float32\[\]",
        ),
        (
            "PuppiMET_pt",
            "float32[]",
            [[1.0]] * 9,
            r"column 'PuppiMET_pt' is a \S*RVec<\S+>, where schema .* says float32;",
        ),
        (
            "run",
            "float32",
            np.ones(9),
            r"column 'run' is a (float|Float_t), where schema cms_nanoaod says uint32; name the",
        ),
        ("Muon_charge", "float32[]", [[1.0]] * 9, r"column 'Muon_charge' is a \S*RVec<\S+>, where .* says int32\[\]"),
        (
            "event",
            "float64",
            np.ones(9),
            r"column 'event' is a (double|Double_t), where schema cms_nanoaod says uint64",
        ),
        ("Jet_jetId", "int32", np.ones(9), r"column 'Jet_jetId' is a \S+, where schema cms_nanoaod says int32\[\]"),
    ],
)
def test_a_branch_of_another_kind(
    kind: str, column: str, found: str, values: Any, message: str, tmp_path: Path
) -> None:
    columns = nanoaod(9, 1) | {column: values}
    path = WRITERS[kind](tmp_path / "nano.root", "Events", columns, {**NANOAOD_KINDS, column: found})
    with pytest.raises(MissingColumn, match=rf"^{path}: {message}"):
        opened(path, load_schema("cms_nanoaod"))


@pytest.mark.parametrize("kind", WRITERS)
def test_whole_numbers_of_any_size_are_whole_numbers(kind: str, tmp_path: Path) -> None:
    kinds = {**NANOAOD_KINDS, "Jet_jetId": "uint8[]", "run": "int32", "event": "uint32", "PuppiMET_pt": "float64"}
    source = opened(WRITERS[kind](tmp_path / "nano.root", "Events", nanoaod(9, 1), kinds), load_schema("cms_nanoaod"))
    assert source.entries == (9,)


@pytest.mark.parametrize("kind", WRITERS)
def test_files_that_give_a_quantity_by_different_columns(kind: str, tmp_path: Path) -> None:
    schema = load_schema("cms_nanoaod")
    other, kinds = nanoaod(9, 2), dict(NANOAOD_KINDS)
    for part in ("pt", "phi"):
        other[f"MET_{part}"] = other.pop(f"PuppiMET_{part}")
        kinds[f"MET_{part}"] = "float32"
    muons = {name: values for name, values in nanoaod(9, 3).items() if not name.startswith("Electron")}
    write = WRITERS[kind]
    first, second, third = (
        write(tmp_path / f"{name}.root", "Events", columns, kinds)
        for name, columns in (("puppi", nanoaod(9, 1)), ("plain", other), ("muons", muons))
    )
    with pytest.raises(
        MissingColumn, match=rf"^{second} gives met_phi by other columns than {first}, or not at all; ana"
    ):
        opened([first, second], schema)
    with pytest.raises(
        MissingColumn, match=rf"^{third} gives electron_charge by other columns than {first}, or not at"
    ):
        opened([first, third], schema)
    with pytest.raises(MissingColumn, match=rf"^{first} gives electron_charge by other columns than {third}"):
        opened([third, first], schema)
    # What nobody uses may differ.
    more = write(tmp_path / "more.root", "Events", {**nanoaod(9, 4), "x": np.ones(9)}, {**kinds, "x": "float64"})
    assert opened([first, more], schema).entries == opened([more, first], schema).entries == (9, 9)


@pytest.mark.parametrize("kind", WRITERS)
def test_files_of_which_not_all_have_what_objects_are_selected_by(kind: str, tmp_path: Path) -> None:
    """With Jet_jetId in the first file alone RDataFrame dies of a segmentation fault."""
    schema = load_schema("cms_nanoaod")
    without = {name: values for name, values in nanoaod(9, 2).items() if name != "Jet_jetId"}
    first = WRITERS[kind](tmp_path / "with.root", "Events", nanoaod(9, 1), NANOAOD_KINDS)
    second = WRITERS[kind](tmp_path / "without.root", "Events", without, NANOAOD_KINDS)
    for files in ([first, second], [second, first]):
        with pytest.raises(MissingColumn, match=r"Jet_jetId|jets"):
            opened(files, schema)


def test_files_of_which_not_all_have_photons(tmp_path: Path) -> None:
    """What is beside jets and leptons is left out; of jets it is an error."""
    schema = load_schema("cms_nanoaod")
    events = nanoaod(9, 1)
    photons = {f"Photon_{part}": events[f"Muon_{part}"] for part in ("pt", "eta", "phi")}
    kinds = {**NANOAOD_KINDS, **dict.fromkeys(photons, "float32[]")}
    first = write_ttree(tmp_path / "with.root", "Events", {**events, **photons}, kinds)
    second = write_ttree(tmp_path / "without.root", "Events", nanoaod(9, 2), kinds)
    assert "photon_pt" in opened(first, schema).available.quantities
    for files in ([first, second], [second, first]):
        quantities = opened(files, schema).available.quantities
        assert "jet_pt" in quantities
        assert not [name for name in quantities if name.startswith("photon")]


def test_files_that_store_a_branch_in_two_ways(opendata: Path, tmp_path: Path) -> None:
    """A TTree's branch read as of another type gives numbers that mean nothing, and another counter a crash."""
    folder = opendata / "cmsnano"
    schema = load_schema("cms_nanoaod")
    for first, second in (("nano_tt_v12", "NanoAODv5_sample"), ("NanoAODv5_sample", "nano_tt_v12")):
        with pytest.raises(
            MissingColumn, match=rf"{second}\.root: '\w+' is stored as .*; analyse such files separately"
        ):
            open_source([str(folder / f"{name}.root") for name in (first, second)], schema, tmp_path, [None, None])
    copy = shutil.copyfile(folder / "NanoAODv5_sample.root", tmp_path / "copy.root")
    alike = [str(folder / "NanoAODv5_sample.root"), str(copy)]
    assert open_source(alike, schema, tmp_path, [None, None]).events == 2000
