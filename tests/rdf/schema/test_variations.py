"""Scales that are varied, against the same columns computed anew in numpy from scaled objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from numpy.typing import NDArray

from models.detectors.isolation_forest import IsolationForest
from models.folder import Columns as TrainingRecipe
from rdf.code.columns import define_columns
from rdf.code.interpreter import ROOT
from rdf.code.sofie import compile_detector, translate_network
from rdf.errors import SchemaError
from rdf.execution.event_loop import EventLoop, use_threads
from rdf.graph.fields import Fields
from rdf.graph.histograms import HistogramPlan, book_histograms, collect_histograms, complete, write_histograms
from rdf.graph.scoring import Ensemble, define_scores
from rdf.graph.selection import Cut, book_cutflow, select_finite
from rdf.graph.variations import vary_scales
from rdf.provenance import Provenance
from rdf.schema.columns import rounded
from rdf.schema.features import FEATURES
from rdf.schema.model import load_schema
from rdf.schema.quantities import ID_QUANTITIES
from rdf.schema.tables import Objects
from rdf.schema.variations import VARIATIONS, check_variations
from tests.models.trained import write_forest
from tests.rdf.schema.scaled import FACTORS, SIZES, Sample
from tests.rdf.trees import NANOAOD_KINDS, WRITERS, arrays, columns_of, graph_of, nanoaod, opened, write_rntuple

pytestmark = pytest.mark.compiler

EVENTS = 1500
NAMES = (
    *("MR", "Rsq", "MTR", "HT", "MET", "pt1", "pt2", "dijet_mass", "n_jets", "centrality", "delta_phi_met_jet"),
    *("mll", "pt_ll", "delta_r_ll", "lepton_pt_sum", "mz1", "n_leptons", "transverse_mass", "ST", "MET_over_ST"),
)
EVERY_OBJECT = {kind: Objects(pt=0.0, eta=99.0, where=None) for kind in ("jet", "muon", "electron")}


@pytest.fixture(autouse=True)
def one_thread_afterwards() -> Iterator[None]:
    use_threads(1)
    yield
    use_threads(1)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    use_threads(1)
    columns = nanoaod(EVENTS, 77)
    path = write_rntuple(tmp_path_factory.mktemp("sample") / "a.root", "Events", columns, NANOAOD_KINDS, batch=200)
    schema = load_schema("cms_nanoaod")
    return Sample(schema, opened(path, schema), columns)


def varied_arrays(
    sample: Sample, names: tuple[str, ...], vary: Mapping[str, float], objects: Mapping[str, Objects] | None = None
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Variation -> column -> one number an event."""
    events = graph_of(sample.source, sample.schema, names, objects, vary=vary)
    taken = {}
    for name in names:
        events = events.Define(f"double_{name}", f"static_cast<double>({name})")
        taken[name] = ROOT.RDF.Experimental.VariationsFor(events.Take["double"](f"double_{name}"))
    # A result has the variations that it depends on, others leave it as it is.
    keys = {name: {str(key) for key in result.GetKeys()} for name, result in taken.items()}
    return {
        varied: {
            name: np.array(result[varied if varied in keys[name] else "nominal"]) for name, result in taken.items()
        }
        for varied in ("nominal", *(f"{scale}:{direction}" for scale in vary for direction in ("up", "down")))
    }


@pytest.fixture(scope="module")
def found(sample: Sample) -> dict[str, dict[str, NDArray[np.float64]]]:
    use_threads(1)
    return varied_arrays(sample, NAMES, SIZES)


@pytest.mark.parametrize("varied", FACTORS)
def test_every_column_is_that_of_scaled_objects(varied: str, sample: Sample, found: Any) -> None:
    assert set(found) == set(FACTORS)
    expected = sample.expected(varied)
    for name in NAMES:
        np.testing.assert_allclose(found[varied][name], expected[name], rtol=1e-7, atol=1e-7, err_msg=name)


def test_what_a_scale_does_not_touch_keeps_its_bits(found: Any) -> None:
    lepton, jets = (
        ("mll", "pt_ll", "delta_r_ll", "mz1", "n_leptons"),
        ("MR", "HT", "pt1", "pt2", "dijet_mass", "n_jets"),
    )
    unchanged = {"jes": lepton, "lepton": (*jets, "Rsq", "MTR", "MET"), "met": (*lepton, *jets, "centrality")}
    for scale, names in unchanged.items():
        for direction in ("up", "down"):
            for name in names:
                assert found[f"{scale}:{direction}"][name].tobytes() == found["nominal"][name].tobytes(), (scale, name)


