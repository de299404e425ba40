"""The configuration of a run: what takes precedence, which keys there are, and how a wrong one is answered."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from analysis.configuration import EvaluationConfiguration, RunConfiguration
from analysis.errors import ConfigurationError
from analysis.options import load_configuration, option_name
from analysis.run import option_parser
from models.detectors import registry
from models.detectors.detector import Detector, Features, Labels, Progress, Scores
from models.detectors.registry import SUPERVISED, UNSUPERVISED, register_detector
from rdf.errors import UnknownFeature
from rdf.schema.features import choose_features
from rdf.schema.model import load_schema

EVERYTHING: dict[str, Any] = {
    "sample": "a.csv",
    "schema": "cms_razor",
    "output": Path("out"),
    "detectors": ("isolation_forest",),
    "threads": 2,
    "max_events": 10,
    "entries": (5, 9),
    "models": Path("m"),
    "trust_models": True,
    "seed": 1,
    "features": ("MR", "Rsq"),
    "define": {
        "hardness": {"expression": "HT / MR", "title": None, "unit": ""},
        "leading": {"expression": "jet_pt[0]", "title": "p_{T}^{j1}", "unit": "GeV"},
    },
    "objects": {"jet": {"pt": 30.0, "eta": 2.4, "where": "Jet_jetId[0] >= 2"}},
    "train_events": 5000,
    "train_on": "background",
    "threshold": {"isolation_forest": {"sigma": 3.0}, "mlp": {"score": 0.9}},
    "autoencoder": {
        "preset": "compact",
        "layers": (16, 8),
        "latent": 3,
        "activation": "elu",
        "dropout": 0.1,
        "batch_norm": False,
        "learning_rate": 0.01,
        "batch_size": 64,
        "epochs": 7,
        "patience": 2,
        "validation": 0.1,
    },
    "settings": {"mine": {"width": 5}},
    "folds": 2,
    "vary": {"jes": 0.02, "met": 0.1},
    "engine": "local",
    "cluster": "local",
    "plan": "muons-7",
    "trusted_sha256": "f" * 64,
    "allow_simulated": True,
}
"""Every key, with a value that is not its default; but no other engine than `local` reads some entries only."""


class _Mine(Detector):
    """A detector from outside of the toolkit that has settings."""

    name = "mine"

    class Settings(BaseModel):
        width: int = 3

    def learn(self, X: Features, labels: Labels | None, progress: Progress) -> None:
        raise NotImplementedError

    def score(self, X: Features) -> Scores:
        raise NotImplementedError

    def network(self) -> Any:
        raise NotImplementedError


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the detector be known in one test."""
    monkeypatch.setattr(registry, "_registered", {})
    register_detector(_Mine)


def configured(tmp_path: Path, text: str, **options: Any) -> RunConfiguration:
    file = tmp_path / "run.yaml"
    file.write_text(text)
    return load_configuration(RunConfiguration, options, file)


