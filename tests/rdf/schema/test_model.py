"""Schemas: what is refused, what names their columns, and the published one against the file's header."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import yaml

from rdf.errors import MissingColumn, SchemaError, UnknownSchema
from rdf.schema.features import FEATURE_SETS, FEATURES
from rdf.schema.model import SCHEMAS, Schema, load_schema
from rdf.schema.names import names_in

TABLE = """\
title: a format
tree: Events
columns: {met: float32}
quantities:
  met_pt: {expression: met, unit: MeV}
features: razor
"""


@pytest.fixture
def schemas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("rdf.schema.model.SCHEMAS", tmp_path)
    (tmp_path / "format.yaml").write_text(TABLE)
    return tmp_path


def test_a_schema_is_read_from_its_file(schemas: Path) -> None:
    schema = load_schema("format")
    assert (schema.name, schema.tree, schema.columns) == ("format", "Events", {"met": "float32"})
    assert (schema.quantities["met_pt"].expression, schema.quantities["met_pt"].unit) == (("met",), "MeV")


def test_unknown_schema(schemas: Path) -> None:
    with pytest.raises(UnknownSchema, match=r"unknown schema 'fromat'; did you mean format\?"):
        load_schema("fromat")
    with pytest.raises(UnknownSchema, match=r"unknown schema 'zzz'; known: format"):
        load_schema("zzz")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "met_pt:",
            "met_pT:",
            r"key 'quantities': .*unknown canonical quantity 'met_pT'; did you mean met_py, met_px, met_pt",
        ),
        ("MeV", "keV", r"key 'quantities\.met_pt\.unit': .*unknown unit 'keV'; known: MeV, GeV, TeV, rad"),
        ("features:", "filters: [Flag_a]\nfeatures:", r"key 'filters': 'Flag_a' is no column .*; add `Flag_a: bool`"),
        ("float32", "float16", r"key 'columns\.met': unknown type 'float16'; did you mean float64, float32"),
        ("float32", "'float32[2]'", r"key 'columns\.met': unknown type 'float32\[2\]'"),
        (
            "{met: float32}",
            "{2met: float32}",
            r"""key 'columns': .* cannot name a column '2met'; .*: _2met: \{branch: "2met", type: "float32"\}$""",
        ),
        ("features: razor", "features: []", r"key 'features': Tuple should have at least 1 item"),
        (
            "{expression: met, ",
            "{expression: [], ",
            r"key 'quantities\.met_pt\.expression': Tuple should have at least 1",
        ),
        ("quantities:", "objects: {jets: {pt: 30}}\nquantities:", r"unknown kind of object 'jets'; did you mean jet"),
        (
            "quantities:",
            "objects: {jet: {pt: -1}}\nquantities:",
            r"key 'objects\.jet\.pt': .*greater than or equal to 0",
        ),
        (
            "quantities:",
            "objects: {jet: {p: 1}}\nquantities:",
            r"key 'objects\.jet\.p': Extra inputs are not permitted",
        ),
        ("quantities:", "define: {a b: met}\nquantities:", r"key 'define\.a b.*': String should match pattern"),
        ("quantities:", "layout: html\nquantities:", r"key 'layout': Input should be 'table' or 'darkmachines'"),
        ("tree:", "tre:", r"key 'tree': Field required"),
        ("unit:", "units:", r"key 'quantities\.met_pt\.units': Extra inputs are not permitted"),
        ("title: a format", "- a\n- list", "not a table of keys and values"),
        ("columns: {met", "columns: {met: {", "not a table of keys and values"),
    ],
)
def test_malformed_schemas_name_the_file_and_the_key(schemas: Path, old: str, new: str, message: str) -> None:
    path = schemas / "format.yaml"
    path.write_text(TABLE.replace(old, new, 1))
    with pytest.raises(SchemaError, match=message) as caught:
        load_schema("format")
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("text", ["", "just text", "- a\n- b\n", "title: [a, b"])
def test_files_that_are_no_table(schemas: Path, text: str) -> None:
    (schemas / "format.yaml").write_text(text)
    with pytest.raises(SchemaError, match="not a table of keys and values"):
        load_schema("format")


def test_the_razor_schema_lists_the_published_columns(opendata: Path, schema: Schema) -> None:
    with (opendata / "cms2010b" / "MultiJetRun2010B.csv").open() as file:
        header = file.readline().strip().split(",")
    assert list(schema.columns) == header


def test_the_digest_changes_with_the_columns_alone(schema: Schema) -> None:
    assert schema.model_copy(update={"title": "another", "quantities": {}}).digest() == schema.digest()
    assert schema.model_copy(update={"tree": "another"}).digest() != schema.digest()
    assert schema.model_copy(update={"columns": {**schema.columns, "MR": "float32"}}).digest() != schema.digest()


def test_a_schema_of_the_users_own_is_read_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(TABLE)
    schema = load_schema(str(path))
    assert (schema.name, schema.title) == ("mine", "a format")
    with pytest.raises(UnknownSchema, match=r"yours\.yaml does not exist; check --schema"):
        load_schema(str(tmp_path / "yours.yaml"))
    with pytest.raises(UnknownSchema, match=r"unknown schema 'mine'; .*\(or name a file, my_schema\.yaml\)"):
        load_schema("mine")
    path.write_text(TABLE.replace("MeV", "keV"))
    with pytest.raises(SchemaError, match=r"mine\.yaml: key 'quantities\.met_pt\.unit': unknown unit 'keV'"):
        load_schema(str(path))


@pytest.mark.parametrize("name", sorted(path.stem for path in SCHEMAS.glob("*.yaml")))
def test_every_schema_is_whole(name: str) -> None:
    """It can be read, uses columns that it lists, and names feature sets made of features that there are."""
    schema = load_schema(name)
    for quantity in schema.quantities.values():
        for expression in quantity.expression:
            assert schema.used_columns(expression) or expression.startswith("ROOT::RVec<double>(2, ")
            assert names_in(expression) <= schema.columns.keys()
    sets = {**FEATURE_SETS, **schema.feature_sets}
    for chosen in schema.features:
        names = {*sets[chosen].features, *sets[chosen].observables, *sets[chosen].plane}
        assert names <= FEATURES.keys() | schema.define.keys()


FOUR_VECTORS = """\
title: a format
tree: Events
columns: {a: "float32[]"}
quantities: {%s}
features: razor
"""


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ("jet_pt jet_eta jet_phi", r"jets need jet_pt, _eta, _phi or _px, _py, _pz, and jet_mass or _energy; it has"),
        ("jet_pt jet_eta jet_mass", r"jets need .*; it has jet_eta, jet_mass, jet_pt"),
        ("jet_px jet_py jet_eta jet_energy", r"jets need .*; it has jet_energy, jet_eta, jet_px, jet_py"),
        ("muon_pt muon_eta muon_phi muon_mass", r"muons need muon_charge too; add it to the quantities"),
        ("lepton_pt lepton_eta lepton_phi lepton_mass lepton_charge", r"leptons need lepton_flavour too"),
    ],
)
def test_objects_that_no_four_vector_can_be_made_of(parts: str, message: str, schemas: Path) -> None:
    quantities = ", ".join(f"{part}: {{expression: a}}" for part in parts.split())
    (schemas / "format.yaml").write_text(FOUR_VECTORS % quantities)
    with pytest.raises(SchemaError, match=message):
        load_schema("format")


@pytest.mark.parametrize(
    "parts",
    [
        "jet_pt jet_eta jet_phi jet_mass",
        "jet_px jet_py jet_pz jet_energy",
        "jet_pt jet_eta jet_phi jet_energy jet_btag",
        "lepton_px lepton_py lepton_pz lepton_mass lepton_charge lepton_flavour",
    ],
)
def test_objects_that_are_whole(parts: str, schemas: Path) -> None:
    quantities = ", ".join(f"{part}: {{expression: a}}" for part in parts.split())
    (schemas / "format.yaml").write_text(FOUR_VECTORS % quantities)
    assert set(load_schema("format").quantities) == set(parts.split())


BACKGROUND = """\
title: a format
tree: Events
columns: {Dataset_ID: int32, x: float64, y: float32, hits: "int32[]", MR: float64, HT: float64, jets: int32}
quantities:
  label: {expression: Dataset_ID, background: [0, 3]}
