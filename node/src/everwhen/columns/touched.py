"""Which entities' vectors a commit may have changed, from the commit journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

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


def touched(state: RecordState, index: ConstraintDefinition, version: int) -> Iterable[int]:
    """Ids of what a commit did something to that matters to an index, each once."""
    record = _record(state, version)
    if record is None:
        return ()
    tokens = state.tokens
    key = tokens.keys.ids[index.properties[0]]
    matters: Callable[[AnyChange, int, int], bool]
    if index.entity == "NODE":
        matters, label = _node_matters, tokens.labels.ids[index.label]
    else:
        matters, label = _relationship_matters, tokens.types.ids[index.label]
    found = {one.id: None for one in changes_of(record) if matters(one, label, key)}
    for piece in _pieces(state, record):
        found.update((one.id, None) for one in piece.changes if matters(one, label, key))
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


def _node_matters(change: AnyChange, label: int, key: int) -> bool:
    if isinstance(change, LabelsChanged):
        return (label in change.old) != (label in change.new)
    if isinstance(change, NodeCreated | NodeDeleted | NodeChanged):
        return label in change.labels and key in change.properties
    return False


def _relationship_matters(change: AnyChange, type_: int, key: int) -> bool:
    if isinstance(change, RelationshipCreated | RelationshipDeleted | RelationshipChanged):
        return change.type == type_ and key in change.properties
    return False
