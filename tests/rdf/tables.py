"""Made-up tables of numbers, with a schema for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rdf.schema.model import Schema
from rdf.sources.source import Source
from tests.rdf.trees import arrays, graph_of, opened


def table_schema(**parts: Any) -> Schema:
    return Schema.model_validate(
        {"name": "table", "title": "", "tree": "events", "columns": {}, "quantities": {}, "features": "razor", **parts}
    )


def table_of(path: Path, sets: dict[str, np.ndarray], **keys: Any) -> tuple[Source, Schema]:
    """A table with these columns, and a schema with these keys."""
    schema = Schema.model_validate(
        {
            "name": "made_up",
            "title": "made up",
            "tree": "events",
            "features": "razor",
            "quantities": {},
            "columns": {name: str(values.dtype) for name, values in sets.items()},
            **keys,
        }
    )
    np.savez(path / "table.npz", **sets)  # type: ignore[arg-type]
    return opened(path / "table.npz", schema), schema


def in_order(source: Source, schema: Schema, *wanted: str) -> dict[str, np.ndarray]:
    found = arrays(graph_of(source, schema, [*wanted]), ["source_row", *wanted])
    order = np.argsort(found["source_row"])
    return {name: values[order] for name, values in found.items()}
