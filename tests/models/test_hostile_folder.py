"""A models folder of a stranger: nothing that it names is opened but its own files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from models.folder import read_model_folder
from tests.models.altered import ONNX, WHY, alter, network, refused
from tests.models.conftest import FEATURES


@pytest.mark.parametrize("name", ["models.json", ONNX, WHY])
def test_a_link_that_leads_out_of_the_folder_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(f"../{name}")
    assert refused(folder) == (
        f"{folder / name} is a link that leads out of the folder; put the file itself in its place"
    )
    (folder / name).unlink()
    (tmp_path / name).rename(folder / "elsewhere")
    (folder / name).symlink_to("elsewhere")
    assert read_model_folder(folder).features == list(FEATURES)


def test_a_folder_that_is_a_link_is_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert read_model_folder(tmp_path / "link") == read_model_folder(folder)


@pytest.mark.parametrize("name", ["models.json", ONNX])
def test_a_pipe_is_not_waited_at(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert refused(folder)


def test_a_circle_of_links_ends(folder: Path) -> None:
    (folder / ONNX).unlink()
    (folder / ONNX).symlink_to(ONNX)
    assert refused(folder).startswith(str(folder / ONNX))


@pytest.mark.parametrize(
    "name",
    [
        *("/tmp/mine.yaml", "mine.yaml", "mine.yml", "../schemas/lhco", "../../etc/passwd", ".hidden", "..", "a\nb"),
        *("http://127.0.0.1/x.yaml", "C:\\x", "\x1b[2J", "", "a\0b"),
    ],
)
def test_a_schema_is_named_and_not_a_file(folder: Path, name: str) -> None:
    alter(folder, lambda content: content.update(schema=name))
    assert "is no name of a schema" in refused(folder)


@pytest.mark.parametrize(
    "name", ["/tmp/x.onnx", "../x.onnx", "a/x.onnx", "file:x.onnx", "x.onnx\n", "x.py", ".onnx", "x y.onnx"]
)
def test_a_network_is_a_file_of_the_folder_itself(folder: Path, name: str) -> None:
    alter(folder, lambda content: network(content).update(file=name))
    assert "isolation_forest.networks.0.file: " in refused(folder)
