"""The writing half of an attempt: keys, counts and journal changes of checked mutations.

Names that are new get their tokens here, in the order of the mutations, which is the same on every
node. Keys go through a ``Put``: at a version of the main keys for a commit, into a run for a chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from everwhen.apply.attempt import Attempt
from everwhen.apply.entries import distinct_changes
from everwhen.apply.work import Put, Work
from everwhen.codec.journal import (
    AnyChange,
    LabelsChanged,
    NodeChanged,
    NodeCreated,
    NodeDeleted,
    RelationshipChanged,
    RelationshipCreated,
    RelationshipDeleted,
    Steps,
)
from everwhen.codec.journal import Counts as Tally
from everwhen.codec.keys import (
    PRESENT,
    SUB_LABELS,
    SUB_PROPERTY,
    TOMBSTONE,
    VERSION_MAX,
    Counter,
    after,
    in_stem,
    index_stem,
    label_stem,
    node_prefix,
    node_stem,
    out_stem,
    relationship_prefix,
    relationship_stem,
    run_key,
    run_prefix,
)
from everwhen.codec.records import encode_labels, encode_node_head, encode_relationship_head
from everwhen.codec.values import encode_value
from everwhen.mvcc.images import NodeImage, RelationshipImage
from everwhen.mvcc.row_entries import row_points
from everwhen.txn import commands as c

Count = Callable[[Counter, int, int], None]


class Effects:
    """Writes one attempt; ``changes`` and ``tally`` are for the journal afterwards."""

    __slots__ = (
        "_attempt",
        "_count",
        "_created",
        "_key_lists",
        "_label_lists",
        "_labels_after",
        "_put",
        "_run",
        "_work",
        "changes",
        "numbers",
    )

    def __init__(self, attempt: Attempt, put: Put, count: Count, run: int | None = None) -> None:
        self._attempt = attempt
        self._work: Work = attempt.work
        self._put = put
        #: the run that is written to, None for the main keys
        self._run = run
        self._count = count
        self._labels_after: dict[int, list[int]] = {}
        #: nodes created, by label
        self._created: dict[int, int] = {}
        #: tokens by the places of their names: most entities of a commit are alike
        self._label_lists: dict[tuple[int, ...], list[int]] = {}
        self._key_lists: dict[tuple[int, ...], list[tuple[int, int]]] = {}
        self.changes: list[AnyChange] = []
        #: nodes created, deleted, relationships created, deleted, properties, labels added, removed
        self.numbers = [0] * 7

    def write(self) -> None:
        attempt = self._attempt
        distinct = distinct_changes(attempt.edits, attempt.own.record) if attempt.edits else ()
        for mutation in attempt.mutations:
            _WRITES[type(mutation)](self, mutation)
        self._count_created()
        put = self._put
        entries: dict[int, int] = {}
        for edit in attempt.edits:
            index = edit.rule.id
            if edit.old is not None:
                self._bury(index_stem(index, edit.old, edit.entity))
                entries[index] = entries.get(index, 0) - 1
            if edit.new is not None:
                put(index_stem(index, edit.new, edit.entity), PRESENT)
                entries[index] = entries.get(index, 0) + 1
        for index, change in entries.items():
            self._count(Counter.INDEX_ENTRIES, index, change)
        for rule, change in distinct:
            self._count(Counter.INDEX_DISTINCT, rule.id, change)

    @property
    def tally(self) -> Tally:
        return Tally(*self.numbers)

    def _bury(self, stem: bytes) -> None:
        """A tombstone; in a run, what the run itself brought simply goes."""
        if self._run is not None:
            layer = self._work.layer
            key = run_key(self._run, stem)
            if layer.get(key) and not self._older(stem):
                layer.delete(key)
                return
        self._put(stem, TOMBSTONE)

    def _older(self, stem: bytes) -> bool:
        """Whether the record says something of a stem, in a key or in a row of a segment."""
        work = self._work
        return work.record.newest(stem) is not None or row_points(work.entities, stem)

    def _bury_entity(
        self, stem: bytes, prefix: bytes, image: NodeImage | RelationshipImage
    ) -> None:
        """The tombstone of an entity; one whose head stands in the run leaves no key at all."""
        if self._run is not None and image.version == VERSION_MAX and image._row is None:
            start = run_prefix(self._run, prefix)
            self._work.layer.delete_range(start, after(start))
        else:
            self._put(stem, TOMBSTONE)

    # --- names ---

    def _label_tokens(self, places: list[int]) -> list[int]:
        table = self._work.tokens.labels
        names = self._attempt.names
        batch = self._work.layer.batch
        return sorted({table.assign(names[at], batch) for at in places})

    def _key_token(self, at: int) -> int:
        return self._work.tokens.keys.assign(self._attempt.names[at], self._work.layer.batch)

    def _values(self, properties: Mapping[int, bytes]) -> dict[int, bytes]:
        found = {self._key_token(at): value for at, value in properties.items()}
        return {token: found[token] for token in sorted(found)}

    def _steps(
        self, image: NodeImage | RelationshipImage, properties: Mapping[int, bytes | None]
    ) -> Steps:
        names = self._attempt.names
        steps: Steps = {}
        for at, value in properties.items():
            old = image.get(names[at])
            steps[self._key_token(at)] = (None if old is None else encode_value(old), value)
        return {token: steps[token] for token in sorted(steps)}

    def _all_values(self, image: NodeImage | RelationshipImage) -> dict[int, bytes]:
        ids = self._work.tokens.keys.ids
        values = {ids[key]: encode_value(value) for key, value in image.properties().items()}
        return {token: values[token] for token in sorted(values)}

    # --- nodes ---

    def _create_node(self, mutation: c.CreateNode | c.ReviveNode) -> None:
        node, properties = mutation.id, mutation.properties
        labels = self._labels_of(mutation.labels)
        values = {token: properties[at] for token, at in self._keys_of(properties)}
        put = self._put
        put(node_stem(node), encode_node_head(labels, values))
        created = self._created
        for label in labels:
            put(label_stem(label, node), PRESENT)
            created[label] = created.get(label, 0) + 1
        numbers = self.numbers
        numbers[0] += 1
        numbers[4] += len(values)
        numbers[5] += len(labels)
        self.changes.append(NodeCreated(node, labels, values))

    def _labels_of(self, places: list[int]) -> list[int]:
        """Label tokens, the same list for the same names."""
        shape = tuple(places)
        labels = self._label_lists.get(shape)
        if labels is None:
            labels = self._label_lists[shape] = self._label_tokens(places)
        return labels

    def _keys_of(self, properties: Mapping[int, bytes]) -> list[tuple[int, int]]:
        """(token, place) of names, by token."""
        shape = tuple(properties)
        keys = self._key_lists.get(shape)
        if keys is None:
            keys = self._key_lists[shape] = sorted((self._key_token(at), at) for at in shape)
        return keys

    def _count_created(self) -> None:
        """What ``_create_node`` has not counted yet."""
        if self.numbers[0]:
            self._count(Counter.NODES, 0, self.numbers[0])
        for label, nodes in self._created.items():
            self._count(Counter.NODES_WITH_LABEL, label, nodes)

    def _delete_node(self, mutation: c.DeleteNode) -> None:
        node = mutation.id
        image = self._attempt.node_images[node]
        labels = image.label_tokens
        self._bury_entity(node_stem(node), node_prefix(node), image)
        self._count(Counter.NODES, 0, -1)
        for label in labels:
            self._bury(label_stem(label, node))
            self._count(Counter.NODES_WITH_LABEL, label, -1)
        self.numbers[1] += 1
        self.changes.append(NodeDeleted(node, list(labels), self._all_values(image)))

    def _change_labels(self, mutation: c.ChangeLabels) -> None:
        node = mutation.id
        old = list(self._attempt.node_images[node].label_tokens)
        before = set(old)
        added = [t for t in self._label_tokens(mutation.added) if t not in before]
        removed = [t for t in self._label_tokens(mutation.removed) if t in before]
        new = sorted(before.difference(removed).union(added))
        self._labels_after[node] = new
        put = self._put
        put(node_stem(node, SUB_LABELS), encode_labels(new))
        for label in added:
            put(label_stem(label, node), PRESENT)
            self._count(Counter.NODES_WITH_LABEL, label, 1)
        for label in removed:
            self._bury(label_stem(label, node))
            self._count(Counter.NODES_WITH_LABEL, label, -1)
        self.numbers[5] += len(added)
        self.numbers[6] += len(removed)
        self.changes.append(LabelsChanged(node, old, new))

    def _change_node(self, mutation: c.ChangeNode) -> None:
        node = mutation.id
        image = self._attempt.node_images[node]
        steps = self._steps(image, mutation.properties)
        for token, (_, value) in steps.items():
            stem = node_stem(node, SUB_PROPERTY + token)
            self._put(stem, TOMBSTONE if value is None else value)
        labels = self._labels_after.get(node)
        self.numbers[4] += len(steps)
        self.changes.append(
            NodeChanged(node, list(image.label_tokens) if labels is None else labels, steps)
        )

    # --- relationships ---

    def _create_relationship(self, mutation: c.CreateRelationship | c.ReviveRelationship) -> None:
        one, start, end = mutation.id, mutation.start, mutation.end
        work = self._work
        type_ = work.tokens.types.assign(self._attempt.names[mutation.type], work.layer.batch)
        values = self._values(mutation.properties) if mutation.properties else {}
        put = self._put
        put(relationship_stem(one), encode_relationship_head(type_, start, end, values))
        put(out_stem(start, type_, end, one), PRESENT)
        put(in_stem(end, type_, start, one), PRESENT)
        self._count(Counter.RELATIONSHIPS, 0, 1)
        self._count(Counter.RELATIONSHIPS_OF_TYPE, type_, 1)
        self.numbers[2] += 1
        self.numbers[4] += len(values)
        self.changes.append(RelationshipCreated(one, type_, start, end, values))

    def _delete_relationship(self, mutation: c.DeleteRelationship) -> None:
        one = mutation.id
        image = self._attempt.relationship_images[one]
        type_, start, end = image.ends
        prefix = relationship_prefix(one)
        self._bury_entity(relationship_stem(one), prefix, image)
        self._bury(out_stem(start, type_, end, one))
        self._bury(in_stem(end, type_, start, one))
        self._count(Counter.RELATIONSHIPS, 0, -1)
        self._count(Counter.RELATIONSHIPS_OF_TYPE, type_, -1)
        self.numbers[3] += 1
        self.changes.append(RelationshipDeleted(one, type_, start, end, self._all_values(image)))

    def _change_relationship(self, mutation: c.ChangeRelationship) -> None:
        one = mutation.id
        image = self._attempt.relationship_images[one]
        steps = self._steps(image, mutation.properties)
        for token, (_, value) in steps.items():
            stem = relationship_stem(one, SUB_PROPERTY + token)
            self._put(stem, TOMBSTONE if value is None else value)
        type_, start, end = image.ends
        self.numbers[4] += len(steps)
        self.changes.append(RelationshipChanged(one, type_, start, end, steps))


_WRITES: Final[dict[type, Callable[[Effects, Any], None]]] = {
    c.CreateNode: Effects._create_node,
    c.DeleteNode: Effects._delete_node,
    c.ChangeLabels: Effects._change_labels,
    c.ChangeNode: Effects._change_node,
    c.CreateRelationship: Effects._create_relationship,
    c.DeleteRelationship: Effects._delete_relationship,
    c.ChangeRelationship: Effects._change_relationship,
    c.ReviveNode: Effects._create_node,
    c.ReviveRelationship: Effects._create_relationship,
}
