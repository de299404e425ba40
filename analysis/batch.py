"""What a batch has to know of its sample before its jobs run, and the files by which these get to know it.

A batch of a thousand jobs that all fail for a reason which could have been seen when it was submitted is a day lost: so
the sample is opened, the models are compiled and compared with their reference scores, and an event goes all the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from analysis.configuration import RunConfiguration
from analysis.errors import ConfigurationError, OutputFolderError
from analysis.output.entries import compile_writers
from analysis.output.timings import Timings
from analysis.samples import Original
from analysis.samples.inputs import PRODUCTION, SAMPLE_FILES, InputFile, RunInput, resolve_input
from analysis.steps.compilation import compile_models
from analysis.steps.given_models import read_models, trusted_sha256
from analysis.steps.preparation import prepare
from analysis.steps.scoring import collect_scores
from models.folder import MODELS_JSON, copy_model_folder, file_sha256
from plotting.results.run_record import as_table
from rdf.code.library import loaded_libraries
from rdf.errors import NoEvents
from rdf.schema.model import load_schema
from rdf.temporary import TemporaryFolder
from rdf.yaml_tables import TableError, table_text


@dataclass(frozen=True)
class BatchInput:
    """A sample as the jobs of a batch read it.

    Attributes:
        data: what results say of it. Its files are those that jobs read: tables are converted, what stands in for a
            sample is simulated. Each has its number of events.
        schema: the schema, as YAML, where it is one of the user's own; None for one of the toolkit's.
        libraries: compiled code that the jobs need, in this machine's cache. A job on a machine with the same CPU, ROOT
            and compiler that has them in `compiled/` of its own cache need not compile.
        models_sha256: of models.json.
        trusted_sha256: checksum of the models by which jobs may trust them; None where they need not.
    """

    data: RunInput
    schema: str | None
    libraries: tuple[Path, ...]
    models_sha256: str
    trusted_sha256: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """Paths, all of them absolute, or `root://` addresses of the trees, in order."""
        return tuple(file.path for file in self.data.files)

    @property
    def events(self) -> tuple[int, ...]:
        """Number of events in each file."""
        return tuple(file.events or 0 for file in self.data.files)

    def write(self, folder: Path, places: Mapping[str, str] | None = None) -> Path:
        """Write the files by which a job knows its sample: the sample file, a schema of the user's own, and a
        list of certified runs.

        A job that reads `--sample FILE --entries A:B` opens the trees that hold these entries and no others, checks
        their sizes and numbers of events, and says of the sample in run.json what a run over the sample itself would.
        Checksums are not computed anew: that would have each of many jobs read the whole of a file.

        Args:
            folder: gets `<sample>.yaml`, and beside it `schema/` and `certified/` where there is a schema, or a list of
                certified runs, to be had.
            places: where jobs find a tree, for those that are copied to them: relative to the sample file.

        Returns:
            The sample file.

        Raises:
            OutputFolderError: the files cannot be written.
            ConfigurationError: there are too many files for a job to read their list.
        """
        keys: dict[str, Any] = {
            "name": self.data.name,
            "title": self.data.title,
            "schema": self.data.schema_name,
            **{key: getattr(self.data, key) for key in _KEPT},
            "simulated": self.data.simulated or None,
            "stand_in": self.data.simulation,
            "files": [_entry(file, (places or {}).get(file.path)) for file in self.data.files],
        }
        path = folder / f"{self.data.name}.yaml"
        try:
            if self.schema is not None:
                name = f"schema/{Path(self.data.schema_name).name}"
                (folder / "schema").mkdir(exist_ok=True)
                (folder / name).write_text(self.schema, encoding="utf-8")
                keys["schema"] = name
            keys["triggers"] = list(self.data.triggers) or None
            keys["certified"] = _write_list(self.data, folder)
            given = {key: value for key, value in keys.items() if value is not None}
            path.write_text(table_text(given), encoding="utf-8")
        except TableError as error:
            raise ConfigurationError(f"{self.data.title}: its jobs could not read its sample file ({error})") from error
        except OSError as error:
            raise OutputFolderError(
                f"cannot write to {folder}: {error.strerror}; free some space or choose another folder"
            ) from error
        return path


_KEPT = ("tree", "doi", "record", "licence", "energy", "luminosity", "events", "features", *PRODUCTION)
"""Attributes of a RunInput that a sample file has under the same names."""


def _write_list(data: RunInput, folder: Path) -> dict[str, Any] | None:
    """Write the list of certified runs, and return what the sample file says of it."""
    # A list that is not applied is not read either: that there is one is all that a job has to know.
    if data.certified is None:
        return {"path": "certified/none"} if data.uncertified else None
    path = f"certified/{data.certified.name}"
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / path).write_bytes(data.certified.text)
    return {"path": path, "size": len(data.certified.text), "sha256": data.certified.sha256}


def _entry(file: InputFile, place: str | None) -> dict[str, Any]:
    """Return what a sample file says of a tree that jobs find at a place, or where it is."""
    streamed = place is None and "://" in file.path
    entry: dict[str, Any] = {"url" if streamed else "path": place or file.path}
    entry |= {"events": file.events, "size": file.size}
    if place is not None or file.copy_of is not None:
        entry["copy_of"] = {key: value for key, value in as_table(file.describe()).items() if value is not None}
    return {key: value for key, value in entry.items() if value is not None}


def inspect_sample(configuration: RunConfiguration) -> BatchInput:
    """Find and open a sample, convert it if need be, and make sure that jobs can score it with the models.

    Args:
        configuration: of the jobs, with models; `entries` and `max_events` are not looked at.

    Raises:
        ConfigurationError: there are no models, or they or an option do not fit the sample.
        AnalysisError, rdf.errors.*, models.errors.*: whatever would end every job.
    """
    configuration = configuration.model_copy(update={"entries": None, "max_events": None, "threads": 1})
    models = read_models(configuration)
    if models is None or configuration.models is None:
        raise ConfigurationError("a batch only scores; name models with --models (analysis.run trains them)")
    data = resolve_input(configuration)
    with TemporaryFolder("batch") as staging:
        copy_model_folder(models, configuration.models, staging / "models")
        timings = Timings()
        prepared = prepare(configuration, data, models, staging, timings)
        known = load_schema(data.schema_name).columns.keys()
        if prepared.left_out and (partly := sorted(prepared.source.available.partly & known)):
            raise ConfigurationError(
                f"{data.title}: only some files have {partly[0]!r}, of which {prepared.left_out[0]} may be made, and "
                "no job would see that; analyse such files separately"
            )
        compiled = compile_models(models, staging / "models", 1, configuration.detectors, timings)
        with suppress(NoEvents):  # the first event need not pass the cuts
            collect_scores(replace(prepared, entries=(0, 1)), compiled)
        for library in compile_writers(configuration.skim, configuration.friend):
            library.load()
    files = tuple(
        _as_read(file, tree, events)
        for file, tree, events in zip(prepared.data.files, prepared.source.files, prepared.source.entries, strict=True)
    )
    own = Path(data.schema_name).suffix in SAMPLE_FILES
    return BatchInput(
        replace(prepared.data, files=files),
        Path(data.schema_name).read_text(encoding="utf-8") if own else None,
        tuple(loaded_libraries()),
        file_sha256(configuration.models / MODELS_JSON),
        trusted_sha256(models, configuration),
    )


def _as_read(file: InputFile, tree: str, events: int) -> InputFile:
    """Return a file of a sample as jobs read it: the tree that it is, or was converted to."""
    size = file.size if "://" in tree else Path(tree).stat().st_size
    read = InputFile(tree, size, None, events)
    return read if file.describe() == read.describe() else replace(read, copy_of=Original(**as_table(file.describe())))
