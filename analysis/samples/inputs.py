"""What a run reads: a sample of the catalogue, or the user's own file, address or sample file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path, PurePath, PurePosixPath

from pydantic import ValidationError

from analysis import samples
from analysis.configuration import AnalysisConfiguration, RunConfiguration
from analysis.console.program import error_console
from analysis.errors import ChecksumMismatch, ConfigurationError, DataError, SampleUnavailable
from analysis.samples import Original, Sample, SampleFile
from analysis.samples.certified import describe_list, given_list, list_of_catalogue, list_of_sample
from analysis.samples.checks import check
from analysis.samples.connection import check_streams
from analysis.samples.named_files import check_exists, find_files, is_file, is_folder, shown, stands_for_several
from plotting.results import record_tables as recorded
from rdf.schema.certified import CertifiedRuns

NAMED_BY = "--sample (python -m analysis.samples lists the samples)"

PRODUCTION = ("cross_section", "k_factor", "filter_efficiency", "sum_of_weights")
"""Attributes of a sample that say how many of its events are produced."""

SAMPLE_FILES = (".yaml", ".yml")
"""Endings of files that describe a sample."""


@dataclass(frozen=True)
class InputFile:
    """One file of a run: its path or `root://` address, and its size in bytes and its sha256 where these are known.

    Attributes:
        events: in it, where the sample says so.
        copy_of: what results name in its place.
    """

    path: str
    size: int | None
    sha256: str | None
    events: int | None = None
    copy_of: Original | None = None

    def describe(self) -> recorded.File:
        """Return what run.json says of the file."""
        named = self.copy_of or self
        return recorded.File(path=named.path, size=named.size, sha256=named.sha256)


@dataclass(frozen=True)
class RunInput:
    """What a run reads and how results are to speak of it.

    Attributes:
        name: of the sample.
        title: in words.
        schema_name: a schema's name, or the path of a schema of the user's own.
        files: in order; none where events are yet to be simulated.
        tree: name of the tree in place of the schema's.
        features: feature set in place of the schema's first choice.
        triggers: triggers of the sample, of which at least one has to have fired unless `--triggers` names others.
        certified: list of the runs whose events count; None where all do.
        uncertified: whether the sample has such a list, which is not applied.
        simulated: whether the events are simulated: as published, or in place of what was published.
        doi: of the published data, like what follows.
        record: number of the record on the CERN Open Data portal.
        licence: of the data.
        energy: centre-of-mass energy with its unit.
        luminosity: integrated luminosity in 1/fb.
        cross_section: in pb, for simulated events; None where unknown, like what follows.
        k_factor: of the cross section.
        filter_efficiency: part of the events that the generator kept.
        sum_of_weights: of all events that were generated.
        simulation: generator of the events that stand in for the published ones; None where nothing stands in.
        events: in all files.
        skipped: events of the sample before the first file, in files that hold none of the entries to be read.
        whole: whether these are all files of the sample.
    """

    name: str
    title: str
    schema_name: str
    files: tuple[InputFile, ...]
    tree: str | None = None
    features: str | None = None
    triggers: tuple[str, ...] = ()
    certified: CertifiedRuns | None = None
    uncertified: bool = False
    simulated: bool = False
    doi: str | None = None
    record: int | None = None
    licence: str | None = None
    energy: str | None = None
    luminosity: float | None = None
    cross_section: float | None = None
    k_factor: float | None = None
    filter_efficiency: float | None = None
    sum_of_weights: float | None = None
    simulation: str | None = None
    events: int | None = None
    skipped: int = 0
    whole: bool = True

    def describe(self) -> recorded.Sample:
        """Return what run.json says of the sample."""
        published = recorded.Published(title=self.title, doi=self.doi, record=self.record, licence=self.licence)
        # What was published of the data does not hold for what stands in for them.
        shown = published
        if self.simulation is not None:
            shown = recorded.Published(title=f"stand-in for {self.title}", doi=None, record=None, licence=None)
        return recorded.Sample(
            name=self.name,
            title=shown.title,
            files=tuple(file.describe() for file in self.files),
            tree=self.tree,
            triggers=self.triggers,
            certified=describe_list(self.certified),
            uncertified=self.uncertified,
            simulated=self.simulated,
            doi=shown.doi,
            record=shown.record,
            licence=shown.licence,
            energy=self.energy,
            luminosity=self.luminosity,
            **{key: getattr(self, key) for key in PRODUCTION},
            # Of a schema of the user's own the name: batch jobs have it in folders of theirs.
            schema=PurePath(self.schema_name).name,
            simulation=self.simulation,
            stands_in_for=None if self.simulation is None else published,
        )


def inputs_of(configuration: AnalysisConfiguration, read: Iterable[RunInput]) -> list[Path]:
    """Return what a run reads on this machine: the files of its samples, its models, a list of certified runs."""
    files = [Path(file.path) for data in read for file in data.files if "://" not in file.path]
    named = [] if "://" in (configuration.certified or "://") else [Path(str(configuration.certified))]
    return [*files, *named, *(path for path in (configuration.models,) if path)]


def resolve_input(configuration: RunConfiguration) -> RunInput:
    """Find what the configuration names, fetching it from the portal if need be.

    Raises:
        UnknownSample, ConfigurationError: no such sample, a file without a schema, or a wrong key in a sample file.
        DataError: a file does not exist, or the sample, or its list of certified runs, cannot be had or is not the
            published one.
        UnreadableFile: the list of certified runs is malformed.
    """
    return with_given_list(_found(configuration), configuration)


def with_given_list(data: RunInput, configuration: AnalysisConfiguration) -> RunInput:
    """Return the input with the list of certified runs that the user names, if one is named."""
    # Simulated events that stand in for data are of no run of the list.
    if configuration.certified is None or data.simulation is not None:
        return data
    return replace(data, certified=given_list(configuration.certified))


def _found(configuration: RunConfiguration) -> RunInput:
    named, schema_name = configuration.sample, configuration.schema_name
    path = Path(named)
    if path.suffix in SAMPLE_FILES and (is_file(path) or not stands_for_several(named)):
        return _user_sample(path, configuration)
    if is_file(path):
        return _user_file(path, schema_name)
    if named in samples.catalogue():
        return _of_catalogue(samples.find_sample(named), configuration)
    if "://" in named and "," not in named:
        return _user_address(named, schema_name)
    if stands_for_several(named):
        return _user_files(named, schema_name)
    if path.suffix or len(path.parts) > 1:
        return _user_file(path, schema_name)
    return _of_catalogue(samples.find_sample(named), configuration)


def _of_catalogue(sample: Sample, configuration: RunConfiguration) -> RunInput:
    schema_name = _agreed_schema(sample, configuration.schema_name)
    opendata, cache = samples.opendata_folder(), samples.download_folder()
    try:
        sample = samples.list_files(sample, opendata, cache)
        places = samples.obtain(sample, opendata, cache)
    except SampleUnavailable:
        if not (configuration.allow_simulated and sample.simulation):
            raise
        return _run_input(sample, schema_name, (), sample.simulation)
    files = [InputFile(place, file.size, file.sha256) for place, file in zip(places, sample.files, strict=True)]
    data = _run_input(sample, schema_name, files)
    return _with_list(data, sample, configuration, lambda: list_of_catalogue(sample, opendata, cache))


def _with_list(
    data: RunInput, sample: Sample, configuration: AnalysisConfiguration, read: Callable[[], CertifiedRuns]
) -> RunInput:
    """Return the input with the sample's list of certified runs, unless the configuration says otherwise."""
    if sample.certified is None or configuration.certified:
        return data
    return replace(data, uncertified=True) if configuration.uncertified else replace(data, certified=read())