def refused(tmp_path: Path, text: str, **options: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        configured(tmp_path, text, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refused_option(key: str, value: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(RunConfiguration, {"sample": "s", key: value}, None)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_defaults_are_those_of_the_help() -> None:
    configuration = load_configuration(RunConfiguration, {"sample": "cms2010b"}, None)
    assert configuration.model_dump() == {
        "sample": "cms2010b",
        "schema_name": None,
        "output": None,
        "detectors": None,
        "threads": len(os.sched_getaffinity(0)),
        "max_events": None,
        "entries": None,
        "models": None,
        "trust_models": False,
        "seed": 42,
        "features": None,
        "define": {},
        "objects": {},
        "train_events": 100_000,
        "train_on": "all",
        "threshold": {},
        # The preset dense: 128-64-32 and back.
        "autoencoder": {
            "preset": "dense",
            "layers": (128, 64),
            "latent": 32,
            "activation": "relu",
            "dropout": 0.0,
            "batch_norm": False,
            "learning_rate": 1e-3,
            "batch_size": 512,
            "epochs": 50,
            "patience": 3,
            "validation": 0.2,
        },
        "settings": {},
        "folds": 1,
        "vary": {},
        "engine": "local",
        "cluster": "local",
        "plan": None,
        "trusted_sha256": None,
        "allow_simulated": False,
    }


def test_command_line_beats_file_beats_default(tmp_path: Path) -> None:
    configuration = configured(
        tmp_path, "sample: from_file\nseed: 7\nthreads: 3\nallow_simulated: true\n", sample="from_command", seed="8"
    )
    assert configuration.sample == "from_command"
    assert configuration.seed == 8
    assert configuration.threads == 3
    assert configuration.allow_simulated is True
    assert configuration.max_events is None


def test_every_option_is_a_key_and_the_reverse() -> None:
    options = {name for action in option_parser()._actions for name in action.option_strings if name.startswith("--")}
    keys = {option_name(field) for field in RunConfiguration.model_fields}
    assert options - {"--help", "--config"} == {f"--{key.replace('_', '-')}" for key in keys}
    assert {"schema", "allow_simulated"} <= keys


@pytest.mark.usefixtures("registered")
def test_all_options_of_the_command_line_arrive() -> None:
    command = (
        "--sample a.csv --schema cms_razor --output out --detectors isolation_forest --threads 2 --max-events 10 "
        "--entries 5:9 --models m --seed 1 --features MR,Rsq --allow-simulated --vary '{jes: 0.02, met: 0.1}' "
        "--engine local --cluster local --plan muons-7 "
        f"--trust-models --trusted-sha256 {64 * 'f'} "
        """--define '{hardness: HT / MR, leading: {expression: "jet_pt[0]", title: "p_{T}^{j1}", unit: GeV}}' """
        """--objects '{jet: {pt: 30, eta: 2.4, where: "Jet_jetId[0] >= 2"}}' """
        "--train-events 5000 --train-on background --folds 2 "
        "--threshold '{isolation_forest: {sigma: 3}, mlp: {score: 0.9}}' "
        "--autoencoder '{preset: compact, layers: [16, 8], latent: 3, activation: elu, dropout: 0.1, "
        "batch_norm: false, learning_rate: 0.01, batch_size: 64, epochs: 7, patience: 2, validation: 0.1}' "
        "--settings '{mine: {width: 5}}'"
    )
    given = {key: value for key, value in vars(option_parser().parse_args(shlex.split(command))).items() if value}
    assert load_configuration(RunConfiguration, given, None).model_dump(by_alias=True) == EVERYTHING


@pytest.mark.usefixtures("registered")
def test_all_keys_of_the_file_arrive(tmp_path: Path) -> None:
    text = """
sample: a.csv
schema: cms_razor
output: out
detectors: [isolation_forest]
threads: 2
max_events: 10
entries: [5, 9]
models: m
trust_models: true
trusted_sha256: ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
seed: 1
features: [MR, Rsq]
define:
  hardness: HT / MR
  leading:
    expression: jet_pt[0]
    title: p_{T}^{j1}
    unit: GeV
objects:
  jet:
    pt: 30
    eta: 2.4
    where: Jet_jetId[0] >= 2
train_events: 5000
train_on: background
folds: 2
threshold:
  isolation_forest: {sigma: 3}
  mlp: {score: 0.9}
autoencoder:
  preset: compact
  layers: [16, 8]
  latent: 3
  activation: elu
  dropout: 0.1
  batch_norm: false
  learning_rate: 0.01
  batch_size: 64
  epochs: 7
  patience: 2
  validation: 0.1
settings:
  mine: {width: 5}
vary:
  jes: 0.02
  met: 0.1
engine: local
cluster: local
plan: muons-7
allow_simulated: true
"""
    assert configured(tmp_path, text).model_dump(by_alias=True) == EVERYTHING


def test_option_that_is_not_given_does_not_hide_the_file(tmp_path: Path) -> None:
    given = vars(option_parser().parse_args(["--seed", "5"]))
    configuration = configured(
        tmp_path, "sample: s\nallow_simulated: true\n", **{key: value for key, value in given.items() if value}
    )
    assert (configuration.sample, configuration.allow_simulated, configuration.seed) == ("s", True, 5)


@pytest.mark.parametrize(
    ("written", "entries"),
    [
        ("0:100", (0, 100)),
        ("'10:20'", (10, 20)),
        # To YAML 1.1 this would be 10 * 60 + 20.
        ("10:20", (10, 20)),
        ("1000:2000", (1000, 2000)),
        ("[10, 20]", (10, 20)),
    ],
)
def test_forms_of_entries(tmp_path: Path, written: str, entries: tuple[int, int]) -> None:
    assert configured(tmp_path, f"sample: s\nentries: {written}\n").entries == entries


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        ("5", "'5' is not of the form A:B with whole numbers"),
        ("5:", "'5:' is not of the form A:B with whole numbers"),
        ("-5:7", "'-5:7' is not of the form A:B with whole numbers"),
        ("1.5:7", "'1.5:7' is not of the form A:B with whole numbers"),
        ("a:b", "'a:b' is not of the form A:B with whole numbers"),
        ("7:7", "7:7 is empty; A must be less than B"),
        ("9:7", "9:7 is empty; A must be less than B"),
    ],
)
def test_wrong_entries_are_named(entries: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(RunConfiguration, {"sample": "s", "entries": entries}, None)
    assert str(caught.value) == f"--entries: {fault}"


def test_negative_entries_in_a_list_are_refused(tmp_path: Path) -> None:
    assert "key 'entries': -3:5 is empty" in refused(tmp_path, "sample: s\nentries: [-3, 5]\n")
    assert "key 'entries': " in refused(tmp_path, "sample: s\nentries: [1, 2, 3]\n")
    assert "key 'entries': " in refused(tmp_path, "sample: s\nentries: 5\n")


@pytest.mark.parametrize("written", ["isolation_forest", " isolation_forest ", "[isolation_forest]"])
def test_detectors_are_split(tmp_path: Path, written: str) -> None:
    assert configured(tmp_path, f"sample: s\ndetectors: {written}\n").detectors == ("isolation_forest",)


@pytest.mark.parametrize(
    ("detectors", "fault"),
    [
        ("isolation_forrest", "unknown detector 'isolation_forrest'; did you mean isolation_forest, decision_tree?"),
        ("isolation_forest,", "unknown detector ''; known: autoencoder, decision_tree, "),
        ("isolation_forest, isolation_forest", "name each detector once, and at least one"),
        ((), "name each detector once, and at least one"),
    ],
)
def test_wrong_detectors_are_named(detectors: Any, fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(RunConfiguration, {"sample": "s", "detectors": detectors}, None)
    assert str(caught.value).startswith(f"--detectors: {fault}")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("sampel", "unknown key 'sampel'; did you mean sample"),
        ("allow-simulated", "unknown key 'allow-simulated'; did you mean allow_simulated?"),
        ("schema_name", "unknown key 'schema_name'; did you mean schema?"),
        ("config", f"unknown key 'config'; known: {', '.join(sorted(EVERYTHING))}"),
        ("7", "unknown key '7'; known: allow_simulated, autoencoder, cluster, define, "),
    ],
)
def test_unknown_key_is_named_with_near_ones(tmp_path: Path, key: str, words: str) -> None:
    assert refused(tmp_path, f"{key}: x\n", sample="s").startswith(f"{tmp_path / 'run.yaml'}: {words}")


@pytest.mark.parametrize(
    ("text", "line"),
    [("sample: s\nseed: [1\n", 3), ("sample: s\n\tseed: 1\n", 2), ("sample: 's\n", 2), ("a: b: c\n", 1)],
)
def test_malformed_yaml_is_named_by_line(tmp_path: Path, text: str, line: int) -> None:
    message = refused(tmp_path, text)
    assert message.startswith(f"{tmp_path / 'run.yaml'}, line {line}: not valid YAML: ")
    assert message.endswith("; mend that line")


@pytest.mark.parametrize("text", ["- sample\n- s\n", "cms2010b\n", "5\n"])
def test_file_that_is_no_table_is_named(tmp_path: Path, text: str) -> None:
    assert refused(tmp_path, text) == (
        f"{tmp_path / 'run.yaml'}: a table of `key: value` lines is expected, as in `sample: cms2010b`"
    )


def test_empty_file_says_nothing(tmp_path: Path) -> None:
    assert configured(tmp_path, "# nothing yet\n", sample="s") == load_configuration(
        RunConfiguration, {"sample": "s"}, None
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sample", "[1]"),
        ("threads", "0"),
        ("threads", "many"),
        ("threads", "1.5"),
        ("max_events", "0"),
        ("max_events", "-3"),
        ("seed", "-1"),
        ("seed", "4294967296"),
        ("allow_simulated", "perhaps"),
        ("output", "5"),
        ("models", "[a, b]"),
        ("schema", "{a: b}"),
    ],
)
def test_wrong_value_is_named_by_file_and_key(tmp_path: Path, key: str, value: str) -> None:
    text = f"{key}: {value}\n" + ("" if key == "sample" else "sample: s\n")
    assert refused(tmp_path, text).startswith(f"{tmp_path / 'run.yaml'}: key '{key}': ")


