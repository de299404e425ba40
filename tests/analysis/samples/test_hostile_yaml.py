"""Sample files, schemas and configurations from strangers: each fault is one line that names file or key, and soon."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.configuration import RunConfiguration
from analysis.console.program import BAD_COMMAND, BAD_DATA, exit_code
from analysis.errors import ConfigurationError, DataError
from analysis.options import load_configuration
from analysis.samples.inputs import resolve_input
from rdf.errors import SchemaError
from rdf.schema.model import load_schema

SAMPLE = "title: mine\nschema: cms_nanoaod\nfiles: [{path: here.root}]\n"
SCHEMA = (
    "title: mine\ntree: t\ncolumns: {met: float32}\nquantities: {met_pt: {expression: met, unit: GeV}}\n"
    "feature_sets: {mine: {features: [met, met_pt], plane: [met, met_pt]}}\nfeatures: mine\n"
)
CONFIGURATION = "sample: mine\n"
BASES = {"sample": SAMPLE, "schema": SCHEMA, "config": CONFIGURATION}
TEXTS = {"sample": "title", "schema": "title", "config": "sample"}
"""A key whose value is text, in each kind of file."""

FAULTS = (ConfigurationError, DataError, SchemaError)


def read(kind: str, path: Path) -> object:
    """Read a file as a run does at its start."""
    if kind == "config":
        return load_configuration(RunConfiguration, {}, path)
    if kind == "schema":
        return load_schema(str(path))
    return resolve_input(load_configuration(RunConfiguration, {"sample": str(path)}, None))


def refused(kind: str, path: Path, code: int = BAD_COMMAND) -> str:
    """Return how reading a file is refused."""
    with pytest.raises(FAULTS) as caught:
        read(kind, path)
    assert exit_code(caught.value) == code
    message = str(caught.value)
    assert "\n" not in message
    assert message.isprintable()
    assert len(message) < 1500 + 2 * len(str(path))
    return message


def laughs(key: str) -> str:
    """A page of aliases that would become 10^9 words."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    return "\n".join([*lines, f"{key}: *a9\n"])


