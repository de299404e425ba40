"""Physics columns of real files, event by event, against an independent calculation and against known masses."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from rdf import RNode
from rdf.code.columns import define_columns
from rdf.code.interpreter import ROOT
from rdf.execution.event_loop import use_threads
from rdf.schema.columns import physics_columns, rounded
from rdf.schema.features import FEATURE_SETS
from rdf.schema.model import load_schema
from rdf.schema.object_selection import effective_overlap, effective_selection
from rdf.schema.tables import Objects
from rdf.sources.source import expected_source, open_source
from tests.rdf import reference, reference_selection

pytestmark = pytest.mark.compiler

Columns = dict[str, NDArray[Any]]

IDS = ("run", "luminosityBlock", "event")
RELATIVE = 1e-5
# Columns that can be exactly 0, which rounding in float64 makes a little more or less. Angles and eigenvalues are
# differences of numbers of order 1. A mass m is the root of a difference of squares E^2 and so off by about
# 2^-53 E^2 / m: 1e-9 GeV where ATLAS 2025 has leptons of 13 GeV on top of each other, m = 0.3 MeV.
ABSOLUTE = {
    **dict.fromkeys(("delta_r_ll", "delta_phi_ll", "delta_phi_met_jet", "delta_phi_met_ll"), 1e-12),
    **dict.fromkeys(("sphericity", "aplanarity"), 1e-12),
    **dict.fromkeys(("delta_eta_jj", "delta_phi_jj", "delta_phi_met_lepton"), 1e-12),
    **dict.fromkeys(("mll", "mz1", "mz2", "m4l"), 1e-8),  # GeV
}
# These divide by what may be 0: not finite then, be it infinite or NaN.
RATIOS = ("MET_over_HT", "MET_over_sqrt_HT", "MET_over_ST", "MET_over_pt_ll")


@dataclass(frozen=True)
class OpenData:
    """Files of one format that are read together, and the independent calculation for one of them."""

    schema: str
    pattern: str
    events: int
    calculate: Callable[..., Columns]

    def files(self, opendata: Path) -> list[Path]:
        return sorted(opendata.glob(self.pattern))

    def expected(self, opendata: Path, *selection: reference_selection.Selection) -> Columns:
        parts = [self.calculate(file, *selection) for file in self.files(opendata)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


two_muons, four_muons = (partial(reference.muons_csv, number=number) for number in (2, 4))
OPEN_DATA = {
    "atlas2020": OpenData("atlas2020", "atlas2020/data_?.4lep.root", 39 + 156 + 237, reference.atlas2020),
    "atlas2025": OpenData("atlas2025", "atlas2025/*.root", 3424, reference.atlas2025),
    "nano_dimuon": OpenData("cms_nanoaod", "cmsnano/nano_dimuon.root", 40, reference.nanoaod),
    "nano_v5": OpenData("cms_nanoaod", "cmsnano/NanoAODv5_sample.root", 1000, reference.nanoaod),
    "nano_2015": OpenData("cms_nanoaod", "cmsnano/nanoAOD_2015_CMS_Open_Data_ttbar.root", 200, reference.nanoaod),
    "nano_v12": OpenData("cms_nanoaod", "cmsnano/nano_tt_v12.root", 200, reference.nanoaod),
    "nano_rntuple": OpenData("cms_nanoaod", "cmsnano/Run2012BC_*_rntuple_*.root", 1000, reference.nanoaod),
    "zmumu": OpenData("cms_dimuon", "cmscsv/Zmumu_Run2011A.csv", 10_583, two_muons),
    "ymumu": OpenData("cms_dimuon", "cmscsv/Ymumu.csv", 20_000, two_muons),
    "four_muons": OpenData("cms_fourmuon", "cmscsv/4mu_2012.csv", 95, four_muons),
    "hep_tutorial": OpenData("hep_tutorial", "cmshzz/uproot-HZZ.root", 2421, reference.hep_tutorial),
    "razor": OpenData("cms_razor", "cms2010b/MultiJetRun2010B.csv", 21_726, reference.razor_csv),
}
EVERY_COLUMN = {
    *("MR", "MR_2010", "MTR", "Rsq", "pt1", "pt2", "pt_ratio", "dijet_mass"),
    *("mll", "pt_ll", "delta_r_ll", "delta_phi_ll", "lepton_pt_sum", "lepton1_pt", "lepton2_pt", "mz1", "m4l"),
    *("lepton3_pt", "lepton4_pt", "mz2", "pt_4l", "delta_r_lj"),
    *("jet1_pt", "jet2_pt", "mjj", "pt_jj", "delta_r_jj", "delta_eta_jj", "delta_phi_jj", "n_bjets"),
    *("n_largeRjets", "largeRjet1_pt", "largeRjet1_mass", "largeRjet1_tau21"),
    *("n_photons", "photon1_pt", "photon2_pt", "m_photon_photon", "pt_photon_photon", "delta_r_photon_photon"),
    *("n_taus", "tau1_pt", "m_tau_tau", "delta_r_tau_tau"),
    *("transverse_mass", "MET", "delta_phi_met_jet", "delta_phi_met_lepton", "delta_phi_met_ll", *RATIOS),
    *("HT", "ST", "centrality", "sphericity", "aplanarity", "n_jets", "n_leptons", "n_electrons", "n_muons"),
}


def open_data(
    files: Sequence[Path], schema_name: str, cache: Path, objects: Mapping[str, Objects] | None
) -> tuple[RNode, dict[str, str]]:
    """The head of a graph over files, and every column that it can have; one thread keeps the files' order.

    With None for `objects` all in the files count.
    """
    use_threads(1)
    schema = load_schema(schema_name)
    source = open_source([str(file) for file in files], schema, cache, [None] * len(files))
    selection = effective_selection(schema, source.available, objects)
    overlap = effective_overlap(schema, source.available, objects, None)
    return source.open(), physics_columns(schema, source.available, selection, {}, overlap=overlap)


def physics_of(files: Sequence[Path], schema_name: str, cache: Path, objects: Mapping[str, Objects] | None) -> Columns:
    """Physics columns of the graph, before they are rounded to float32, in the order of the files."""
    events, columns = open_data(files, schema_name, cache, objects)
    wanted = sorted(columns.keys() & {*EVERY_COLUMN, *IDS})
    return arrays(define_columns(events, columns, wanted), wanted)


def arrays(events: RNode, names: Sequence[str]) -> Columns:
    return {name: np.asarray(values) for name, values in events.AsNumpy(list(names)).items()}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def physics(opendata: Path, cache: Path) -> Callable[[str], Columns]:
    """Gives the graph's columns for a name of OPEN_DATA; each event loop runs once."""

    @functools.cache
    def columns(name: str) -> Columns:
        data = OPEN_DATA[name]
        return physics_of(data.files(opendata), data.schema, cache, {})

    return columns