def test_wrong_value_of_the_command_line_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    assert refused(tmp_path, "sample: s\nmax_events: 5\n", max_events="none").startswith("--max-events: ")


def test_no_sample_names_the_option(tmp_path: Path) -> None:
    assert refused(tmp_path, "seed: 3\n").startswith("no sample; name one with --sample")


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.yaml: No such file or directory; check the path of --config"):
        load_configuration(RunConfiguration, {}, tmp_path / "none.yaml")
    with pytest.raises(ConfigurationError, match="Is a directory; check the path of --config"):
        load_configuration(RunConfiguration, {}, tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"sample: \xff\xfe\n")
    with pytest.raises(ConfigurationError, match=r"binary\.yaml is not a text file: "):
        load_configuration(RunConfiguration, {}, tmp_path / "binary.yaml")


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("sample: cms2010b\nseed: 1\nseed: 2\n")
    with pytest.raises(ConfigurationError, match=r"run\.yaml, line 3: .*key 'seed' stands twice"):
        load_configuration(RunConfiguration, {}, file)


@pytest.mark.parametrize(("key", "value"), [("threads", "true"), ("seed", "yes"), ("max_events", "1e3")])
def test_whole_numbers_are_whole_numbers(tmp_path: Path, key: str, value: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(f"sample: cms2010b\n{key}: {value}\n")
    with pytest.raises(ConfigurationError, match=f"key '{key}': .* is not a whole number"):
        load_configuration(RunConfiguration, {}, file)


@pytest.mark.parametrize("key", ["output", "models"])
def test_an_empty_path_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"--{key}: an empty path"):
        load_configuration(RunConfiguration, {"sample": "cms2010b", key: ""}, None)


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


