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

DILEPTON: Table = {
    "mll": ("dilepton::compute_mll(leptons)",),
    "pt_ll": ("dilepton::compute_pt_ll(leptons)",),
    "delta_r_ll": ("dilepton::compute_delta_r_ll(leptons)",),
    "delta_phi_ll": ("dilepton::compute_delta_phi_ll(leptons)",),
    "lepton_pt_sum": ("objects::compute_pt_sum(leptons)",),
    "lepton1_pt": ("objects::compute_pt_of(leptons, 0)",),
    "lepton2_pt": ("objects::compute_pt_of(leptons, 1)",),
    "mz1": ("dilepton::compute_mz1(leptons, lepton_charge, lepton_flavour)",),
    "m4l": ("dilepton::compute_m4l(leptons)",),
    "transverse_mass": ("dilepton::compute_transverse_mass(leptons, met_pt, met_phi)",),
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
    "delta_phi_met_ll": ("missing_pt::compute_delta_phi_met_ll(met_phi, leptons)",),
}

PHYSICS: Table = {**RAZOR, **DILEPTON, **EVENT_SHAPE, **MET}
"""Every physics column, each after what it is made of."""

NOT_NUMBERS = ("megajets", "visible")
"""Physics columns that are four-vectors; the others are a number each."""

INTERMEDIATE = ("jets", "leptons", "megajet1", "megajet2", "stored_MR", "stored_Rsq", "stored_HT")
"""What physics columns are made of besides canonical quantities."""