def differences(found: Columns, expected: Columns) -> list[str]:
    """One line for each column that is not the expected one in every event."""
    lines = []
    for name in sorted(set(expected) - set(IDS)):
        values, wanted = found[name].astype(np.float64), expected[name]
        missing, absent = (~np.isfinite(x) if name in RATIOS else np.isnan(x) for x in (values, wanted))
        differs, both = missing != absent, ~(missing | absent)
        off = np.zeros(len(wanted))
        off[both] = np.abs(values[both] - wanted[both])
        differs |= off > RELATIVE * np.abs(np.where(both, wanted, 0)) + ABSOLUTE.get(name, 0)
        if differs.any():
            worst = int(np.argmax(np.where(differs, np.where(both, off, np.inf), -1)))
            lines.append(
                f"{name}: {np.count_nonzero(differs)} of {len(wanted)} events differ, "
                f"worst in event {worst}: {values[worst]!r} for {wanted[worst]!r}"
            )
    return lines


@pytest.mark.parametrize("name", OPEN_DATA)
def test_every_column_of_every_event(name: str, opendata: Path, physics: Callable[[str], Columns]) -> None:
    found, expected = physics(name), OPEN_DATA[name].expected(opendata)
    assert set(found) - set(IDS) == set(expected) - set(IDS)
    assert {len(values) for values in found.values()} == {OPEN_DATA[name].events}
    for column in set(IDS) & set(expected):
        np.testing.assert_array_equal(found[column], expected[column], err_msg=column)
    assert differences(found, expected) == []


