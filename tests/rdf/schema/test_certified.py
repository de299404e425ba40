"""What a list of certified runs says, and which are malformed."""

from __future__ import annotations

import hashlib
import json
import pickle

import pytest

from rdf.errors import UnreadableFile
from rdf.schema.certified import parse_certified

TEXT = b'{"273158": [[1, 1279]], "272007": [[3, 3], [1, 2], [10, 12]], "5": []}'


def test_runs_and_ranges_in_order() -> None:
    found = parse_certified(TEXT, "runs.json")
    assert found.blocks == {5: (), 272007: ((1, 2), (3, 3), (10, 12)), 273158: ((1, 1279),)}
    assert found.arrays() == ([5, 272007, 273158], [0, 0, 3, 4], [1, 3, 10, 1], [2, 3, 12, 1279])
    assert found.sections == 2 + 1 + 3 + 1279
    assert found.span == (5, 273158)
    assert found.sha256 == hashlib.sha256(TEXT).hexdigest()
    assert found == pickle.loads(pickle.dumps(found))
    assert pickle.loads(pickle.dumps(found)).blocks == found.blocks


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "runs.json: is no JSON"),
        ('{"1": [[1, 2]]', "runs.json: is no JSON"),
        ("[" * 100_000, "runs.json: is no JSON"),
        (b"\xff\xfe\x00", "runs.json: is no JSON"),
        ("{}", "runs.json: is no list of certified runs"),
        ("[[1, 2]]", "runs.json: is no list of certified runs"),
        ('"1"', "runs.json: is no list of certified runs"),
        ('{"": [[1, 2]]}', 'runs.json: "" is no number of a run'),
        ('{"-1": [[1, 2]]}', 'runs.json: "-1" is no number of a run'),
        ('{"1.5": [[1, 2]]}', 'runs.json: "1.5" is no number of a run'),
        ('{"4294967296": [[1, 2]]}', 'runs.json: "4294967296" is no number of a run'),
        ('{"7": [[1, 2]], "8": [], "7": []}', "runs.json: run 7 is listed twice"),
        ('{"7": [[1, 2]], "07": []}', "runs.json: run 7 is listed twice"),
        ('{"7": 3}', "runs.json: run 7: 3 is no list of ranges"),
        ('{"7": [3]}', "runs.json: run 7: 3 is no range of two whole numbers"),
        ('{"7": [[1, 2, 3]]}', r"runs.json: run 7: \[1, 2, 3\] is no range of two whole numbers"),
        ('{"7": [[1, 2.0]]}', r"runs.json: run 7: \[1, 2.0\] is no range of two whole numbers"),
        ('{"7": [[1, true]]}', r"runs.json: run 7: \[1, true\] is no range of two whole numbers"),
        ('{"7": [["1", "2"]]}', r'runs.json: run 7: \["1", "2"\] is no range of two whole numbers'),
        ('{"7": [[1, 5], [-3, 2]]}', r"runs.json: run 7: \[-3, 2\] has a number that no luminosity block has"),
        ('{"7": [[1, 4294967296]]}', r"runs.json: run 7: \[1, 4294967296\] has a number that no"),
        ('{"7": [[9, 8]]}', r"runs.json: run 7: \[9, 8\] ends before it begins"),
        ('{"6": [], "7": [[8, 9], [1, 8]]}', r"runs.json: run 7: \[1, 8\] and \[8, 9\] have blocks in common"),
        ('{"7": [[1, 9], [3, 4]]}', r"runs.json: run 7: \[1, 9\] and \[3, 4\] have blocks in common"),
    ],
)
def test_a_malformed_list_is_one_line_with_run_and_range(text: str | bytes, message: str) -> None:
    with pytest.raises(UnreadableFile, match=message) as refused:
        parse_certified(text if isinstance(text, bytes) else text.encode(), "runs.json")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 250


def test_what_is_wrong_is_not_repeated_at_length() -> None:
    with pytest.raises(UnreadableFile) as refused:
        parse_certified(json.dumps({"7": ["x" * 100_000]}).encode(), "runs.json")
    assert len(str(refused.value)) < 300
