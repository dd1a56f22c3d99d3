"""One generation of the image: everything that is held of the graph, for all versions from
``floor`` to ``upto``.

There is one writer, under the image's lock. Views read the parts at any moment: each part answers
for every version held, whatever is appended, merged or extended meanwhile.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from everwhen.codec.keys import Counter
from everwhen.columns.arena import Arena
from everwhen.columns.graph.coding import INT_TAG, Coder
from everwhen.columns.graph.ids import IdMap, NodeRows
from everwhen.columns.graph.members import KIND, Members
from everwhen.columns.graph.properties import Property, make_base
from everwhen.columns.graph.table import Table
from everwhen.columns.graph.texts import Heap
from everwhen.model.columns import Ids, Rows
from everwhen.mvcc.state import Counters

#: what a node and a relationship take, for a first guess
_NODE_BYTES: Final = 40
_RELATIONSHIP_BYTES: Final = 56


def columns_bytes(nodes: int, relationships: int) -> int:
    """About what one version of a graph needs as columns."""
    return nodes * _NODE_BYTES + relationships * _RELATIONSHIP_BYTES


def present_bytes(counters: Counters) -> int:
    """About what the newest version needs, without its past."""
    return columns_bytes(counters.get(Counter.NODES), counters.get(Counter.RELATIONSHIPS))


class Content:
    """See the module. Versions within the parts are counted from ``epoch``."""

    __slots__ = (
        "arena",
        "base",
        "epoch",
        "existing",
        "floor",
        "followed",
        "generation",
        "heap",
        "keys",
        "labels",
        "lowest",
        "map",
        "nodes",
        "properties",
        "tables",
        "upto",
    )

    def __init__(self, arena: Arena, generation: int, epoch: int, version: int) -> None:
        """As of a version; empty."""
        self.arena = arena
        self.generation = generation
        self.epoch = epoch
        #: the version it was read at, and the versions it answers for
        self.base = self.floor = self.upto = version
        #: changes that were followed
        self.followed = 0
        #: the oldest version it could be taken back to
        self.lowest = epoch
        self.heap = Heap(arena)
        self.place_nodes(np.zeros(0, np.int64))
        #: by token
        self.labels: dict[int, Members] = {}
        self.keys: dict[int, Coder] = {}
        self.properties: dict[int, Property] = {}
        self.tables: dict[int, Table] = {}
        self.map = IdMap(arena)

    def place_ids(self, ids: Ids) -> None:
        """Ids by row, in any order; only while it is made, before all else."""
        self.nodes = NodeRows(self.arena, np.zeros(0, np.int64))
        self.nodes.give_all(ids)

    def place_nodes(self, ids: Ids) -> None:
        """All nodes, ascending; only while it is made, before all else."""
        self.nodes = NodeRows(self.arena, ids)
        self.put_members(None, self.members_of(np.arange(len(ids), dtype=np.int32)))

    def members_of(self, rows: Rows) -> Members:
        """A set of these rows (ascending by id) at the base."""
        base = self.arena.empty(len(rows), np.int32, KIND)
        base[:] = rows
        return Members(self.arena, self.nodes, base, self.base - self.epoch)

    def coder(self, key: int) -> Coder:
        """Of a property key."""
        found = self.keys.get(key)
        if found is None:
            found = self.keys[key] = Coder(self.arena, self.heap)
        return found

    def members(self, label: int | None) -> Members:
        """The nodes with a label; None: all."""
        if label is None:
            return self.existing
        found = self.labels.get(label)
        if found is None:
            found = self.labels[label] = self.members_of(np.zeros(0, np.int32))
        return found

    def put_members(self, label: int | None, members: Members) -> None:
        """Replace them."""
        if label is None:
            self.existing = members
        else:
            self.labels[label] = members

    def table(self, type_: int, size: int = 0) -> Table:
        """The relationships of a type."""
        found = self.tables.get(type_)
        if found is None:
            found = self.tables[type_] = Table(self.arena, type_, self.nodes, self.map, size)
        return found

    def properties_of(self, type_: int | None) -> dict[int, Property]:
        """By key: of the relationships of a type, or of nodes."""
        return self.properties if type_ is None else self.table(type_).properties

    def property(self, type_: int | None, key: int) -> Property:
        """One property of relationships of a type, or of nodes."""
        held = self.properties_of(type_)
        found = held.get(key)
        if found is None:
            base = make_base(self.arena, 0, INT_TAG)
            at = self.base - self.epoch
            found = held[key] = Property(self.arena, self.coder(key), base, at)
        return found
