"""What the report says under each figure: its title, and the numbers that it shows, from the record of the run."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from plotting.results.tables import Contributions
from plotting.style.markup import metric_text, number_markup, quantity_markup, share_text, title_markup
from plotting.style.wording import capitalised, count_text, words

ENSEMBLE = "ensemble"


@dataclass(frozen=True)
class Findings:
    """What captions are made of.

    Attributes:
        record: run.json.
        metrics: metrics.json of an evaluation; empty for a run.
        contributions: of the features to the scores of the most anomalous events, by detector.
    """

    record: Mapping[str, Any]
    metrics: Mapping[str, Any] = field(default_factory=dict)
    contributions: Mapping[str, Contributions] = field(default_factory=dict)


@dataclass(frozen=True)
class FigureText:
    """What stands under a figure.

    Attributes:
        section: of the report that the figure belongs to.
        order: sorts the figures of a section.
        title: in a few words.
        numbers: sentences; empty if the record does not have the numbers.
    """

    section: str
    order: tuple[int, ...]
    title: Markup
    numbers: Markup


def describe_figure(name: str, findings: Findings) -> FigureText:
    """Return what to say of a figure, by its file's name without ending; of an unknown one that is its name."""
    kinds = _EVALUATION_KINDS if findings.metrics else _RUN_KINDS
    for place, (pattern, section, title, numbers) in enumerate(kinds):
        if match := re.fullmatch(pattern, name):
            named = match.groupdict()
            try:
                said = numbers(findings, **named)
            except KeyError:  # runs of other kinds do not know all numbers
                said = Markup("")
            return FigureText(
                section, (place, *_places(findings.record, named.values())), title(findings, **named), said
            )
    return FigureText("more", (len(kinds),), Markup.escape(capitalised(words(name))), Markup(""))


def is_figure_of(name: str, quantities: Collection[str], detectors: Collection[str]) -> bool:
    """Tell whether a run or an evaluation of these features and observables draws a figure of this name."""
    known = {
        "name": quantities,
        "detector": {ENSEMBLE, *detectors},
        "plane": {f"{x}_{y}" for x in quantities for y in quantities},
    }
    patterns = (r"display_\d+", *(pattern for pattern, *_ in (*_RUN_KINDS, *_EVALUATION_KINDS)))
    matches = [match for pattern in patterns if (match := re.fullmatch(pattern, name))]
    return any(all(part in known[kind] for kind, part in match.groupdict().items()) for match in matches)


def _places(record: Mapping[str, Any], names: Iterable[str]) -> list[int]:
    """Return the places of quantities and detectors in the record, the ensemble's first."""
    quantities = [quantity["name"] for quantity in (*record.get("features", ()), *record.get("observables", ()))]
    known = [ENSEMBLE, *quantities, *record.get("detectors", ())]
    return [known.index(name) if name in known else len(known) for name in names]


def feature_title(record: Mapping[str, Any], name: str) -> Markup:
    """Return what a feature, or another quantity of the run, is called."""
    return title_markup(_quantity(record, name)["title"])


def _quantity(record: Mapping[str, Any], name: str) -> Mapping[str, str]:
    known = (*record.get("features", ()), *record.get("observables", ()))
    return next((quantity for quantity in known if quantity["name"] == name), {"title": name, "unit": ""})


def _detector(name: str) -> str:
    return "ensemble" if name == ENSEMBLE else words(name)


def _listed(parts: Iterable[Markup | str]) -> Markup:
    return Markup(", ").join(parts)


def _of(part: float, whole: float, what: str = "events") -> str:
    """Write how many of how many: "1,087 of 21,726 events (5.00 %)"."""
    return f"{count_text(part)} of {count_text(whole)} {what} ({share_text(part, whole)})"


def _split(record: Mapping[str, Any]) -> str:
    counts = record["counts"]
    return f"{count_text(counts['normal'])} normal and {count_text(counts['anomalous'])} anomalous events"


def votes_needed(record: Mapping[str, Any]) -> str:
    """Say how many detectors have to flag an event: "2 or more of 4 detectors"."""
    needed, voting = record["min_votes"], len(record["ensemble"])
    if voting == 1:
        return f"the {words(record['ensemble'][0])}"
    return f"all {voting} detectors" if needed == voting else f"{needed} or more of {voting} detectors"


def thresholds(detector: Mapping[str, Any]) -> Markup:
    """Write the threshold of a detector, or those of its folds."""
    value = detector["threshold"]
    return _listed(map(number_markup, value)) if isinstance(value, list) else number_markup(value)