def test_nominal_columns_are_bit_by_bit_those_of_a_run_without_variations(sample: Sample, found: Any) -> None:
    without = arrays(graph_of(sample.source, sample.schema, NAMES), NAMES)
    for name in NAMES:
        assert without[name].astype(np.float64).tobytes() == found["nominal"][name].tobytes(), name


def test_without_cuts_mr_is_proportional_to_the_jets_scale(sample: Sample) -> None:
    varied = varied_arrays(
        sample, ("MR", "HT", "pt1", "n_jets", "dijet_mass", "centrality"), {"jes": 0.04}, EVERY_OBJECT
    )
    nominal = varied["nominal"]
    assert np.isfinite(nominal["MR"]).sum() > 800
    for key, factor in (("jes:up", 1.04), ("jes:down", 0.96)):
        for name in ("MR", "HT", "pt1", "dijet_mass"):
            np.testing.assert_allclose(varied[key][name], factor * nominal[name], rtol=1e-11, atol=1e-9, err_msg=name)
        np.testing.assert_array_equal(varied[key]["n_jets"], nominal["n_jets"])


def test_jets_come_and_go_where_they_cross_the_cut(sample: Sample, found: Any) -> None:
    pt, eta, identity = (ak.Array(sample.columns[f"Jet_{part}"]) for part in ("pt", "eta", "jetId"))
    pt, eta = (ak.values_astype(x, np.float64) for x in (pt, eta))
    counts = {}
    for key, factor in (("nominal", 1), ("jes:up", 1.04), ("jes:down", 0.96)):
        counts[key] = ak.to_numpy(ak.sum((pt * factor > 30) & (abs(eta) < 2.4) & (identity >= 2), axis=1))
        np.testing.assert_array_equal(found[key]["n_jets"], counts[key])
    assert (counts["jes:up"] > counts["nominal"]).sum() > 20
    assert (counts["jes:down"] < counts["nominal"]).sum() > 20


def test_leptons_come_and_go_where_they_cross_the_cut(sample: Sample, found: Any) -> None:
    counts = {}
    for key, factor in (("nominal", 1), ("lepton:up", 1.02), ("lepton:down", 0.98)):
        counts[key] = np.zeros(EVENTS)
        for kind, largest in (("Muon", 2.4), ("Electron", 2.5)):
            pt, eta = (
                ak.values_astype(ak.Array(sample.columns[f"{kind}_{part}"]), np.float64) for part in ("pt", "eta")
            )
            counts[key] += ak.to_numpy(ak.sum((pt * factor > 10) & (abs(eta) < largest), axis=1))
        np.testing.assert_array_equal(found[key]["n_leptons"], counts[key])
    assert (counts["lepton:up"] > counts["nominal"]).sum() > 2
    assert (counts["lepton:down"] < counts["nominal"]).sum() > 2


def test_scales_of_megajets_and_of_met_alone(tmp_path: Path) -> None:
    """The razor format: MTR^2 goes with MET and with the megajets, so Rsq = MTR^2 / MR^2 with MET and 1 / megajets."""
    path = tmp_path / "razor.csv"
    schema = load_schema("cms_razor")
    # 100 GeV each, back to back.
    row = {"Run": 1, "Lumi": 1, "Event": 7, "MR": 0, "Rsq": 0.25, "E1": 100, "Px1": 60, "Py1": 80, "Pz1": 0, "E2": 100}
    row |= {"Px2": -60, "Py2": -80, "Pz2": 0, "HT": 220, "MET": 50, "nJets": 2, "nBJets": 0}
    path.write_text(f"{','.join(schema.columns)}\n{','.join(str(row[name]) for name in schema.columns)}\n")
    sample = Sample(schema, opened(path, schema), {})
    varied = varied_arrays(sample, ("MR", "Rsq", "HT", "MET", "pt1", "MET_over_HT"), {"jes": 0.25, "met": 0.5})
    by_hand = {
        "nominal": (200, 0.25, 220, 50, 100, 50 / 220),
        "jes:up": (250, 0.2, 275, 50, 125, 50 / 275),
        "jes:down": (150, 1 / 3, 165, 50, 75, 50 / 165),
        "met:up": (200, 0.375, 220, 75, 100, 75 / 220),
        "met:down": (200, 0.125, 220, 25, 100, 25 / 220),
    }
    assert set(varied) == set(by_hand)
    for key, expected in by_hand.items():
        assert [values.item() for values in varied[key].values()] == pytest.approx(expected, rel=1e-13), key


