from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from plotting.drawing.saving import save_figure
from plotting.drawing.settling import settle
from plotting.errors import FigureFolderError
from plotting.figures.contents import list_evaluation_figures, list_figures
from plotting.results.evaluation import Evaluation
from plotting.results.run import Results
from plotting.style.house import house_style

pytestmark = pytest.mark.pool

NAMES = [
    "cutflow",
    "score_ensemble",
    "score_isolation_forest",
    "flagged",
    "means",
    "mll_flagged",
    "feature_MR",
    "feature_Rsq",
    "feature_MET",
    "feature_centrality",
    "feature_mll",
    "correlation",
    "plane_MR_Rsq",
    "plane_MR_Rsq_score_ensemble",
    "plane_MR_Rsq_score_isolation_forest",
]

OF_THE_TRAINING = [
    "score_autoencoder",
    "score_one_class_svm",
    "score_elliptic_envelope",
    "flagged",
    "agreement",
    "votes",
    "contributions_isolation_forest",
    "contributions_autoencoder",
    "contributions_one_class_svm",
    "contributions_elliptic_envelope",
    "loss_autoencoder",
    "reconstruction_autoencoder",
    "latent_ranks",
]
OF_AN_EVALUATION = [
    "roc",
    "roc_log",
    "significance",
    "metrics",
    "confusion",
    "score_mlp",
    "importance_mlp",
    "loss_autoencoder",
    "reconstruction_autoencoder",
    "latent_ranks",
    "latent_labels",
]


def visible_texts(figure: Figure) -> list[Text]:
    """All texts that are drawn: header, axis titles, tick labels inside the axis, annotations, legends."""
    texts = list(figure.texts)
    for axes in figure.axes:
        texts += axes.texts
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            texts += [axis.label, axis.get_offset_text()]
            texts += [
                label
                for tick in axis.get_major_ticks()
                if low <= tick.get_loc() <= high
                for label in (tick.label1, tick.label2)
            ]
        if legend := axes.get_legend():
            texts += legend.get_texts()
    for legend in figure.legends:
        texts += legend.get_texts()
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


@pytest.fixture(params=["results", "varied_results", "simulated_results", "quiet_results", "empty_results"])
def any_results(request: pytest.FixtureRequest) -> Results:
    return request.getfixturevalue(request.param)


def test_a_run_has_these_figures(results: Results) -> None:
    assert [name for name, _ in list_figures(results)] == NAMES


def test_a_training_adds_these_figures(trained_results: Results) -> None:
    begin, end = NAMES.index("flagged"), OF_THE_TRAINING.index("loss_autoencoder")
    assert [name for name, _ in list_figures(trained_results)] == [
        *NAMES[:begin],
        *OF_THE_TRAINING[:end],
        *NAMES[begin + 1 :],
        *OF_THE_TRAINING[end:],
    ]


def test_an_evaluation_has_these_figures(small_evaluation: Evaluation, evaluation: Evaluation) -> None:
    assert [name for name, _ in list_evaluation_figures(small_evaluation)] == OF_AN_EVALUATION
    names = [name for name, _ in list_evaluation_figures(evaluation)]
    assert [name for name in names if name.startswith("importance")] == ["importance_decision_tree", "importance_mlp"]
    assert sum(name.startswith("score_") for name in names) == 7


@pytest.mark.parametrize("name", NAMES)
def test_nothing_overlaps_or_is_cut_off_and_the_header_tells_the_sample(any_results: Results, name: str) -> None:
    check_texts(dict(list_figures(any_results))[name](), simulated=any_results.caption.simulated)


@pytest.mark.parametrize("name", OF_THE_TRAINING)
def test_the_figures_of_a_training_are_as_tidy(trained_results: Results, name: str) -> None:
    check_texts(dict(list_figures(trained_results))[name](), simulated=False)


@pytest.mark.parametrize("which", ["evaluation", "small_evaluation"])
@pytest.mark.parametrize("name", OF_AN_EVALUATION)
def test_the_figures_of_an_evaluation_are_as_tidy(which: str, name: str, request: pytest.FixtureRequest) -> None:
    evaluation: Evaluation = request.getfixturevalue(which)
    check_texts(dict(list_evaluation_figures(evaluation))[name](), simulated=evaluation.caption.simulated)


def check_texts(figure: Figure, *, simulated: bool) -> None:
    """Assert that the header tells the sample, that no text is cut off and that no two overlap."""
    with house_style():
        settle(figure)
        figure.draw_without_rendering()
        texts = visible_texts(figure)
        boxes = [(text, text.get_window_extent().padded(-0.5)) for text in texts]
    canvas = figure.bbox
    for text, box in boxes:
        assert canvas.x0 <= box.x0, text
        assert canvas.y0 <= box.y0, text
        assert box.x1 <= canvas.x1, text
        assert box.y1 <= canvas.y1, text
    # The box around slanted text is larger than the text; slanted labels run in parallel anyway.
    upright = [(text, box) for text, box in boxes if text.get_rotation() % 90 == 0]
    for (one, box), (other, other_box) in itertools.combinations(upright, 2):
        assert not box.overlaps(other_box), (one, other)

    header = [text.get_text() for text in figure.texts]
    assert "Synthetic multijet events" in header
    assert "DOI 10.7483/OPENDATA.TEST.0001" in header
    assert r"32 pb$^{\mathrm{-1}}$ (7 TeV)" in header
    assert ("SIMULATED" in header) == simulated
    panels = [axes for axes in figure.axes if axes.get_subplotspec()]
    for row in {axes.get_subplotspec().rowspan.start for axes in panels}:
        assert any(axes.get_ylabel() for axes in panels if axes.get_subplotspec().rowspan.start == row)
    assert any(axes.get_xlabel() for axes in panels)
    bars = [axes for axes in figure.axes if axes not in panels]
    assert all(bar.get_ylabel() for bar in bars)
    # What colours and lines mean is told by a legend, a colour bar, or numbers in the cells of a matrix.
    assert figure.legends or bars or any(axes.get_legend() or axes.images for axes in panels)


def test_the_same_run_gives_the_same_bytes(results: Results, tmp_path: Path) -> None:
    first, second = (
        [path.read_bytes() for path in save_figure(dict(list_figures(results))["feature_MR"](), tmp_path / name, "x")]
        for name in ("first", "second")
    )
    assert first == second


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_interrupted_figure_leaves_nothing_under_its_name(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    figure = dict(list_figures(results))["cutflow"]()
    old = [path.read_bytes() for path in save_figure(figure, tmp_path, "cutflow")]
    seen: list[str] = []

    def half(path: Path, format: str, **_: object) -> None:
        path.write_bytes(b"half")
        seen.append(format)
        if format == "pdf":
            raise error

    monkeypatch.setattr(figure, "savefig", half)
    with pytest.raises(FigureFolderError if isinstance(error, OSError) else KeyboardInterrupt):
        save_figure(figure, tmp_path, "cutflow")
    assert seen == ["png", "pdf"]
    # The earlier, whole figures are untouched and nothing else lies about.
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir(), reverse=True)] == old


def test_a_folder_that_cannot_be_made(results: Results, tmp_path: Path) -> None:
    (tmp_path / "figures").write_text("a file is in the way")
    with pytest.raises(FigureFolderError, match="cannot write figures"):
        save_figure(dict(list_figures(results))["cutflow"](), tmp_path / "figures", "cutflow")
