"""Which nodes carry a label, and how many: from the columns in memory if they know, or else from
the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from everwhen.mvcc.graph import GraphSnapshot

#: ids turned into Python integers at a time
_CHUNK: Final = 256


def labelled(snapshot: GraphSnapshot, label: int) -> Iterator[int]:
    """Ids of the nodes with a label, ascending."""
    columns = snapshot.state.columns
    ids = None if columns is None else columns.ids(label, snapshot.version)
    return snapshot.entities.labelled(label) if ids is None else _integers(ids)


def _integers(ids: npt.NDArray[np.int64]) -> Iterator[int]:
    for at in range(0, len(ids), _CHUNK):
        yield from ids[at : at + _CHUNK].tolist()


def count(snapshot: GraphSnapshot, name: str | None, tick: Callable[[], None]) -> int:
    """How many nodes there are (with a label)."""
    label = None
    if name is not None:
        label = snapshot.state.tokens.labels.find(name)
        if label is None:
            return 0
    read = partial(_recorded, snapshot, label, tick)
    columns = snapshot.state.columns
    known = None if columns is None else columns.count(label, snapshot.version, read)
    return sum(1 for _ in read(snapshot.version)) if known is None else known


def _recorded(
    snapshot: GraphSnapshot, label: int | None, tick: Callable[[], None], version: int
) -> Iterator[int]:
    """Ids from the record, at the snapshot's or another version."""
    if version != snapshot.version:
        snapshot = snapshot.at_version(version)
    entities = snapshot.entities
    for node in entities.node_ids() if label is None else entities.labelled(label):
        tick()
        yield node
