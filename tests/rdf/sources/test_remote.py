"""Trees read over the network, from a real XRootD server that the test starts and stops."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import uproot

from rdf.code.columns import define_columns
from rdf.errors import UnreadableFile
from rdf.execution.event_loop import EventLoop, use_threads
from rdf.provenance import Provenance
from rdf.schema.columns import physics_columns
from rdf.schema.model import load_schema
from rdf.sources.skim import write_skim
from rdf.sources.source import open_source
from tests.rdf.trees import NANOAOD_KINDS, WRITERS, nanoaod

pytestmark = [pytest.mark.compiler, pytest.mark.network]

EVENTS = 300


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Path, str]]:
    """A folder of files, and the address under which a server offers it."""
    program = shutil.which("xrootd")
    if program is None:
        reason = "needs an XRootD server: install xrootd-server"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="served-"))
    folder.chmod(0o777)  # the server refuses to be root, and runs as nobody then
    for kind, write in WRITERS.items():
        write(folder / f"{kind}.root", "Events", nanoaod(EVENTS, 7), NANOAOD_KINDS).chmod(0o644)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Served below another path than they have here, so that nothing but the server can find them.
    configuration = f"oss.localroot {folder}\nall.export /\nxrd.port {port}\nall.adminpath {folder}\n"
    (folder / "server.cfg").write_text(configuration)
    as_nobody = ["-R", "nobody"] if os.getuid() == 0 else []
    server = subprocess.Popen(
        [program, "-c", str(folder / "server.cfg"), "-l", str(folder / "log"), *as_nobody],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            assert server.poll() is None, (folder / "log").read_text()
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield folder, f"root://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder)


@pytest.mark.parametrize("kind", WRITERS)
def test_columns_are_those_of_the_local_file(kind: str, served: tuple[Path, str]) -> None:
    folder, address = served
    schema, wanted = load_schema("cms_nanoaod"), ("MR", "mll", "MET", "HT", "event")
    use_threads(1)
    columns = []
    # ROOT looks for files of its own machine by their paths unless the address says ?remote=1.
    for place in (str(folder / f"{kind}.root"), f"{address}/{kind}.root?remote=1"):
        source = open_source([place], schema, folder, [None])
        assert source.events == EVENTS
        made = physics_columns(schema, source.available, {}, {})
        columns.append(define_columns(source.open(), made, wanted).AsNumpy(list(wanted)))
    for name in wanted:
        np.testing.assert_array_equal(columns[1][name], columns[0][name], err_msg=name)


@pytest.mark.parametrize("kind", WRITERS)
def test_events_are_taken_out_of_a_file_that_is_read_from_afar(
    kind: str, served: tuple[Path, str], tmp_path: Path
) -> None:
    folder, address = served
    use_threads(1)
    source = open_source([f"{address}/{kind}.root?remote=1"], load_schema("cms_nanoaod"), folder, [None])
    places = EventLoop(source, (0, EVENTS), with_entries=True).events.AsNumpy([source.entry_column, "event"])
    np.testing.assert_array_equal(places[source.entry_column], places["event"])  # made with numbers from 0
    chosen = [0, 5, EVENTS - 1]
    write_skim(source, np.array(chosen, dtype=np.uint64), tmp_path / "skim.root", Provenance("{}", simulated=False))
    with uproot.open(tmp_path / "skim.root") as skim, uproot.open(folder / f"{kind}.root") as file:
        assert skim["Events"].arrays().to_list() == file["Events"].arrays()[chosen].to_list()


def test_a_file_that_the_server_does_not_have(served: tuple[Path, str]) -> None:
    _, address = served
    with pytest.raises(UnreadableFile, match=r"none\.root\?remote=1 cannot be read \(.*\); check the address"):
        open_source([f"{address}/none.root?remote=1"], load_schema("cms_nanoaod"), Path(), [None])
