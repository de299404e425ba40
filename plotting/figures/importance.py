"""How much a supervised detector needs each feature."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from plotting.results.caption import Caption
from plotting.results.evaluation import Metric
from plotting.style.house import ANOMALOUS, axis_text, house_style, new_figure
from plotting.style.wording import with_error, words


@house_style()
def draw_importance(name: str, importance: Mapping[str, Metric], titles: Mapping[str, str], caption: Caption) -> Figure:
    """Draw by how much the AUC drops when a feature is shuffled, as a bar with its number, the greatest on top.

    Args:
        name: of the detector.
        importance: of each feature by name.
        titles: of the features by name, in ROOT's TLatex.
        caption: of the sample.
    """
    ranked = sorted(importance.items(), key=lambda item: item[1].value or 0.0, reverse=True)
    drops = np.array([drop.value or 0.0 for _, drop in ranked])
    errors = np.array([drop.error or 0.0 for _, drop in ranked])
    figure = new_figure(caption, 7.0, 1.8 + 0.4 * max(len(ranked), 2))
    axes = figure.subplots()
    rows = np.arange(len(ranked))
    axes.barh(rows, drops, height=0.62, color=ANOMALOUS, alpha=0.75, label="drop")
    axes.errorbar(
        drops, rows, xerr=errors, fmt="none", ecolor="black", elinewidth=1.2, capsize=3, label="bootstrap error"
    )
    axes.axvline(0, color="black", lw=1)
    low, high = float((drops - errors).min(initial=0)), float((drops + errors).max(initial=0))
    span = (high - low) or 1.0
    for row, (_, drop) in enumerate(ranked):
        end = max(drops[row] + errors[row], 0) + 0.02 * span
        axes.text(end, row, with_error(drop.value, drop.error).replace("-", "−"), va="center", size=12.5)
    axes.set_xlim(low - (0.05 * span if low < 0 else 0), high + 0.4 * span)
    axes.set_ylim(len(ranked) - 0.4, -0.6)
    axes.set_yticks(rows, [axis_text(titles.get(feature, feature)) for feature, _ in ranked])
    axes.tick_params(axis="y", which="both", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.set_ylabel("Feature")
    axes.set_xlabel(f"Drop of the AUC of the {words(name)} when the feature is shuffled")
    figure.legend(loc="outside lower center", ncols=2, fontsize=13)
    return figure
