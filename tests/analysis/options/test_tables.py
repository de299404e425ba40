"""Features, and the tables of definitions, objects and variations: their forms, and how wrong ones are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.configuration import RunConfiguration
from analysis.options import load_configuration
from rdf.errors import UnknownFeature
from rdf.schema.features import choose_features
from rdf.schema.model import load_schema
from tests.analysis.options.configured import configured, refused, refused_option


@pytest.mark.parametrize(
    ("written", "features"),
    [("razor", "razor"), ("MR,Rsq", ("MR", "Rsq")), (" MR , Rsq,HT ", ("MR", "Rsq", "HT"))],
)
def test_features_are_a_set_or_a_list_with_commas(
    tmp_path: Path, written: str, features: str | tuple[str, ...]
) -> None:
    assert load_configuration(RunConfiguration, {"sample": "s", "features": written}, None).features == features
    assert configured(tmp_path, f"sample: s\nfeatures: '{written}'\n").features == features


@pytest.mark.parametrize("written", ["[HT, MR, Rsq]", "\n- HT\n- MR\n- Rsq"])
def test_features_in_a_list_keep_their_order(tmp_path: Path, written: str) -> None:
    assert configured(tmp_path, f"sample: s\nfeatures: {written}\n").features == ("HT", "MR", "Rsq")


@pytest.mark.parametrize("names", [(), ("MR", "MR"), ("MR", "Rsq", "MR")], ids=len)
def test_features_are_named_each_once(tmp_path: Path, names: tuple[str, ...]) -> None:
    fault = "name a feature set, or one feature or more, each once"
    assert refused(tmp_path, f"sample: s\nfeatures: [{', '.join(names)}]\n") == (
        f"{tmp_path / 'run.yaml'}: key 'features': {fault}"
    )
    if len(names) > 1:
        assert refused_option("features", ",".join(names)) == f"--features: {fault}"


@pytest.mark.parametrize("written", ["MR", "[MR]"])
def test_one_feature_alone(tmp_path: Path, written: str) -> None:
    wanted = configured(tmp_path, f"sample: s\nfeatures: {written}\n").features
    assert choose_features(wanted, load_schema("cms_razor"), {}, {"MR", "Rsq"}).chosen.features == ("MR",)
    if written == "MR":
        assert load_configuration(RunConfiguration, {"sample": "s", "features": "MR"}, None).features == "MR"


def test_one_name_that_is_neither_a_set_nor_a_feature() -> None:
    wanted = load_configuration(RunConfiguration, {"sample": "s", "features": "MRR"}, None).features
    with pytest.raises(UnknownFeature, match=r"^unknown feature set or feature 'MRR'; did you mean MR\?$"):
        choose_features(wanted, load_schema("cms_razor"), {}, {"MR", "Rsq"})


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("5", "5 is no list of names; write jes,met or {jes: 0.02}"),
        ("true", "True is no list of names; write jes,met or {jes: 0.02}"),
        ("[{jes: 0.02}]", "[{'jes': 0.02}] is no list of names; write jes,met or {jes: 0.02}"),
        ("[jes, jes]", "name each variation once"),
    ],
)
def test_variations_that_are_no_names_are_refused(tmp_path: Path, written: str, fault: str) -> None:
    assert refused(tmp_path, f"sample: s\nvary: {written}\n") == f"{tmp_path / 'run.yaml'}: key 'vary': {fault}"


@pytest.mark.parametrize("written", ["5", "true", "{MR: Rsq}", "[1, 2]"])
def test_features_that_are_no_names_are_refused(tmp_path: Path, written: str) -> None:
    assert refused(tmp_path, f"sample: s\nfeatures: {written}\n") == (
        f"{tmp_path / 'run.yaml'}: key 'features': Input should be a valid string"
    )


@pytest.mark.parametrize(
    ("key", "written", "fault"),
    [
        ("define", "{1st: HT}", r"1st: String should match pattern '^[A-Za-z_]\w*$'"),
        ("define", "{two words: HT}", r"two words: String should match pattern '^[A-Za-z_]\w*$'"),
        ("define", "{HT-2: HT}", r"HT-2: String should match pattern '^[A-Za-z_]\w*$'"),
        ("define", "{1: HT}", r"1: String should match pattern '^[A-Za-z_]\w*$'"),
        ("define", "{half: 0.5}", "half: Input should be a valid dictionary or instance of Definition"),
        ("define", "{half: [HT]}", "half: Input should be a valid dictionary or instance of Definition"),
        ("define", "{half: }", "half: Input should be a valid dictionary or instance of Definition"),
        ("define", "{half: {title: half of it}}", "half.expression: Field required"),
        ("define", "{half: {expression: 0.5}}", "half.expression: Input should be a valid string"),
        ("define", "{half: {expression: HT / 2, unit: 5}}", "half.unit: Input should be a valid string"),
        ("define", "{half: {expression: HT / 2, units: GeV}}", "half: unknown key 'units'"),
        ("objects", "{jets: {pt: 30}}", "unknown kind of object 'jets'; did you mean jet?"),
        (
            "objects",
            "{top: {pt: 30}}",
            "unknown kind of object 'top'; known: electron, jet, largeRjet, lepton, muon, photon, tau",
        ),
        # Electrons and muons are selected, also in formats that hold them together.
        ("objects", "{leptons: {pt: 30}}", "unknown kind of object 'leptons'; did you mean lepton, electron, photon?"),
        ("objects", "{jet: {pT: 30}}", "jet: unknown key 'pT'"),
        ("objects", "{jet: {pt: -1}}", "jet.pt: Input should be greater than or equal to 0"),
        ("objects", "{jet: {pt: .inf}}", "jet.pt: Input should be a finite number"),
        ("objects", "{jet: {pt: .nan}}", "jet.pt: Input should be a finite number"),
        ("objects", "{jet: {pt: high}}", "jet.pt: Input should be a valid number"),
        ("objects", "{muon: {eta: 0}}", "muon.eta: Input should be greater than 0"),
        ("objects", "{muon: {eta: .inf}}", "muon.eta: Input should be a finite number"),
        ("objects", "{muon: {pt: 5}, electron: {eta: -2.5}}", "electron.eta: Input should be greater than 0"),
        ("objects", "{jet: {where: 5}}", "jet.where: Input should be a valid string"),
        ("objects", "{jet: 30}", "jet: Input should be a valid dictionary or instance of Objects"),
        ("vary", "jess", "unknown variation 'jess'; did you mean jes?"),
        ("vary", "jes, mett", "unknown variation 'mett'; did you mean met?"),
        ("vary", "btag", "unknown variation 'btag'; known: jes, lepton, met"),
        ("vary", "'jes,'", "unknown variation ''; known: jes, lepton, met"),
        ("vary", "{jess: 0.02}", "unknown variation 'jess'; did you mean jes?"),
        ("vary", "{met: 0.1, jes: 0}", "jes: 0.0 is no relative size between 0 and 1"),
        ("vary", "{jes: 1}", "jes: 1.0 is no relative size between 0 and 1"),
        ("vary", "{jes: -0.02}", "jes: -0.02 is no relative size between 0 and 1"),
        ("vary", "{jes: .inf}", "jes: Input should be a finite number"),
        ("vary", "{jes: .nan}", "jes: Input should be a finite number"),
        ("vary", "{jes: }", "jes: Input should be a valid number"),
        ("vary", "{jes: large}", "jes: Input should be a valid number, unable to parse string as a number"),
    ],
)
def test_what_is_wrong_in_a_table_is_named_with_its_place(tmp_path: Path, key: str, written: str, fault: str) -> None:
    """On the command line a table is written as in the file."""
    assert refused_option(key, written.strip("'")) == f"--{key}: {fault}"
    assert refused(tmp_path, f"sample: s\n{key}: {written}\n") == f"{tmp_path / 'run.yaml'}: key '{key}': {fault}"


@pytest.mark.parametrize("key", ["define", "objects"])
def test_what_is_no_table_is_refused(tmp_path: Path, key: str) -> None:
    for written in ("HT", "[HT]", "5", ""):
        assert refused_option(key, written) == f"--{key}: {written!r} is not of the form {{name: value, ...}}"
    for written in ("[HT]", "5", ""):
        fault = "Input should be a valid dictionary"
        if (key, written) == ("objects", ""):
            fault = "nothing; name kinds of objects, or write none for all in the file"
        assert refused(tmp_path, f"sample: s\n{key}: {written}\n") == f"{tmp_path / 'run.yaml'}: key '{key}': {fault}"


@pytest.mark.parametrize(
    ("key", "written"),
    [("define", "{leading: jet_pt[0]}"), ("objects", "{jet: {where: Jet_jetId[0] >= 2}}"), ("vary", "{jes: 0.02")],
)
def test_table_that_yaml_cannot_read_says_what_to_quote(tmp_path: Path, key: str, written: str) -> None:
    message = refused_option(key, written)
    assert message.startswith(f"--{key}: {written!r} is not of the form {{name: value, ...}} (")
    assert message.endswith("); put an expression in quotes")
    assert refused(tmp_path, f"sample: s\n{key}: {written}").startswith(
        f"{tmp_path / 'run.yaml'}, line 2: not valid YAML: "
    )


def test_a_definition_that_stands_twice_is_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, "sample: s\ndefine:\n  half: HT / 2\n  half: MR / 2\n")
    assert message == f"{tmp_path / 'run.yaml'}, line 4: not valid YAML: key 'half' stands twice; mend that line"


def test_quoted_brackets_are_read(tmp_path: Path) -> None:
    for quote in "'\"":
        written = f"{{leading: {quote}jet_pt[0]{quote}}}"
        for configuration in (
            load_configuration(RunConfiguration, {"sample": "s", "define": written}, None),
            configured(tmp_path, f"sample: s\ndefine: {written}\n"),
        ):
            assert {name: d.expression for name, d in configuration.define.items()} == {"leading": "jet_pt[0]"}


def test_objects_keep_apart_what_was_said_and_what_was_not(tmp_path: Path) -> None:
    """What is not said here is as the schema says; what is said to be none, is none."""
    written = "{jet: {pt: 0}, electron: {eta: 2.5, where: }, muon: {}}"
    said = {"jet": {"pt": 0.0}, "electron": {"eta": 2.5, "where": None}, "muon": {}}
    for configuration in (
        load_configuration(RunConfiguration, {"sample": "s", "objects": written}, None),
        configured(tmp_path, f"sample: s\nobjects: {written}\n"),
    ):
        assert {kind: o.model_dump(exclude_unset=True) for kind, o in configuration.objects.items()} == said


@pytest.mark.parametrize(
    ("written", "vary"),
    [
        ("jes", {"jes": 0.03}),
        ("lepton", {"lepton": 0.005}),
        (" met , jes ", {"met": 0.05, "jes": 0.03}),
        ("{jes: 0.02}", {"jes": 0.02}),
        (" {jes: 1e-4, lepton: 0.999}", {"jes": 1e-4, "lepton": 0.999}),
        ("{}", {}),
    ],
)
def test_forms_of_variations(tmp_path: Path, written: str, vary: dict[str, float]) -> None:
    assert load_configuration(RunConfiguration, {"sample": "s", "vary": written}, None).vary == vary
    assert configured(tmp_path, f"sample: s\nvary: {written}\n").vary == vary


@pytest.mark.parametrize(("written", "vary"), [("[jes, met]", {"jes": 0.03, "met": 0.05}), ("[]", {}), ("", {})])
def test_forms_of_variations_in_the_file(tmp_path: Path, written: str, vary: dict[str, float]) -> None:
    assert configured(tmp_path, f"sample: s\nvary: {written}\n").vary == vary


def test_no_variation_is_no_name() -> None:
    assert refused_option("vary", "") == "--vary: unknown variation ''; known: jes, lepton, met"


@pytest.mark.parametrize(
    ("key", "in_file", "in_command", "arrives"),
    [
        ("vary", "{jes: 0.02}", "met", {"met": 0.05}),
        ("define", "{a: HT}", "{b: MR}", {"b": {"expression": "MR", "title": None, "unit": ""}}),
        ("objects", "{jet: {pt: 9}}", "{jet: {eta: 2}}", {"jet": {"pt": None, "eta": 2.0, "where": None}}),
    ],
)
def test_a_table_of_the_command_line_takes_the_place_of_that_of_the_file(
    tmp_path: Path, key: str, in_file: str, in_command: str, arrives: dict[str, Any]
) -> None:
    configuration = configured(tmp_path, f"sample: s\n{key}: {in_file}\n", **{key: in_command})
    assert configuration.model_dump()[key] == arrives
