"""Which objects of an event count: what the configuration says, else what the schema says."""

from __future__ import annotations

from collections.abc import Mapping

from rdf.errors import SchemaError
from rdf.schema.model import Schema
from rdf.schema.physics import FLAVOURS
from rdf.schema.tables import Available, Objects


def effective_selection(schema: Schema, available: Available, configured: Mapping[str, Objects]) -> dict[str, Objects]:
    """Return which objects count: what the configuration says, else what the schema says.

    Of the schema's own conditions those count whose columns the file has.

    Raises:
        SchemaError: the configuration selects objects that the sample does not have.
    """
    for kind in configured:
        if not has_objects(available, kind):
            raise SchemaError(f"--objects: the sample has no {kind}s; leave them out")
    dropped = dropped_conditions(schema, available, configured)
    selection: dict[str, Objects] = {}
    for kind in sorted({*schema.objects, *configured}):
        default, chosen = schema.objects.get(kind, Objects()), configured.get(kind, Objects())
        if kind in dropped:
            default = default.model_copy(update={"where": None})
        selection[kind] = default.model_copy(update=chosen.model_dump(exclude_unset=True))
    return selection


def dropped_conditions(
    schema: Schema, available: Available, configured: Mapping[str, Objects]
) -> dict[str, tuple[str, str]]:
    """Return the schema's conditions on objects that are dropped, since the file lacks a column of theirs.

    Args:
        schema: of the sample.
        available: what the sample's files offer of it.
        configured: which objects count by the configuration; its own condition takes the place of the schema's.

    Returns:
        Kind of object -> the condition, and the first column that is missing. Objects that the sample does not have are
        not among them.
    """
    dropped = {}
    for kind, objects in schema.objects.items():
        replaced = kind in configured and "where" in configured[kind].model_fields_set
        missing = schema.used_columns(objects.where or "") - available.columns
        if objects.where and missing and not replaced and has_objects(available, kind):
            dropped[kind] = (objects.where, min(missing))
    return dropped


def has_objects(available: Available, kind: str) -> bool:
    """Say whether a sample has objects of a kind; electrons and muons may be held together as leptons."""
    held = {name.partition("_")[0] for name in available.quantities}
    return bool(held & ({kind, "lepton"} if kind in FLAVOURS else {kind}))


def check_conditions(schema: Schema, available: Available, selection: Mapping[str, Objects]) -> None:
    """Refuse conditions on objects over columns of the schema that the file lacks, as models may bring them.

    Raises:
        SchemaError: names the condition and the column.
    """
    for kind, objects in selection.items():
        if missing := schema.used_columns(objects.where or "") - available.columns:
            raise SchemaError(
                f"{kind}s are selected by {objects.where!r}, and the sample has no column {min(missing)!r}; take "
                "models that were trained without it, or train on this sample"
            )
