"""Options: a configuration out of a command line, a YAML file and keywords, with errors that name the option."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from analysis.configuration import RunConfiguration
from analysis.errors import ConfigurationError, near_names
from rdf.faults import first_fault
from rdf.printable import shortened
from rdf.yaml_tables import TableError, read_table

C = TypeVar("C", bound=BaseModel)

LONGEST_REASON = 1000
"""Characters of what is wrong with a value: it may repeat the value."""

_PYDANTIC_STEPS = ("[key]", "str", "tuple[str, ...]")
"""Steps in pydantic's places that stand for a key or a type and not for what the user wrote."""


def option_name(field: str) -> str:
    """Return a field's name in the YAML file: the option without its dashes, `-` written as `_`."""
    return "schema" if field == "schema_name" else field


_METAVARS = {
    "output": "DIR",
    "models": "DIR",
    "entries": "A:B",
    "plan": "ID",
    "schema": "NAME|FILE",
    "detectors": "A,B",
}
_METAVARS |= dict.fromkeys(("sample", "background", "signal"), "NAME|FILE")
_METAVARS |= {
    "features": "SET|A,B",
    "define": "TABLE",
    "objects": "TABLE",
    "overlap": "LIST",
    "select": "TABLE",
    "triggers": "A,B",
    "filters": "A,B",
    "certified": "FILE|URL",
    "vary": "A,B|TABLE",
    "threshold": "TABLE",
}
_METAVARS |= {"weights": "true|false", "luminosity": "L"}
_METAVARS |= {"engine": "ENGINE", "cluster": "KIND|ADDRESS", "likelihood_ratio": "first|last"}
_METAVARS |= {
    "trusted_sha256": "SHA256",
    "data": "HOW",
    "python": "PATH",
    "settle": "SECONDS",
    "replay": "NAME|FILE",
    "rate": "R",
}
_METAVARS |= {
    "run": "DIR",
    "observable": "COLUMN",
    "method": "METHOD",
    "range": "A:B",
    "resolution": "R",
    "tails": "TABLE",
    "signal_region": "A:B",
    "scan": "TABLE",
    "mask": "A:B,C:D",
    "family": "FAMILY",
    "parameters": "A:B",
    "sqrt_s": "E",
    "detector": "NAME",
    "cuts": "A,B",
    "axes": "X,Y",
    "scan_axes": "X,Y,Z",
}
_METAVARS |= {"train_on": "WHICH", "autoencoder": "PRESET|TABLE", "train_events": "N|all", "settings": "TABLE"}


def add_options(parser: ArgumentParser, kind: type[BaseModel], unhelpful: Collection[str] = ()) -> None:
    """Give a parser the options of a configuration, the samples first; what is not given is None.

    Args:
        parser: gets them.
        kind: of configuration.
        unhelpful: names of fields that the help leaves out, since to give them is an error.
    """
    fields = sorted(kind.model_fields, key=lambda name: name not in ("run", "sample", "background", "signal"))
    for name in fields:
        info, key = kind.model_fields[name], option_name(name)
        if info.exclude:  # what this kind leaves nobody to choose
            continue
        option = f"--{key.replace('_', '-')}"
        description = SUPPRESS if name in unhelpful else info.description
        if info.annotation is bool:
            parser.add_argument(option, dest=key, action="store_true", default=None, help=description)
        else:
            metavar = "DIR" if info.annotation == Path | None else _METAVARS.get(key, "N")
            parser.add_argument(option, dest=key, metavar=metavar, help=description)
    parser.add_argument("--config", type=Path, metavar="FILE", help="YAML file with any of these options")


def parse_configuration(parser: ArgumentParser, kind: type[C], arguments: Sequence[str]) -> C:
    """Return the configuration that a command line gives, with the file that it names."""
    given = {key: value for key, value in vars(parser.parse_args(arguments)).items() if value is not None}
    return load_configuration(kind, given, given.pop("config", None))


def load_configuration(kind: type[C], options: Mapping[str, Any], file: Path | None) -> C:
    """Merge defaults, the YAML file and the options of the command line, the latter taking precedence.

    Args:
        kind: of configuration.
        options: given on the command line, by key of the YAML file.
        file: YAML file, if one was named.

    Raises:
        ConfigurationError: names the file, the key and the nearest keys, or what is wrong with a value.
    """
    from_file = read_options(file) if file else {}
    known = [option_name(field) for field in kind.model_fields]
    for key in from_file:
        if key not in known:
            raise ConfigurationError(f"{file}: unknown key {key!r}; {near_names(key, known)}")
    for key in options:
        if key not in known:
            raise ConfigurationError(f"unknown option {key!r}; {near_names(key, known)}")
    merged = {**from_file, **options}
    if kind is RunConfiguration and "sample" not in merged:
        raise ConfigurationError("no sample; name one with --sample (python -m analysis.samples lists them)")
    try:
        return kind(**merged)
    except ValidationError as error:
        fault = first_fault(error)
        if not fault.place:
            raise ConfigurationError(fault.reason) from error
        key, *inner = (step for step in fault.place if step not in _PYDANTIC_STEPS)
        reason = fault.reason
        if fault.kind == "extra_forbidden":
            reason = f"unknown key {inner.pop()!r}"
        if inner and repr(inner[-1]) not in reason:
            reason = f"{'.'.join(inner)}: {reason}"
        place = f"{file}: key {key!r}" if key in from_file and key not in options else f"--{key.replace('_', '-')}"
        raise ConfigurationError(f"{place}: {shortened(reason, LONGEST_REASON)}") from error


def read_options(file: Path) -> dict[str, Any]:
    """Return the table of a YAML file.

    Raises:
        ConfigurationError: the file cannot be read, or holds no table.
    """
    try:
        content = read_table(file)
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}; check the path of --config") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file} is not a text file: {error.reason}; check the path of --config") from error
    except TableError as error:
        line = f", line {error.line}" if error.line else ""
        raise ConfigurationError(f"{file}{line}: not valid YAML: {error.problem}; mend that line") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigurationError(f"{file}: a table of `key: value` lines is expected, as in `sample: cms2010b`")
    return content
