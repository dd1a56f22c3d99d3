"""Full-text search as a transaction sees it: its snapshot's texts without what it touched, and its
own writes beside them; the statistics are those of both together."""

from __future__ import annotations

from everwhen.model.fulltext_index import parse_config
from everwhen.model.graph import EntityKind, Matching, TextWanted
from everwhen.mvcc.text_search import Own
from everwhen.mvcc.text_table import TextTable
from everwhen.txn.overlay_vectors import VectorOverlay


class TextOverlay(VectorOverlay):
    """Adds full-text search."""

    def matching(self, index_name: str, wanted: TextWanted, own: Own | None = None) -> Matching:
        """See ``GraphView.matching``."""
        definition = self.catalog.fulltext_index(index_name)
        if definition is None or own is not None:
            return self._snapshot.matching(index_name, wanted, own)
        config = parse_config(definition.type_text)
        kind = EntityKind(definition.entity)
        if self._reads is not None:
            for label in config.labels:
                for key in definition.properties:
                    self._reads.index_range(kind, label, key)
        buffer = self._buffer
        if buffer.empty:
            return self._snapshot.matching(index_name, wanted)
        nodes = kind is EntityKind.NODE
        touched = set(buffer.deleted_nodes if nodes else buffer.deleted_relationships)
        table = TextTable(len(definition.properties), 0)
        for one, entity, labels in self.written_entities():
            if one is not kind:
                continue
            touched.add(entity)
            if not set(config.labels).isdisjoint(labels):
                values = self.own_properties(kind, entity)
                document = config.document(values.get(key) for key in definition.properties)
                table.note(0, entity, document)
        return self._snapshot.matching(index_name, wanted, Own(touched, table))