# Of a run.


def _cutflow(findings: Findings) -> Markup:
    steps = findings.record["cutflow"]
    first = steps[0]["events"]
    parts = [f"{words(step['name'])} {count_text(step['events'])}" for step in steps]
    kept = f"{_of(steps[-1]['events'], first)} pass the whole selection"
    return Markup("{}; {}.").format(capitalised(_listed(parts)), kept)


def _score(findings: Findings, detector: str) -> Markup:
    record = findings.record
    selected = record["counts"]["selected"]
    if detector == ENSEMBLE:
        flagged = _of(record["counts"]["anomalous"], selected)
        return Markup("{} are flagged by {}. The score is the mean rank over the detectors.").format(
            flagged, votes_needed(record)
        )
    found = record["detectors"][detector]
    folds = len(found["threshold"]) if isinstance(found["threshold"], list) else 1
    above = "the threshold" if folds == 1 else f"the thresholds of the {folds} folds,"
    return Markup("{} lie above {} {}.").format(_of(found["flagged"], selected), above, thresholds(found))


def _feature(findings: Findings, name: str) -> Markup:
    record = findings.record
    if name not in record["means"]:
        return Markup("{}; the detectors do not see this quantity.").format(capitalised(_split(record)))
    mean, unit = record["means"][name], _quantity(record, name)["unit"]
    counts = record["counts"]
    kinds = [
        Markup("{} for {} {} events").format(quantity_markup(mean[kind], unit), count_text(counts[kind]), kind)
        for kind in ("normal", "anomalous")
        if mean[kind] is not None
    ]
    if not kinds:
        return Markup("No event was selected.")
    ratio = Markup(", a ratio of {}").format(number_markup(mean["ratio"])) if mean["ratio"] is not None else ""
    return Markup("Mean {}{}.").format(Markup(" and ").join(kinds), ratio)


def _share_flagged(findings: Findings, **_: str) -> Markup:
    counts = findings.record["counts"]
    return Markup("{} selected events, of which {} ({}) are flagged.").format(
        count_text(counts["selected"]),
        count_text(counts["anomalous"]),
        share_text(counts["anomalous"], counts["selected"]),
    )


def _score_plane(findings: Findings, detector: str, **_: str) -> Markup:
    record = findings.record
    selected = record["counts"]["selected"]
    flagged = record["counts"]["anomalous"] if detector == ENSEMBLE else record["detectors"][detector]["flagged"]
    by = "votes" if detector == ENSEMBLE else "this detector"
    return Markup("Mean over {} events, of which {} ({}) are flagged by {}.").format(
        count_text(selected), count_text(flagged), share_text(flagged, selected), by
    )


def _correlation(findings: Findings) -> Markup:
    record = findings.record
    return Markup("Linear correlation of {} features over {} selected events.").format(
        len(record["features"]), count_text(record["counts"]["selected"])
    )


def _means(findings: Findings) -> Markup:
    ratios = {name: mean["ratio"] for name, mean in findings.record["means"].items() if mean["ratio"]}
    if not ratios:
        return Markup("No feature has both a normal and an anomalous mean to compare.")
    largest = sorted(ratios, key=lambda name: abs(math.log(ratios[name])), reverse=True)[:3]
    named = [
        Markup("{} {}").format(feature_title(findings.record, name), number_markup(ratios[name])) for name in largest
    ]
    return Markup("{}; the ratios farthest from 1 are {}.").format(capitalised(_split(findings.record)), _listed(named))


def _agreement(findings: Findings) -> Markup:
    flagged = findings.record["agreement"]["flagged"]
    names = list(flagged)
    overlaps = {}
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            both = flagged[one][other]
            overlaps[one, other] = (both, flagged[one][one] + flagged[other][other] - both)
    ordered = sorted(overlaps, key=lambda pair: overlaps[pair][0] / max(overlaps[pair][1], 1))
    said = [
        f"the {words(pair[0])} and the {words(pair[1])} agree {how} ({count_text(overlaps[pair][0])} events flagged by "
        f"both, {count_text(overlaps[pair][1])} by one at least: {share_text(*overlaps[pair])})"
        for how, pair in {"most": ordered[-1], "least": ordered[0]}.items()
    ]
    return Markup("{}.").format(capitalised("; ".join(said[: len(overlaps)])))


