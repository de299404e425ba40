"""Three simulated processes against data that are drawn from their sum, from the runs to the figures."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import uproot
import yaml
from scipy import stats

from analysis import simulate
from analysis.configuration import RunConfiguration
from analysis.options import load_configuration
from analysis.output.folder import write_checksums, write_record
from analysis.run import run
from plotting.__main__ import main
from plotting.results.run_record import read_run_record
from plotting.stack.comparison import compare
from plotting.stack.processes import Stacks, read_stacks, scaled

pytestmark = pytest.mark.compiler

GENERATED = 10_000
CROSS_SECTIONS = {"qcd": 4.0, "ttbar": 1.0, "zjets": 1.0}
"""Of each process, in pb."""
LUMINOSITY = 2.0
FEATURES = ("HT", "MET")


def start(sample: Path, output: Path, **options: object) -> Path:
    given = {"sample": str(sample), "output": str(output), "detectors": "isolation_forest", "vary": "jes", **options}
    run(load_configuration(RunConfiguration, given, None), "test")
    return output


@pytest.fixture(scope="module")
def folders(apart: None, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The outputs of the data, and of each process."""
    folder, random = tmp_path_factory.mktemp("stack"), np.random.default_rng(5)

    def written(name: str, files: list[str], **keys: object) -> Path:
        keys |= {"schema": "cms_nanoaod", "simulated": True, "files": [{"path": file} for file in files]}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(keys))
        return folder / f"{name}.yaml"

    def generate(name: str, file: str, events: int, seed: int) -> None:
        simulate.main([name, "--events", str(events), "--seed", str(seed), "-o", str(folder / file)])

    for name, cross_section in CROSS_SECTIONS.items():
        generate(name, f"{name}.root", GENERATED, seed=1)
        generate(name, f"data_{name}.root", int(random.poisson(1000 * LUMINOSITY * cross_section)), seed=2)
    data = written("data", [f"data_{name}.root" for name in CROSS_SECTIONS])
    outputs = [start(data, folder / "out_data", features=FEATURES)]
    for name, cross_section in CROSS_SECTIONS.items():
        sample = written(name, [f"{name}.root"], cross_section=cross_section, sum_of_weights=float(GENERATED))
        # One is normalised by its run, the others by the stack.
        options = {"luminosity": 4.0} if name == "ttbar" else {}
        outputs.append(start(sample, folder / f"out_{name}", models=outputs[0] / "models", **options))
    return outputs


@pytest.fixture(scope="module")
def stacks(folders: list[Path]) -> Stacks:
    return read_stacks(folders[0], folders[1:], LUMINOSITY)


def test_the_sum_is_that_of_the_histograms(stacks: Stacks, folders: list[Path]) -> None:
    names = [stack.name for stack in stacks.stacks]
    assert names[:2] == ["HT", "MET"]
    assert names[-2:] == ["score_ensemble", "score_isolation_forest"]
    expected = np.zeros(0)
    for folder, cross_section in zip(folders[1:], CROSS_SECTIONS.values(), strict=True):
        with uproot.open(folder / "events.root") as file, uproot.open(folder / "histograms.root") as filled:
            edges = filled["features/HT"].axis().edges()
            values = file["events"]["HT"].array(library="np").astype(float)
        counts = np.histogram(values, edges)[0] * (LUMINOSITY * 1000 * cross_section / GENERATED)
        expected = counts if not expected.size else expected + counts
    np.testing.assert_allclose(stacks.stacks[0].expected.values, expected, rtol=1e-12)
    [varied] = stacks.stacks[0].variations
    assert varied.name == "jes"
    assert np.abs(varied.up.values - varied.down.values).max() > 10


def test_data_of_other_seeds_agree_with_the_simulation(stacks: Stacks) -> None:
    for stack in stacks.stacks:
        found = compare(stack)
        assert found.ndf > 10
        assert abs(found.chi2 / found.ndf - 1) <= 3 * np.sqrt(2 / found.ndf), stack.name
        assert abs(found.scale - 1) < 3 * found.scale_error
        assert found.probability == pytest.approx(stats.chi2.sf(found.chi2, found.ndf), rel=1e-9)


def test_a_wrong_cross_section_of_the_largest_process_is_seen(stacks: Stacks) -> None:
    stack = stacks.stacks[0]
    *others, largest = stack.processes
    assert largest.title == "qcd"
    wrong = replace(stack, processes=(*others, replace(largest, spectrum=scaled(largest.spectrum, 1.2))))
    found = compare(wrong)
    assert found.probability < 1e-6
    assert abs(found.scale - stack.expected.total / wrong.expected.total) < 2 * found.scale_error


def test_the_command_draws_all_of_it_into_the_report(
    folders: list[Path], stacks: Stacks, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stack", *map(str, folders), "--luminosity", str(LUMINOSITY)]) == 0
    said = capsys.readouterr().out
    for stack in stacks.stacks:
        found = compare(stack)
        assert f"{stack.name}: chi2/ndf = {found.chi2:.1f}/{found.ndf} (p = " in said
        assert (folders[0] / "figures" / f"stack_{stack.name}.png").stat().st_size > 10_000
    report = (folders[0] / "report.html").read_text()
    assert "Stack HT" in report


def test_what_hinders_a_stack_is_one_line(
    folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, qcd = folders[:2]

    def refused(*arguments: object) -> tuple[int, str]:
        code = main(["stack", *map(str, arguments)])
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return code, error

    assert refused(data) == (
        2,
        "error: stack: name the output folder of the data, and then those of simulated processes\n",
    )
    assert refused(data, qcd) == (
        2,
        f"error: stack: the luminosity of {data} is not known; say it in 1/fb with --luminosity\n",
    )
    code, error = refused(data, data, "--luminosity", "1")
    assert (code, "no cross_section of data is known" in error) == (3, True)
    copied = tmp_path / "qcd"
    shutil.copytree(qcd, copied)
    record = read_run_record(copied / "run.json", "")
    write_record(copied, replace(record, models_sha256="0" * 64))
    write_checksums(copied)
    code, error = refused(data, copied, "--luminosity", "1")
    assert (code, "was scored by other models" in error) == (3, True)
