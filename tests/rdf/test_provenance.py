"""What every ROOT file of a run says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import uproot

from rdf.code.interpreter import ROOT
from rdf.errors import EventLoopFailed
from rdf.provenance import Provenance


@pytest.mark.parametrize("simulated", [False, True])
def test_a_file_says_its_origin_and_whether_it_is_simulated(simulated: bool, tmp_path: Path) -> None:
    path = tmp_path / "file.root"
    text = '{"sample": "Zγ → μμ"}'
    with Provenance(text, simulated).created_file(path) as file:
        file.WriteObject(ROOT.TNamed("more", "of it"), "more")
    with uproot.open(path) as file:
        assert set(file.keys(cycle=False)) == {"provenance", "more"} | ({"SIMULATED"} if simulated else set())
        assert file["provenance"].member("fTitle") == text
        # 101 = ZLIB, whose damage is noticed.
        assert file.file.fCompress == 101


def test_a_file_that_cannot_be_made_or_written(tmp_path: Path) -> None:
    with (
        pytest.raises(EventLoopFailed, match=r"file\.root cannot be written"),
        Provenance("", simulated=False).created_file(tmp_path / "nowhere" / "file.root"),
    ):
        pytest.fail("the block must not run")


def test_an_error_of_the_block_comes_out_as_it_is(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        Provenance("", simulated=False).created_file(tmp_path / "file.root"),
    ):
        raise ZeroDivisionError
