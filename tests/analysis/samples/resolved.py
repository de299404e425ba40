"""From the options of a run to the files of its sample."""

from __future__ import annotations

from typing import Any

from analysis.configuration import RunConfiguration
from analysis.options import load_configuration
from analysis.samples.inputs import RunInput, resolve_input


def resolve(sample: object, **options: Any) -> RunInput:
    return resolve_input(load_configuration(RunConfiguration, {"sample": str(sample), **options}, None))