define:
  y: {expression: y * 2, title: Y}
feature_sets:
  mine: {features: [x, y, MR, HT, jets], observables: [Dataset_ID], plane: [x, y]}
features: mine
"""


def test_the_meaning_changes_with_the_background_and_is_that_of_old_where_there_is_none(schemas: Path) -> None:
    path = schemas / "format.yaml"
    meanings = []
    for text in (", background: [0, 3]", ", background: [3]", ""):
        path.write_text(BACKGROUND.replace(", background: [0, 3]", text))
        meanings.append(load_schema("format").meaning())
    assert len(set(meanings)) == 3
    path.write_text(TABLE)
    # sha256 of what it was before there was a `background`.
    written = '{"quantities":{"met_pt":{"expression":["met"],"unit":"MeV","optional":false}},"define":{}}'
    assert load_schema("format").meaning() == hashlib.sha256(written.encode()).hexdigest()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  label:", "  weight:", r"key 'quantities': weight\.background: only label can have it; remove it"),
        ("[0, 3]", "[]", r"key 'quantities\.label\.background': Tuple should have at least 1 item"),
        ("[0, 3]", "[0.5]", r"key 'quantities\.label\.background\.0': Input should be a valid integer"),
        ("[0, 3]", "[true]", r"key 'quantities\.label\.background\.0': Input should be a valid integer"),
        ("[0, 3]", "3", r"key 'quantities\.label\.background': Input should be a valid tuple"),
        (
            "[0, 3]",
            "[9007199254740993]",
            r"key 'quantities\.label\.background\.0': .*less than or equal to 9007199254740992",
        ),
        ("tree:", "dataset: ''\ntree:", r"key 'dataset': String should have at least 1 character"),
        (
            "[x, y, MR",
            "[hits, y, MR",
            r"key 'define': a feature set names 'hits', of which an event has several; define",
        ),
    ],
)
def test_keys_of_labelled_tables(schemas: Path, old: str, new: str, message: str) -> None:
    (schemas / "format.yaml").write_text(BACKGROUND.replace(old, new, 1))
    with pytest.raises(SchemaError, match=message):
        load_schema("format")


def test_columns_that_a_feature_set_names_are_defined_by_themselves(schemas: Path) -> None:
    (schemas / "format.yaml").write_text(BACKGROUND)
    define = load_schema("format").define
    # y has a definition of its own, and stands behind what it may be made of.
    names = ["x", "MR", "HT", "jets", "Dataset_ID", "y"]
    assert [(name, d.expression) for name, d in define.items()] == [(n, "y * 2" if n == "y" else n) for n in names]
    assert [define[name].title for name in ("x", "Dataset_ID", "y")] == ["x", "Dataset ID", "Y"]


@pytest.mark.parametrize(
    ("quantities", "names"),
    [
        ("label: {expression: x}", {"x", "MR", "lepton_eta", "MET", "jets", "jet_pt"}),  # nothing is made of a label
        ("met_pt: {expression: x}", {"x", "MR", "lepton_eta", "MET", "jets", "jet_pt"}),
        ("met_pt: {expression: MET}", {"x", "MR", "lepton_eta", "jets", "jet_pt"}),  # MET is met_pt, with its unit
        ("lepton_eta: {expression: x}", {"x", "MR", "MET", "jets", "jet_pt"}),
        ("muon_eta: {expression: x}", {"x", "MR", "MET", "jets", "jet_pt"}),
        ("jet_pt: {expression: x}", {"x", "MR", "lepton_eta", "MET"}),  # four-vectors are made of the name jets
        ("MR: {expression: MR, unit: TeV}", {"x", "lepton_eta", "MET", "jets", "jet_pt"}),
    ],
)
def test_names_that_the_quantities_leave_to_the_file(quantities: str, names: set[str]) -> None:
    columns = ("x", "MR", "lepton_eta", "MET", "jets", "jet_pt", "event", "label")
    table = {
        "columns": dict.fromkeys(columns, "float64"),
        "quantities": yaml.safe_load(quantities),
        "feature_sets": {"mine": {"features": columns, "plane": columns[:2]}},
    }
    assert set(Schema(name="n", title="t", tree="e", features="mine", **table).define) == names


def test_the_digest_changes_with_the_data_set_and_is_that_of_old_where_there_is_none(schema: Schema) -> None:
    old = hashlib.sha256(repr((schema.tree, list(schema.columns.items()))).encode()).hexdigest()
    digests = [schema.model_copy(update={"dataset": name}).digest() for name in (None, "a", "b")]
    assert digests[0] == old
    assert len(set(digests)) == 3


ALIASES = """\
title: a format
tree: Events
columns:
  pt: {branch: AnalysisJetsAuxDyn.pt, type: "float32[]"}
  met: float32
