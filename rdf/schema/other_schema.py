"""Models on a sample of another schema than that of the training: whether what they need means the same in both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from rdf.errors import SchemaError
from rdf.schema.columns import DEFINED, cut_column, needed_columns, own_name, physics_columns
from rdf.schema.expressions import outside_grammar
from rdf.schema.model import Schema
from rdf.schema.names import names_in
from rdf.schema.object_selection import dropped_conditions, effective_overlap, effective_selection, has_objects
from rdf.schema.physics import INTERMEDIATE, PHYSICS
from rdf.schema.quantities import CANONICAL, STORED
from rdf.schema.tables import Available, DefaultObjects, Definition, Objects, Overlaps

OF_A_FORMAT = ("btag", "btagged", "tau21")
"""Attributes of objects that are numbers of each format's own, under one name."""

_MADE_OF = frozenset({*CANONICAL, *INTERMEDIATE, *PHYSICS})


@dataclass(frozen=True)
class OtherSchema:
    """What models of one schema ask of samples of another.

    Attributes:
        trained: schema of the training sample.
        schema: of the sample.
        available: what the sample offers of it; None where it is not open, for all that the schema knows.
        define: columns that the models bring.
        objects: which objects counted in the training.
        select: cuts that the models bring.
    """

    trained: Schema
    schema: Schema
    available: Available | None
    define: Mapping[str, Definition]
    objects: Mapping[str, Objects]
    select: Mapping[str, str]

    @property
    def _offered(self) -> Available:
        return self.available or self.schema.resolve(self.schema.columns, self.schema.name)

    def selection(self) -> dict[str, Objects]:
        """Return which objects of the sample count: pT and |eta| as in the training, identified as its schema says.

        The numbers of the training are canonical; a condition is over the columns of a format.
        """
        return effective_selection(self.schema, self._offered, self._numbers)

    def overlap(self) -> Overlaps:
        """Return which of these are dropped near others: as the sample's schema says, as for their identification."""
        return effective_overlap(self.schema, self._offered, {}, None)

    def dropped(self) -> dict[str, tuple[str, str]]:
        """Return the conditions of the sample's schema that its files cannot fulfil, as `dropped_conditions` does."""
        return dropped_conditions(self.schema, self._offered, self._numbers)

    @property
    def _numbers(self) -> dict[str, Objects]:
        return {
            kind: Objects(pt=trained.pt, eta=trained.eta)
            for kind in sorted({*self.objects, *self.schema.objects})
            for trained in [self.objects.get(kind, Objects())]
            if has_objects(self._offered, kind)
        }

    @cached_property
    def _columns(self) -> tuple[dict[str, str], dict[str, str]]:
        """All columns in the training, as far as its schema says, and of the sample."""
        known = self.trained.resolve(self.trained.columns, self.trained.name)
        pairs = ((self.trained, known, self.objects), (self.schema, self._offered, self.selection()))
        first, second = (
            physics_columns(schema, available, objects, self.define, (), self.select)
            for schema, available, objects in pairs
        )
        return first, second

    def reasons(self, features: Iterable[str]) -> list[str]:
        """Return what does not mean the same in both, in words; nothing if the models carry over.

        Args:
            features: columns that the models need beside their cuts.
        """
        found = outside_grammar(self.define, {}, frozenset(), (), self.select)
        for kind, objects in self.objects.items():
            if objects.where and objects.where not in self.trained.objects.get(kind, DefaultObjects()).where:
                found.append(f"objects.{kind}.where: {objects.where!r} is over the columns of one format")
        if found:
            return found
        try:
            return self._differences((*features, *map(cut_column, self.select)))
        except SchemaError as error:
            return [str(error)]

    def differences(self, name: str) -> list[str]:
        """Return why a column does not mean the same in both, in words; nothing if it does."""
        return self._differences((name,))

    def _differences(self, wanted: Iterable[str]) -> list[str]:
        wanted = tuple(wanted)
        trained, sample = self._columns
        if missing := [name for name in wanted if name not in sample]:
            return [f"{self.schema.name} has no {name}" for name in missing]
        made = [needed_columns(columns, [n for n in wanted if n in columns]) for columns in (trained, sample)]
        found: list[str] = []
        for schema, columns in zip((self.trained, self.schema), made, strict=True):
            names = {own_name(name) for name in columns}
            found += [f"{name} is a column of {schema.name} alone" for name in sorted(names & schema.define.keys())]
            found += [f"{name} is taken from the file in {schema.name}" for name in STORED if f"stored_{name}" in names]
            for name, expression in columns.items():
                if name.startswith(DEFINED):
                    lacking = names_in(expression) & _MADE_OF - columns.keys() - {own_name(name)}
                    found += [f"{schema.name} has no {missing}" for missing in sorted(lacking)]
        attributes = {name.rpartition("_")[2]: name for name in (*made[0], *made[1])}
        found += [f"{attributes[a]} is a number of each format's own" for a in OF_A_FORMAT if a in attributes]
        return found or [
            f"{name} is made of other columns in {self.schema.name}"
            for name in PHYSICS
            if made[0].get(name) != made[1].get(name)
        ]
