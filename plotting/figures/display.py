"""An event as one would see it: along the beam, and unrolled."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Self

from markupsafe import Markup

from plotting.figures.facts import RunFacts
from plotting.figures.figure import NamedFigure, Names
from plotting.figures.sentences import listed
from plotting.results.caption import Caption
from plotting.results.objects import DisplayedEvent, EventObjects, Object
from plotting.results.run import Results
from plotting.style.canvas import new_figure
from plotting.style.colours import EVERYTHING, WARNING, sequence_colour
from plotting.style.house import house_style
from plotting.style.markup import quantity_markup, title_markup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch


DISPLAYS = 5
"""Number of the most anomalous events that have a display."""

JET_RADIUS = 0.4
"""Of the cones that jets are drawn as, in (eta, phi); what they were clustered with differs from sample to sample."""

_COLOURS = {
    "jet": sequence_colour(1),
    "electron": sequence_colour(0),
    "muon": sequence_colour(2),
    "lepton": sequence_colour(3),
    "megajet": sequence_colour(1),
    "MET": "black",
}
_NAMED = 6
"""Objects of a kind whose momenta the legend states."""


@dataclass(frozen=True)
class DisplayFigure(NamedFigure[Results, RunFacts]):
    """One of the most anomalous events, with its objects.

    Attributes:
        place: of the event, 1 for the most anomalous.
    """

    place: int

    section = "events"

    @property
    def name(self) -> str:
        """Name of its files, without ending."""
        return f"display_{self.place}"

    @classmethod
    def all(cls, names: Names) -> Iterator[Self]:
        """Return the displays of the most anomalous events."""
        return (cls(place) for place in range(1, DISPLAYS + 1))

    def is_in(self, data: Results) -> bool:
        """Tell whether the run left the objects of this event."""
        return any(event.place == self.place for event in data.displayed)

    def title(self, facts: RunFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup("Event {}, transverse view").format(self.place)

    def caption(self, facts: RunFacts) -> Markup:
        """State the numbers of objects, the missing momentum and the mean rank, of an event in the table."""
        event = facts.events.get(self.place)
        if event is None:
            return Markup("")
        counts = [] if event.objects is None else _counts(event.objects)
        return Markup("{}.").format(listed([*counts, Markup("mean rank {}").format(event.rank or "–")]))

    def draw(self, data: Results) -> Figure:
        """Draw it."""
        return draw_display(next(event for event in data.displayed if event.place == self.place), data.caption)


def _counts(found: EventObjects) -> list[Markup]:
    """State the numbers of objects of each kind that the sample has, and the missing momentum."""
    kinds = {"jet": found.jets, "lepton": found.leptons, "megajet": found.megajets}
    texts = [
        Markup("{} {}{}").format(len(those), title, "" if len(those) == 1 else "s")
        for title, those in kinds.items()
        if those is not None
    ]
    if found.met is not None:
        met = quantity_markup(found.met.pt, "GeV")
        texts.append(Markup("{} {}").format(title_markup("p_{T}^{miss}"), met))
    return texts


@house_style()
def draw_display(event: DisplayedEvent, caption: Caption) -> Figure:
    """Draw the objects of an event: on the left transverse momenta, seen along the beam; on the right eta and phi.

    Jets are cones, megajets and leptons lines, MET is a dashed arrow; each is as long as its transverse momentum. On
    the right the area of a marker is proportional to it.

    Args:
        event: with its objects.
        caption: of the sample.
    """
    figure = new_figure(caption, 11.0, 6.0)
    transverse, unrolled = figure.subplots(1, 2)
    largest = max((one.pt for one in event.objects), default=1.0) or 1.0
    _draw_transverse(transverse, event, largest)
    _draw_unrolled(unrolled, event, largest)
    transverse.set_title(f"run {event.run}, luminosityBlock {event.luminosityBlock}", size=14, loc="left")
    unrolled.set_title(f"event {event.event}: no. {event.place}, mean rank {event.score:.4f}", size=14, loc="left")
    figure.legend(handles=_legend(event), loc="outside lower center", ncols=2, fontsize=13)
    return figure


def _draw_transverse(axes: Axes, event: DisplayedEvent, largest: float) -> None:
    from matplotlib.patches import Wedge

    reach = 1.12 * largest
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)
    axes.set_aspect("equal", adjustable="box")
    axes.plot(0, 0, "+", color="0.4", ms=9)
    for one in event.objects:
        if one.phi is None:
            continue
        x, y = one.pt * math.cos(one.phi), one.pt * math.sin(one.phi)
        colour = _COLOURS[one.kind]
        if one.kind == "jet":
            angle, width = math.degrees(one.phi), math.degrees(JET_RADIUS)
            axes.add_patch(Wedge((0, 0), one.pt, angle - width, angle + width, fc=colour, ec="none", alpha=0.4))
            axes.plot([0, x], [0, y], color=colour, lw=1)
        elif one.kind == "MET":
            arrow = {"arrowstyle": "-|>", "linestyle": "--", "lw": 1.8, "color": colour, "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", (x, y), (0, 0), arrowprops=arrow)
        else:
            axes.plot([0, x], [0, y], color=colour, lw=4 if one.kind == "megajet" else 2.2, solid_capstyle="round")
            axes.plot(x, y, "o", color=colour, ms=8, mec="white", mew=0.8)  # tells apart those of one direction
    axes.set_xlabel(r"$p_x$ [GeV]")
    axes.set_ylabel(r"$p_y$ [GeV]")


def _draw_unrolled(axes: Axes, event: DisplayedEvent, largest: float) -> None:
    from matplotlib.patches import Ellipse

    etas = [abs(one.eta) for one in event.objects if one.eta is not None]
    reach = max([2.5, *(eta + JET_RADIUS + 0.2 for eta in etas)])
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-math.pi, math.pi)
    for one in event.objects:
        if one.phi is None:
            continue
        colour = _COLOURS[one.kind]
        phi = math.remainder(one.phi, math.tau)
        if one.eta is None:
            axes.axhline(phi, color=colour, ls="--", lw=1.8)
            continue
        turns = [phi - math.tau, phi, phi + math.tau]  # what reaches over the edge goes on at the other one
        if one.kind == "jet":
            for turn in turns:
                axes.add_patch(
                    Ellipse((one.eta, turn), 2 * JET_RADIUS, 2 * JET_RADIUS, fc=colour, ec="none", alpha=0.4)
                )
        # Never so small that it cannot be seen.
        axes.scatter([one.eta] * 3, turns, s=15 + 185 * one.pt / largest, color=colour, lw=0.8, ec="white", zorder=3)
    axes.set_yticks([-math.pi, -math.pi / 2, 0, math.pi / 2, math.pi], ["−π", "−π/2", "0", "π/2", "π"])
    axes.set_xlabel(r"$\eta$")
    axes.set_ylabel(r"$\phi$ [rad]")


def _legend(event: DisplayedEvent) -> list[Patch | Line2D]:
    """Say for each kind what its transverse momenta are, the greatest first."""
    from matplotlib.patches import Patch

    entries: list[Patch | Line2D] = []
    for kind, objects in groupby(event.objects, key=lambda one: one.kind):
        entries.append(_entry(kind, list(objects)))
    if not event.objects:
        entries.append(Patch(color=EVERYTHING, label="no objects"))
    if event.broken:
        entries.append(Patch(color=WARNING, label=f"{event.broken} with numbers that are not finite: not drawn"))
    return entries


def _entry(kind: str, objects: list[Object]) -> Patch | Line2D:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    colour = _COLOURS[kind]
    if kind == "MET":
        (met,) = objects
        unknown = ", direction unknown" if met.phi is None else ""
        label = rf"$p_{{\mathrm{{T}}}}^{{\mathrm{{miss}}}}$ {_momentum(met.pt)} GeV{unknown}"
        return Line2D([], [], color=colour, ls="--", lw=1.8, label=label)
    number = len(objects)
    momenta = ", ".join(f"{_momentum(one.pt)}{_sign(one.charge)}" for one in objects[:_NAMED])
    more = f" and {number - _NAMED} more" if number > _NAMED else ""
    name = kind if number == 1 else f"{number} {kind}s"
    label = rf"{name}: $p_{{\mathrm{{T}}}}$ {momenta} GeV{more}"
    if kind == "jet":
        return Patch(color=colour, alpha=0.5, label=label)
    return Line2D([], [], color=colour, lw=3, label=label)


def _momentum(pt: float) -> str:
    return f"{pt:.0f}" if pt >= 100 else f"{pt:.1f}"


def _sign(charge: int) -> str:
    return "" if not charge else " (+)" if charge > 0 else " (−)"
