"""A configuration of a file and options, and the one line by which a wrong one is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.configuration import RunConfiguration
from analysis.errors import ConfigurationError
from analysis.options import load_configuration


def configured(tmp_path: Path, text: str, **options: Any) -> RunConfiguration:
    file = tmp_path / "run.yaml"
    file.write_text(text)
    return load_configuration(RunConfiguration, options, file)


def refused(tmp_path: Path, text: str, **options: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        configured(tmp_path, text, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refused_option(key: str, value: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(RunConfiguration, {"sample": "s", key: value}, None)
    assert "\n" not in str(caught.value)
    return str(caught.value)
