"""What a commit must have written, worked out from its journal alone: stems and values of every
NODE, REL, OUT, IN and LABEL entry of its version.

The mirror of ``apply.effects``. A small commit's entries stand under the main keys. A large one's
were staged in a run first, where what the run itself brought and then removed leaves nothing at
all; its journal pieces are replayed in order, a share of the entities at a time, so that memory is
bounded however large it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from everwhen.codec.journal import (
    AnyChange,
    LabelsChanged,
    NodeChanged,
    NodeCreated,
    NodeDeleted,
    Piece,
    RelationshipChanged,
    RelationshipCreated,
    RelationshipDeleted,
)
from everwhen.codec.keys import (
    PRESENT,
    SUB_LABELS,
    SUB_PROPERTY,
    TOMBSTONE,
    in_stem,
    label_stem,
    node_stem,
    out_stem,
    relationship_stem,
)
from everwhen.codec.records import encode_labels, encode_node_head, encode_relationship_head

Entries = dict[bytes, bytes]
"""Stem -> value."""

#: bytes of an entity's stem before its ``sub``
_ENTITY: Final = len(node_stem(0)) - 4


class Replay:
    """Entries of one commit; ``older`` is given for a large one: whether a stem had an entry
    before it."""

    __slots__ = ("_older", "_own", "entries")

    def __init__(self, older: Callable[[bytes], bool] | None = None) -> None:
        self._older = older
        self.entries: Entries = {}
        #: large ones: the stems of each entity, to take back all of them
        self._own: dict[bytes, list[bytes]] = {}

    def run(self, changes: Iterable[AnyChange]) -> Entries:
        """The entries after some more changes."""
        for change in changes:
            _STEPS[type(change)](self, change)
        return self.entries

    def _put(self, stem: bytes, value: bytes) -> None:
        self.entries[stem] = value
        if self._older is not None:
            self._own.setdefault(stem[:_ENTITY], []).append(stem)

    def _bury(self, stem: bytes) -> None:
        if self._older is not None and self.entries.get(stem) and not self._older(stem):
            del self.entries[stem]
        else:
            self.entries[stem] = TOMBSTONE

    def _bury_entity(self, stem: bytes) -> None:
        if self._older is not None and self.entries.get(stem):
            for one in self._own.pop(stem[:_ENTITY]):
                self.entries.pop(one, None)
        else:
            self.entries[stem] = TOMBSTONE

    # --- one method per change ---

    def _node_created(self, change: NodeCreated) -> None:
        self._put(node_stem(change.id), encode_node_head(change.labels, change.properties))
        for label in change.labels:
            self.entries[label_stem(label, change.id)] = PRESENT

    def _node_deleted(self, change: NodeDeleted) -> None:
        self._bury_entity(node_stem(change.id))
        for label in change.labels:
            self._bury(label_stem(label, change.id))

    def _labels_changed(self, change: LabelsChanged) -> None:
        self._put(node_stem(change.id, SUB_LABELS), encode_labels(change.new))
        for label in change.new:
            if label not in change.old:
                self.entries[label_stem(label, change.id)] = PRESENT
        for label in change.old:
            if label not in change.new:
                self._bury(label_stem(label, change.id))

    def _node_changed(self, change: NodeChanged) -> None:
        for key, (_, value) in change.properties.items():
            stem = node_stem(change.id, SUB_PROPERTY + key)
            self._put(stem, TOMBSTONE if value is None else value)

    def _relationship_created(self, change: RelationshipCreated) -> None:
        one, type_, start, end = change.id, change.type, change.start, change.end
        head = encode_relationship_head(type_, start, end, change.properties)
        self._put(relationship_stem(one), head)
        self.entries[out_stem(start, type_, end, one)] = PRESENT
        self.entries[in_stem(end, type_, start, one)] = PRESENT

    def _relationship_deleted(self, change: RelationshipDeleted) -> None:
        one, type_, start, end = change.id, change.type, change.start, change.end
        self._bury_entity(relationship_stem(one))
        self._bury(out_stem(start, type_, end, one))
        self._bury(in_stem(end, type_, start, one))

    def _relationship_changed(self, change: RelationshipChanged) -> None:
        for key, (_, value) in change.properties.items():
            stem = relationship_stem(change.id, SUB_PROPERTY + key)
            self._put(stem, TOMBSTONE if value is None else value)


_STEPS: Final[dict[type, Callable[[Replay, Any], None]]] = {
    NodeCreated: Replay._node_created,
    NodeDeleted: Replay._node_deleted,
    LabelsChanged: Replay._labels_changed,
    NodeChanged: Replay._node_changed,
    RelationshipCreated: Replay._relationship_created,
    RelationshipDeleted: Replay._relationship_deleted,
    RelationshipChanged: Replay._relationship_changed,
}


def replay_pieces(
    pieces: Callable[[], Iterator[Piece]], older: Callable[[bytes], bool], changes_max: int
) -> Iterator[Entries]:
    """The entries of a large commit, in shares that hold about ``changes_max`` changes each.

    ``pieces`` reads its journal pieces in order, as often as there are shares.
    """
    total = sum(len(piece.changes) for piece in pieces())
    shares = 1 + total // changes_max
    for share in range(shares):
        replay = Replay(older)
        for piece in pieces():
            replay.run(each for each in piece.changes if each.id % shares == share)
        yield replay.entries
