"""All kinds of figures: which there are, by the names of quantities and detectors."""

from __future__ import annotations

import itertools

from plotting.figures.contents import (
    EVALUATION_KINDS,
    RUN_KINDS,
    every_figure,
    is_figure,
    list_evaluation_figures,
    list_figures,
)
from plotting.figures.figure import Names
from plotting.results.evaluation import Evaluation
from plotting.results.run import Results

NAMES = Names.of(("MR", "Rsq", "MET"), ("mlp", "ensemble"))


def test_the_ensemble_comes_first_among_the_detectors() -> None:
    assert NAMES.detectors == ("ensemble", "mlp")
    assert Names.of((), ()).detectors == ("ensemble",)
    assert Names.of(("MR", "MR"), ("mlp", "mlp")) == Names(("MR",), ("ensemble", "mlp"))


def test_figures_are_in_the_order_of_their_sections() -> None:
    orders = {
        RUN_KINDS: ["selection", "detectors", "events", "features", "planes", "training"],
        EVALUATION_KINDS: ["performance", "scores", "training"],
    }
    for kinds, sections in orders.items():
        figures = every_figure(kinds, NAMES)
        assert [section for section, _ in itertools.groupby(figure.section for figure in figures)] == sections
        assert len({figure.name for figure in figures}) == len(figures)


def test_figures_are_called_after_quantities_and_detectors() -> None:
    names = [figure.name for figure in every_figure(RUN_KINDS, NAMES)]
    assert [name for name in names if name.startswith(("score_", "feature_"))] == [
        *("score_ensemble", "score_mlp", "feature_MR", "feature_Rsq", "feature_MET"),
    ]
    planes = [name for name in names if name.startswith("plane_")]
    pairs = sorted(f"{x}_{y}" for x in NAMES.quantities for y in NAMES.quantities)
    scored = [f"plane_{pair}_score_{detector}" for detector in NAMES.detectors for pair in pairs]
    assert planes == [*(f"plane_{pair}" for pair in pairs), *scored]


def test_of_two_pairs_whose_planes_share_a_name_the_first_is_meant() -> None:
    figures = every_figure(RUN_KINDS, Names.of(("a", "b_c", "a_b", "c"), ()))
    (plane,) = (figure for figure in figures if figure.name == "plane_a_b_c")
    assert (plane.pair.x, plane.pair.y) == ("a", "b_c")


def test_what_is_drawn_is_a_figure_in_this_order(
    varied_results: Results, trained_results: Results, evaluation: Evaluation
) -> None:
    for results in (varied_results, trained_results):
        drawn = [name for name, _ in list_figures(results)]
        known = [figure.name for figure in every_figure(RUN_KINDS, Names.of(results.spectra, results.detectors))]
        assert drawn == [name for name in known if name in drawn]
    assert "contributions_autoencoder" in drawn
    assert "loss_isolation_forest" not in drawn
    drawn = [name for name, _ in list_evaluation_figures(evaluation)]
    assert drawn[:5] == ["roc", "roc_log", "significance", "metrics", "confusion"]
    assert drawn[-2:] == ["latent_ranks", "latent_labels"]
    assert {"importance_mlp", "importance_decision_tree"} == {name for name in drawn if name.startswith("importance_")}


def test_other_names_are_no_figures() -> None:
    for name in ("plane_MR_Rsq_score_mlp", "importance_mlp", "display_1", "roc_log", "feature_MET"):
        assert is_figure(name, NAMES)
    for name in ("plane_MR", "score_svm", "feature_", "feature_HT", "display_0", "cutflow_2", "something_new"):
        assert not is_figure(name, NAMES)
