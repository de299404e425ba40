"""Files of published searches: each loads, and uproot with vector gives the same columns and cutflow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import awkward as ak
import numpy as np
import numpy.typing as npt
import pytest
import uproot
import vector

import analysis.search
from analysis.errors import SampleUnavailable
from analysis.options import load_configuration, read_options
from analysis.output.timings import Timings
from analysis.samples import find_sample
from analysis.samples.inputs import resolve_input
from analysis.search.__main__ import METHODS, find_method
from analysis.search.cwola.configuration import CwolaConfiguration
from analysis.search.cwola.events import FeaturedEvents, of_columns, of_rows
from analysis.steps.collection import collect_training_rows
from analysis.steps.engine import Local
from analysis.steps.preparation import prepare
from plotting.results.record_tables import Sample
from rdf.graph.selection import Cut
from tests.conftest import cache_apart

FOLDER = Path(analysis.search.__file__).parent / "published"
UPSILON, SAME_SIGN = FOLDER / "upsilon2016.yaml", FOLDER / "upsilon2016_same_sign.yaml"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_loads_and_says_what_is_claimed(path: Path) -> None:
    method = METHODS[find_method(["--config", str(path)])]
    configuration = load_configuration(method.configuration, {}, path)
    if isinstance(configuration, CwolaConfiguration):
        assert find_sample(str(configuration.sample)).schema_name
    text = " ".join(line.strip("# ") for line in path.read_text(encoding="utf-8").splitlines() if line[:1] == "#")
    assert f"python -m analysis.search --config {path.relative_to(Path.cwd())}" in text
    assert "Claimed: " in text
    assert "Not claimed: " in text


def test_the_control_differs_in_the_sign_alone() -> None:
    opposite, same = read_options(UPSILON), read_options(SAME_SIGN)
    assert {key for key in opposite | same if opposite.get(key) != same.get(key)} == {
        *("output", "select", "known_peak", "unblind")
    }
    cuts, control = list(opposite["select"].items()), list(same["select"].items())
    assert [cut for cut in cuts if cut not in control] == [("opposite_charge", "charge_product < 0")]
    assert [cut for cut in control if cut not in cuts] == [("same_charge", "charge_product > 0")]


# --- the columns and the cutflow, event by event, on simulated events


@dataclass(frozen=True, eq=False)
class Collected:
    """What a search reads of its sample: the events, the cutflow, and the file that both are made of."""

    events: FeaturedEvents
    cutflow: list[Cut]
    path: Path
    sample: Sample


@dataclass(frozen=True, eq=False)
class Expected:
    """The same by uproot, awkward and vector: numbers of events after each cut, and columns of the events left."""

    passed: list[int]
    numbers: npt.NDArray[np.uint64]
    mass: npt.NDArray[np.float64]
    features: npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    def unavailable(*_: object) -> None:
        raise SampleUnavailable("this test reads no network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache_apart(tmp_path_factory.mktemp("cache"))))
        patch.setattr("analysis.samples.list_files", unavailable)
        patch.setattr("analysis.steps.preparation.STAND_IN_EVENTS", 5000)
        yield


def collect(path: Path, staging: Path) -> Collected:
    from rdf.execution.event_loop import EventLoop

    configuration = load_configuration(CwolaConfiguration, {"allow_simulated": True, "threads": 1}, path)
    run = configuration.collecting()
    sample = prepare(run, resolve_input(run), None, staging, Timings())
    rows = collect_training_rows(sample, Local(), None)
    columns = of_columns(sample.graph.recipe, configuration.observable)
    loop = EventLoop(sample.source, sample.entries)
    cutflow = sample.graph.book_cutflow(loop)
    loop.run([cutflow.booked])
    events = of_rows(rows, sample.graph.recipe, columns, configuration.observable)
    return Collected(events, cutflow.cuts(), Path(sample.data.files[0].path), sample.data.describe())


def expected(path: Path, sign: int) -> Expected:
    with uproot.open(path) as file:
        events = file["Events"].arrays()
    names = ("pt", "eta", "phi", "mass", "charge", "pfRelIso04_all", "ip3d")
    muons = ak.zip({name: ak.values_astype(events[f"Muon_{name}"], np.float64) for name in names})
    tight = ak.pad_none(muons[events.Muon_tightId], 2)
    first, second = tight[:, 0], tight[:, 1]
    cuts = [
        ~ak.is_none(second.pt),
        (first.pt > 17) & (second.pt > 8),
        first.charge * second.charge == sign,
        (first.pfRelIso04_all > 0.55) & (second.pfRelIso04_all > 0.55),
    ]
    kept = [np.ones(len(events), bool)]
    for cut in cuts:
        kept.append(kept[-1] & ak.to_numpy(ak.fill_none(cut, value=False)))
    first, second, numbers = first[kept[-1]], second[kept[-1]], ak.to_numpy(events.event[kept[-1]])
    momenta = [
        vector.array({name: ak.to_numpy(each[name]) for name in ("pt", "eta", "phi", "mass")})
        for each in (first, second)
    ]
    pair = momenta[0] + momenta[1]
    within = (pair.mass >= 5) & (pair.mass < 16)
    features = np.stack([pair.pt, *(np.log(ak.to_numpy(each.ip3d)) for each in (first, second))], axis=1)
    counts = [int(each.sum()) for each in kept]
    return Expected([*counts, int(within.sum())], numbers[within], pair.mass[within], features[within])


@pytest.mark.compiler
@pytest.mark.parametrize(("path", "sign"), [(UPSILON, -1), (SAME_SIGN, 1)], ids=["opposite", "same"])
def test_columns_and_cutflow_are_those_of_uproot_and_vector(
    path: Path, sign: int, stand_in: None, tmp_path: Path
) -> None:
    found = collect(path, tmp_path)
    assert found.sample.simulated
    assert found.sample.title.startswith("stand-in for CMS 2016 Runs G and H DoubleMuon")
    there = expected(found.path, sign)
    charge = "opposite_charge" if sign < 0 else "same_charge"
    assert [cut.name for cut in found.cutflow] == [
        *("all", "two_tight_muons", "thresholds", charge, "anti_isolated", "mass_range", "finite")
    ]
    assert [cut.events for cut in found.cutflow] == [*there.passed, there.passed[-1]]
    assert there.passed[-1] > 200
    order = np.argsort(found.events.numbers)
    np.testing.assert_array_equal(found.events.numbers[order], there.numbers)
    np.testing.assert_allclose(found.events.values[order], there.mass, rtol=2e-7)  # stored as float32
    assert found.events.features == ("dimu_pt", "mu0_log_ip3d", "mu1_log_ip3d")
    np.testing.assert_allclose(found.events.X[order], there.features, rtol=2e-7)
