"""Sums of weights that files of simulated events say of themselves, in a tree beside that of the events."""

from __future__ import annotations

import math

from rdf.code.interpreter import ROOT, open_file
from rdf.schema.tables import Normalisation
from rdf.sources.source import Source


def sum_of_weights(source: Source, said: Normalisation | None) -> float | None:
    """Return the sum of the weights of all events that were generated for the files of a source.

    Args:
        source: the files.
        said: where they say it.

    Returns:
        None where the schema knows of no such tree, or a file has none.
    """
    if said is None or said.tree is None:
        return None
    sums: list[float] = []
    for path in source.paths:
        with open_file(path) as file:
            if not file.GetKey(said.tree):
                return None
        rows = ROOT.RDataFrame(said.tree, path)
        known = {str(name) for name in rows.GetColumnNames()}
        column = next((name for name in said.sum_of_weights if name in known), None)
        if column is None:
            return None
        sums += [float(number) for number in rows.AsNumpy([column])[column]]
    return math.fsum(sums)
