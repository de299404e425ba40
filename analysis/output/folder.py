"""The output folder: results appear under their final names only when all of them are whole.

What lies there under the name of a result is replaced only where a run wrote it and nobody has changed it since: a list
of checksums that a run left has to say so.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from analysis.console.program import tell_when_interrupted
from analysis.errors import OutputFolderError
from models.folder import file_sha256
from plotting.results.checksums import CHECKSUMS, DRAWN, PUBLISHING, list_text, read_list
from plotting.results.metrics import METRICS_JSON
from plotting.results.objects import OBJECTS_JSON
from plotting.results.root_file import CURVES_ROOT, EVENTS_ROOT, HISTOGRAMS_ROOT, SCORES_ROOT, SKIM_ROOT
from plotting.results.run_record import RUN_JSON, AnyRecord, AnyVersion, recognise, record_text
from plotting.results.search.record import SEARCH
from plotting.results.tables import ANOMALIES_CSV, LATENT_CSV, PICK_TXT
from rdf.disk import require_room
from rdf.drafts import is_draft, remove_orphans
from rdf.local_files import LONGEST_OUTPUT, odd_in_output, too_long_for_output
from rdf.startup import uninterrupted

STAGING = ".staging"
CHOOSE_ANOTHER = "choose another one with --output"
RESULT_FOLDERS = {"models": (".onnx", ".json"), "figures": (".png", ".pdf")}
"""Folders that a run replaces as a whole, with the endings of the files that it writes there."""
RESULT_FILES = (
    *(HISTOGRAMS_ROOT, EVENTS_ROOT, ANOMALIES_CSV, OBJECTS_JSON, LATENT_CSV),
    *(PICK_TXT, SKIM_ROOT, SCORES_ROOT),
    *(METRICS_JSON, CURVES_ROOT),
)
"""Files that runs and evaluations write beside run.json."""
DRAWN_FILES = ("report.html", "browse.html")
"""Files of a run that are made of its other files, and can be made again from these."""
REPLACED_FILES = (RUN_JSON, CHECKSUMS, DRAWN, PUBLISHING, *RESULT_FILES, *DRAWN_FILES)
"""Files that a run replaces or removes."""
UNPUBLISHED = "unpublished"
"""Folder of results that could not take their names, since somebody had put other files there meanwhile."""
_PAGE_BEGINS = b"<!doctype html>", b"default-src 'none'"
"""Texts in the first bytes of each page that this toolkit wrote before it kept a list of drawn files."""
BYTES_PER_VALUE = 4
CLUSTER_BYTES = 32_000_000
"""Rows that a thread collects before it writes them."""
OTHER_RESULTS_BYTES = 20_000_000
"""Figures, histograms, models."""


@contextmanager
def staged_output(folder: Path, inputs: Iterable[Path] = ()) -> Iterator[Path]:
    """Hold the output folder for one run and give it a hidden place to write to.

    Whatever lies in the yielded folder when the block ends well is moved to `folder`, replacing what an earlier run
    left there; if the block ends by an error or an interruption, nothing is moved.

    Args:
        folder: for the results.
        inputs: files and folders that the run reads.

    Raises:
        OutputFolderError: the folder cannot be made or written, another run is writing to it, it holds an input, or
            under the name of a result something that no run wrote.
    """
    with held_output(folder, inputs) as staging:
        yield staging
        deliver(staging, folder)


@contextmanager
def held_output(folder: Path, inputs: Iterable[Path] = ()) -> Iterator[Path]:
    """Hold the output folder and give it a hidden place to write to, which is removed at the end.

    What a killed program left behind is removed by the next.

    Args:
        folder: for the results.
        inputs: files and folders that the program reads.

    Raises:
        OutputFolderError: as `staged_output` says; or it holds a search in what an earlier run left.
    """
    _refuse_odd_path(folder)
    staging = folder / STAGING
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise OutputFolderError(
            f"cannot make the output folder {folder}: {error.strerror}; {CHOOSE_ANOTHER}"
        ) from error
    try:
        try:
            # On the folder itself: the lock leaves no file, and the kernel drops it when the process ends, however.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputFolderError(f"another run is writing to {folder}; wait for it or {CHOOSE_ANOTHER}") from error
        _refuse_inputs(folder, inputs)
        if os.path.lexists(folder / SEARCH):
            raise OutputFolderError(
                f"{folder} holds a search in the events that this program would replace; move {SEARCH} away or "
                f"{CHOOSE_ANOTHER}"
            )
        own_files(folder)
        try:
            remove_orphans(folder)
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
        except OSError as error:
            raise OutputFolderError(f"cannot write to {folder}: {error.strerror}; {CHOOSE_ANOTHER}") from error
        try:
            yield staging
        except OSError as error:
            if isinstance(error.filename, str | Path) and not Path(error.filename).is_relative_to(folder):
                raise  # the error is about another file
            raise OutputFolderError(
                f"cannot write to {folder}: {error.strerror or error}; free some space or {CHOOSE_ANOTHER}"
            ) from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    finally:
        os.close(lock)


def _refuse_odd_path(folder: Path) -> None:
    """Refuse a folder whose path ROOT would read otherwise."""
    absolute = str(folder.absolute())
    if odd := odd_in_output(absolute):
        raise OutputFolderError(
            f"output folder {absolute}: ROOT takes {odd!r} in a path for something else; {CHOOSE_ANOTHER}"
        )
    if too_long_for_output(folder / STAGING / HISTOGRAMS_ROOT):
        raise OutputFolderError(
            f"output folder {absolute}: the path is too long for ROOT, which takes {LONGEST_OUTPUT} bytes with the "
            f"names of its files; {CHOOSE_ANOTHER}"
        )


def _refuse_inputs(folder: Path, inputs: Iterable[Path]) -> None:
    """Refuse a folder that holds an input. Its own models are allowed, since a run leaves a copy in their place."""
    place = folder.resolve()
    replaced = {_identity(path) for path in _replaced(folder)}
    for path in inputs:
        found = path.resolve()
        if found == place / "models":
            continue
        if found.is_relative_to(place) or (found.is_file() and _identity(found) in replaced):
            raise OutputFolderError(f"{folder} holds {path}, which is an input of this run; {CHOOSE_ANOTHER}")


def _identity(path: Path) -> tuple[int, int]:
    """Return what two names of one file have in common."""
    status = path.lstat()
    return status.st_dev, status.st_ino


def _replaced(folder: Path) -> Iterator[Path]:
    """Yield all that is in a folder where a run would remove it or put something else."""
    for name in REPLACED_FILES:
        if os.path.lexists(folder / name):
            yield folder / name
    for name in RESULT_FOLDERS:
        target = folder / name
        if target.is_dir() and not target.is_symlink():
            yield from sorted(path for path in target.iterdir() if not is_draft(path))
        elif os.path.lexists(target):
            yield target


def own_files(folder: Path) -> dict[str, str]:
    """Make sure that what a run would replace in a folder was written by runs, and was not changed since.

    Returns:
        Of each such file the path relative to the folder, and its sha256.

    Raises:
        OutputFolderError: names a file that no run wrote, or that was changed.
    """
    try:
        present = list(_replaced(folder))
        if not present:
            return {}
        for path in present:
            if path.is_symlink() or not path.is_file():
                raise _foreign(path, "which no run wrote")
        found = {str(path.relative_to(folder)): file_sha256(path) for path in present}
        vouched = _vouched(folder, found)
    except OSError as error:
        raise OutputFolderError(f"cannot read what is in {folder}: {error.strerror}; {CHOOSE_ANOTHER}") from error
    for name, checksum in found.items():
        if name not in vouched:
            raise _foreign(folder / name, "which no run wrote")
        if checksum not in vouched[name]:
            raise _foreign(folder / name, "which was changed after a run had written it")
    return found


def _foreign(path: Path, which: str) -> OutputFolderError:
    return OutputFolderError(
        f"{path.parent} holds {path.name}, {which} and this one would delete; move it away or {CHOOSE_ANOTHER}"
    )


def _vouched(folder: Path, found: Mapping[str, str]) -> dict[str, set[str]]:
    """Return the checksums that the lists of runs give the files in a folder.

    Args:
        folder: of results.
        found: of each file that is there the sha256.
    """
    publishing, drawn, results = (_read_own_list(folder / name) for name in (PUBLISHING, DRAWN, CHECKSUMS))
    vouched: dict[str, set[str]] = {}
    for name, listed in ((PUBLISHING, publishing), (DRAWN, drawn)):
        if listed is not None and name in found:
            _add(vouched, {**listed, name: {found[name]}})
    record = recognise(folder / RUN_JSON)
    if results is None or CHECKSUMS not in found:
        return vouched
    recorded = record is not None and found.get(RUN_JSON) in results.get(RUN_JSON, ())
    if recorded or found[CHECKSUMS] in vouched.get(CHECKSUMS, ()):
        _add(vouched, {**results, CHECKSUMS: {found[CHECKSUMS]}})
    if recorded and record is not None and not record.listed:
        _add(vouched, {name: {found[name]} for name in found if _was_drawn(folder, name, record)})
    return vouched


def _add(vouched: dict[str, set[str]], more: Mapping[str, set[str]]) -> None:
    for name, known in more.items():
        vouched[name] = vouched.get(name, set()) | known


def _read_own_list(path: Path) -> dict[str, set[str]] | None:
    """Return what a list of checksums says; None of one that is no such list, or names a file that no run writes."""
    try:
        listed = read_list(path)
    except ValueError:
        return None
    return listed if all(map(_is_written, listed)) else None


def _is_written(name: str) -> bool:
    """Tell whether a run or a drawing writes files of this name, relative to the output folder."""
    within, _, file = name.rpartition("/")
    return Path(file).suffix in RESULT_FOLDERS.get(within, ()) if within else name in REPLACED_FILES


def _was_drawn(folder: Path, name: str, record: AnyVersion) -> bool:
    """Tell whether a file is a figure or a page of a run that left no list of these: figures go by their names."""
    if name in DRAWN_FILES:
        with (folder / name).open("rb") as file:
            begin = file.read(1000)
        return all(part in begin for part in _PAGE_BEGINS)
    from plotting.figures.contents import is_figure
    from plotting.figures.figure import Names

    path = Path(name)
    return (
        path.parent.name == "figures"
        and path.suffix in RESULT_FOLDERS["figures"]
        and is_figure(path.stem, Names.of((*record.features, *record.observables), record.detectors))
    )


def deliver(staging: Path, folder: Path) -> None:
    """Move finished results to their final names, as `publish` does, or keep them beside files that are in the way.

    Raises:
        OutputFolderError: meanwhile something came there that no run wrote; says where the results are.
    """
    try:
        publish(staging, folder)
        tell_when_interrupted(f"interrupted; the results in {folder} are whole")
    except OutputFolderError as error:
        names = (folder / f"{UNPUBLISHED}{'' if number == 1 else f'-{number}'}" for number in count(1))
        kept = staging.rename(next(path for path in names if not os.path.lexists(path)))
        raise OutputFolderError(f"the results are in {kept}: {error}") from error


@uninterrupted()
def publish(staging: Path, folder: Path) -> None:
    """Move finished results to their final names; `run.json`, which vouches for the others, goes last.

    An earlier run's goes first: should this be cut short, nothing may vouch for a mixture of old and new as one result.
    That all of it was written by runs is what a list says as long as this goes on.

    Raises:
        OutputFolderError: there is something that no run wrote; nothing was moved.
    """
    own = own_files(folder)
    if (staging / RUN_JSON).exists():
        _announce(staging, folder, {name: {checksum} for name, checksum in own.items()}, read_list(staging / CHECKSUMS))
        (folder / RUN_JSON).unlink(missing_ok=True)
        # It does not vouch for what an earlier run or evaluation left either.
        for name in (CHECKSUMS, DRAWN, *RESULT_FILES, *DRAWN_FILES):
            (folder / name).unlink(missing_ok=True)
        for name in RESULT_FOLDERS:
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
    for name in (*RESULT_FOLDERS, *RESULT_FILES, CHECKSUMS, RUN_JSON):
        if (staging / name).exists():
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
            (staging / name).replace(folder / name)
    (folder / PUBLISHING).unlink(missing_ok=True)


def replace_record(staging: Path, folder: Path, record: AnyRecord) -> None:
    """Replace the run.json of published results, and what their checksums say of it.

    At every moment a list vouches for what is there.

    Args:
        staging: of the run that holds the folder.
        folder: output folder of that run.
        record: the new one.
    """
    write_record(staging, record)
    old = read_list(folder / CHECKSUMS)
    new = {**old, RUN_JSON: {file_sha256(staging / RUN_JSON)}}
    (staging / CHECKSUMS).write_text(list_text(new), encoding="utf-8")
    _announce(staging, folder, old, {CHECKSUMS: {file_sha256(folder / CHECKSUMS)}}, new)
    for name in (RUN_JSON, CHECKSUMS):
        (staging / name).replace(folder / name)
    (folder / PUBLISHING).unlink()


def _announce(staging: Path, folder: Path, *lists: Mapping[str, set[str]]) -> None:
    """Leave a list of all files that may be in a folder while those of the staging take their names."""
    files: dict[str, set[str]] = {}
    for listed in lists:
        _add(files, listed)
    if (staging / CHECKSUMS).exists():
        _add(files, {CHECKSUMS: {file_sha256(staging / CHECKSUMS)}})
    (staging / PUBLISHING).write_text(list_text(files), encoding="utf-8")
    (staging / PUBLISHING).replace(folder / PUBLISHING)


def write_record(staging: Path, record: AnyRecord) -> None:
    """Write run.json."""
    (staging / RUN_JSON).write_text(record_text(record), encoding="utf-8")


def write_checksums(staging: Path) -> None:
    """Write the checksums of all results but the figures and pages beside them."""
    files = [staging / name for name in (RUN_JSON, *RESULT_FILES)]
    files += sorted((staging / "models").glob("*"))
    checksums = {str(file.relative_to(staging)): {file_sha256(file)} for file in files if file.is_file()}
    (staging / CHECKSUMS).write_text(list_text(checksums), encoding="utf-8")


def check_space(folder: Path, events: int, columns: int, threads: int) -> None:
    """Refuse to start or to go on with events that the disk cannot hold.

    This is asked before and during the loop.

    Args:
        folder: on the disk in question.
        events: rows that are still to be written.
        columns: values a row.
        threads: each holds back up to a cluster of rows that it has still to write.

    Raises:
        OutputFolderError: names what is needed and what is free.
    """
    held_back = min(events * columns * BYTES_PER_VALUE, threads * CLUSTER_BYTES)
    check_room(folder, events * columns * BYTES_PER_VALUE + held_back + OTHER_RESULTS_BYTES)


def check_room(folder: Path, needed: int) -> None:
    """Refuse to write a number of bytes that the disk cannot hold, which ROOT does not survive: it crashes or hangs.

    Raises:
        OutputFolderError: names what is needed and what is free.
    """

    def refusal(free: int) -> OutputFolderError:
        return OutputFolderError(
            f"{folder}: about {needed / 1e6:.0f} MB are needed and {free / 1e6:.0f} MB are free; "
            "free some space or choose another folder with --output"
        )

    require_room(folder, needed, refusal)
