"""Provenance: every ROOT file of a run says where its contents come from, and whether they are simulated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdf.code.interpreter import ROOT
from rdf.errors import EventLoopFailed

ZLIB = 101
"""Compression whose damage ROOT notices."""


SIMULATED = "SIMULATED"
"""Key in a ROOT file whose events are simulated."""

UNCERTIFIED = "UNCERTIFIED"
"""Key in a ROOT file to whose events the sample's list of certified runs was not applied."""


@dataclass(frozen=True)
class Provenance:
    """Where the contents of a file come from.

    Attributes:
        text: JSON with the sample and the commit.
        simulated: whether the events are simulated.
        uncertified: whether the sample's list of certified runs was not applied.
    """

    text: str
    simulated: bool
    uncertified: bool = False

    @contextmanager
    def created_file(self, path: Path) -> Iterator[Any]:
        """Create a ROOT file that holds `provenance` and what marks its events; close it after the block.

        Raises:
            EventLoopFailed: the file cannot be written whole.
        """
        failed = True
        try:
            with ROOT.TFile.Open(str(path), "RECREATE", "", ZLIB) as file:
                file.WriteObject(ROOT.TNamed("provenance", self.text), "provenance")
                if self.simulated:
                    file.WriteObject(ROOT.TNamed(SIMULATED, "these events are simulated"), SIMULATED)
                if self.uncertified:
                    file.WriteObject(ROOT.TNamed(UNCERTIFIED, "not only certified runs"), UNCERTIFIED)
                yield file
                file.Write()
                failed = file.TestBit(ROOT.TFile.kWriteError)
        except OSError as error:
            raise EventLoopFailed(f"{path} cannot be written: {error}; is the disk full?") from error
        if failed:
            raise EventLoopFailed(f"{path} cannot be written whole; is the disk full?")
