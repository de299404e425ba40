"""Physics columns: how each is made of others, a line that wires columns to a kernel of `macros/`.

In the text of a definition RDataFrame takes every word that is the name of a column for that column, also behind `::`.
That is why kernels are called compute_MR and not MR, and why no kernel's namespace is called met: files have columns of
these names.
"""

from __future__ import annotations

from collections.abc import Mapping

FLAVOURS: Mapping[str, int] = {"electron": 11, "muon": 13}
"""Kind of lepton -> its number in the Monte Carlo numbering scheme of the Particle Data Group."""

Table = Mapping[str, tuple[str, ...]]
"""Column -> the expressions that can give it; the first counts whose columns a sample has.

What a schema takes from the file as MR, Rsq or HT stands first: it was asked for by that name.
"""

RAZOR: Table = {
    "megajets": ("razor::compute_megajets(jets)", "razor::Megajets{megajet1, megajet2}"),
    "MR": ("stored_MR", "razor::compute_MR(megajets.first, megajets.second)"),
    "MR_2010": ("razor::compute_MR_2010(megajets.first, megajets.second)",),
    "MTR": ("razor::compute_MTR(megajets.first, megajets.second, met_pt, met_phi)",),
    "Rsq": ("stored_Rsq", "razor::compute_Rsq(MTR, MR)"),
    "pt1": ("megajets.first.Pt()",),
    "pt2": ("megajets.second.Pt()",),
    "pt_ratio": ("event_shape::compute_pt_ratio(pt1, pt2)",),
    "dijet_mass": ("objects::invariant_mass(megajets.first + megajets.second)",),
}

LEPTONS: Table = {
    "mll": ("leading::compute_pair_mass(leptons)",),
    "pt_ll": ("leading::compute_pair_pt(leptons)",),
    "delta_r_ll": ("leading::compute_pair_delta_r(leptons)",),
    "delta_phi_ll": ("leading::compute_pair_delta_phi(leptons)",),
    "lepton_pt_sum": ("objects::compute_pt_sum(leptons)",),
    **{f"lepton{i}_pt": (f"objects::compute_pt_of(leptons, {i - 1})",) for i in (1, 2, 3, 4)},
    "mz1": ("dilepton::compute_mz1(leptons, lepton_charge, lepton_flavour)",),
    "mz2": ("four_leptons::compute_mz2(leptons, lepton_charge, lepton_flavour)",),
    "m4l": ("four_leptons::compute_m4l(leptons)",),
    "pt_4l": ("four_leptons::compute_pt_4l(leptons)",),
    "transverse_mass": ("dilepton::compute_transverse_mass(leptons, met_pt, met_phi)",),
}

JETS: Table = {
    "jet1_pt": ("objects::compute_pt_of(jets, 0)",),
    "jet2_pt": ("objects::compute_pt_of(jets, 1)",),
    "mjj": ("leading::compute_pair_mass(jets)",),
    "pt_jj": ("leading::compute_pair_pt(jets)",),
    "delta_r_jj": ("leading::compute_pair_delta_r(jets)",),
    "delta_eta_jj": ("leading::compute_pair_delta_eta(jets)",),
    "delta_phi_jj": ("leading::compute_pair_delta_phi(jets)",),
    "delta_r_lj": ("leading::compute_delta_r_of_two_kinds(leptons, jets)",),
    "n_bjets": ("objects::count_marked(jet_btagged)",),
    "n_largeRjets": ("static_cast<int>(largeRjets.size())",),
    "largeRjet1_pt": ("objects::compute_pt_of(largeRjets, 0)",),
    "largeRjet1_mass": ("leading::compute_mass_of_first(largeRjets)",),
    "largeRjet1_tau21": ("leading::compute_first_of(largeRjet_tau21)",),
}

PHOTONS_AND_TAUS: Table = {
    "n_photons": ("static_cast<int>(photons.size())",),
    "photon1_pt": ("objects::compute_pt_of(photons, 0)",),
    "photon2_pt": ("objects::compute_pt_of(photons, 1)",),
    "m_photon_photon": ("leading::compute_pair_mass(photons)",),
    "pt_photon_photon": ("leading::compute_pair_pt(photons)",),
    "delta_r_photon_photon": ("leading::compute_pair_delta_r(photons)",),
    "n_taus": ("static_cast<int>(taus.size())",),
    "tau1_pt": ("objects::compute_pt_of(taus, 0)",),
    "m_tau_tau": ("leading::compute_pair_mass(taus)",),
    "delta_r_tau_tau": ("leading::compute_pair_delta_r(taus)",),
}

EVENT_SHAPE: Table = {
    "HT": ("stored_HT", "objects::compute_pt_sum(jets)"),
    "ST": ("event_shape::compute_ST(HT, lepton_pt_sum, met_pt)",),
    "visible": (
        "event_shape::make_visible(jets, leptons)",
        "jets",
        "leptons",
        "objects::Momenta{megajets.first, megajets.second}",
    ),
    "centrality": ("event_shape::compute_centrality(jets, leptons)", "event_shape::compute_centrality(visible)"),
    "sphericity": ("event_shape::compute_sphericity(visible)",),
    "aplanarity": ("event_shape::compute_aplanarity(visible)",),
    "n_jets": ("static_cast<int>(jets.size())",),
    "n_leptons": ("static_cast<int>(leptons.size())",),
    **{f"n_{kind}s": (f"objects::count_flavour(lepton_flavour, {number})",) for kind, number in FLAVOURS.items()},
}

MET: Table = {
    "MET": ("met_pt",),
    "MET_over_HT": ("missing_pt::compute_MET_over_HT(met_pt, HT)",),
    "MET_over_sqrt_HT": ("missing_pt::compute_MET_over_sqrt_HT(met_pt, HT)",),
    "MET_over_ST": ("missing_pt::compute_MET_over_ST(met_pt, ST)",),
    "MET_over_pt_ll": ("missing_pt::compute_MET_over_pt_ll(met_pt, pt_ll)",),
    "delta_phi_met_jet": ("missing_pt::compute_delta_phi_met_jet(met_phi, jets)",),
    "delta_phi_met_lepton": ("missing_pt::compute_delta_phi_met_lepton(met_phi, leptons)",),
    "delta_phi_met_ll": ("missing_pt::compute_delta_phi_met_ll(met_phi, leptons)",),
}

PHYSICS: Table = {**RAZOR, **LEPTONS, **JETS, **PHOTONS_AND_TAUS, **EVENT_SHAPE, **MET}
"""Every physics column, each after what it is made of."""

NOT_NUMBERS = ("megajets", "visible")
"""Physics columns that are four-vectors; the others are a number each."""

INTERMEDIATE = (
    "jets",
    "leptons",
    "photons",
    "taus",
    "largeRjets",
    "megajet1",
    "megajet2",
    "stored_MR",
    "stored_Rsq",
    "stored_HT",
)
"""What physics columns are made of besides canonical quantities."""