@pytest.mark.parametrize("name", ["atlas2020", "nano_v5"])
def test_every_column_with_another_selection(name: str, opendata: Path, cache: Path) -> None:
    """Leptons of both flavours in one collection, and in two."""
    data = OPEN_DATA[name]
    objects = {
        "jet": Objects(pt=45, eta=1.8, where="Jet_jetId >= 6" if name == "nano_v5" else None),
        "muon": Objects(pt=15, eta=1.1),
        "electron": Objects(pt=25, eta=2.0),
    }
    selection = replace(
        reference_selection.NANOAOD if name == "nano_v5" else reference_selection.EVERY_OBJECT,
        jets=reference_selection.Cut(45, 1.8),
        muons=reference_selection.Cut(15, 1.1),
        electrons=reference_selection.Cut(25, 2.0),
        jet_id=6,
    )
    found = physics_of(data.files(opendata), data.schema, cache, objects)
    assert differences(found, data.expected(opendata, selection)) == []


@pytest.mark.parametrize(("name", "features"), [("nano_v5", "razor"), ("atlas2025", "dilepton")])
def test_features_are_the_columns_rounded_to_float32(
    name: str, features: str, opendata: Path, cache: Path, physics: Callable[[str], Columns]
) -> None:
    data, names = OPEN_DATA[name], FEATURE_SETS[features].features
    events, columns = open_data(data.files(opendata), data.schema, cache, {})
    found = arrays(define_columns(events, rounded(columns, names), IDS, names), names)
    for feature in names:
        assert found[feature].dtype == np.float32
        np.testing.assert_array_equal(found[feature], physics(name)[feature].astype(np.float32), err_msg=feature)


def test_what_tables_will_be_is_known_before_they_are_converted(opendata: Path, cache: Path) -> None:
    """The columns' code is made for these types: with others it would be compiled in vain."""
    for path, name in (
        ("cms2010b/MultiJetRun2010B.csv", "cms_razor"),
        ("cmscsv/Ymumu.csv", "cms_dimuon"),
        ("lhco/innerdata_test.npy", "lhco"),
        ("darkmachines/monojet_Zp2000.0_DM_50.0_chan1.csv", "darkmachines"),
    ):
        schema = load_schema(name)
        found = open_source([str(opendata / path)], schema, cache, [None])
        expected = expected_source([str(opendata / path)], schema)
        assert expected
        assert dict(found.types) == {column: expected.types[column] for column in found.types}
        assert found.available.quantities.items() <= expected.available.quantities.items()
    assert expected_source(["events.root", "events.csv"], schema) is None
    assert expected_source([], schema) is None


@pytest.mark.parametrize("name", ["nano_rntuple", "hep_tutorial"])
def test_events_without_numbers_are_named_by_their_rows(name: str, physics: Callable[[str], Columns]) -> None:
    np.testing.assert_array_equal(physics(name)["event"], np.arange(OPEN_DATA[name].events))


@pytest.mark.parametrize("name", ["nano_v5", "nano_v12"])
def test_ttree_and_rntuple_of_the_same_events_give_the_same_numbers(
    name: str, opendata: Path, physics: Callable[[str], Columns], tmp_path: Path
) -> None:
    (tree,) = OPEN_DATA[name].files(opendata)
    copy = tmp_path / "rntuple.root"
    names = [f"Jet_{part}" for part in ("pt", "eta", "phi", "mass", "jetId", "btagDeepFlavB")]
    names += [f"{kind}_{part}" for kind in ("Muon", "Electron") for part in ("pt", "eta", "phi", "mass", "charge")]
    names += ["Electron_cutBased", "Muon_looseId", "Muon_pfRelIso04_all"]
    with uproot.open(tree) as file:
        more = [f"{kind}_{part}" for kind in ("Photon", "Tau", "FatJet") for part in ("pt", "eta", "phi", "mass")]
        more += ["FatJet_msoftdrop", "FatJet_tau1", "FatJet_tau2", "FatJet_jetId", "Photon_cutBasedBitmap"]
        more += ["Photon_electronVeto", "Tau_idMVAoldDM2017v2"]
        names += [branch for branch in more if branch in file["Events"]]
    options = ROOT.RDF.RSnapshotOptions()
    options.fOutputFormat = ROOT.RDF.ESnapshotOutputFormat.kRNTuple
    ROOT.RDataFrame("Events", str(tree)).Snapshot(
        "Events", str(copy), [*IDS, *names, "PuppiMET_pt", "PuppiMET_phi"], options
    )
    with uproot.open(copy) as file:
        assert file.classnames()["Events;1"] == "ROOT::RNTuple"
    found = physics_of([copy], "cms_nanoaod", tmp_path, {})
    assert found.keys() == physics(name).keys()
    for column, values in physics(name).items():
        np.testing.assert_array_equal(found[column], values, err_msg=column)


