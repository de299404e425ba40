"""What a sample file says: the keys of `analysis/samples/*.yaml` and of a user's own sample file, and their checks."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from analysis.errors import ConfigurationError, DataError
from rdf.printable import shortened
from rdf.schema.triggers import Trigger
from rdf.yaml_tables import TableError, read_table

LISTED_FAULTS = 5
"""Faults of a sample file that are named."""


def _with_port(address: str) -> str:
    """Let urllib refuse a port that is none."""
    _ = urlsplit(address).port
    return address


Adler32 = Annotated[str, Field(pattern="^[0-9a-f]{8}$")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Address = Annotated[str, Field(pattern="^(root|https?)://[^/]+/"), AfterValidator(_with_port)]

# The CERN Open Data portal serves the files of its storage under both addresses.
EOS, PORTAL = "root://eospublic.cern.ch//eos/opendata/", "https://opendata.cern.ch/eos/opendata/"


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Download(_Entry):
    """What a portal publishes of a file: the address, and size (bytes) and adler32 of the bytes that it sends."""

    url: Address
    size: PositiveInt
    adler32: Adler32 | None
    compression: Literal["gzip"] | None


class Original(_Entry):
    """What a file is a copy of, maybe converted: path or address, and size in bytes and sha256 where known."""

    path: str
    size: PositiveInt | None = None
    sha256: Sha256 | None = None


class SampleFile(_Entry):
    """One file of a sample as it is read.

    Attributes:
        path: below a data folder; without this key, the place below `eos/opendata` that `url` names.
        events: in the file. Where all files say it, a run over some entries opens only the files that hold these.
        copy_of: what results name in its place, where it is a copy, as a batch job may get one, or was converted.
        size: in bytes.
        sha256: of the file.
        adler32: of the file, where that is all that the portal publishes of it.
        url: where the file itself is published.
        download: what is published in place of the file itself.
    """

    path: PurePosixPath
    events: NonNegativeInt | None = None
    copy_of: Original | None = None
    size: PositiveInt | None = None
    sha256: Sha256 | None = None
    adler32: Adler32 | None = None
    url: Address | None = None
    download: Download | None = None

    @model_validator(mode="before")
    @classmethod
    def _place(cls, keys: Any) -> Any:
        if isinstance(keys, dict) and "path" not in keys and isinstance(keys.get("url"), str):
            path = urlsplit(keys["url"]).path.lstrip("/").removeprefix("eos/opendata/")
            if ".." in PurePosixPath(path).parts:
                raise ValueError(f"'..' in {keys['url']}; give a `path`")
            return {**keys, "path": path}
        return keys

    @model_validator(mode="after")
    def _one_publication(self) -> Self:
        if self.url and self.download:
            raise ValueError("either `url` or `download`: the file itself is published, or another in its place")
        return self

    @model_validator(mode="after")
    def _size_of_what_comes_packed(self) -> Self:
        if self.download and self.download.compression and self.size is None:
            raise ValueError("`size` is missing: what comes packed is unpacked to that size and no further")
        return self

    @property
    def published(self) -> Download | None:
        """What can be downloaded over http, None where nothing can."""
        url = self.url.replace(EOS, PORTAL, 1) if self.url else ""
        if url.startswith("http") and self.size:
            return Download(url=url, size=self.size, adler32=self.adler32, compression=None)
        return self.download


def _as_file(value: Any) -> Any:
    """Let a path or an address stand for a file."""
    return {"url" if "://" in value else "path": value} if isinstance(value, str) else value


class Sample(_Entry):
    """One sample; `schema_name` is the key `schema` of the YAML file, a name that pydantic keeps.

    Attributes:
        name: that of the YAML file.
        title: in words.
        schema_name: the format of the files.
        tree: name of the tree, where it is not the one that the schema names.
        doi: of the record.
        record: number of the record on the CERN Open Data portal.
        licence: of the data.
        origin: where the files come from, in words, where no portal publishes them.
        energy: centre-of-mass energy with its unit.
        luminosity: integrated luminosity in 1/fb, None where unknown.
        cross_section: of the process, in pb, for simulated events; None where unknown, like what follows.
        k_factor: by which a higher order of perturbation theory multiplies the cross section.
        filter_efficiency: part of the events that the generator kept.
        sum_of_weights: of all events that were generated, whatever was cut from the files since.
        events: in all files, None where unknown.
        features: feature set, where the schema's first choice does not suit the sample.
        triggers: triggers of which at least one has to have fired, in the form that `--triggers` takes.
        certified: list of the runs and luminosity blocks whose events count, a file as SampleFile says it; of data.
        simulated: whether what is published are simulated events.
        simulation: name of the embedded generator that may stand in for real events.
        stand_in: name of the generator whose events `files` hold, in place of the published ones.
        access: whether files that are not at hand are downloaded, or read over the network as they are.
        size: bytes in all files that the indexes name.
        files: the files that make up the sample.
        indexes: JSON files, as the portal publishes them, that name the files that make up the sample.
    """

    name: str
    title: str
    schema_name: str | None = Field(None, alias="schema")
    tree: str | None = None
    doi: str | None = None
    record: PositiveInt | None = None
    licence: str | None = None
    origin: str | None = None
    energy: str | None = None
    luminosity: PositiveFloat | None = None
    cross_section: PositiveFloat | None = None
    k_factor: PositiveFloat | None = None
    filter_efficiency: PositiveFloat | None = Field(None, le=1)
    sum_of_weights: PositiveFloat | None = None
    events: PositiveInt | None = None
    simulated: bool = False
    features: str | None = None
    triggers: tuple[Trigger, ...] = ()
    certified: Annotated[SampleFile, BeforeValidator(_as_file)] | None = None
    simulation: str | None = None
    stand_in: str | None = None
    access: Literal["fetch", "stream"] = "fetch"
    size: PositiveInt | None = None
    files: tuple[SampleFile, ...] = ()
    indexes: tuple[SampleFile, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if bool(self.files) == bool(self.indexes):
            raise ValueError("needs either `files` or `indexes`, and one entry there at least")
        streams = [(file.url or "").startswith("root://") for file in self.files]
        if self.access == "stream" and not all(streams):
            raise ValueError(f"files.{streams.index(False)}: `access: stream` needs a `url` of the form root://")
        return self

    @property
    def page(self) -> str | None:
        """The portal's page of the record."""
        return f"https://opendata.cern.ch/record/{self.record}" if self.record else None

    @property
    def bytes(self) -> int | None:
        """Size of all files, None where it is unknown."""
        sizes = [file.size for file in self.files]
        return sum(size or 0 for size in sizes) if sizes and all(sizes) else self.size


def read_sample(path: Path) -> Sample:
    """Read one sample from its YAML file, which bears the sample's name; `name` and `title` default to that.

    Raises:
        ConfigurationError: the file is not YAML, lacks a key, has one too many or a wrong value, or bears another name.
        DataError: the file cannot be read.
    """
    try:
        keys = read_table(path)
        if isinstance(keys, dict):
            keys = {"name": path.stem, "title": path.stem} | keys
        sample = Sample.model_validate(keys)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; check the file and its permissions") from error
    except (TableError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid YAML ({error}); correct it") from error
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, fault['loc'])) or 'file'}: {shortened(fault['msg'])}"
            for fault in error.errors()[:LISTED_FAULTS]
        ]
        more = error.error_count() - len(faults)
        faults += [f"and {more:,} more"] if more else []
        raise ConfigurationError(f"{path} is no sample ({'; '.join(faults)}); correct these keys") from error
    if sample.name != path.stem:
        raise ConfigurationError(f"{path} describes the sample {sample.name}; rename the file or the sample")
    return sample
