"""Options that select events and objects: their forms, and how wrong ones are named."""

from __future__ import annotations

import pytest

from analysis.configuration import RunConfiguration
from analysis.errors import ConfigurationError
from analysis.options import load_configuration
from rdf.schema.tables import Overlap


def configured(**options: object) -> RunConfiguration:
    return load_configuration(RunConfiguration, {"sample": "x", **options}, None)


@pytest.mark.parametrize(
    ("select", "message"),
    [
        ({"all": "HT > 1"}, "'all' is a cut of every cutflow"),
        ({"finite": "HT > 1"}, "'finite' is a cut of every cutflow"),
        ({"two words": "HT > 1"}, "select"),
        ({"x": ""}, "select"),
        ({"x": 3}, "select"),
        ("HT > 300", "is not of the form"),
        ("{x: HT > 300", "is not of the form"),
    ],
)
def test_what_is_no_table_of_cuts_is_a_bad_configuration(select: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        configured(select=select)


def test_options_for_all_objects_and_no_overlaps() -> None:
    assert configured().objects == {}
    assert configured().overlap is None
    none = configured(objects="none", overlap="none")
    assert (none.objects, none.overlap) == (None, ())
    written = none.model_dump(mode="json", by_alias=True)
    assert (written["objects"], written["overlap"]) == ("none", [])
    assert configured(objects=written["objects"], overlap=written["overlap"]) == none
    step = configured(overlap="[{drop: jet, near: photon, within: 0.4}]")
    assert step.overlap == (Overlap(drop="jet", near="photon", within=0.4),)
    for options, message in (
        ({"objects": "all"}, "'all' is not of the form {name: value, ...}"),
        ({"objects": None}, "--objects: nothing; name kinds of objects, or write none for all in the file"),
        ({"overlap": "{drop: jet}"}, "is not of the form [{drop: jet, near: lepton, within: 0.4}, ...]"),
        ({"overlap": "[{drop: jet, near: photn, within: 1}]"}, "unknown kind of object 'photn'; did you mean photon"),
    ):
        with pytest.raises(ConfigurationError) as said:
            configured(**options)
        assert message in str(said.value)