def _agreed_schema(sample: Sample, schema_name: str | None) -> str:
    if sample.schema_name is None:
        if schema_name is None:
            raise ConfigurationError(f"sample {sample.name} has no `schema`; add it there or say it with --schema")
        return schema_name
    if schema_name not in (None, sample.schema_name):
        raise ConfigurationError(f"--schema: sample {sample.name} has the schema {sample.schema_name}; leave it out")
    return sample.schema_name


def _run_input(sample: Sample, schema_name: str, files: Sequence[InputFile], stand_in: str | None = None) -> RunInput:
    keys = (
        "name",
        "title",
        "tree",
        "features",
        "doi",
        "record",
        "licence",
        "energy",
        "luminosity",
        "events",
        *PRODUCTION,
    )
    # Simulated events that stand in for data have no columns of triggers.
    triggers = sample.triggers if stand_in is None else ()
    return RunInput(
        schema_name=schema_name,
        files=tuple(files),
        simulated=sample.simulated or stand_in is not None,
        simulation=stand_in,
        triggers=triggers,
        **{key: getattr(sample, key) for key in keys},
    )


def _user_file(path: Path, schema_name: str | None) -> RunInput:
    check_exists(path, NAMED_BY)
    if schema_name is None:
        raise ConfigurationError(f"{path} is a file: say its format with --schema")
    file = InputFile(str(path.resolve()), path.stat().st_size, None)
    return RunInput(name=path.stem, title=path.name, schema_name=schema_name, files=(file,))


def _user_files(named: str, schema_name: str | None) -> RunInput:
    """Return the files that a folder, a pattern or a list stands for, as one sample."""
    found = find_files(named, NAMED_BY)
    if schema_name is None:
        raise ConfigurationError(f"{shown(named)} names files: say their format with --schema")
    files: list[InputFile] = []
    for file in found.files:
        if "://" in file:
            files.extend(_user_address(file, schema_name).files)
        elif Path(file).suffix in SAMPLE_FILES:
            raise ConfigurationError(f"{file} describes a sample; name it alone, or list the files in it")
        else:
            files.append(InputFile(str(Path(file).resolve()), Path(file).stat().st_size, None))
    title = files[0].path if len(files) == 1 else f"{len(files)} files of {shown(named)}"
    if len(files) > 1:
        error_console().print(title, highlight=False, markup=False, soft_wrap=True)
    return RunInput(name=found.name, title=title, schema_name=schema_name, files=tuple(files))


