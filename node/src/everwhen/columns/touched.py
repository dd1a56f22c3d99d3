"""Which entities of an index a commit may have changed, from the commit journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from everwhen.codec.journal import (
    AnyChange,
    LabelsChanged,
    NodeChanged,
    NodeCreated,
    NodeDeleted,
    Piece,
    Record,
    RelationshipChanged,
    RelationshipCreated,
    RelationshipDeleted,
    changes_of,
    decode_piece,
    decode_record,
)
from everwhen.codec.keys import after, journal_key, piece_prefix
from everwhen.model.schema import ConstraintDefinition
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.mvcc.state import RecordState


def says_all(state: RecordState, version: int) -> bool:
    """Whether the journal tells what a commit changed: bulk loads and erased content it does
    not."""
    record = _record(state, version)
    if record is None or not record.content:
        return False
    return not any(piece.segments for piece in _pieces(state, record))


class Matters(NamedTuple):
    """Which changes are about an index: its entities, their labels or types, its properties."""

    entity: str
    labels: Sequence[str]
    keys: Sequence[str]


def touched(state: RecordState, matters: Matters, version: int) -> Iterable[int]:
    """Ids of what a commit did something to that matters, each once."""
    record = _record(state, version)
    if record is None:
        return ()
    tokens = state.tokens
    table = tokens.labels if matters.entity == "NODE" else tokens.types
    # a name that was never written has no token, and no change is about it
    labels = {table.ids[name] for name in matters.labels if name in table.ids}
    keys = {tokens.keys.ids[name] for name in matters.keys if name in tokens.keys.ids}
    is_about = _node_matters if matters.entity == "NODE" else _relationship_matters
    found = {one.id: None for one in changes_of(record) if is_about(one, labels, keys)}
    for piece in _pieces(state, record):
        found.update((one.id, None) for one in piece.changes if is_about(one, labels, keys))
    return found


def value_at(snapshot: GraphSnapshot, index: ConstraintDefinition, entity: int) -> object:
    """The property at the snapshot's version, None if the entity is not in the index then."""
    key = index.properties[0]
    if index.entity == "NODE":
        image = snapshot.node_image(entity)
        return image.get(key) if image is not None and index.label in image.labels else None
    there = snapshot.relationship_image(entity)
    return None if there is None else there.get(key)


def _record(state: RecordState, version: int) -> Record | None:
    raw = state.store.get(journal_key(version))
    return None if raw is None else decode_record(raw)


def _pieces(state: RecordState, record: Record) -> Iterator[Piece]:
    """The pieces of a large transaction."""
    if record.header.pieces:
        prefix = piece_prefix(record.header.transaction)
        for _, value in state.store.scan(prefix, after(prefix)):
            yield decode_piece(value)


def _node_matters(change: AnyChange, labels: set[int], keys: set[int]) -> bool:
    if isinstance(change, LabelsChanged):
        return not labels.isdisjoint(set(change.old) ^ set(change.new))
    if isinstance(change, NodeCreated | NodeDeleted | NodeChanged):
        return not labels.isdisjoint(change.labels) and not keys.isdisjoint(change.properties)
    return False


def _relationship_matters(change: AnyChange, types: set[int], keys: set[int]) -> bool:
    if isinstance(change, RelationshipCreated | RelationshipDeleted | RelationshipChanged):
        return change.type in types and not keys.isdisjoint(change.properties)
    return False
