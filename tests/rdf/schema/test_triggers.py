"""What names of triggers stand for."""

from __future__ import annotations

import pytest

from rdf.errors import SchemaError
from rdf.schema.triggers import TriggerCut, trigger_cut

COLUMNS = {"HLT_IsoMu24", "HLT_IsoMu27", "HLT_Mu50", "HLT_Ele32", "trigE", "trigM", "run", "run.run"}


@pytest.mark.parametrize(
    ("triggers", "expression", "missing"),
    [
        (["HLT_Mu50"], "(HLT_Mu50)", ()),
        (["HLT_IsoMu*"], "(HLT_IsoMu24 || HLT_IsoMu27)", ()),
        (["HLT_IsoMu2?", "HLT_Mu50", "HLT_Mu*"], "(HLT_IsoMu24 || HLT_IsoMu27 || HLT_Mu50)", ()),
        (["trigE", "trigM"], "(trigE || trigM)", ()),
        (["HLT_Mu50", "!HLT_Ele*"], "(HLT_Mu50) && !(HLT_Ele32)", ()),
        (["!HLT_Ele32", "!HLT_IsoMu*"], "!(HLT_Ele32 || HLT_IsoMu24 || HLT_IsoMu27)", ()),
        (["HLT_Mu50", "HLT_Mu51", "!HLT_Pho*"], "(HLT_Mu50)", ("HLT_Mu51", "!HLT_Pho*")),
        (["run*"], "(run)", ()),  # no expression can name a column with a point in its name
    ],
)
def test_expression(triggers: list[str], expression: str, missing: tuple[str, ...]) -> None:
    assert trigger_cut(triggers, COLUMNS) == TriggerCut(expression, missing)


@pytest.mark.parametrize(
    ("triggers", "message"),
    [
        (["HLT_IsoMu25"], "triggers: the sample has no HLT_IsoMu25; did you mean HLT_IsoMu2"),
        (["HLT_IsoMuu*"], r"triggers: the sample has no HLT_IsoMuu\*; did you mean HLT_IsoMu2"),
        (["HLT_Pho*", "!HLT_Ele32"], r"triggers: the sample has no HLT_Pho\*"),
        (["!HLT_Elec32"], "triggers: the sample has no !HLT_Elec32; did you mean HLT_Ele32"),
    ],
)
def test_triggers_that_no_file_has_are_named_with_near_ones(triggers: list[str], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        trigger_cut(triggers, COLUMNS)
