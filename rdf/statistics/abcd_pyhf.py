"""The likelihood of four regions as JSON that pyhf reads, and read back from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rdf.errors import StatisticsFailed
from rdf.statistics.abcd import Regions

SIGNAL, CLOSURE = "signal_events", "closure"
FREE = {"a": ("bulk", "first", "second"), "b": ("bulk", "first"), "c": ("bulk", "second"), "d": ("bulk",)}
"""Factors of the background of each region: that of D, and the two ratios, B / D and C / D, which A has both of."""


def pyhf_workspace(regions: Regions) -> dict[str, Any]:
    """Return a workspace of pyhf (schema version 1.0.0; L. Heinrich, M. Feickert and G. Stark, pyhf), four channels.

    The factors are free, so that A = B C / D holds for any of their values; the only constraint is that of the closure.
    """
    counts = {"a": regions.a, "b": regions.b, "c": regions.c, "d": regions.d}
    expected = {**counts, "a": regions.prediction}
    channels = []
    for name, factors in FREE.items():
        modifiers: list[dict[str, Any]] = [{"name": each, "type": "normfactor", "data": None} for each in factors]
        if name == "a":
            data = {"hi": 1 + regions.closure, "lo": 1 / (1 + regions.closure)}
            modifiers.append({"name": CLOSURE, "type": "normsys", "data": data})
        samples = [{"name": "background", "data": [float(expected[name])], "modifiers": modifiers}]
        if name == "a":
            strength = {"name": SIGNAL, "type": "normfactor", "data": None}
            samples.append({"name": "signal", "data": [1.0], "modifiers": [strength]})
        channels.append({"name": name.upper(), "samples": samples})
    reach = 5 * abs(regions.a - regions.prediction) + 20 * (regions.prediction_error + regions.prediction**0.5 + 1)
    start = max(regions.a - regions.prediction, 0.0)
    parameters = [{"name": SIGNAL, "inits": [start], "bounds": [[0.0, reach]]}]
    free = dict.fromkeys(factor for factors in FREE.values() for factor in factors)
    parameters += [{"name": factor, "inits": [1.0], "bounds": [[1e-6, 10.0]]} for factor in free]
    return {
        "channels": channels,
        "observations": [{"name": name.upper(), "data": [float(count)]} for name, count in counts.items()],
        "measurements": [{"name": "search", "config": {"poi": SIGNAL, "parameters": parameters}}],
        "version": "1.0.0",
    }


def write_pyhf(regions: Regions, path: Path) -> None:
    """Write the likelihood as JSON that pyhf reads."""
    path.write_text(json.dumps(pyhf_workspace(regions), indent=1) + "\n", encoding="utf-8")


def read_pyhf(path: Path) -> Regions:
    """Read a likelihood that `write_pyhf` wrote.

    Raises:
        StatisticsFailed: the file is not what was written.
    """
    try:
        workspace = json.loads(path.read_text(encoding="utf-8"))
        counts = {each["name"].lower(): float(each["data"][0]) for each in workspace["observations"]}
        channels = {each["name"].lower(): each["samples"] for each in workspace["channels"]}
        factors = {name: tuple(each["name"] for each in made[0]["modifiers"]) for name, made in channels.items()}
        closure = float(channels["a"][0]["modifiers"][-1]["data"]["hi"]) - 1
        regions = Regions(**counts, closure=closure)
        nominal = {name: float(samples[0]["data"][0]) for name, samples in channels.items()}
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise StatisticsFailed(
            f"{path}: is not as it was written ({error}); free space and repeat the search"
        ) from error
    relation = nominal["a"] * nominal["d"], nominal["b"] * nominal["c"]
    if factors != {**FREE, "a": (*FREE["a"], CLOSURE)} or abs(relation[0] - relation[1]) > 1e-9 * relation[1]:
        raise StatisticsFailed(f"{path}: the factors are not those of A = B C / D; report this")
    return regions