@pytest.mark.parametrize("date", ["2020-13-45", "2024-05-01", "2024-05-01 10:20:30"])
def test_dates_are_text(tmp_path: Path, date: str) -> None:
    assert refused(tmp_path, f"sample: s\nseed: {date}\n") == (
        f"{tmp_path / 'run.yaml'}: key 'seed': '{date}' is not a whole number"
    )
    assert configured(tmp_path, f"sample: s\ndefine: {{x: {date}}}\n").define["x"].expression == date


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
        ("objects", "{tau: {pt: 30}}", "unknown kind of object 'tau'; known: electron, jet, muon"),
        # Electrons and muons are selected, also in formats that hold them together.
        ("objects", "{lepton: {pt: 30}}", "unknown kind of object 'lepton'; did you mean electron?"),
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
        assert refused(tmp_path, f"sample: s\n{key}: {written}\n") == (
            f"{tmp_path / 'run.yaml'}: key '{key}': Input should be a valid dictionary"
        )


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


RULES = {"contamination": 0.01, "percentile": 99.5, "sigma": 3.0, "score": 0.7}


@pytest.mark.parametrize("rule", RULES)
def test_one_threshold_rule_is_for_all_detectors(tmp_path: Path, rule: str) -> None:
    configuration = configured(tmp_path, f"sample: s\nthreshold: {{{rule}: {RULES[rule]}}}\n")
    assert set(configuration.threshold) == {*UNSUPERVISED, *SUPERVISED}
    for given in configuration.threshold.values():
        assert given.model_dump() == {rule: RULES[rule]}


