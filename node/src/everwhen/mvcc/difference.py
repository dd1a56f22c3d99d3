"""What differs between two versions of the record.

The commit journal between the two names everything that was touched; only that is looked at, as of
either version. So the cost is that of what changed in between, whatever else the record holds, and
what was changed and changed back is no difference.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from everwhen.codec.journal import (
    AnyChange,
    RelationshipChanged,
    RelationshipCreated,
    RelationshipDeleted,
    changes_of,
    decode_piece,
    decode_record,
    was_vacuumed,
)
from everwhen.codec.keys import journal_key, piece_key
from everwhen.codec.values import encode_value
from everwhen.errors import CorruptData, TimeOutOfRange
from everwhen.model.graph import Described, Difference, EntityKind
from everwhen.mvcc.entities import Entities
from everwhen.mvcc.images import NodeImage, RelationshipImage
from everwhen.mvcc.store import Store


class NodeDifference(NamedTuple):
    """A node as of both versions; None where it is not there."""

    id: int
    old: NodeImage | None
    new: NodeImage | None


class RelationshipDifference(NamedTuple):
    """A relationship as of both versions; None where it is not there."""

    id: int
    old: RelationshipImage | None
    new: RelationshipImage | None


Ids = npt.NDArray[np.int64]

#: ids turned into Python integers, or gathered before they are sorted in, at a time
_CHUNK: Final = 4_096
_FRESH_MIN: Final = 65_536


class IdSet:
    """Ids, each once, at some eight bytes each: gathered in any order, given ascending."""

    __slots__ = ("_fresh", "_sorted")

    def __init__(self) -> None:
        self._sorted: Ids = np.empty(0, np.int64)
        self._fresh = array("q")

    def add(self, identity: int) -> None:
        self._fresh.append(identity)
        if len(self._fresh) >= max(_FRESH_MIN, len(self._sorted)):
            self._settle()

    def add_all(self, ids: Ids) -> None:
        self._settle()
        self._sorted = np.union1d(self._sorted, ids)

    def _settle(self) -> None:
        if self._fresh:
            self._sorted = np.union1d(self._sorted, np.frombuffer(self._fresh, np.int64))
            self._fresh = array("q")

    @property
    def bytes(self) -> int:
        """Memory held."""
        return self._sorted.nbytes + self._fresh.itemsize * len(self._fresh)

    def __len__(self) -> int:
        self._settle()
        return len(self._sorted)

    def __iter__(self) -> Iterator[int]:
        """Those of now; more may be added meanwhile."""
        self._settle()
        ids = self._sorted
        for at in range(0, len(ids), _CHUNK):
            yield from ids[at : at + _CHUNK].tolist()


class Touched(NamedTuple):
    """Ids of what some commits wrote to."""

    nodes: IdSet
    relationships: IdSet


def changes_between(
    store: Store, after: int, upto: int, floor: int = 0
) -> Iterator[tuple[int, AnyChange]]:
    """Version and change, in order, of the commits after one version up to another.

    What a bulk commit loaded as segments is not among them, nor what was erased. Up to ``floor``
    vacuum may have taken something away.

    :raises TimeOutOfRange: vacuum took away what one of the commits changed.
    :raises CorruptData: the journal misses a commit or a piece of one.
    """
    for version in range(after + 1, upto + 1):
        key = journal_key(version)
        value = store.get(key)
        if value is None:
            raise CorruptData(f"commit {version} is missing in the journal")
        record = decode_record(value)
        if was_vacuumed(record, floor):
            raise _vacuumed(version)
        for change in changes_of(record):
            yield version, change
        for number in range(record.header.pieces):
            piece = store.get(piece_key(record.header.transaction, number))
            if piece is None:
                if not record.content:
                    continue  # it went, and the record says so
                if not decode_record(store.get(key) or value).content:
                    raise _vacuumed(version)  # just now
                raise CorruptData(f"piece {number} of commit {version} is missing in the journal")
            for change in decode_piece(piece).changes:
                yield version, change


def _vacuumed(version: int) -> TimeOutOfRange:
    return TimeOutOfRange(
        f"what commit {version} changed was vacuumed, and cannot be told any more"
    )


def _everything(old: Entities, new: Entities, tick: Callable[[int], None]) -> Touched:
    """All that was there at one of two versions."""
    found = Touched(IdSet(), IdSet())
    for view in (old, new):
        for number, node in enumerate(view.node_ids()):
            found.nodes.add(node)
            if number % _CHUNK == 0:
                tick(found.nodes.bytes)
        for number, (relationship, _) in enumerate(view.relationships()):
            found.relationships.add(relationship)
            if number % _CHUNK == 0:
                tick(found.nodes.bytes + found.relationships.bytes)
    return found


def _nothing(_: int) -> None:
    """The tick of who need not be asked."""


def touched(
    entities: Entities, after: int, floor: int = 0, tick: Callable[[int], None] = _nothing
) -> Touched:
    """What was written after a version, up to the version of ``entities``; where the journal does
    not tell any more, which may be up to ``floor``, all that is there.

    ``tick`` is called now and then with the bytes held, and may raise.
    """
    found = Touched(IdSet(), IdSet())
    try:
        changes = changes_between(entities.record.store, after, entities.version, floor)
        for number, (_, change) in enumerate(changes):
            if number % _CHUNK == 0:
                tick(found.nodes.bytes + found.relationships.bytes)
            if isinstance(change, RelationshipCreated | RelationshipDeleted | RelationshipChanged):
                found.relationships.add(change.id)
            else:
                found.nodes.add(change.id)
    except TimeOutOfRange:
        return _everything(entities.as_of(after), entities, tick)
    for kind, ids in entities.loaded(after):
        (found.nodes if kind is EntityKind.NODE else found.relationships).add_all(ids)
        tick(found.nodes.bytes + found.relationships.bytes)
    return found


def node_differences(old: Entities, new: Entities, ids: IdSet) -> Iterator[NodeDifference]:
    """Which of some nodes differ, ascending by id."""
    for identity in ids:
        before, now = old.node(identity), new.node(identity)
        if not same_node(before, now):
            yield NodeDifference(identity, before, now)


def relationship_differences(
    old: Entities, new: Entities, ids: IdSet
) -> Iterator[RelationshipDifference]:
    """Which of some relationships differ, ascending by id."""
    for identity in ids:
        before, now = old.relationship(identity), new.relationship(identity)
        if not same_relationship(before, now):
            yield RelationshipDifference(identity, before, now)


def differences(old: Entities, new: Entities, floor: int = 0) -> Iterator[Difference]:
    """What differs between two versions, ``old`` the earlier one: nodes, then relationships,
    ascending by id. ``floor``: as for :func:`touched`."""
    found = touched(new, old.version, floor)
    for node in node_differences(old, new, found.nodes):
        yield Difference(EntityKind.NODE, node.id, _node(node.old), _node(node.new))
    types = new.tokens.types.names
    for one in relationship_differences(old, new, found.relationships):
        before, now = _relationship(one.old, types), _relationship(one.new, types)
        yield Difference(EntityKind.RELATIONSHIP, one.id, before, now)


def _node(image: NodeImage | None) -> Described | None:
    return None if image is None else Described(image.labels, None, dict(image.properties()))


def _relationship(image: RelationshipImage | None, types: Sequence[str]) -> Described | None:
    if image is None:
        return None
    token, start, end = image.ends
    return Described((types[token],), (start, end), dict(image.properties()))


def same_node(one: NodeImage | None, other: NodeImage | None) -> bool:
    """Whether two images of a node say the same."""
    if one is None or other is None:
        return one is other
    return one.labels == other.labels and _stored(one) == _stored(other)


def same_relationship(one: RelationshipImage | None, other: RelationshipImage | None) -> bool:
    """Whether two images of a relationship say the same."""
    if one is None or other is None:
        return one is other
    return one.ends == other.ends and _stored(one) == _stored(other)


def _stored(image: NodeImage | RelationshipImage) -> dict[str, bytes]:
    # as stored: 1 and 1.0 are equal, yet a change
    return {key: encode_value(value) for key, value in image.properties().items()}
