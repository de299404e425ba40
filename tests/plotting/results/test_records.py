"""What a run left in JSON is read, and what is no such thing is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from plotting.errors import UnreadableResult
from plotting.results.records import read_json


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b'{"a":' * 100_000, b"[1]", b"\xff", b"\0", b"null"])
def test_files_that_are_no_records(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(UnreadableResult, match=r"^.*run\.json: .*; run again$") as caught:
        read_json(path, "run again")
    assert "\n" not in str(caught.value)