SYNTAX: dict[str, Callable[[str, str], str | bytes]] = {
    "billion laughs": lambda base, key: base + laughs(key),
    "quadratic blowup": lambda base, _key: base + f"b: &b {'x' * 9000}\nc: [{', '.join(['*b'] * 5000)}]\n",
    "an alias of itself": lambda base, _key: base + "a: &a [*a]\n",
    "merge keys": lambda base, key: f"<<: [&a {{{key}: x}}, *a]\n" + base,
    "merge key alone": lambda base, _key: base + "<<: {title: other}\n",
    "an anchor": lambda base, key: base.replace(f"{key}: ", f"{key}: &a "),
    "python/object": lambda base, key: base.replace(f"{key}: ", f"{key}: !!python/object/apply:os.system [exit] #"),
    "a tag of its own": lambda base, key: base.replace(f"{key}: ", f"{key}: !x "),
    "deep lists": lambda base, key: base + f"{key}2: {'[' * 20_000}",
    "deep tables": lambda base, key: base + f"{key}2: {'{a: ' * 20_000}",
    "deep blocks": lambda base, _key: base + "".join(f"{' ' * i}k:\n" for i in range(1000)),
    "deep keys": lambda base, _key: base + "? " * 10_000,
    "5,000 digits": lambda base, key: base.replace(f"{key}: mine", f"{key}: {'9' * 5000}"),
    "a huge key": lambda base, _key: base + f"? {'k' * 100_000}\n: 1\n",
    "a huge value": lambda base, _key: base + f"x: {'v' * 100_000}\n",
    "many values": lambda base, _key: base + f"x: [{'1,' * 250_000}]\n",
    "a large file": lambda base, _key: base + "# nothing\n" * 500_000,
    "half a character": lambda base, key: base.replace(f"{key}: mine", f'{key}: "\\ud800"'),
    "an escape": lambda base, key: base.replace(f"{key}: mine", f'{key}: "\\e[2J"'),
    "an escape in a key": lambda base, _key: base + '"\\e[2J": 1\n',
    "an escape as it is": lambda base, _key: base.replace("mine", "\x1b[2J"),
    "a NUL": lambda base, _key: base.replace("mine", "mi\0ne"),
    "a NUL in quotes": lambda base, key: base.replace(f"{key}: mine", f'{key}: "mi\\0ne"'),
    "the other direction": lambda base, _key: base.replace("mine", "mine\u202etoor"),
    "UTF-16": lambda base, _key: base.encode("utf-16"),
    "UTF-32": lambda base, _key: base.encode("utf-32"),
    "Latin-1": lambda base, _key: base.replace("mine", "caf\xe9").encode("latin-1"),
    "a binary file": lambda _base, _key: b"\x7fELF\x02\x01\x01" + bytes(500) + b"\xff\xfe",
    "a ROOT file": lambda _base, _key: b"root" + bytes(range(256)) * 10,
    "two documents": lambda base, _key: f"{base}---\n{base}",
    "an empty file": lambda _base, _key: "",
    "a list": lambda _base, _key: "- 1\n- 2\n",
    "one number": lambda _base, _key: "7\n",
    "one word": lambda _base, _key: "word\n",
    "an infinite number": lambda _base, _key: ".inf\n",
    "a key twice": lambda base, key: base + f"{key}: other\n",
    "a number as key": lambda base, _key: base + "7: 1\n",
    "a truth value as key": lambda base, _key: base + "yes: 1\n",
    "nothing as key": lambda base, _key: base + "~: 1\n",
    "an empty key": lambda base, _key: base + "'': 1\n",
    "a list as key": lambda base, _key: base + "[a, b]: 1\n",
    "a table as key": lambda base, _key: base + "{a: b}: 1\n",
    "an unknown key": lambda base, _key: base + "__class__: 1\n",
    "no end of a list": lambda base, _key: base + "x: [1\n",
    "a tab": lambda base, _key: base + "\tx: 1\n",
    "an infinite number as text": lambda base, key: base.replace(f"{key}: mine", f"{key}: .inf"),
    "no number as text": lambda base, key: base.replace(f"{key}: mine", f"{key}: .nan"),
    "a list as text": lambda base, key: base.replace(f"{key}: mine", f"{key}: [mine]"),
    "a table as text": lambda base, key: base.replace(f"{key}: mine", f"{key}: {{mine: 1}}"),
    "a truth value as text": lambda base, key: base.replace(f"{key}: mine", f"{key}: no"),
    "nothing as text": lambda base, key: base.replace(f"{key}: mine", f"{key}:"),
    "an HTML page": lambda _base, _key: "<!DOCTYPE html>\n<html><body>Sign in</body></html>\n",
}
ACCEPTED = {("config", "an empty file")}
"""That of these which is no fault: an empty configuration; but then there is no sample."""


@pytest.mark.parametrize("fault", SYNTAX)
@pytest.mark.parametrize("kind", BASES)
def test_files_that_are_odd_in_themselves(kind: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / "here.root").touch()
    path = tmp_path / "mine.yaml"
    path.write_text(BASES[kind])
    assert read(kind, path)
    content = SYNTAX[fault](BASES[kind], TEXTS[kind])
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    message = refused(kind, path)
    if (kind, fault) in ACCEPTED:
        assert message.startswith("no sample; name one with --sample")
    else:
        assert str(path) in message