@pytest.mark.parametrize(
    ("name", "tree", "met", "gev"), [("atlas2020", "mini", "met_et", 1e-3), ("atlas2025", "analysis", "met", 1.0)]
)
def test_both_atlas_releases_come_out_in_gev(
    name: str, tree: str, met: str, gev: float, opendata: Path, cache: Path
) -> None:
    """Of all leptons in the file, identified or not."""
    leading, missing = [], []
    for file in OPEN_DATA[name].files(opendata):
        with uproot.open(file) as opened:
            leading += [max(pts) * gev for pts in opened[tree]["lep_pt"].array().tolist()]
            missing += [value * gev for value in opened[tree][met].array().tolist()]
    found = physics_of(OPEN_DATA[name].files(opendata), OPEN_DATA[name].schema, cache, None)
    assert np.median(found["lepton1_pt"]) == pytest.approx(np.median(leading), rel=1e-6)
    assert np.median(found["MET"]) == pytest.approx(np.median(missing), rel=1e-6)
    # A lepton that fires a trigger, and the resolution of MET, are tens of GeV at the LHC.
    assert 10 < np.median(found["lepton1_pt"]) < 100
    assert 10 < np.median(found["MET"]) < 100


def test_published_masses_of_four_muons(opendata: Path, physics: Callable[[str], Columns]) -> None:
    """The file's own mZ1 and M have six digits, as have the momenta that they are compared through."""
    (file,) = OPEN_DATA["four_muons"].files(opendata)
    published, found = reference.read_csv(file), physics("four_muons")
    np.testing.assert_allclose(found["m4l"], published["M"], rtol=1e-5)
    np.testing.assert_allclose(found["mz1"], published["mZ1"], rtol=1e-5)
    np.testing.assert_allclose(found["mz2"], published["mZ2"], rtol=1e-5)


def test_published_razor_mass(opendata: Path, physics: Callable[[str], Columns]) -> None:
    (file,) = OPEN_DATA["razor"].files(opendata)
    np.testing.assert_allclose(physics("razor")["MR"], reference.read_csv(file)["MR"], rtol=1e-5)


def peak(masses: NDArray[np.float64], window: tuple[float, float], bins: int, width: float) -> tuple[float, float]:
    """Position of a Gaussian on a straight line, fitted to a histogram, and its error; in GeV."""

    def shape(m: Any, height: float, mean: float, sigma: float, level: float, slope: float) -> Any:
        return height * np.exp(-0.5 * ((m - mean) / sigma) ** 2) + level + slope * (m - mean)

    counts, edges = np.histogram(masses, bins, window)
    centres = (edges[1:] + edges[:-1]) / 2
    start = (np.ptp(counts), centres[np.argmax(counts)], width, counts.min(), 0)
    errors = np.sqrt(np.maximum(counts, 1))
    fitted, covariance = curve_fit(shape, centres, counts, start, errors, absolute_sigma=True)
    return float(fitted[1]), float(np.sqrt(covariance[1, 1]))


def test_z_peak(physics: Callable[[str], Columns]) -> None:
    mass, error = peak(physics("zmumu")["mll"], (86, 96), bins=50, width=2)
    assert mass == pytest.approx(91.19, abs=0.5)
    assert error < 0.1


def test_upsilon_peak(physics: Callable[[str], Columns]) -> None:
    mass, error = peak(physics("ymumu")["mll"], (9.1, 9.75), bins=26, width=0.08)
    assert mass == pytest.approx(9.46, abs=0.1)
    assert error < 0.01
