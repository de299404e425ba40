"""The physics columns that detectors learn from: how they are written on an axis, and which of them go together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rdf.errors import UnknownFeature, near_names
from rdf.schema.model import Schema
from rdf.schema.tables import Definition, FeatureSet


@dataclass(frozen=True)
class Feature:
    """A physics column.

    Attributes:
        name: of the column.
        title: in ROOT's TLatex; as far as letters with indices and Greek letters go, matplotlib draws it too.
        unit: "GeV", "rad" or "" for none.
    """

    name: str
    title: str
    unit: str = ""

    @property
    def axis_title(self) -> str:
        """Title and unit as they stand on an axis."""
        return f"{self.title} [{self.unit}]" if self.unit else self.title


FEATURES: Mapping[str, Feature] = {
    feature.name: feature
    for feature in (
        Feature("MR", "M_{R}", "GeV"),
        Feature("MR_2010", "M_{R} (2010)", "GeV"),
        Feature("MTR", "M_{T}^{R}", "GeV"),
        Feature("Rsq", "R^{2}"),
        Feature("pt1", "p_{T,1}", "GeV"),
        Feature("pt2", "p_{T,2}", "GeV"),
        Feature("pt_ratio", "p_{T,2} / p_{T,1}"),
        Feature("dijet_mass", "m_{12}", "GeV"),
        Feature("mll", "m_{ll}", "GeV"),
        Feature("pt_ll", "p_{T}^{ll}", "GeV"),
        Feature("delta_r_ll", "#Delta R_{ll}"),
        Feature("delta_phi_ll", "|#Delta#phi_{ll}|", "rad"),
        Feature("lepton_pt_sum", "#Sigma p_{T}^{l}", "GeV"),
        Feature("lepton1_pt", "p_{T}^{l1}", "GeV"),
        Feature("lepton2_pt", "p_{T}^{l2}", "GeV"),
        Feature("lepton3_pt", "p_{T}^{l3}", "GeV"),
        Feature("lepton4_pt", "p_{T}^{l4}", "GeV"),
        Feature("mz1", "m_{Z1}", "GeV"),
        Feature("mz2", "m_{Z2}", "GeV"),
        Feature("m4l", "m_{4l}", "GeV"),
        Feature("pt_4l", "p_{T}^{4l}", "GeV"),
        Feature("transverse_mass", "m_{T}", "GeV"),
        Feature("jet1_pt", "p_{T}^{j1}", "GeV"),
        Feature("jet2_pt", "p_{T}^{j2}", "GeV"),
        Feature("mjj", "m_{jj}", "GeV"),
        Feature("pt_jj", "p_{T}^{jj}", "GeV"),
        Feature("delta_r_jj", "#Delta R_{jj}"),
        Feature("delta_eta_jj", "|#Delta#eta_{jj}|"),
        Feature("delta_phi_jj", "|#Delta#phi_{jj}|", "rad"),
        Feature("delta_r_lj", "#Delta R_{lj}"),
        Feature("n_bjets", "number of b jets"),
        Feature("n_largeRjets", "number of large-R jets"),
        Feature("largeRjet1_pt", "p_{T}^{J1}", "GeV"),
        Feature("largeRjet1_mass", "m_{J1}", "GeV"),
        Feature("largeRjet1_tau21", "#tau_{21}^{J1}"),
        Feature("n_photons", "number of photons"),
        Feature("photon1_pt", "p_{T}^{#gamma1}", "GeV"),
        Feature("photon2_pt", "p_{T}^{#gamma2}", "GeV"),
        Feature("m_photon_photon", "m_{#gamma#gamma}", "GeV"),
        Feature("pt_photon_photon", "p_{T}^{#gamma#gamma}", "GeV"),
        Feature("delta_r_photon_photon", "#Delta R_{#gamma#gamma}"),
        Feature("n_taus", "number of taus"),
        Feature("tau1_pt", "p_{T}^{#tau1}", "GeV"),
        Feature("m_tau_tau", "m_{#tau#tau}", "GeV"),
        Feature("delta_r_tau_tau", "#Delta R_{#tau#tau}"),
        Feature("HT", "H_{T}", "GeV"),
        Feature("ST", "S_{T}", "GeV"),
        Feature("centrality", "centrality"),
        Feature("sphericity", "sphericity"),
        Feature("aplanarity", "aplanarity"),
        Feature("n_jets", "number of jets"),
        Feature("n_leptons", "number of leptons"),
        Feature("n_electrons", "number of electrons"),
        Feature("n_muons", "number of muons"),
        Feature("MET", "p_{T}^{miss}", "GeV"),
        Feature("MET_over_HT", "p_{T}^{miss} / H_{T}"),
        Feature("MET_over_sqrt_HT", "p_{T}^{miss} / H_{T}^{1/2}", "GeV^{1/2}"),
        Feature("MET_over_ST", "p_{T}^{miss} / S_{T}"),
        Feature("MET_over_pt_ll", "p_{T}^{miss} / p_{T}^{ll}"),
        Feature("delta_phi_met_jet", "|#Delta#phi(p_{T}^{miss}, jet)|", "rad"),
        Feature("delta_phi_met_lepton", "|#Delta#phi(p_{T}^{miss}, l)|", "rad"),
        Feature("delta_phi_met_ll", "|#Delta#phi(p_{T}^{miss}, ll)|", "rad"),
    )
}
"""Every column that a detector can learn from without having been defined by a schema or a user."""

FEATURE_SETS: Mapping[str, FeatureSet] = {
    "razor": FeatureSet(
        features=("MR", "Rsq", "HT", "MET", "pt1", "pt2", "MET_over_HT", "pt_ratio"),
        observables=("dijet_mass", "centrality"),
        plane=("MR", "Rsq"),
    ),
    # Ratios to HT are not in it: an event without jets has none.
    "dilepton": FeatureSet(
        features=(
            *("mll", "pt_ll", "delta_r_ll", "delta_phi_ll", "lepton_pt_sum", "MET", "MET_over_ST", "MET_over_pt_ll"),
            *("transverse_mass", "HT", "centrality", "n_jets", "n_leptons"),
        ),
        observables=("mz1", "sphericity"),
        plane=("mll", "pt_ll"),
    ),
    # As for pairs of Z bosons: events without two pairs of opposite charge and same flavour are not in it.
    "four_lepton": FeatureSet(
        features=(
            *("m4l", "mz1", "mz2", "pt_4l", "lepton1_pt", "lepton2_pt", "lepton3_pt", "lepton4_pt"),
            *("MET", "HT", "n_jets"),
        ),
        observables=("n_electrons", "n_muons"),
        plane=("mz1", "mz2"),
    ),
    "lepton_met": FeatureSet(
        features=("lepton1_pt", "MET", "transverse_mass", "delta_phi_met_lepton", "HT", "n_jets", "n_bjets"),
        observables=("n_leptons", "n_electrons", "n_muons"),
        plane=("transverse_mass", "MET"),
    ),
    "dijet": FeatureSet(
        features=(
            *("mjj", "pt_jj", "delta_eta_jj", "delta_phi_jj", "jet1_pt", "jet2_pt", "MET_over_HT", "n_jets", "n_bjets"),
        ),
        observables=("HT", "MET", "delta_r_jj"),
        plane=("mjj", "delta_eta_jj"),
    ),
    "diphoton": FeatureSet(
        features=(
            *("m_photon_photon", "pt_photon_photon", "delta_r_photon_photon", "photon1_pt", "photon2_pt"),
            *("MET", "n_jets", "n_leptons"),
        ),
        observables=("HT", "n_bjets"),
        plane=("m_photon_photon", "pt_photon_photon"),
    ),
}
"""Feature sets by name; a schema names those that fit its samples."""


@dataclass(frozen=True)
class Choice:
    """What a run learns from and records.

    Attributes:
        chosen: the features, the observables and the plane.
        left_out: features and observables of the set whose ingredients the sample lacks.
        described: how each column that can be chosen is written.
        set_name: name of the feature set; None for features that were named one by one.
    """

    chosen: FeatureSet
    left_out: tuple[str, ...]
    described: Mapping[str, Feature]
    set_name: str | None = None

    def warnings(self) -> list[str]:
        """Return a line that says what the feature set has lost; none where it is whole."""
        if not self.left_out:
            return []
        names = ", ".join(self.left_out)
        return [f"feature set {self.set_name} is used without {names}: the sample does not have what they are made of"]


def choose_features(
    wanted: str | Collection[str] | None,
    schema: Schema,
    definitions: Mapping[str, Definition],
    available: Collection[str],
) -> Choice:
    """Choose what a run learns from.

    Args:
        wanted: features one by one, all of which the sample must have; or the name of a feature set, or of a single
            feature where no set has that name; or None for the schema's set that the sample has most of, without
            the features that the sample lacks.
        schema: of the sample.
        definitions: the user's own columns.
        available: columns that the sample can have.

    Raises:
        UnknownFeature: no such set or feature, or one that needs objects that the sample does not have.
    """
    described = {
        **FEATURES,
        **{
            name: Feature(name, d.title or name.replace("_", " "), d.unit)
            for name, d in (schema.define | dict(definitions)).items()
        },
    }
    sets = {**FEATURE_SETS, **schema.feature_sets}
    if isinstance(wanted, str) and wanted not in sets:
        if wanted not in described:
            known = (*sets, *sorted(set(described) & set(available)))
            raise UnknownFeature(f"unknown feature set or feature {wanted!r}; {near_names(wanted, known)}")
        wanted = (wanted,)
    if wanted is None or isinstance(wanted, str):
        possible = schema.features if wanted is None else (wanted,)
        return _first_that_fits({name: _named_set(name, sets) for name in possible}, available, described)
    names = tuple(wanted)
    check_features(names, described, available)
    return Choice(FeatureSet(features=names, plane=first_plane(names)), (), described)


def first_plane(features: Sequence[str]) -> tuple[str, str] | None:
    """Return the first two features, in which events are drawn where nothing else is said; None of a single one."""
    return (features[0], features[1]) if len(features) > 1 else None


def _named_set(name: str, sets: Mapping[str, FeatureSet]) -> FeatureSet:
    if name not in sets:
        raise UnknownFeature(f"unknown feature set {name!r}; {near_names(name, sets)}")
    return sets[name]


def _first_that_fits(
    sets: Mapping[str, FeatureSet], available: Collection[str], described: Mapping[str, Feature]
) -> Choice:
    """Choose the set that the sample has most of, the first of equals, without the features that the sample lacks."""
    chosen = max(sets, key=lambda s: sum(name in available for name in sets[s].features) / len(sets[s].features))
    best = sets[chosen]
    features = tuple(name for name in best.features if name in available)
    if len(features) < min(2, len(best.features)):
        raise UnknownFeature(
            f"this sample has not what the features {', '.join(best.features)} are made of; name others with "
            f"--features: {', '.join(sorted(set(described) & set(available))) or 'it has none'}"
        )
    left_out = tuple(name for name in (*best.features, *best.observables) if name not in available)
    observables = tuple(name for name in best.observables if name in available)
    has_plane = best.plane is not None and set(best.plane) <= {*features, *observables}
    plane = best.plane if has_plane else first_plane(features)
    return Choice(FeatureSet(features=features, observables=observables, plane=plane), left_out, described, chosen)


def check_features(names: Iterable[str], described: Collection[str], available: Collection[str]) -> None:
    """Refuse features that nobody defined.

    Args:
        names: of the features.
        described: every feature that there is.
        available: columns that the sample can have.

    Raises:
        UnknownFeature: names all of them, with the nearest names.
    """
    for name in names:
        if name not in described:
            raise UnknownFeature(f"unknown feature {name!r}; {near_names(name, described)}")
    if missing := [name for name in names if name not in available]:
        known = set(described) & set(available)
        raise UnknownFeature(
            f"feature{'s' * (len(missing) > 1)} {', '.join(map(repr, missing))} need"
            f"{'s' * (len(missing) == 1)} objects that this sample does not have; {near_names(missing[0], known)}"
        )
