"""Results of an old and of a new run in an output folder, each file with the word for its content."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

from analysis.output.folder import STAGING, staged_output, write_checksums, write_record
from plotting.results.checksums import vouch
from rdf.drafts import draft_of
from tests.records import RUN

FILES = ("anomalies.csv", "events.root", "histograms.root", "run.json", "SHA256SUMS", "models/a.onnx")


def write_results(staging: Path, generation: str) -> None:
    """Write what a run might, each file with the word for its content; run.json has it for its command."""
    for name in ("anomalies.csv", "events.root", "histograms.root", "models/a.onnx"):
        (staging / name).parent.mkdir(exist_ok=True)
        (staging / name).write_text(generation)
    write_record(staging, dataclasses.replace(RUN, command=generation))
    write_checksums(staging)


def publish_results(folder: Path, generation: str = "old") -> Path:
    with staged_output(folder) as staging:
        write_results(staging, generation)
    return folder


def draw(folder: Path, generation: str = "old") -> None:
    """Write a figure and the pages into a folder, as the drawing processes do."""
    (folder / "figures").mkdir(exist_ok=True)
    for name in ("figures/feature_MR.png", "report.html", "browse.html"):
        draft = draft_of(folder / name)
        draft.write_text(f"{generation} {name}")
        vouch(folder, name, draft)
        draft.replace(folder / name)


def generations(folder: Path) -> dict[str, str]:
    """Read all files below a folder; of run.json and SHA256SUMS the generation that they are of."""
    found = {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and STAGING not in path.parts
    }
    if "run.json" in found:
        found["run.json"] = json.loads(found["run.json"]).get("command", found["run.json"])
    for generation in ("old", "new"):
        if hashlib.sha256(generation.encode()).hexdigest() in found.get("SHA256SUMS", ""):
            found["SHA256SUMS"] = generation
    return found


def whole(generation: str) -> dict[str, str]:
    return dict.fromkeys(FILES, generation)
