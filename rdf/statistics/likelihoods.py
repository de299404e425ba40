"""The likelihood of a spectrum as JSON that pyhf reads, and read back from it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rdf.errors import StatisticsFailed
from rdf.statistics.fitted import SignalError, Templates
from rdf.statistics.histfactory import CHANNEL, RANGE, SIGNAL
from rdf.statistics.spectrum import Numbers, Spectrum


def pyhf_workspace(templates: Templates) -> dict[str, Any]:
    """Return a workspace of pyhf (schema version 1.0.0; L. Heinrich, M. Feickert and G. Stark, pyhf).

    The background is its expectation and, for each parameter, a template that is added freely times a number; no
    constraint, which would count the sidebands a second time. The signal is bounded at 0, as limits by q-tilde want it.
    Bins that no fit looks at are left out.

    Args:
        templates: the fit with a signal.
    """
    used = templates.spectrum.used
    error = float(np.sqrt(templates.background[used].max())) + 1
    reach = 5 * abs(templates.signal) + 10 * error
    samples = [
        {
            "name": "signal",
            "data": templates.shape[used].tolist(),
            "modifiers": [{"name": SIGNAL, "type": "normfactor", "data": None}, *_modifiers(templates)],
        },
        {"name": "background", "data": templates.background[used].tolist(), "modifiers": []},
    ]
    parameters: list[dict[str, Any]] = [
        {"name": SIGNAL, "inits": [max(templates.signal, 0.0)], "bounds": [[0.0, reach]]}
    ]
    for i, shift in enumerate(templates.shifts):
        modifier = {"name": f"shape_{i}", "type": "normfactor", "data": None}
        samples.append({"name": f"shape_{i}", "data": shift[used].tolist(), "modifiers": [modifier]})
        parameters.append({"name": f"shape_{i}", "inits": [0.0], "bounds": [[-RANGE, RANGE]]})
    return {
        "channels": [{"name": CHANNEL, "samples": samples}],
        "observations": [{"name": CHANNEL, "data": templates.spectrum.counts[used].tolist()}],
        "measurements": [{"name": "search", "config": {"poi": SIGNAL, "parameters": parameters}}],
        "version": "1.0.0",
    }


def _modifiers(templates: Templates) -> list[dict[str, Any]]:
    """Return the systematic errors of the signal, of which yield and shape of one name move together."""
    used, found = templates.spectrum.used, []
    for error in templates.errors:
        if error.log_yield:
            data: dict[str, Any] = {"hi": math.exp(error.log_yield), "lo": math.exp(-error.log_yield)}
            found.append({"name": error.name, "type": "normsys", "data": data})
        if error.shift[used].any():
            sides = {"hi_data": templates.shape + error.shift, "lo_data": templates.shape - error.shift}
            data = {side: values[used].tolist() for side, values in sides.items()}
            found.append({"name": error.name, "type": "histosys", "data": data})
    return found


def _read_errors(modifiers: list[dict[str, Any]], shape: Numbers) -> tuple[SignalError, ...]:
    """Return the systematic errors that `_modifiers` wrote."""
    found: dict[str, SignalError] = {}
    for modifier in modifiers:
        name, data = modifier["name"], modifier["data"]
        error = found.get(name, SignalError(name, np.zeros(len(shape)), 0.0))
        if modifier["type"] == "normsys":
            found[name] = replace(error, log_yield=math.log(data["hi"]))
        elif modifier["type"] == "histosys":
            found[name] = replace(error, shift=np.array(data["hi_data"]) - shape)
    return tuple(found.values())


def write_pyhf(templates: Templates, path: Path) -> None:
    """Write the likelihood as JSON that pyhf reads."""
    path.write_text(json.dumps(pyhf_workspace(templates), indent=1) + "\n", encoding="utf-8")


def read_pyhf(path: Path, mass: float) -> Templates:
    """Read a likelihood that `write_pyhf` wrote.

    Args:
        path: of the file.
        mass: of the signal, which the file does not say.

    Raises:
        StatisticsFailed: the file is not what was written.
    """
    try:
        workspace = json.loads(path.read_text(encoding="utf-8"))
        (channel,), (observed,) = workspace["channels"], workspace["observations"]
        data = {sample["name"]: np.array(sample["data"]) for sample in channel["samples"]}
        errors = _read_errors(channel["samples"][0]["modifiers"], data["signal"])
        counts = np.array(observed["data"])
        signal = workspace["measurements"][0]["config"]["parameters"][0]["inits"][0]
        shifts = np.array([data[f"shape_{i}"] for i in range(len(data) - 2)])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StatisticsFailed(
            f"{path}: is not as it was written ({error}); free space and repeat the search"
        ) from error
    spectrum = Spectrum(np.arange(len(counts) + 1.0), counts)
    return Templates(spectrum, data["background"], shifts, data["signal"], mass, float(signal), 0.0, errors)
