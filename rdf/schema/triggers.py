"""Triggers: the cut on events that names of triggers stand for."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import Field

from rdf.errors import SchemaError, near_names

TRIGGERS = "triggers"
"""Name of the cut."""

Trigger = Annotated[str, Field(pattern=r"^!?[A-Za-z_*?][A-Za-z0-9_*?]*$")]
"""Column of a trigger, in which `*` stands for any characters and `?` for one character; a `!` before it marks a
trigger that must not have fired."""


@dataclass(frozen=True)
class TriggerCut:
    """The cut that triggers stand for.

    Attributes:
        expression: true for an event in which one of the triggers has fired, and none of those that must not.
        missing: triggers that stand for no column of the files.
    """

    expression: str
    missing: tuple[str, ...]


def trigger_cut(triggers: Sequence[str], columns: Collection[str]) -> TriggerCut:
    """Return the cut for triggers.

    Args:
        triggers: as `Trigger` says, one at least.
        columns: names of the files' columns, those among them that not every file has.

    Raises:
        SchemaError: no file has any of the triggers that are to fire, or that must not.
    """
    names = sorted(name for name in columns if name.isidentifier())
    found = {trigger: [name for name in names if fnmatchcase(name, trigger.lstrip("!"))] for trigger in triggers}
    missing = tuple(trigger for trigger in triggers if not found[trigger])
    wanted, vetoed = (
        {name: None for trigger in triggers if trigger.startswith("!") is veto for name in found[trigger]}
        for veto in (False, True)
    )
    if (not wanted and any(not trigger.startswith("!") for trigger in triggers)) or not (wanted or vetoed):
        stem = re.split("[*?]", missing[0].lstrip("!"))[0] or missing[0]
        raise SchemaError(f"triggers: the sample has no {', '.join(missing)}; {near_names(stem, names)}")
    conditions = [f"({' || '.join(wanted)})"] if wanted else []
    conditions += [f"!({' || '.join(vetoed)})"] if vetoed else []
    return TriggerCut(" && ".join(conditions), missing)
