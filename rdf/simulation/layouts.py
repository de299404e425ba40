"""Layouts: what files of simulated events look like, column by column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rdf.schema.quantities import SOURCE_ROW


@dataclass(frozen=True)
class Layout:
    """What a file of simulated events looks like.

    Attributes:
        tree: name of the tree.
        generator: C++ class of the generators whose events it takes, in a namespace with the name of its header.
        columns: column of the file -> C++ expression over `generated`, which is what the generator made, `number`, from
            0, and the columns before.
        made_of: columns that are not written -> C++ expression.
        event_bytes: what an event takes on disk, about and at most.
    """

    tree: str
    generator: str
    columns: Mapping[str, str]
    event_bytes: int
    made_of: Mapping[str, str] = field(default_factory=dict)


_LABEL = {"label": "static_cast<std::int32_t>(generated.label)"}
_EVENT = "static_cast<unsigned long long>(number + 1)"
_ID = {
    "run": "1u",  # no collision was ever recorded in run 1
    "luminosityBlock": "static_cast<unsigned int>(number / 1000 + 1)",
    "event": _EVENT,
}
_ROW = {SOURCE_ROW: "static_cast<std::uint64_t>(number)"}

NANOAOD = Layout(
    "Events",
    "collision_simulation::Process",
    {
        **_ID,
        **{f"Jet_{attribute}": f"generated.jets.{attribute}" for attribute in ("pt", "eta", "phi", "mass")},
        "Jet_btagDeepFlavB": "generated.jets.btag",
        "Jet_jetId": "ROOT::RVec<int>(generated.jets.pt.size(), 6)",  # passes the tight identification
        **{
            f"{name}_{attribute}": f"generated.{kind}.{attribute}"
            for name, kind in (("Muon", "muons"), ("Electron", "electrons"))
            for attribute in ("pt", "eta", "phi", "mass", "charge")
        },
        # What is generated passes the loose identification and isolation.
        "Muon_looseId": "ROOT::RVec<int>(generated.muons.pt.size(), 1)",
        "Muon_pfRelIso04_all": "ROOT::RVec<float>(generated.muons.pt.size(), 0.f)",
        "Electron_cutBased": "ROOT::RVec<int>(generated.electrons.pt.size(), 4)",
        "MET_pt": "generated.met_pt",
        "MET_phi": "generated.met_phi",
        **_LABEL,
    },
    event_bytes=150,
)

LOW_MASS = Layout(
    "Events",
    "dimuon_simulation::Dimuons",
    {
        **_ID,
        **{f"Muon_{attribute}": f"generated.muons.{attribute}" for attribute in ("pt", "eta", "phi", "mass", "charge")},
        "Muon_tightId": "generated.muons.tight",
        "Muon_looseId": "ROOT::RVec<bool>(generated.muons.pt.size(), true)",
        "Muon_pfRelIso04_all": "generated.muons.isolation",
        "Muon_ip3d": "generated.muons.ip3d",
        "MET_pt": "generated.met_pt",
        "MET_phi": "generated.met_phi",
        **_LABEL,
    },
    event_bytes=80,
)

TRACKS = Layout(
    "tracks",
    "track_simulation::Tracks",
    {
        **_ID,
        **{f"track_{attribute}": f"generated.{attribute}" for attribute in ("pt", "eta", "phi", "d0", "dz")},
        **_LABEL,
    },
    event_bytes=30,
)

RAZOR = Layout(
    "events",
    "razor_filter_simulation::RazorFilter",
    {
        "Run": "1u",
        "Lumi": _ID["luminosityBlock"],
        "Event": _EVENT,
        "MR": "generated.MR",
        "Rsq": "generated.Rsq",
        **{
            f"{attribute}{i}": f"generated.megajets.{which}.{attribute}()"
            for i, which in ((1, "first"), (2, "second"))
            for attribute in ("E", "Px", "Py", "Pz")
        },
        "HT": "generated.HT",
        "MET": "generated.met_pt",
        "nJets": "generated.n_jets",
        "nBJets": "generated.n_bjets",
        **_ROW,
        **_LABEL,
    },
    event_bytes=150,
)

DIMUON = Layout(
    "events",
    "collision_simulation::Process",
    {
        "Run": "1u",
        "Event": _EVENT,
        **{
            f"{name}{i}": f"static_cast<{kind}>(generated.muons.{attribute}[{i - 1}])"
            for i in (1, 2)
            for name, attribute, kind in (
                ("pt", "pt", "double"),
                ("eta", "eta", "double"),
                ("phi", "phi", "double"),
                ("Q", "charge", "std::int32_t"),
            )
        },
        **_ROW,
        **_LABEL,
    },
    event_bytes=60,
)

_ALL_LEPTONS = {"all_leptons": "detector_simulation::compute_all_leptons(generated)"}

ATLAS2020 = Layout(
    "mini",
    "collision_simulation::Process",
    {
        "runNumber": "1",
        "eventNumber": "static_cast<std::int32_t>(number + 1)",
        "lep_n": "static_cast<unsigned int>(all_leptons.pt.size())",
        "lep_type": "ROOT::RVec<unsigned int>(all_leptons.flavour.begin(), all_leptons.flavour.end())",
        "lep_charge": "all_leptons.charge",
        "lep_pt": "all_leptons.pt * 1000.f",
        "lep_eta": "all_leptons.eta",
        "lep_phi": "all_leptons.phi",
        "lep_E": "detector_simulation::compute_energy(all_leptons) * 1000.f",
        "jet_n": "static_cast<unsigned int>(generated.jets.pt.size())",
        "jet_pt": "generated.jets.pt * 1000.f",
        "jet_eta": "generated.jets.eta",
        "jet_phi": "generated.jets.phi",
        "jet_E": "detector_simulation::compute_energy(generated.jets) * 1000.f",
        "jet_MV2c10": "generated.jets.btag * 2.f - 1.f",  # from -1 to 1
        "met_et": "generated.met_pt * 1000.f",
        "met_phi": "generated.met_phi",
        **_LABEL,
    },
    event_bytes=150,
    made_of=_ALL_LEPTONS,
)

ATLAS2025 = Layout(
    "analysis",
    "collision_simulation::Process",
    {
        "runNumber": "1u",
        "eventNumber": _EVENT,
        "lep_n": "static_cast<std::int32_t>(all_leptons.pt.size())",
        "lep_type": "all_leptons.flavour",
        "lep_charge": "all_leptons.charge",
        "lep_pt": "all_leptons.pt",
        "lep_eta": "all_leptons.eta",
        "lep_phi": "all_leptons.phi",
        "lep_e": "detector_simulation::compute_energy(all_leptons)",
        **{f"lep_{name}": "ROOT::RVec<int>(all_leptons.pt.size(), 1)" for name in ("isLooseID", "isLooseIso")},
        "jet_n": "static_cast<std::int32_t>(generated.jets.pt.size())",
        "jet_pt": "generated.jets.pt",
        "jet_eta": "generated.jets.eta",
        "jet_phi": "generated.jets.phi",
        "jet_e": "detector_simulation::compute_energy(generated.jets)",
        "jet_btag_quantile": "detector_simulation::compute_btag_quantile(generated.jets.btag)",
        "met": "generated.met_pt",
        "met_phi": "generated.met_phi",
        **_LABEL,
    },
    event_bytes=150,
    made_of=_ALL_LEPTONS,
)
