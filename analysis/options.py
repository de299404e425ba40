"""The command line of a program: an option for each key of its configuration, named as the key is in a YAML file."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TypeVar

from analysis.configuration import AnalysisConfiguration, load_configuration, option_name

C = TypeVar("C", bound=AnalysisConfiguration)

_METAVARS = {
    "output": "DIR",
    "models": "DIR",
    "entries": "A:B",
    "plan": "ID",
    "schema": "NAME|FILE",
    "detectors": "A,B",
}
_METAVARS |= dict.fromkeys(("sample", "background", "signal"), "NAME|FILE")
_METAVARS |= {"features": "SET|A,B", "define": "TABLE", "objects": "TABLE", "vary": "A,B|TABLE", "threshold": "TABLE"}
_METAVARS |= {"engine": "ENGINE", "cluster": "KIND|ADDRESS"}
_METAVARS |= {
    "trusted_sha256": "SHA256",
    "data": "HOW",
    "python": "PATH",
    "settle": "SECONDS",
    "replay": "NAME|FILE",
    "rate": "R",
}
_METAVARS |= {"train_on": "WHICH", "autoencoder": "PRESET|TABLE", "train_events": "N|all", "settings": "TABLE"}


def add_options(parser: ArgumentParser, kind: type[AnalysisConfiguration], unhelpful: Collection[str] = ()) -> None:
    """Give a parser the options of a configuration, the samples first; what is not given is None.

    Args:
        parser: gets them.
        kind: of configuration.
        unhelpful: fields of which the help says nothing, since to give them is an error.
    """
    fields = sorted(kind.model_fields, key=lambda name: name not in ("sample", "background", "signal"))
    for name in fields:
        info, key = kind.model_fields[name], option_name(name)
        if info.exclude:  # what this kind leaves nobody to choose
            continue
        option = f"--{key.replace('_', '-')}"
        said = SUPPRESS if name in unhelpful else info.description
        if info.annotation is bool:
            parser.add_argument(option, dest=key, action="store_true", default=None, help=said)
        else:
            parser.add_argument(option, dest=key, metavar=_METAVARS.get(key, "N"), help=said)
    parser.add_argument("--config", type=Path, metavar="FILE", help="YAML file with any of these options")


def parse_configuration(parser: ArgumentParser, kind: type[C], arguments: Sequence[str]) -> C:
    """Return the configuration that a command line gives, with the file that it names."""
    given = {key: value for key, value in vars(parser.parse_args(arguments)).items() if value is not None}
    return load_configuration(kind, given, given.pop("config", None))