VALUES: dict[str, list[str]] = {
    "sample": [
        "luminosity: .inf", "luminosity: -.inf", "luminosity: .nan", "luminosity: 1e999", "luminosity: inf",
        "luminosity: 'Infinity'", "luminosity: nan", "luminosity: -1", "luminosity: {a: 1}", "luminosity: 2024-01-01",
        "events: 1.5", "events: 0", "events: .nan", "events: 1e999", "events: [1]", "events: many", "record: -1",
        "record: .inf", "size: 10:20", "size: ~x", "tree: 5", "tree: [a]", "doi: {a: b}", "licence: 7", "origin: [x]",
        "energy: 13", "simulated: perhaps", "simulated: 2", "features: [a]", "access: write", "access: {a: 1}",
        "stand_in: [x]", "indexes: {}", "indexes: 5", "files: 5", "files: {}", "files: [5]", "files: [[]]",
        "files: [{}]", "files: [{path: 5}]", "files: [{path: here.root, size: .inf}]", "files: [~]",
        "files: [{path: here.root, events: 1e999}]", "files: [{path: here.root, sha256: abc}]",
        "files: [{path: here.root, sha256: 5}]", "files: [{url: 'root://['}]", "files: [{url: 'http://h:1e9/x'}]",
        "files: [{url: 'file:///etc/passwd'}]", "files: [{path: here.root, download: 7}]", "files: here.root",
        "files: [{path: here.root, copy_of: [x]}]", "name: other", "name: [mine]", "schema: {a: b}", "schema: 7",
        "simulation: qcd", "files: [{url: 'https://h/x', path: here.root, events: -1}]",
    ],
    "schema": [
        "columns: 5", "columns: [met]", "columns: {met: 5}", "columns: {met: float33}", "columns: {7: float32}",
        "columns: {'a b': float32}", "columns: {met: {a: b}}", "columns: ~", "quantities: 5", "quantities: [met]",
        "quantities: {met_pt: 5}", "quantities: {met_pt: {expression: 5}}", "quantities: {met_pt: {expression: []}}",
        "quantities: {met_pt: {expression: met, unit: parsec}}", "quantities: {met_pt: {expression: met, unit: []}}",
        "quantities: {met_pt: {expression: met, unit: .inf}}", "quantities: {MET: {expression: met}}",
        "quantities: {met_pt: {expression: met, optional: 7}}", "quantities: {7: {expression: met}}",
        "quantities: {label: {expression: met, background: [.nan]}}", "quantities: {met_pt: {expression: {a: b}}}",
        "quantities: {label: {expression: met, background: [1e999]}}", "feature_sets: 5", "feature_sets: {mine: 5}",
        "feature_sets: {mine: {features: [], plane: [met, met]}}", "feature_sets: {mine: {features: met}}",
        "feature_sets: {mine: {features: [met, 5], plane: [met, met]}}", "features: 5", "features: {}", "features: [5]",
        "features: []", "objects: 5", "objects: {jet: {pt: .inf}}", "objects: {jet: {pt: .nan}}",
        "objects: {jet: {eta: -1}}", "objects: {jet: {pt: '30'}}", "objects: {jet: [1]}", "objects: {track: {pt: 1}}",
        "define: 5", "define: {x: 5}", "define: {x: [1]}", "define: {'a b': met}", "define: {x: {expression: 5}}",
        "layout: pages", "layout: 5", "dataset: ''", "dataset: [x]", "tree: ~", "tree: 7", "name: other",
    ],
    "config": [
        "threads: .inf", "threads: .nan", "threads: 0", "threads: 1e999", "threads: [1]", "threads: 2024-01-01",
        "threads: 99999999999999999999", "max_events: .inf", "max_events: {}", "seed: -1", "seed: .nan", "seed: 1e999",
        "folds: .inf", "folds: 99", "folds: true", "train_events: .inf", "train_events: few", "entries: 5",
        "entries: [1]", "entries: '9:5'", "entries: [.inf, .nan]", "entries: 1:99999999999999999999x", "vary: .inf",
        "vary: {jes: .inf}", "vary: {jes: .nan}", "vary: {jes: 1e999}", "vary: {jes: [1]}", "vary: {7: 0.1}",
        "vary: {jes: inf}", "threshold: .nan", "threshold: {sigma: .inf}", "threshold: {sigma: .nan}",
        "threshold: {sigma: 1e999}", "threshold: {sigma: inf}", "threshold: {mlp: 5}", "threshold: {percentile: 200}",
        "threshold: [1]", "autoencoder: 5", "autoencoder: {dropout: .nan}", "autoencoder: {learning_rate: .inf}",
        "autoencoder: {epochs: .inf}", "autoencoder: {layers: [.inf]}", "autoencoder: large", "detectors: 5",
        "detectors: [5]", "detectors: {}", "detectors: [[]]", "features: .inf", "features: {}", "features: [1, 2]",
        "define: 5", "define: [1]", "define: {x: .inf}", "define: {x: {title: 5, expression: met}}", "define: {1: x}",
        "objects: .nan", "objects: {jet: {pt: .inf}}", "objects: {jet: 5}", "engine: [x]", "engine: spark",
        "cluster: {a: b}", "plan: ''", "plan: [x]", "output: 5", "output: ''", "output: {a: b}", "models: [a]",
        "schema: .inf", "schema: [a]", "train_on: 5", "train_on: signal", "allow_simulated: perhaps",
        "allow_simulated: .inf",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "line"), [(kind, line) for kind, lines in VALUES.items() for line in lines])
