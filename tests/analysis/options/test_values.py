"""Values of single keys and whole configuration files: their forms, and how wrong ones are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.configuration import RunConfiguration
from analysis.errors import ConfigurationError
from analysis.options import load_configuration
from tests.analysis.options.configured import configured, refused


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


@pytest.mark.parametrize("date", ["2020-13-45", "2024-05-01", "2024-05-01 10:20:30"])
def test_dates_are_text(tmp_path: Path, date: str) -> None:
    assert refused(tmp_path, f"sample: s\nseed: {date}\n") == (
        f"{tmp_path / 'run.yaml'}: key 'seed': '{date}' is not a whole number"
    )
    assert configured(tmp_path, f"sample: s\ndefine: {{x: {date}}}\n").define["x"].expression == date


@pytest.mark.parametrize("written", ["1e-3", "1.0e-3", "0.001", "1E-3", "+1e-3"])
def test_numbers_may_be_written_with_an_exponent(tmp_path: Path, written: str) -> None:
    """YAML 1.1 reads some of these numbers as text."""
    assert (
        configured(tmp_path, f"sample: s\nautoencoder: {{learning_rate: {written}}}\n").autoencoder.learning_rate
        == 1e-3
    )
    option = {"sample": "s", "autoencoder": f"{{learning_rate: {written}}}"}
    assert load_configuration(RunConfiguration, option, None).autoencoder.learning_rate == 1e-3


def test_names_with_an_exponents_letter_stay_names(tmp_path: Path) -> None:
    assert configured(tmp_path, "sample: 2e\noutput: e5\nfeatures: 1e5x\n").sample == "2e"


@pytest.mark.parametrize("key", ["triggers", "filters"])
@pytest.mark.parametrize(
    ("written", "read"), [("none", ()), ("[]", ()), ("A_1", ("A_1",)), ("'A_1, B'", ("A_1", "B")), ("[B]", ("B",))]
)
def test_forms_of_triggers_and_filters(tmp_path: Path, key: str, written: str, read: tuple[str, ...]) -> None:
    assert getattr(configured(tmp_path, f"{key}: {written}\n", sample="s"), key) == read


def test_with_a_list_of_certified_runs_or_without() -> None:
    given = load_configuration(RunConfiguration, {"sample": "s", "certified": Path("runs.json")}, None)
    assert given.certified == "runs.json"
    with pytest.raises(ConfigurationError, match="--certified names a list of certified runs, --uncertified goes on"):
        load_configuration(RunConfiguration, {"sample": "s", "certified": "runs.json", "uncertified": True}, None)
