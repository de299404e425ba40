"""HDF5 tables by the command line alone, from YAML files: the same results as of the CSV file that they hold."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

import analysis.evaluate
import analysis.run
from tests.analysis.published import read_events, read_json

pytestmark = pytest.mark.compiler

ROOM = Path(__file__).resolve().parents[2]
DETECTORS = ("decision_tree", "isolation_forest")
IDS = {0: (410_470, 364_100), 1: (345_060,)}  # of the processes: background, signal
MASSES = ("m_jj", "m_jjj", "m_lv", "m_jlv", "m_bb", "m_wbb", "m_wwbb")
Table = NDArray[np.float64]


PROGRAMS = {"run": analysis.run.main, "evaluate": analysis.evaluate.main}


@dataclass(frozen=True)
class Shell:
    """Starts programs with nothing but a YAML file each."""

    folder: Path

    def configured(self, program: str, output: Path, options: dict[str, Any]) -> list[str]:
        """Write the YAML file, with results in `output`/<program>, and return the command line's arguments."""
        path = self.folder / f"{program}.yaml"
        configuration = {"output": str(output / program), "detectors": list(DETECTORS), **options}
        path.write_text(yaml.safe_dump(configuration))
        return ["--config", str(path)]

    def attempt(self, program: str, output: Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """Start a program as a user does."""
        command = [sys.executable, "-m", f"analysis.{program}", *self.configured(program, output, options)]
        return subprocess.run(command, cwd=ROOM, env={**os.environ, "COLUMNS": "200"}, capture_output=True, text=True)

    def __call__(self, *programs: str, output: str, **options: Any) -> Path:
        """Start programs in this process, and return the folder of their results."""
        for program in programs:
            assert PROGRAMS[program](self.configured(program, self.folder / output, options)) == 0
        return self.folder / output


@pytest.fixture(scope="module")
def shell(apart: None, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("hdf5"))


@pytest.fixture(scope="module")
def header(opendata: Path) -> list[str]:
    return (opendata / "higgs" / "sas_higgs.csv").read_text().splitlines()[0].split(",")


@pytest.fixture(scope="module")
def published(opendata: Path) -> Table:
    return np.loadtxt(opendata / "higgs" / "sas_higgs.csv", delimiter=",", skiprows=1)


def write_schema(path: Path, columns: dict[str, str], **changes: Any) -> Path:
    """Write a schema of one feature set, the masses, of which the last column says the kind of an event."""
    table = {
        "title": "HIGGS as HDF5",
        "tree": "events",
        "columns": columns,
        "quantities": {"label": {"expression": list(columns)[-1]}},
        "feature_sets": {"masses": {"features": list(MASSES), "plane": list(MASSES[:2])}},
        "features": "masses",
    }
    path.write_text(yaml.safe_dump(table | changes, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def matrix(shell: Shell, header: list[str], published: Table) -> dict[str, str]:
    """One data set of two dimensions, the label its last column."""
    schema = write_schema(shell.folder / "matrix.yaml", dict.fromkeys(header, "float64"), dataset="train/table")
    with h5py.File(shell.folder / "matrix.h5", "w") as file:
        file.create_dataset("train/table", data=published, compression="gzip")
    return {"sample": str(shell.folder / "matrix.h5"), "schema": str(schema)}


@pytest.fixture(scope="module")
def by_variable(shell: Shell, header: list[str], published: Table) -> dict[str, str]:
    """A data set for each variable, and the process of each event in place of a label."""
    columns = {**dict.fromkeys(header[:-1], "float64"), "Dataset_ID": "int64"}
    quantity = {"label": {"expression": "Dataset_ID", "background": list(IDS[0])}}
    schema = write_schema(shell.folder / "by_variable.yaml", columns, quantities=quantity)
    rows, signal = np.arange(len(published)), published[:, -1] == 1
    with h5py.File(shell.folder / "by_variable.h5", "w") as file:
        for i, name in enumerate(header[:-1]):
            file[name] = published[:, i]
        file["Dataset_ID"] = np.where(signal, IDS[1][0], np.array(IDS[0])[rows % 2])
    return {"sample": str(shell.folder / "by_variable.h5"), "schema": str(schema)}


@pytest.fixture(scope="module")
def of_the_csv(shell: Shell) -> Path:
    return shell("run", "evaluate", output="csv", sample="higgs_csv", features=list(MASSES))


@pytest.mark.parametrize("way", ["matrix", "by_variable"])
def test_results_are_those_of_the_csv_file(
    way: str, shell: Shell, of_the_csv: Path, request: pytest.FixtureRequest
) -> None:
    found_in = shell("run", "evaluate", output=way, **request.getfixturevalue(way))
    expected, found = (read_events(folder / "run") for folder in (of_the_csv, found_in))
    assert len(found["event"]) == 10_984
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    metrics = [read_json(folder / "evaluate" / "metrics.json") for folder in (of_the_csv, found_in)]
    assert metrics[1] == metrics[0]
    assert metrics[0]["decision_tree"]["auc"]["value"] > 0.65


def test_rows_that_are_not_numbers_are_dropped_and_counted(
    shell: Shell, matrix: dict[str, str], of_the_csv: Path, published: Table, header: list[str]
) -> None:
    broken, m_jj, m_bb = published.copy(), header.index("m_jj"), header.index("m_bb")
    broken[[17, 4_000], m_jj] = np.nan
    broken[[17, 9_001], m_bb] = np.inf
    with h5py.File(shell.folder / "nan.h5", "w") as file:
        file["train/table"] = broken
    sample = {"sample": str(shell.folder / "nan.h5"), "schema": matrix["schema"]}
    results = shell("evaluate", output="nan", **sample) / "evaluate"
    (tested,) = read_json(results / "run.json")["samples"]
    odd = published[1::2, -1]
    assert [cut["events"] for cut in tested["cutflow"]] == [10_984, 10_981, len(odd) - 2]
    metrics = read_json(results / "metrics.json")["decision_tree"]
    assert metrics["signal"] == odd.sum() - published[[17, 9_001], -1].sum()
    assert read_json(results / "run.json")["training"]["events"] == 10_984 // 2 - 1


def without_label(file: h5py.File) -> None:
    del file["Dataset_ID"]


def shortened(file: h5py.File) -> None:
    values = file["m_bb"][:-5]
    del file["m_bb"]
    file["m_bb"] = values


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_label, "no column 'Dataset_ID', which schema by_variable needs"),
        (shortened, "'m_bb' has 10979 values"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    spoil: Callable[[h5py.File], None], message: str, shell: Shell, by_variable: dict[str, str], tmp_path: Path
) -> None:
    sample = tmp_path / "spoilt.h5"
    sample.write_bytes(Path(by_variable["sample"]).read_bytes())
    with h5py.File(sample, "r+") as file:
        spoil(file)
    for program in ("run", "evaluate"):
        done = shell.attempt(program, sample=str(sample), schema=by_variable["schema"], output=tmp_path)
        assert done.returncode == 3
        error = done.stderr.splitlines()[-1]
        assert error.startswith(f"error: {sample}: ")
        assert message in error
        assert not list((tmp_path / program).iterdir())


def test_a_table_that_is_not_there_is_refused(
    shell: Shell, matrix: dict[str, str], by_variable: dict[str, str], tmp_path: Path
) -> None:
    done = shell.attempt("run", sample=by_variable["sample"], schema=matrix["schema"], output=tmp_path)
    assert done.returncode == 3
    missing = f"error: {by_variable['sample']}: no data set or group 'train/table', which schema matrix names"
    assert done.stderr.splitlines()[-1].startswith(missing)


@pytest.mark.parametrize("program", ["run", "evaluate"])
def test_models_of_other_features_are_refused(
    program: str, shell: Shell, matrix: dict[str, str], of_the_csv: Path, tmp_path: Path
) -> None:
    models = str(of_the_csv / "run" / "models")
    done = shell.attempt(program, **matrix, models=models, output=tmp_path)
    assert done.returncode == 2
    refused = f"error: --models: {models} was trained on the schema higgs_csv, the sample has the schema matrix"
    assert done.stderr.splitlines()[-1].startswith(refused)
    assert not list((tmp_path / program).iterdir())
