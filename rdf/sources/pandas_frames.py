"""How `DataFrame.to_hdf` lays a table out: `fixed`, a data set for each type of column, or `table`, one of records.

Columns of one type lie together in a block, in an order of pandas' own. Their names are beside it.
"""

from __future__ import annotations

import re
from typing import Any

import h5py

from rdf.sources.column_names import Label, pickled_labels

_BLOCK = re.compile(r"block(\d+)_values")


def is_frame(item: Any) -> bool:
    """Say whether something in a file is a group that pandas wrote a table to."""
    if not isinstance(item, h5py.Group):
        return False
    return bool(blocks_of(item)) or (isinstance(table := item.get("table"), h5py.Dataset) and bool(table.dtype.names))


def blocks_of(group: h5py.Group) -> list[h5py.Dataset]:
    """Return the data sets with the values of the format `fixed`; none where a group is of another form."""
    found = {int(match[1]): name for name in group if (match := _BLOCK.fullmatch(name))}
    return [group[found[i]] for i in sorted(found) if isinstance(group[found[i]], h5py.Dataset)]


def is_block(data: h5py.Dataset) -> bool:
    """Say whether a data set is the values of a block, with names beside it or in a group that pandas wrote."""
    name = data.name.rpartition("/")[2]
    if not _BLOCK.fullmatch(name):
        return False
    items = name.replace("values", "items")
    return "pandas_type" in data.parent.attrs or any(other.startswith(items) for other in data.parent)


def items_of(values: h5py.Dataset) -> h5py.Dataset | None:
    """Return the data set with the labels of the columns of a block; None where they are kept in another way."""
    items = values.parent.get(values.name.rpartition("/")[2].replace("values", "items"))
    if not isinstance(items, h5py.Dataset) or "PSEUDOATOM" in items.attrs:  # pickled objects
        return None
    # Whole numbers of another kind than integer are times and the like.
    return None if items.dtype.kind in "iu" and items.attrs.get("kind", b"integer") != b"integer" else items


def is_empty_block(values: h5py.Dataset) -> bool:
    """Say whether a block stands for one without rows, which PyTables cannot store."""
    return "shape" in values.attrs


def labels_of_field(table: h5py.Dataset, field: str) -> list[Label] | None:
    """Return the labels of the columns in a field of records of the format `table`; None where they cannot be read."""
    return pickled_labels(table.attrs.get(f"{field}_kind"))
