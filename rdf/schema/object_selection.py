"""Which objects of an event count: what the configuration says, else what the schema says."""

from __future__ import annotations

from collections.abc import Mapping

from rdf.errors import SchemaError
from rdf.schema.model import Schema
from rdf.schema.physics import FLAVOURS
from rdf.schema.tables import Available, Objects, Overlaps


def effective_selection(
    schema: Schema, available: Available, configured: Mapping[str, Objects] | None
) -> dict[str, Objects]:
    """Return which objects count: what the configuration says, else what the schema says.

    Of the schema's own conditions those count whose columns the file has. Where a sample has electrons and muons apart,
    pT and eta of leptons are those of each.

    Args:
        schema: of the sample.
        available: what the sample's files offer of it.
        configured: which objects count by the configuration; None for all.

    Raises:
        SchemaError: the configuration selects objects that the sample does not have, or leptons by a condition where
            the sample has none that are held together.
    """
    if configured is None:
        return {}
    for kind in configured:
        if not has_objects(available, kind):
            raise SchemaError(f"--objects: the sample has no {kind}s; leave them out")
    configured = _for_each_flavour(available, configured)
    selection: dict[str, Objects] = {}
    for kind in sorted({*schema.objects, *configured}):
        default = _default(schema, available, kind)
        chosen = configured.get(kind, Objects())
        selection[kind] = default.model_copy(update=chosen.model_dump(exclude_unset=True))
    return selection


def _default(schema: Schema, available: Available, kind: str) -> Objects:
    """Return which objects of a kind count by the schema, with the first condition whose columns the file has."""
    if kind not in schema.objects:
        return Objects()
    said = schema.objects[kind]
    possible = (where for where in said.where if schema.used_columns(where) <= available.columns)
    return Objects(pt=said.pt, eta=said.eta, where=next(possible, None))


def _for_each_flavour(available: Available, configured: Mapping[str, Objects]) -> Mapping[str, Objects]:
    """Return the selection with that of leptons as one of electrons and one of muons, where the sample has these."""
    if "lepton" not in configured or "lepton_pt" in available.quantities or "lepton_px" in available.quantities:
        return configured
    leptons = configured["lepton"]
    if leptons.where:
        raise SchemaError(
            f"--objects: lepton.where {leptons.where!r}: the sample has electrons and muons apart; write a condition "
            "for each, {electron: {where: ...}, muon: {where: ...}}"
        )
    given = leptons.model_dump(exclude_unset=True)
    spread = {
        kind: Objects(**given | configured.get(kind, Objects()).model_dump(exclude_unset=True))
        for kind in FLAVOURS
        if has_objects(available, kind)
    }
    return {kind: objects for kind, objects in configured.items() if kind != "lepton"} | spread


def effective_overlap(
    schema: Schema, available: Available, objects: Mapping[str, Objects] | None, configured: Overlaps | None
) -> Overlaps:
    """Return which objects are dropped near others: what the configuration says, else what the schema says.

    Args:
        schema: of the sample.
        available: what the sample's files offer of it.
        objects: which objects count by the configuration; None for all, of which none are dropped by the schema.
        configured: steps by the configuration; None for those of the schema between objects that the sample has.

    Raises:
        SchemaError: the configuration names objects that the sample does not have.
    """
    if configured is None:
        steps = () if objects is None else schema.overlap
        return tuple(s for s in steps if has_objects(available, s.drop) and has_objects(available, s.near))
    for kind in (kind for step in configured for kind in (step.drop, step.near)):
        if not has_objects(available, kind):
            raise SchemaError(f"--overlap: the sample has no {kind}s; leave them out")
    return configured


def dropped_conditions(
    schema: Schema, available: Available, configured: Mapping[str, Objects] | None
) -> dict[str, tuple[str, str]]:
    """Return the schema's conditions on objects that are dropped, since the file lacks a column of theirs.

    Args:
        schema: of the sample.
        available: what the sample's files offer of it.
        configured: which objects count by the configuration, None for all; its own condition takes the place of the
            schema's.

    Returns:
        Kind of object -> the first condition, and the first column of it that is missing. Objects that the sample does
        not have are not among them.
    """
    dropped = {}
    for kind, objects in schema.objects.items() if configured is not None else ():
        replaced = configured is not None and kind in configured and "where" in configured[kind].model_fields_set
        lacking = [schema.used_columns(where) - available.columns for where in objects.where]
        if lacking and all(lacking) and not replaced and has_objects(available, kind):
            dropped[kind] = (objects.where[0], min(lacking[0]))
    return dropped


def has_objects(available: Available, kind: str) -> bool:
    """Say whether a sample has objects of a kind; electrons and muons may be held together as leptons, or apart."""
    held = {name.partition("_")[0] for name in available.quantities}
    if kind == "lepton":
        return bool(held & {"lepton", *FLAVOURS})
    return bool(held & ({kind, "lepton"} if kind in FLAVOURS else {kind}))


def check_conditions(schema: Schema, available: Available, selection: Mapping[str, Objects]) -> None:
    """Refuse conditions on objects over columns of the schema that the file lacks, as models may bring them.

    Raises:
        SchemaError: names the condition and the column.
    """
    for kind, objects in selection.items():
        if not has_objects(available, kind):
            continue
        if missing := schema.used_columns(objects.where or "") - available.columns:
            raise SchemaError(
                f"{kind}s are selected by {objects.where!r}, and the sample has no column {min(missing)!r}; take "
                "models that were trained without it, or train on this sample"
            )