quantities:
  met_pt: {expression: met}
define: {lead: "pt[0]"}
features: razor
"""


def test_an_alias_names_a_column_that_no_expression_can_name(schemas: Path) -> None:
    (schemas / "format.yaml").write_text(ALIASES)
    schema = load_schema("format")
    assert schema.columns == {"pt": "float32[]", "met": "float32"}
    assert schema.aliases == {"pt": "AnalysisJetsAuxDyn.pt"}
    assert [schema.stored(name) for name in schema.columns] == ["AnalysisJetsAuxDyn.pt", "met"]
    assert schema.named({"AnalysisJetsAuxDyn.pt", "x.y", "met"}, "f") == {"AnalysisJetsAuxDyn.pt", "x.y", "met", "pt"}
    assert schema.named({"met"}, "f") == {"met"}
    assert schema.named({"pt", "met", "source_row"}, "f") == {"pt", "met", "source_row"}  # a converted table
    with pytest.raises(
        MissingColumn, match=r"^f has a column 'pt', which schema format says of 'AnalysisJetsAuxDyn\.pt'"
    ):
        schema.named({"pt", "AnalysisJetsAuxDyn.pt", "met"}, "f")


def test_digest_and_meaning_change_with_an_alias_and_are_those_of_old_without(schemas: Path) -> None:
    digests, meanings = set(), set()
    for branch in ("AnalysisJetsAuxDyn.pt", "AnalysisMuonsAuxDyn.pt"):
        (schemas / "format.yaml").write_text(ALIASES.replace("AnalysisJetsAuxDyn.pt", branch))
        digests.add(load_schema("format").digest())
        meanings.add(load_schema("format").meaning())
    short = ALIASES.replace('{branch: AnalysisJetsAuxDyn.pt, type: "float32[]"}', "float32[]")
    (schemas / "format.yaml").write_text(short)
    schema = load_schema("format")
    old = repr(("Events", [("pt", "float32[]"), ("met", "float32")]))
    assert schema.digest() == hashlib.sha256(old.encode()).hexdigest()
    assert len({*digests, schema.digest()}) == len({*meanings, schema.meaning()}) == 3


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            'mu-pt: "float32[]"',
            r"""cannot name a column 'mu-pt'; give it a name: mu_pt: \{branch: "mu-pt", type: "float32\[\]"\}$""",
        ),
        (
            "AnalysisJetsAuxDyn.pt: float32",
            r'give it a name: AnalysisJetsAuxDyn_pt: \{branch: "AnalysisJetsAuxDyn\.pt", type: "float32"\}$',
        ),
        ("'pt ': float32", r'cannot name a column \'pt \'; give it a name: pt: \{branch: "pt ", type: "float32"\}$'),
        ("'m[1]': float32", r'give it a name: m_1: \{branch: "m\[1\]", type: "float32"\}$'),
        (
            "case: float32",
            r'cannot name a column \'case\'; give it a name: case_: \{branch: "case", type: "float32"\}$',
        ),
        ("1: float32", r"cannot name a column '1'; give it a name: _1: "),
        ("mu pt: {branch: x, type: float32}", r'give it a name: mu_pt: \{branch: "x", type: "float32"\}$'),
        ("x: {branch: y}", r'x: an alias has a branch and a type; write x: \{branch: "NAME IN THE FILE", type: '),
        ("x: {branch: y, type: float32, unit: GeV}", r"x: an alias has a branch and a type"),
        ("x: {branch: 1, type: float32}", r"x: an alias has a branch and a type"),
        ("x: {branch: '', type: float32}", r"x: an alias has a branch and a type"),
        ("x: {branch: met, type: float32}", r"met and x are the same column, 'met'; leave one of them out$"),
    ],
)
def test_columns_that_no_expression_can_name(column: str, message: str, schemas: Path) -> None:
    path = schemas / "format.yaml"
    path.write_text(TABLE.replace("{met: float32}", f"{{met: float32, {column}}}"))
    with pytest.raises(SchemaError, match=message) as caught:
        load_schema("format")
    assert str(caught.value).startswith(f"{path}: key 'columns': ")
    assert "pattern" not in str(caught.value)
    path.write_text(TABLE.replace("{met: float32}", "{met: float32, x: {branch: y, type: float33}}"))
    with pytest.raises(SchemaError, match=r"key 'columns\.x': unknown type 'float33'; did you mean float32"):
        load_schema("format")


def test_the_hint_at_a_near_column_can_be_followed(schemas: Path) -> None:
    (schemas / "format.yaml").write_text(TABLE)
    schema = load_schema("format")
    with pytest.raises(
        MissingColumn, match=r"^f: no column 'met', .*; did you mean ev\.met\? then write in `columns` "
    ) as caught:
        schema.resolve({"ev.met", "ev.sumet"}, "f")
    line = str(caught.value).rpartition("`columns` ")[2]
    (schemas / "format.yaml").write_text(TABLE.replace("{met: float32}", f"{{{line}}}"))
    followed = load_schema("format")
    assert followed.resolve(followed.named({"ev.met", "ev.sumet"}, "f"), "f").quantities == {"met_pt": ("met", "MeV")}
    # Where the alias is missing too, the file's name is said.
    with pytest.raises(
        MissingColumn, match=r"^f: no column 'ev\.met', .*; did you mean ev\.mett\? then write in `columns` met: "
    ):
        followed.resolve({"ev.mett"}, "f")