@pytest.mark.parametrize("kind", WRITERS)
def test_met_without_a_direction_moves_with_its_own_scale_only(kind: str, tmp_path: Path) -> None:
    schema = load_schema("cms_nanoaod")
    columns = {name: values for name, values in nanoaod(50, 5).items() if name != "PuppiMET_phi"}
    sample = Sample(
        schema, opened(WRITERS[kind](tmp_path / "a.root", "Events", columns, NANOAOD_KINDS), schema), columns
    )
    varied = varied_arrays(sample, ("MET", "MET_over_HT"), {"jes": 0.1, "met": 0.2})
    nominal = np.asarray(columns["PuppiMET_pt"], dtype=np.float64)
    for key, factor in (("nominal", 1), ("jes:up", 1), ("jes:down", 1), ("met:up", 1.2), ("met:down", 0.8)):
        np.testing.assert_allclose(varied[key]["MET"], nominal * factor, rtol=1e-15)


def test_a_variation_that_nothing_follows_is_refused() -> None:
    recorded = {"HT": "source_HT * jet_scale", "jet_scaled": "1", "MET": "source_met_pt"}
    check_variations(["jes"], recorded)
    check_variations([], {})
    for name, what in (("met", "MET scale"), ("lepton", "lepton momentum scale")):
        message = rf"^--vary {name}: nothing of what is recorded depends on the {what}"
        with pytest.raises(SchemaError, match=message):
            check_variations(["jes", name], recorded)


@pytest.mark.parametrize(
    ("schema", "possible"),
    [
        ("cms_razor", {"jes", "met"}),
        ("cms_dimuon", {"lepton"}),
        ("atlas2020", {"jes", "lepton", "met"}),
        ("hep_tutorial", {"jes", "lepton", "met"}),
        ("cms_nanoaod", {"jes", "lepton", "met"}),
        ("lhco", set()),
        ("higgs", set()),
    ],
)
def test_variations_that_suit_a_format(schema: str, possible: set[str]) -> None:
    from rdf.schema.columns import physics_columns

    table = load_schema(schema)
    columns = physics_columns(table, table.resolve(table.columns, "file"), {}, {}, tuple(VARIATIONS))
    for name in VARIATIONS:
        if name in possible:
            check_variations([name], columns)
        else:
            with pytest.raises(SchemaError, match=f"--vary {name}: nothing of what is recorded"):
                check_variations([name], columns)


# Scores, flags and histograms.

FEATURE_NAMES = ("MR", "Rsq", "HT", "MET", "n_jets", "lepton_pt_sum")
OBSERVABLES = ("centrality",)
DETECTOR = "isolation_forest"


@dataclass(frozen=True)
class Run:
    """What a loop with variations left, and numpy's matrix of features for each variation."""

    path: Path
    forest: IsolationForest
    threshold: float
    matrices: dict[str, NDArray[np.float32]]
    observables: dict[str, NDArray[np.float32]]
    axes: Mapping[str, Any]
    score_axis: Any

    def selected(self, varied: str) -> NDArray[np.bool_]:
        return np.isfinite(self.matrices[varied]).all(axis=1)

    def scores(self, varied: str) -> NDArray[np.float64]:
        X = self.matrices[varied][self.selected(varied)].astype(np.float64)
        return -self.forest.forest.score_samples(self.forest.scaler.transform(X))  # type: ignore[no-any-return]


