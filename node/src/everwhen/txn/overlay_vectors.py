"""The nearest vectors as a transaction sees them: its snapshot's, and its own writes compared one
by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from everwhen.model.graph import EntityKind, Wanted
from everwhen.model.vector_index import parse_config
from everwhen.mvcc import nearest
from everwhen.txn.overlay_index import IndexedOverlay


class VectorOverlay(IndexedOverlay):
    """Adds the search for the nearest."""

    def nearest(
        self, index_name: str, query: Sequence[float], wanted: Wanted
    ) -> list[tuple[int, float]]:
        """See ``GraphView.nearest``."""
        definition = self.catalog.vector_index(index_name)
        if definition is None or self._buffer.empty:
            self._note_vectors(index_name)
            return self._snapshot.nearest(index_name, query, wanted)
        self._note_vectors(index_name)
        buffer, kind = self._buffer, EntityKind(definition.entity)
        nodes = kind is EntityKind.NODE
        touched = set(buffer.deleted_nodes if nodes else buffer.deleted_relationships)
        config = parse_config(definition.type_text)
        own: list[tuple[int, nearest.Floats]] = []
        for one, entity, labels in self.written_entities():
            if one is not kind:
                continue
            touched.add(entity)
            if definition.label in labels:
                value = self.own_properties(kind, entity).get(definition.properties[0])
                row = nearest.stored(config, value)
                if row is not None:
                    own.append((entity, row))
        more = wanted._replace(most=wanted.most + len(touched))
        found = self._snapshot.nearest(index_name, query, more)
        found = [one for one in found if one[0] not in touched]
        if own:
            ids = np.array([entity for entity, _ in own], np.int64)
            vector = nearest.prepared(config, query)
            scored = nearest.scores(config, np.stack([row for _, row in own]), vector)
            found += nearest.best(ids, scored, wanted.most)
            found.sort(key=lambda one: (-one[1], one[0]))
        return found[: wanted.most]

    def _note_vectors(self, index_name: str) -> None:
        """What a serializable transaction depends on."""
        definition = self.catalog.vector_index(index_name)
        if self._reads is not None and definition is not None:
            kind = EntityKind(definition.entity)
            self._reads.index_range(kind, definition.label, definition.properties[0])
