"""What a comparison found must change, until it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from everwhen.cli.loading import wire as w
from everwhen.cli.loading.create import sorted_order
from everwhen.cli.loading.present import differ
from everwhen.cli.loading.progress import Meter
from everwhen.cli.loading.rows import Rows
from everwhen_client.bulk import Entity, Load

Ids = npt.NDArray[np.int64]
#: ids from it on stand for nodes that are still to be made, in the order they are made
PROVISIONAL = 1 << 62
_ID = pa.field(":id", pa.int64())


class Outbox:
    """Creations, changes and deletes, sent in an order in which each is possible."""

    def __init__(self) -> None:
        self._nodes: list[tuple[tuple[str, ...], Rows]] = []
        self._relationships: list[tuple[str, Rows, Ids, Ids]] = []
        self._changes: list[tuple[Entity, Ids, list[pa.Field], list[pa.Array]]] = []
        self._gone_nodes: list[Ids] = []
        self._gone_relationships: list[Ids] = []

    # --- filling ---

    def create_nodes(self, labels: tuple[str, ...], rows: Rows) -> None:
        """Fresh nodes; they get the next provisional ids."""
        self._nodes.append((labels, rows))

    def create_relationships(self, type_: str, rows: Rows, starts: Ids, ends: Ids) -> None:
        """Fresh relationships; ends may be provisional."""
        self._relationships.append((type_, rows, starts, ends))

    def change(
        self,
        entity: Entity,
        ids: Ids,
        fields: Sequence[pa.Field],
        new: Sequence[pa.Array],
        old: Sequence[pa.Array],
    ) -> None:
        """Properties that are not what they were; elements that change the same ones together."""
        unlike = [differ(one, other) for one, other in zip(new, old, strict=True)]
        if not unlike or not len(ids):
            return
        table = np.stack(unlike)
        rows = np.flatnonzero(table.any(axis=0))
        kinds, kind_of = np.unique(table[:, rows], axis=1, return_inverse=True)
        for kind in range(kinds.shape[1]):
            those = rows[np.flatnonzero(kind_of.reshape(-1) == kind)]
            chosen = np.flatnonzero(kinds[:, kind]).tolist()
            taken = [new[at].take(pa.array(those)) for at in chosen]
            self._changes.append((entity, ids[those], [fields[at] for at in chosen], taken))

    def delete_nodes(self, ids: Ids) -> None:
        """Nodes to delete."""
        self._gone_nodes.append(ids)

    def delete_relationships(self, ids: Ids) -> None:
        """Relationships to delete; one may be named more than once."""
        self._gone_relationships.append(ids)

    def nodes_to_delete(self) -> Ids:
        """Ids of all nodes to delete."""
        return _union(self._gone_nodes)

    def counts(self) -> dict[str, int]:
        """How much there is to do."""
        changed = {"node": 0, "relationship": 0}
        for entity, ids, _, _ in self._changes:
            changed[entity] += len(ids)
        return {
            "nodes_created": sum(rows.count for _, rows in self._nodes),
            "nodes_changed": changed["node"],
            "nodes_deleted": len(self.nodes_to_delete()),
            "relationships_created": sum(rows.count for _, rows, _, _ in self._relationships),
            "relationships_changed": changed["relationship"],
            "relationships_deleted": len(_union(self._gone_relationships)),
        }

    # --- sending ---

    def send(self, wire: w.Wire, load: Load, meter: Meter) -> None:
        """All of it; returns when the last part is on its way."""
        done = 0

        def told(rows: int) -> None:
            nonlocal done
            done += rows
            meter.at(done, rows)

        given: list[tuple[int, Future[int]]] = []
        for labels, rows in self._nodes:
            for part, body in w.parts(rows.fields, rows.arrays, rows.count):
                count = part.stop - part.start
                given.append((count, wire.send(load.nodes(labels, body))))
                told(count)
        wire.settle()
        pieces = [future.result() + np.arange(count) for count, future in given]
        made = np.concatenate([np.zeros(0, np.int64), *pieces])
        for type_, rows, starts, ends in self._relationships:
            told(_relationships(wire, load, type_, rows, _real(starts, made), _real(ends, made)))
        wire.settle()
        for entity, ids, fields, arrays in self._changes:
            for part, body in w.parts([_ID, *fields], [ids, *arrays], len(ids)):
                wire.send(load.change(entity, body))
                told(part.stop - part.start)
        wire.settle()
        gone: tuple[tuple[Entity, list[Ids]], ...] = (
            ("relationship", self._gone_relationships),
            ("node", self._gone_nodes),
        )
        for entity, lists in gone:
            ids = _union(lists)
            for part, body in w.parts([_ID], [ids], len(ids)):
                wire.send(load.delete(entity, body))
                told(part.stop - part.start)
            wire.settle()


def _relationships(wire: w.Wire, load: Load, type_: str, rows: Rows, starts: Ids, ends: Ids) -> int:
    order = sorted_order(starts, ends)
    taken = [one.take(pa.array(order)) for one in rows.arrays]
    fields = [pa.field(":start", pa.int64()), pa.field(":end", pa.int64()), *rows.fields]
    for _, body in w.parts(fields, [starts[order], ends[order], *taken], rows.count):
        wire.send(load.relationships(type_, body))
    return rows.count


def _real(ids: Ids, made: Ids) -> Ids:
    """Provisional ids replaced by those the server gave."""
    found = ids.copy()
    fresh = ids >= PROVISIONAL
    found[fresh] = made[ids[fresh] - PROVISIONAL]
    return found


def _union(lists: Sequence[Ids]) -> Ids:
    found: Ids = np.unique(np.concatenate([np.zeros(0, np.int64), *lists]))
    return found