def _user_address(url: str, schema_name: str | None) -> RunInput:
    if not url.startswith("root://"):
        raise ConfigurationError(f"--sample: {url} cannot be read as it is; give a root:// address, or download it")
    try:
        path = SampleFile.model_validate({"url": url}).path
    except ValidationError as error:
        raise ConfigurationError(f"--sample: {url} is no address of the form root://host//path/file") from error
    if schema_name is None:
        raise ConfigurationError(f"{url} is a file: say its format with --schema")
    check_streams([url])
    return RunInput(name=path.stem, title=url, schema_name=schema_name, files=(InputFile(url, None, None),))


def _user_sample(path: Path, configuration: RunConfiguration) -> RunInput:
    """Read a sample file outside the catalogue, in which paths are relative to the file's folder.

    Of the files only those are looked at that hold some of the entries, where the sample says which these are.
    """
    check_exists(path, NAMED_BY)
    sample = samples.read_sample(path)
    folder = path.resolve().parent
    unfit = [key for key in ("indexes", "simulation") if getattr(sample, key)]
    unfit += ["download" for file in sample.files if file.download]
    if unfit:
        raise ConfigurationError(
            f"{path}: `{unfit[0]}` is for samples of the catalogue; add the sample there (analysis/samples)"
        )
    for file in sample.files:
        if file.url and not file.url.startswith("root://"):
            raise ConfigurationError(f"{path}: {file.url} cannot be read as it is; download it and give its `path`")
    if sample.schema_name and PurePosixPath(sample.schema_name).suffix in SAMPLE_FILES:
        sample = sample.model_copy(update={"schema_name": str(folder / sample.schema_name)})
    schema_name = _agreed_schema(sample, configuration.schema_name)
    sample = _expanded(sample, folder, path)
    all_files = len(sample.files)
    sample, skipped = _holding(sample, configuration.entries)
    files = [_user_part(folder / file.path, file, path) for file in sample.files]
    check_streams(file.url for file in sample.files if file.url)
    whole = len(files) == all_files
    data = replace(_run_input(sample, schema_name, files, sample.stand_in), skipped=skipped, whole=whole)
    certified = sample.certified
    return (
        _with_list(data, sample, configuration, lambda: list_of_sample(certified, folder, path)) if certified else data
    )


def _expanded(sample: Sample, folder: Path, named_in: Path) -> Sample:
    """Return the sample with the files in place of the folders, patterns and lists that it names."""
    files: list[SampleFile] = []
    for file in sample.files:
        named = str(file.path)
        if file.url or is_file(folder / named) or not (stands_for_several(named) or is_folder(folder / named)):
            files.append(file)
            continue
        if stated := [key for key in ("size", "sha256", "adler32", "events", "copy_of") if getattr(file, key)]:
            raise ConfigurationError(f"{named_in}: `{stated[0]}` of {named} is that of one file; list the files")
        found = find_files(named, f"`files` in {named_in}", folder)
        files += [SampleFile(path=PurePosixPath(each)) for each in found.files]
    return sample.model_copy(update={"files": tuple(files)})


def _holding(sample: Sample, entries: tuple[int, int] | None) -> tuple[Sample, int]:
    """Return the sample with the files that hold some of the entries, and the number of events before these.

    All files where no entries are wanted, or where a file does not say how many events it holds.
    """
    counts = [file.events for file in sample.files]
    known = [events for events in counts if events is not None]
    if entries is None or len(known) < len(counts):
        return sample, 0
    ends = list(accumulate(known))
    begins = [0, *ends[:-1]]
    wanted = [
        i for i, (begin, end) in enumerate(zip(begins, ends, strict=True)) if begin < entries[1] and end > entries[0]
    ]
    if not wanted:
        raise ConfigurationError(f"--entries {entries[0]}:{entries[1]}: the sample has {ends[-1]} events")
    first, last = wanted[0], wanted[-1]
    return sample.model_copy(update={"files": sample.files[first : last + 1]}), begins[first]


def _user_part(part: Path, file: SampleFile, named_in: Path) -> InputFile:
    if file.url:
        return InputFile(file.url, file.size, file.sha256, file.events, file.copy_of)
    check_exists(part, f"`files` in {named_in}")
    try:
        fault = check(part, file, samples.download_folder())
    except OSError as error:
        raise DataError(f"cannot read {part}: {error.strerror}; check the file and its permissions") from error
    if fault:
        raise ChecksumMismatch(f"{part} is not the file that {named_in} describes: {fault}; correct one of them")
    return InputFile(str(part), part.stat().st_size, file.sha256, file.events, file.copy_of)
