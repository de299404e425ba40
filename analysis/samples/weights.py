"""Weights: by what an event of a simulated sample counts, and how that is normalised to a luminosity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.configuration import RunConfiguration
from analysis.errors import ConfigurationError
from analysis.samples.inputs import PRODUCTION, RunInput
from rdf.errors import SchemaError
from rdf.schema.columns import STATED
from rdf.schema.model import Schema
from rdf.schema.names import names_in
from rdf.schema.quantities import CANONICAL
from rdf.schema.tables import Available

if TYPE_CHECKING:
    from rdf.sources.source import Source

PER_FEMTOBARN = 1000.0
"""Events of a cross section of 1 pb in 1/fb."""


@dataclass(frozen=True)
class Production:
    """How many events of a process are produced; None for what is not known.

    Attributes:
        cross_section: in pb.
        k_factor: by which a higher order of perturbation theory multiplies it; 1 where nothing is said.
        filter_efficiency: part of the events that the generator kept; 1 where nothing is said.
        sum_of_weights: of all events that were generated, whatever was cut from the files since.
    """

    cross_section: float | None = None
    k_factor: float | None = None
    filter_efficiency: float | None = None
    sum_of_weights: float | None = None

    def events(self, luminosity: float) -> float | None:
        """Return the events of a luminosity [1/fb]; None where the cross section is not known."""
        if self.cross_section is None:
            return None
        factors = (1.0 if factor is None else factor for factor in (self.k_factor, self.filter_efficiency))
        k_factor, efficiency = factors
        return luminosity * PER_FEMTOBARN * self.cross_section * k_factor * efficiency


@dataclass(frozen=True)
class Weighting:
    """How the events of a sample are weighted.

    Attributes:
        expression: over the files' columns, as the schema says it; None where all events weigh the same.
        per_event: cross section over sum of weights, in pb, over the files' columns; None where the files say it of
            no event, or nothing is normalised.
        factor: by which these are multiplied.
        luminosity: that the weights are normalised to, in 1/fb; None where they are not.
        sum_of_weights: of all events that were generated, where that went into the factor.
    """

    expression: str | None
    per_event: str | None = None
    factor: float = 1.0
    luminosity: float | None = None
    sum_of_weights: float | None = None

    def columns(self, columns: Mapping[str, str]) -> dict[str, str]:
        """Return the columns of a sample with its weights as `weight`."""
        stated = {f"{STATED}normalisation": self.per_event} if self.per_event else {}
        names = [*([f"{STATED}weight"] if self.expression else []), *stated]
        product = " * ".join([*(f"static_cast<{CANONICAL['weight']}>({name})" for name in names), repr(self.factor)])
        return {**stated, **columns, "weight": product}


def settle_weights(
    schema: Schema,
    available: Available,
    production: Production,
    luminosity: float | None,
    sum_of_files: Callable[[], float | None],
) -> tuple[Weighting | None, str | None]:
    """Settle how events are weighted: by the schema's weight, normalised to a luminosity where that can be.

    What a sample says of its production goes before what its files say.

    Args:
        schema: of the sample.
        available: what its files offer of it.
        production: what the sample says.
        luminosity: to which the weights are normalised, in 1/fb; None for no luminosity.
        sum_of_files: returns the sum of weights that the files say; None where they do not.

    Returns:
        The weights, or None where all events weigh the same and nothing is normalised; and what hinders the
        normalisation, or None.

    Raises:
        SchemaError: not all files have the columns of the weight.
    """
    expression = available.quantities["weight"][0] if "weight" in available.quantities else None
    if expression and (partly := sorted(names_in(expression) & available.partly)):
        raise SchemaError(
            f"weight {expression!r}: not every file of the sample has {partly[0]!r}; analyse them separately, or set "
            "--weights false"
        )
    plain = Weighting(expression) if expression else None
    per_event = schema.normalisation.expression if schema.normalisation else None
    if luminosity is None:
        return plain, "no luminosity is known (--luminosity)"
    if (events := production.events(luminosity)) is not None:
        total = production.sum_of_weights or sum_of_files()
        if not total:
            return plain, "no sum of weights is known (`sum_of_weights` in the sample's file)"
        return Weighting(expression, None, events / total, luminosity, total), None
    if per_event and schema.used_columns(per_event) <= available.columns:
        return Weighting(expression, per_event, luminosity * PER_FEMTOBARN, luminosity), None
    return plain, "no cross section is known (`cross_section` in the sample's file)"


def weighting_of(
    configuration: RunConfiguration, data: RunInput, schema: Schema, source: Source
) -> tuple[Weighting | None, list[str]]:
    """Return how events are weighted, None where each counts as one, and warnings about what is not known of it.

    Raises:
        ConfigurationError: weights are asked for, and there are none.
        SchemaError: as `settle_weights` says.
    """
    # What stands in for data is treated as these would be.
    wanted = (data.simulated or source.simulated) and data.simulation is None
    if not (wanted if configuration.weights is None else configuration.weights):
        return None, []

    def sum_of_files() -> float | None:
        from rdf.sources.weight_sums import sum_of_weights  # which needs ROOT

        # That of some files is not that of the sample; tables that are yet to be converted say none.
        return sum_of_weights(source, schema.normalisation) if data.whole and source.entries else None

    production = Production(**{key: getattr(data, key) for key in PRODUCTION})
    luminosity = configuration.luminosity or data.luminosity
    weighting, hindrance = settle_weights(schema, source.available, production, luminosity, sum_of_files)
    if weighting is None and configuration.weights:
        raise ConfigurationError(
            f"--weights: {data.title} has no weights: its files lack the column that schema {schema.name} knows as "
            f"such, and {hindrance}; leave it out"
        )
    return weighting, [f"not normalised to the luminosity: {hindrance}"] if hindrance and luminosity else []
