"""What a figure is: its name, its section of the report, its title and caption, and how it is drawn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, Self, TypeVar

from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENSEMBLE = "ensemble"
"""Name of what the detectors say together, among the names of detectors."""

Data = TypeVar("Data", contravariant=True)
Facts = TypeVar("Facts", contravariant=True)


@dataclass(frozen=True)
class Names:
    """Names that figures are called after.

    Attributes:
        quantities: the features, then the observables.
        detectors: the ensemble, then the detectors.
    """

    quantities: tuple[str, ...]
    detectors: tuple[str, ...]

    @classmethod
    def of(cls, quantities: Iterable[str], detectors: Iterable[str]) -> Names:
        """Return the names of these quantities, and of these detectors with the ensemble before them; each once."""
        return cls(tuple(dict.fromkeys(quantities)), tuple(dict.fromkeys((ENSEMBLE, *detectors))))


class NamedFigure(ABC, Generic[Data, Facts]):
    """A figure of a run or an evaluation. Each kind of figures is a class, in a file of its own.

    `Data` are the results that it is drawn from, and `Facts` what its title and its caption are made of. A kind imports
    matplotlib where it draws, and not before: the report writes titles and captions without.

    Attributes:
        section: of the report that the figures of this kind belong to.
    """

    section: ClassVar[str]

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of its files, without ending."""

    @classmethod
    def all(cls, names: Names) -> Iterator[Self]:
        """Return every figure of this kind that results with these names may have, in the order of the report."""
        yield cls()

    def is_in(self, data: Data) -> bool:
        """Tell whether the results hold what is drawn."""
        return True

    @abstractmethod
    def title(self, facts: Facts) -> Markup:
        """Say in a few words what is drawn."""

    @abstractmethod
    def caption(self, facts: Facts) -> Markup:
        """State the numbers that are drawn, in sentences; empty for a figure without."""

    @abstractmethod
    def draw(self, data: Data) -> Figure:
        """Draw it."""


@dataclass(frozen=True)
class DetectorFigure(NamedFigure[Data, Facts]):
    """A figure of one detector, or of the ensemble."""

    detector: str

    @classmethod
    def all(cls, names: Names) -> Iterator[Self]:
        """Return the figure of each detector."""
        return (cls(detector) for detector in names.detectors)
