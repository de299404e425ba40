"""Titles in ROOT's TLatex: whatever one holds, it is drawn, and what matplotlib knows is drawn as a formula."""

from __future__ import annotations

import random
import string

import pytest
from matplotlib.figure import Figure

from plotting.drawing.settling import settle
from plotting.results.caption import Caption
from plotting.style.canvas import new_figure
from plotting.style.formulas import axis_text
from plotting.style.house import house_style
from plotting.style.markup import title_markup
from plotting.style.tlatex import parse, plain

# All that the reference of the class TLatex lists.
GREEK = """
alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi psi
omega Alpha Beta Gamma Delta Epsilon Zeta Eta Theta Iota Kappa Lambda Mu Nu Xi Omicron Pi Rho Sigma Tau Upsilon Phi
Chi Psi Omega varepsilon vartheta varomega varsigma varphi varUpsilon
"""
SYMBOLS = """
club diamond heart spade voidn aleph voidb Jgothic Rgothic leq geq LT GT approx neq equiv propto in notin subset
notsubset supset subseteq supseteq cap cup wedge vee ocopyright copyright oright void1 trademark void3 AA aa times
divide pm mp / bullet circ 3dots upoint infty nabla partial doublequote angle downleftarrow corner lbar cbar topbar
ltbar arcbottom arctop arcbar bottombar void8 void06 downarrow leftarrow uparrow rightarrow leftrightarrow otimes
oplus oslash odot Box surd Downarrow Leftarrow Uparrow Rightarrow Leftrightarrow prod sum int hbar parallel perp minus
plus forall exists backslash
"""
ACCENTS = ("hat", "check", "acute", "grave", "dot", "ddot", "tilde", "bar", "vec", "slash")
CONSTRUCTS = (
    *("x^{2y}", "x_{2y}", "x^{y^{2}}", "x^{y_{1}}", "x^{y}_{1}", "x_{1}^{y}", "#frac{x}{y}"),
    *("#splitline{21 April}{14:02}", "#sqrt{10}", "#sqrt[3]{10}", "#[]{x}", "#{}{x}", "#||{x}", "#(){x}"),
    *("#left[x#right]", "#left{x#right}", "#left|x#right|", "#left(x#right)", "#font[12]{x}", "#color[2]{x}"),
    *("#scale[1.2]{x}", "#kern[0.3]{x}", "#lower[-0.2]{x}", "#it{x}", "#bf{x}", "#mbox{x}"),
    *("#url[https://root.cern]{x}", "#minus#frac{#hat{x}}{#sqrt{y}}"),
)
HOSTILE = (
    *("my_var_x", "x_", "x^", "_", "^", "_x", "^{2}", "x__y", "x^^2", "a_{b}_{c}", "a^{b}^{c}", "a_b_c^d", "x_1^2_3"),
    *(
        "{",
        "}",
        "{}",
        "}{",
        "#frac{a",
        "#frac{a}",
        "#frac",
        "#sqrt{",
        "#sqrt[3",
        "#left(",
        "#hat",
        "#hat{}",
        "#hat{ab}",
    ),
    *("$", "$$", "$x", "$x$", r"\$", r"\\$", "%", "50 %", "\\", r"\frac{a}{b}", r"\alpha", r"\nonsense{x}", "#none{x}"),
    *(
        "#",
        "##",
        "# #",
        "&",
        "~",
        "'",
        '"',
        "<b>",
        "a;b;c",
        "a#;b",
        "漢字",
        "é",
        "Ω_{m}",
        "\U0001f600",
        "\u202e",
        "a\nb",
    ),
    *("", " ", "   ", "\x00", "\x1b[31m", "\ud800", "a\tb", "x" * 10_000, "x_{1}" * 2_000, "{" * 10_000, "#hat{" * 500),
    *("#frac{" * 30 + "x" + "}" * 30, "#sqrt{" * 19 + "x" + "}" * 19, "_" * 5_000, "#sqrt[#]{x}", "#sqrt[$]{x}"),
    *("normal", "#DeltaR_{jj}", "p_{T}^{miss} [#frac{GeV}{c}]", "#ltbar#arcbar_{x}#bottombar", "#sqrt[]{x}"),
)
PIECES = (
    *(
        "{",
        "}",
        "_",
        "^",
        "#",
        "\\",
        "$",
        " ",
        "a",
        "b",
        "1",
        "%",
        "#frac",
        "#sqrt",
        "#hat",
        "#left(",
        "#right)",
        "#alpha",
    ),
    *("#splitline", "{a}", "[2]", "_{x}"),
)