def _flagged(findings: Findings) -> Markup:
    record = findings.record
    selected = record["counts"]["selected"]
    by = [
        f"the {words(name)} flags {count_text(detector['flagged'])} ({share_text(detector['flagged'], selected)})"
        for name, detector in record["detectors"].items()
    ]
    anomalous = _of(record["counts"]["anomalous"], selected)
    return Markup("{}. {} are flagged by {}.").format(capitalised(_listed(by)), anomalous, votes_needed(record))


def _votes(findings: Findings) -> Markup:
    record = findings.record
    votes = [
        f"{number} vote{'' if number == 1 else 's'}: {count_text(events)}"
        for number, events in enumerate(record["agreement"]["votes"])
    ]
    flagged = _of(record["counts"]["anomalous"], record["counts"]["selected"])
    return Markup("{}. {} are flagged by {}.").format(_listed(votes), flagged, votes_needed(record))


def _contributions(findings: Findings, detector: str) -> Markup:
    contributions = findings.contributions[detector]
    names = [feature["name"] for feature in findings.record["features"]]
    mean = contributions.shares.mean(axis=0)
    largest = mean.argsort()[::-1][:3]
    said = [Markup("{} {:.0f} %").format(feature_title(findings.record, names[i]), 100 * mean[i]) for i in largest]
    return Markup("Over the {} most anomalous events the largest mean shares are {}.").format(
        len(contributions.events), _listed(said)
    )


def _loss(findings: Findings, detector: str) -> Markup:
    folds = findings.record["history"][detector]
    said = []
    for place, fold in enumerate(folds):
        validation = fold["validation"]
        best = min(range(len(validation)), key=validation.__getitem__)
        of_fold = f"Fold {place}: " if len(folds) > 1 else ""
        said.append(
            Markup("{}{} epochs; the lowest validation loss, {}, is that of epoch {}.").format(
                of_fold, len(validation), number_markup(validation[best]), best + 1
            )
        )
    return Markup(" ").join(said)


def _reconstruction(findings: Findings, detector: str) -> Markup:
    folds = findings.record["reconstruction"][detector]
    names = [feature["name"] for feature in findings.record["features"]]
    said = []
    for place, fold in enumerate(folds):
        of_fold = f"Fold {place}: " if len(folds) > 1 else ""
        kinds = [
            Markup("of {} events {}, the mean is largest for {}, {}").format(
                count_text(errors["events"]),
                label,
                feature_title(findings.record, names[worst]),
                number_markup(errors["mean"][worst]),
            )
            for label, errors in (("not flagged", fold["normal"]), ("flagged", fold["flagged"]))
            if errors is not None
            for worst in [max(range(len(names)), key=errors["mean"].__getitem__)]
        ]
        said.append(Markup("{}{}.").format(of_fold, Markup("; ").join(kinds)))
    return capitalised(Markup(" ").join(said))


def _latent(findings: Findings) -> Markup:
    spaces = {"features": "the features", "latent": "the latent space of the autoencoder"}
    explained = findings.record["latent"]
    said = [
        Markup("{:.1f} % and {:.1f} % of the variance of {}").format(*(100 * part for part in explained[space]), words)
        for space, words in spaces.items()
        if explained.get(space)
    ]
    return Markup("The axes of PCA carry {}.").format(Markup("; ").join(said)) if said else Markup("")


# Of an evaluation.


def _with_errors(findings: Findings, metric: str) -> Markup:
    return _listed(f"{_detector(name)} {metric_text(of[metric])}" for name, of in findings.metrics.items())


def _roc(findings: Findings) -> Markup:
    tested = next(iter(findings.metrics.values()))
    return Markup("{} signal and {} background events. Area under the curve: {}.").format(
        count_text(tested["signal"]), count_text(tested["background"]), _with_errors(findings, "auc")
    )


def _significance(findings: Findings) -> Markup:
    return Markup("Largest improvement: {}.").format(_with_errors(findings, "max_sic"))


def _metrics(findings: Findings) -> Markup:
    return Markup("Accuracy: {}. F1: {}.").format(_with_errors(findings, "accuracy"), _with_errors(findings, "f1"))


def _separation(findings: Findings, detector: str) -> Markup:
    found = findings.metrics[detector]
    confusion = found["confusion"]
    cut = Markup(" above the threshold {}").format(number_markup(found["threshold"])) if "threshold" in found else ""
    return Markup("{} and {} are flagged{}; AUC {}.").format(
        _of(confusion["true_positive"], found["signal"], "signal events"),
        _of(confusion["false_positive"], found["background"], "background events"),
        cut,
        metric_text(found["auc"]),
    )