def test_values_of_another_kind_name_their_key(kind: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "here.root").touch()
    key = line.partition(":")[0]
    kept = [known for known in BASES[kind].splitlines() if not known.startswith(f"{key}:")]
    path = tmp_path / "mine.yaml"
    path.write_text("\n".join([*kept, line, ""]))
    message = refused(kind, path)
    assert str(path) in message
    assert key in message


@pytest.mark.parametrize("text", ["2024-99-99", "2024-01-01", "10:20", "1:2:3", "0o17", "=", "'17'", "µ", "1e", "e5"])
@pytest.mark.parametrize("kind", BASES)
def test_text_that_looks_odd_is_text(kind: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "here.root").touch()
    path = tmp_path / "mine.yaml"
    path.write_text(BASES[kind].replace(f"{TEXTS[kind]}: mine", f"{TEXTS[kind]}: {text}"))
    assert getattr(read(kind, path), TEXTS[kind]) == text.strip("'")


def make(kind: str, path: Path) -> Path:
    """Put something in the place of a file, or return the path of something that is there."""
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "link to itself":
            path.symlink_to(path)
        case "link to /dev/zero":
            path.symlink_to("/dev/zero")
        case "long path":
            return path.with_name(f"{'a' * 5000}.yaml")
        case "long path of folders":
            return path.parent.joinpath(*["a" * 200] * 30, "mine.yaml")
    return path


@pytest.mark.parametrize(
    "place", ["nothing", "pipe", "folder", "link to itself", "link to /dev/zero", "long path", "long path of folders"]
)
@pytest.mark.parametrize("kind", BASES)
def test_what_is_no_file(kind: str, place: str, tmp_path: Path) -> None:
    path = make(place, tmp_path / "mine.yaml")
    assert str(path)[:1000] in refused(kind, path, BAD_DATA if kind == "sample" else BAD_COMMAND)


@pytest.mark.parametrize("named", ["a" * 5000, "../" * 2000 + "a", "/dev/zero", "here.root/x", "["])
def test_files_of_a_sample_that_are_none(named: str, tmp_path: Path) -> None:
    (tmp_path / "here.root").touch()
    path = tmp_path / "mine.yaml"
    path.write_text(SAMPLE.replace("here.root", f"'{named}'"))
    assert f"check `files` in {path}" in refused("sample", path, BAD_DATA)


@pytest.mark.parametrize("named", ["a" * 5000, "../" * 2000 + "a", "", ".", "..", "[", "cms_nanoaod/x", "a\0b"])
def test_schemas_that_there_are_none_of(named: str) -> None:
    for name in (named, f"{named}.yaml"):
        with pytest.raises(SchemaError, match=r"unknown schema|does not exist|is no file") as caught:
            load_schema(name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "named", ["a" * 5000, "a" * 5000 + ".root", "a" * 5000 + ".yaml", "a/" * 3000 + "b", "\0", "a\0.root"]
)
def test_samples_of_the_command_line_that_are_none(named: str) -> None:
    with pytest.raises(FAULTS, match=r"no sample|does not exist|cannot be read") as caught:
        resolve_input(load_configuration(RunConfiguration, {"sample": named}, None))
    assert "\n" not in str(caught.value)


TABLES: dict[str, Any] = {
    "define": ["{x: *a}", "{x: &a 1}", "{" * 5000, "{x: !!python/name:os.system}", "[1]", "{x: .inf}", "{a: 1, a: 2}",
               "", "{x: \udcff}", "{x: '\x1b[2J'}", f"{{x: {'9' * 5000}}}"],
    "objects": ["{jet: {pt: .nan}}", "{jet: {pt: 1e999}}", "{jet: " * 5000, "jet"],
    "threshold": ["{sigma: .inf}", "{sigma: 1e999}", "{sigma: *a}", "5"],
    "vary": ["{jes: .inf}", "{jes: *a}", "{jes: 1e999}", "{" * 5000],
    "autoencoder": ["{dropout: .nan}", "{" * 5000, "{latent: 99999999999999999999}"],
}  # fmt: skip


@pytest.mark.parametrize(("key", "table"), [(key, table) for key, tables in TABLES.items() for table in tables])
def test_tables_of_the_command_line(key: str, table: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^--{key}: ") as caught:
        load_configuration(RunConfiguration, {"sample": "s", key: table}, None)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1500