def draw(texts: list[str]) -> None:
    """Draw texts as the titles of axes and as labels, all at once, as figures do."""
    with house_style():
        figure = new_figure(Caption("Title"), 7, 0.3 * len(texts) + 2)
        axes = figure.subplots()
        axes.set_xlabel(texts[0])
        axes.set_yticks(range(len(texts)), texts)
        settle(figure)
        figure.draw_without_rendering()


def test_all_that_tlatex_knows_is_drawn() -> None:
    titles = (
        [f"#{name}" for name in (*GREEK.split(), *SYMBOLS.split())]
        + [f"#{accent}{{x}}" for accent in ACCENTS]
        + [*CONSTRUCTS]
    )
    texts = [axis_text(f"{title}_{{1}} {title} [GeV]") for title in titles]
    draw(texts)
    for title, text in zip(titles, texts, strict=True):
        assert "#" not in text, title
        assert "#" not in title_markup(title)
    with_formula = [title for title, text in zip(titles, texts, strict=True) if text.count("$") == 0]
    assert not with_formula


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("#sqrt{#hat{s}}", r"$\sqrt{\hat{s}}$"),
        ("#tilde{q} mass", r"$\tilde{q}$ mass"),
        ("#frac{a}{b}", r"$\frac{a}{b}$"),
        ("#sqrt[3]{x}", r"$\sqrt[3]{x}$"),
        ("#DeltaR_{jj}", r"$\Delta R_{\mathrm{jj}}$"),
        ("x^{y^{2}}", r"$x^{y^{\mathrm{2}}}$"),
        ("10^{3}", r"$\mathrm{10}^{\mathrm{3}}$"),
        ("#left(x#right)", "(x)"),
        ("#color[2]{x} y", "x y"),
        ("my_var_x", "my_var_x"),
        ("a_{b}_{c}", "$a_{b}{}_{c}$"),
        ("{unbalanced", "{unbalanced"),
        ("#club", "$♣$"),
    ],
)
def test_a_formula_where_matplotlib_has_it_and_text_where_not(title: str, text: str) -> None:
    assert axis_text(title) == text


def test_whatever_a_title_holds_it_is_drawn() -> None:
    texts = [axis_text(title) for title in HOSTILE]
    for number in range(0, len(texts), 30):
        draw(texts[number : number + 30])
    for text in texts:
        assert "\n" not in text
        assert len(text) < 2_000
    for title in HOSTILE:
        title_markup(title)


def test_random_titles_are_drawn() -> None:
    source = random.Random(3)
    titles = ["".join(source.choices(PIECES, k=source.randint(1, 12))) for _ in range(300)]
    texts = [axis_text(title) for title in titles]
    with house_style():
        figure = Figure()
        for text in texts:
            figure.text(0.5, 0.5, text)
        figure.draw_without_rendering()


def test_long_titles_are_cut() -> None:
    text = axis_text("#alpha" * 5_000)
    assert text == "α" * 99 + "…"
    assert axis_text(string.ascii_letters) == string.ascii_letters
    long = Caption("word " * 2_000, doi="1" * 5_000, energy=r"13 $\frac TeV$")
    with house_style():
        figure = new_figure(long, 7, 5)
        figure.subplots()
        settle(figure)
        figure.draw_without_rendering()
    assert all(len(text.get_text()) <= 320 for text in figure.texts)


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("#frac{a+b}{c}", "(a+b)/c"),
        ("#sqrt{x}", "√x"),
        ("#hat{s}#bar{b}#vec{p}", "ŝb̄p⃗".replace("b̄", "b").replace("p⃗", "p")),
        ("p_{T}^{miss}", "p_T^miss"),
        ("x^{a+b}", "x^(a+b)"),
        ("#Delta#phi", "Δφ"),
    ],
)
def test_plain_text(title: str, text: str) -> None:
    assert plain(parse(title)) == text


@pytest.mark.parametrize(
    ("title", "markup"),
    [
        ("#sqrt{#hat{s}}", "√(s\u0302)"),
        ("#frac{a}{b}", "<sup>a</sup>⁄<sub>b</sub>"),
        ("x^{y_{1}}", "x<sup>y<sub>1</sub></sup>"),
        ("#bf{x} #it{y}", "<b>x</b> <i>y</i>"),
        ("#color[2]{<i>}", "&lt;i&gt;"),
        ("{a<b", "{a&lt;b"),
    ],
)
def test_html(title: str, markup: str) -> None:
    assert title_markup(title) == markup