@pytest.fixture(scope="module", params=[1, 2])
def run(request: pytest.FixtureRequest, sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Run:
    matrices, observables = {}, {}
    for varied in FACTORS:
        expected = sample.expected(varied)
        matrices[varied] = np.column_stack([expected[name] for name in FEATURE_NAMES]).astype(np.float32)
        observables[varied] = np.column_stack([expected[name] for name in OBSERVABLES]).astype(np.float32)
    nominal = np.isfinite(matrices["nominal"]).all(axis=1)
    X = matrices["nominal"][nominal]
    forest = IsolationForest(FEATURE_NAMES).fit(X)
    folder = tmp_path_factory.mktemp("run")
    recipe = TrainingRecipe(
        schema="cms_nanoaod", schema_sha256="0" * 64, define={}, objects={},
        features=list(FEATURE_NAMES), observables=list(OBSERVABLES),
        plane=("MR", "Rsq"),
    )  # fmt: skip
    models = write_forest(folder, forest, X, observables["nominal"][nominal], recipe)
    entry = models.detectors[DETECTOR]
    (network,) = entry.networks

    slots = use_threads(request.param)
    table = network.rank_table
    cpp = translate_network(folder / network.file)
    compiled = compile_detector(DETECTOR, cpp, network.threshold, table.scores, table.ranks, slots)
    loop = EventLoop(sample.source, (0, EVENTS))
    recorded = (*FEATURE_NAMES, *OBSERVABLES)
    columns = rounded(columns_of(sample.source, sample.schema, varied=tuple(SIZES)), recorded)
    events = define_columns(vary_scales(loop.events, SIZES), columns, ID_QUANTITIES, recorded)
    selected = select_finite(events, len(FEATURE_NAMES))
    selected = define_scores(selected, {DETECTOR: [compiled]}, Ensemble((DETECTOR,), 1))
    plan = HistogramPlan(
        *(FEATURE_NAMES, FEATURES, models.feature_axes, {DETECTOR: entry.score_axis}, ("MR", "Rsq")),
        voters=1,
        variations=tuple(SIZES),
    )
    histograms = book_histograms(events, selected, Fields(recorded, (DETECTOR,)), plan, slots)
    cutflow = book_cutflow(selected)
    loop.run([*histograms.results(), cutflow.booked])
    assert cutflow.cuts() == [Cut("all", EVENTS), Cut("finite", nominal.sum())]
    write_histograms(
        folder / "histograms.root", complete(collect_histograms(histograms, [])), Provenance("{}", simulated=False)
    )
    return Run(
        folder / "histograms.root",
        forest,
        network.threshold,
        matrices,
        observables,
        models.feature_axes,
        entry.score_axis,
    )


def counted(values: NDArray[Any], axis: Any) -> NDArray[np.int64]:
    """Bin contents with underflow and overflow."""
    edges = axis.low + np.arange(axis.bins + 1) * (axis.high - axis.low) / axis.bins
    return np.bincount(np.searchsorted(edges, values.astype(np.float64), side="right"), minlength=axis.bins + 2)


def folder_of(varied: str) -> str:
    return "" if varied == "nominal" else f"variations/{varied.replace(':', '_')}/"


# A column that differs from numpy's in its last bit may fall to the other side of an edge, or of the threshold.
MIGRATED = 2


@pytest.mark.parametrize("varied", FACTORS)
def test_histograms_are_those_of_scaled_objects(varied: str, run: Run) -> None:
    selected, scores = run.selected(varied), run.scores(varied)
    flagged = scores > run.threshold
    everything = {name: run.matrices[varied][selected, i] for i, name in enumerate(FEATURE_NAMES)}
    everything |= {name: run.observables[varied][selected, i] for i, name in enumerate(OBSERVABLES)}
    with uproot.open(run.path) as file:
        for name, values in everything.items():
            parts = {
                part: file[f"{folder_of(varied)}features/{part}{name}"].values(flow=True)
                for part in ("", "normal/", "anomalous/")
            }
            np.testing.assert_array_equal(parts[""], parts["normal/"] + parts["anomalous/"])
            assert parts[""].sum() == selected.sum()
            for part, chosen in (("", slice(None)), ("normal/", ~flagged), ("anomalous/", flagged)):
                expected = counted(values[chosen], run.axes[name])
                assert np.abs(parts[part] - expected).sum() <= 2 * MIGRATED, (part, name)
        found = file[f"{folder_of(varied)}scores/score_{DETECTOR}"].values(flow=True)
        assert np.abs(found - counted(np.float32(scores), run.score_axis)).sum() <= 2 * MIGRATED


@pytest.mark.parametrize("varied", FACTORS)
def test_flags_follow_the_scales(varied: str, run: Run) -> None:
    scores = run.scores(varied)
    flagged = int((scores > run.threshold).sum())
    with uproot.open(run.path) as file:
        votes = file[f"{folder_of(varied)}agreement/votes"].values(flow=True)
        assert abs(votes[2] - flagged) <= MIGRATED
        assert votes.sum() == len(scores)
        matrix = file[f"{folder_of(varied)}agreement/flagged"]
        assert matrix.values().tolist() == [[votes[2]]]
        assert matrix.axis(0).labels() == [DETECTOR]


def test_the_scales_make_a_difference(run: Run) -> None:
    """Else all that was compared above would say little."""
    flagged = {varied: int((run.scores(varied) > run.threshold).sum()) for varied in FACTORS}
    assert flagged["jes:up"] != flagged["jes:down"]
    assert flagged["met:up"] != flagged["met:down"]
    assert len({int(run.selected(varied).sum()) for varied in ("jes:up", "nominal", "jes:down")}) == 3


def test_what_is_varied_has_its_own_directory(run: Run) -> None:
    with uproot.open(run.path) as file:
        names = {path.split(";")[0] for path in file.keys()}  # noqa: SIM118 - not a dict
    directories = {name.split("/")[1] for name in names if name.startswith("variations/")}
    assert directories == {f"{name}_{direction}" for name in SIZES for direction in ("up", "down")}
    below = {name.removeprefix("variations/jes_up/") for name in names if name.startswith("variations/jes_up/")}
    nominal = {name for name in names if name.split("/")[0] in ("features", "scores", "agreement")}
    assert below == nominal