@pytest.mark.parametrize(
    ("threshold", "fault"),
    [
        ("{sgma: 3}", "unknown detector or rule 'sgma'; did you mean sigma?"),
        ("{forest: {sigma: 3}}", "unknown detector or rule 'forest'; did you mean score, isolation_forest?"),
        ("{sigma: 3, percentile: 99}", "give exactly one of contamination, percentile, sigma, score"),
        ("{mlp: {}}", "give exactly one of contamination, percentile, sigma, score"),
        ("{contamination: 1.5}", "contamination: 1.5 is out of range; give a number above 0 and below 1"),
        ("{mlp: {score: high}}", "mlp.score: Input should be a valid number"),
        ("3", "'3' is not of the form {name: value, ...}"),
        ("{sigma: 3, mlp: {score: 0.5}}", "give either one rule for all detectors, or a rule for each; not both"),
    ],
)
def test_wrong_threshold_is_named(threshold: str, fault: str) -> None:
    message = refused_option("threshold", threshold)
    assert message.startswith("--threshold: ")
    assert fault in message


def test_autoencoder_by_its_preset_or_a_table() -> None:
    # The two presets of the issue: 128-64-32 and back; 32-16-8 with 4 latent numbers, batch norm and dropout 0.2.
    dense = load_configuration(RunConfiguration, {"sample": "s", "autoencoder": "dense"}, None).autoencoder
    assert (dense.layers, dense.latent, dense.batch_norm, dense.dropout) == ((128, 64), 32, False, 0)
    compact = load_configuration(
        RunConfiguration, {"sample": "s", "autoencoder": "{preset: compact, epochs: 3}"}, None
    ).autoencoder
    assert (compact.layers, compact.latent, compact.batch_norm, compact.dropout) == ((32, 16, 8), 4, True, 0.2)
    assert compact.epochs == 3


@pytest.mark.parametrize(
    ("autoencoder", "fault"),
    [
        ("compct", "preset: Input should be 'dense' or 'compact'"),
        ("{latent: 0}", "latent: Input should be greater than or equal to 1"),
        ("{latnt: 3}", "unknown key 'latnt'"),
        ("{layers: [32, x]}", "layers.1: Input should be a valid integer"),
        ("{activation: softmax}", "activation: Input should be 'relu', "),
        ("{dropout: 1}", "dropout: Input should be less than 1"),
    ],
)
def test_wrong_autoencoder_is_named(autoencoder: str, fault: str) -> None:
    message = refused_option("autoencoder", autoencoder)
    assert message.startswith("--autoencoder: ")
    assert fault in message


def test_all_events_can_be_trained_on() -> None:
    assert load_configuration(RunConfiguration, {"sample": "s", "train_events": "all"}, None).train_events is None
    assert refused_option("train_events", "0") == "--train-events: Input should be greater than or equal to 1"
    assert refused_option("train_events", "most") == "--train-events: 'most' is not a whole number"


@pytest.mark.parametrize(
    "options",
    [{}, {"background": "b"}, {"signal": "s"}, {"sample": "a", "signal": "s"}, {"sample": "a", "background": "b"}],
    ids=["none", "background", "signal", "sample and signal", "sample and background"],
)
def test_an_evaluation_needs_labels_or_two_samples(options: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"^name either one sample with labels"):
        load_configuration(EvaluationConfiguration, options, None)


def test_an_evaluation_trains_on_background() -> None:
    two = load_configuration(EvaluationConfiguration, {"background": "b", "signal": "s"}, None)
    one = load_configuration(EvaluationConfiguration, {"sample": "a", "train_on": "all"}, None)
    assert (two.train_on, one.train_on) == ("background", "all")
    assert load_configuration(RunConfiguration, {"sample": "a"}, None).train_on == "all"


@pytest.mark.parametrize("written", ["1e-3", "1.0e-3", "0.001", "1E-3", "+1e-3"])
def test_numbers_may_be_written_with_an_exponent(tmp_path: Path, written: str) -> None:
    """YAML 1.1 takes some of these for text."""
    assert (
        configured(tmp_path, f"sample: s\nautoencoder: {{learning_rate: {written}}}\n").autoencoder.learning_rate
        == 1e-3
    )
    option = {"sample": "s", "autoencoder": f"{{learning_rate: {written}}}"}
    assert load_configuration(RunConfiguration, option, None).autoencoder.learning_rate == 1e-3


def test_names_with_an_exponents_letter_stay_names(tmp_path: Path) -> None:
    assert configured(tmp_path, "sample: 2e\noutput: e5\nfeatures: 1e5x\n").sample == "2e"