def _confusion(findings: Findings) -> Markup:
    right = []
    for name, found in findings.metrics.items():
        confusion = found["confusion"]
        correct = confusion["true_positive"] + confusion["true_negative"]
        right.append(f"{_detector(name)} {_of(correct, sum(confusion.values()))}")
    return Markup("Called what they are: {}.").format(_listed(right))


def _importance(findings: Findings, detector: str) -> Markup:
    drops = findings.metrics[detector]["importance"]
    largest = sorted(drops, key=lambda name: drops[name]["value"], reverse=True)[:3]
    said = [Markup("{} {}").format(feature_title(findings.record, name), metric_text(drops[name])) for name in largest]
    return Markup("AUC lost when the values of a feature are shuffled; most for {}.").format(_listed(said))


# Titles.


def _fixed(title: str) -> Callable[..., Markup]:
    return lambda _findings, **_named: Markup.escape(title)


def _of_detector(title: str) -> Callable[..., Markup]:
    return lambda _findings, detector: Markup.escape(capitalised(title.format(_detector(detector))))


def _of_feature(findings: Findings, name: str) -> Markup:
    return feature_title(findings.record, name)


def _axes(findings: Findings, plane: str) -> Markup:
    """Return the two quantities of a plane, whose names stand in one name with "_" between."""
    record = findings.record
    names = [quantity["name"] for quantity in (*record.get("features", ()), *record.get("observables", ()))]
    for x in names:
        y = plane.removeprefix(f"{x}_")
        if y != plane and y in names:
            return Markup("{} and {}").format(feature_title(record, x), feature_title(record, y))
    return Markup.escape(plane)


def _of_score_plane(findings: Findings, plane: str, detector: str) -> Markup:
    return Markup("{} score over {}").format(capitalised(_detector(detector)), _axes(findings, plane))


Kind = tuple[str, str, Callable[..., Markup], Callable[..., Markup]]

_COMMON: Sequence[Kind] = (
    (r"loss_(?P<detector>.+)", "training", _of_detector("Training of the {}"), _loss),
    (
        r"reconstruction_(?P<detector>.+)",
        "training",
        _of_detector("Squared errors of the {} on its training events"),
        _reconstruction,
    ),
    ("latent_ranks", "training", _fixed("Events in two dimensions, coloured by their mean rank"), _latent),
    ("latent_labels", "training", _fixed("Events in two dimensions, coloured by what they are"), _latent),
)
_RUN_KINDS: Sequence[Kind] = (
    ("cutflow", "selection", _fixed("Events after each step of the selection"), _cutflow),
    (r"score_(?P<detector>.+)", "detectors", _of_detector("{} score"), _score),
    ("flagged", "detectors", _fixed("Flagged events"), _flagged),
    ("agreement", "detectors", _fixed("Events flagged by both of two detectors"), _agreement),
    ("votes", "detectors", _fixed("Votes"), _votes),
    (r"contributions_(?P<detector>.+)", "events", _of_detector("What made events anomalous to the {}"), _contributions),
    ("means", "features", _fixed("Means of anomalous over normal events"), _means),
    ("mll_flagged", "features", _fixed("Mass of two leptons, with the flagged events"), _share_flagged),
    (r"feature_(?P<name>.+)", "features", _of_feature, _feature),
    ("correlation", "features", _fixed("Correlations of the features"), _correlation),
    (r"plane_(?P<plane>(?:(?!_score_).)+)", "planes", _axes, _share_flagged),
    (r"plane_(?P<plane>.+?)_score_(?P<detector>.+)", "planes", _of_score_plane, _score_plane),
    *_COMMON,
)
_EVALUATION_KINDS: Sequence[Kind] = (
    ("roc", "performance", _fixed("Signal efficiency against background efficiency"), _roc),
    ("roc_log", "performance", _fixed("The same for small background efficiencies"), _roc),
    ("significance", "performance", _fixed("Significance improvement"), _significance),
    ("metrics", "performance", _fixed("Figures of merit"), _metrics),
    ("confusion", "performance", _fixed("What events are, and what they are taken for"), _confusion),
    (r"score_(?P<detector>.+)", "scores", _of_detector("{} score of signal and background"), _separation),
    (r"importance_(?P<detector>.+)", "scores", _of_detector("What the {} looks at"), _importance),
    *_COMMON,
)
"""Of each kind of figure the pattern of its names, its section of the report, its title and its numbers."""
