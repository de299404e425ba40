"""The configuration of a run: what takes precedence, which keys there are, and how a wrong one is answered."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from analysis.configuration import RunConfiguration, load_configuration, option_name
from analysis.errors import ConfigurationError
from analysis.run import option_parser


def configured(tmp_path: Path, text: str, **options: Any) -> RunConfiguration:
    file = tmp_path / "run.yaml"
    file.write_text(text)
    return load_configuration(options, file)


def refused(tmp_path: Path, text: str, **options: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        configured(tmp_path, text, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_defaults_are_those_of_the_help() -> None:
    configuration = load_configuration({"sample": "cms2010b"}, None)
    assert configuration.model_dump() == {
        "sample": "cms2010b",
        "schema_name": None,
        "output": None,
        "detectors": None,
        "threads": len(os.sched_getaffinity(0)),
        "max_events": None,
        "entries": None,
        "models": None,
        "seed": 42,
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


def test_all_options_of_the_command_line_arrive() -> None:
    command = (
        "--sample a.csv --schema cms_razor --output out --detectors isolation_forest --threads 2 --max-events 10 "
        "--entries 5:9 --models m --seed 1 --allow-simulated"
    )
    given = {key: value for key, value in vars(option_parser().parse_args(command.split())).items() if value}
    assert load_configuration(given, None).model_dump() == {
        "sample": "a.csv",
        "schema_name": "cms_razor",
        "output": Path("out"),
        "detectors": ("isolation_forest",),
        "threads": 2,
        "max_events": 10,
        "entries": (5, 9),
        "models": Path("m"),
        "seed": 1,
        "allow_simulated": True,
    }


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
seed: 1
allow_simulated: true
"""
    assert configured(tmp_path, text).model_dump(by_alias=True) == {
        "sample": "a.csv",
        "schema": "cms_razor",
        "output": Path("out"),
        "detectors": ("isolation_forest",),
        "threads": 2,
        "max_events": 10,
        "entries": (5, 9),
        "models": Path("m"),
        "seed": 1,
        "allow_simulated": True,
    }


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
        load_configuration({"sample": "s", "entries": entries}, None)
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
        ("isolation_forrest", "unknown detector 'isolation_forrest'; did you mean isolation_forest?"),
        ("isolation_forest,", "unknown detector ''; known: isolation_forest"),
        ("isolation_forest, isolation_forest", "name each detector once, and at least one"),
        ((), "name each detector once, and at least one"),
    ],
)
def test_wrong_detectors_are_named(detectors: Any, fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration({"sample": "s", "detectors": detectors}, None)
    assert str(caught.value).startswith(f"--detectors: {fault}")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("sampel", "unknown key 'sampel'; did you mean sample"),
        ("allow-simulated", "unknown key 'allow-simulated'; did you mean allow_simulated?"),
        ("schema_name", "unknown key 'schema_name'; did you mean schema?"),
        ("config", "unknown key 'config'; known: allow_simulated, detectors, entries, max_events, models, output, "),
        ("7", "unknown key 7; known: allow_simulated, detectors, "),
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
    assert configured(tmp_path, "# nothing yet\n", sample="s") == load_configuration({"sample": "s"}, None)


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
        load_configuration({}, tmp_path / "none.yaml")
    with pytest.raises(ConfigurationError, match="Is a directory; check the path of --config"):
        load_configuration({}, tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"sample: \xff\xfe\n")
    with pytest.raises(ConfigurationError, match=r"binary\.yaml is not a text file: "):
        load_configuration({}, tmp_path / "binary.yaml")


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("sample: cms2010b\nseed: 1\nseed: 2\n")
    with pytest.raises(ConfigurationError, match=r"run\.yaml, line 3: .*key 'seed' stands twice"):
        load_configuration({}, file)


@pytest.mark.parametrize(("key", "value"), [("threads", "true"), ("seed", "yes"), ("max_events", "1e3")])
def test_whole_numbers_are_whole_numbers(tmp_path: Path, key: str, value: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(f"sample: cms2010b\n{key}: {value}\n")
    with pytest.raises(ConfigurationError, match=f"key '{key}': .* is not a whole number"):
        load_configuration({}, file)


@pytest.mark.parametrize("key", ["output", "models"])
def test_an_empty_path_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"--{key}: an empty path"):
        load_configuration({"sample": "cms2010b", key: ""}, None)
