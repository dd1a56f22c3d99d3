"""The history of one entity: the maximal intervals in which its labels and properties stayed.

The versions at which anything of the entity was written are read from its own keys, runs and
segment row; the entity is then looked at as of each of them. The cost is that of its own writes,
whatever else the record holds.
"""

from __future__ import annotations

from collections.abc import Iterator

from everwhen.codec.journal import decode_record
from everwhen.codec.keys import journal_key, node_prefix, relationship_prefix
from everwhen.codec.values import encode_value
from everwhen.errors import CorruptData
from everwhen.model.graph import EntityKind, Era
from everwhen.mvcc.entities import Entities
from everwhen.mvcc.store import Store


def eras(entities: Entities, kind: EntityKind, identity: int) -> Iterator[Era]:
    """The eras of an entity up to the version of ``entities``, oldest first."""
    prefix = node_prefix(identity) if kind is EntityKind.NODE else relationship_prefix(identity)
    written = entities.record.versions(prefix, entities.version)
    placed = entities.placed(kind, identity)
    if placed is not None:
        written.add(placed)
    last: Era | None = None
    for version in sorted(written):
        era = _era(entities.as_of(version), kind, identity)
        if era is None if last is None else era is not None and _same(last, era):
            continue
        if era is None:
            era = Era(version, commit_time(entities.record.store, version), None, None)
        last = None if era.properties is None else era
        yield era


def _era(entities: Entities, kind: EntityKind, identity: int) -> Era | None:
    version = entities.version
    time = commit_time(entities.record.store, version)
    if kind is EntityKind.NODE:
        node = entities.node(identity)
        return None if node is None else Era(version, time, node.labels, dict(node.properties()))
    image = entities.relationship(identity)
    if image is None:
        return None
    names = (entities.tokens.types.names[image.ends[0]],)
    return Era(version, time, names, dict(image.properties()))


def _same(one: Era, other: Era) -> bool:
    left, right = one.properties or {}, other.properties or {}
    # as stored: 1 and 1.0 are equal, yet a change
    return (
        one.names == other.names
        and left.keys() == right.keys()
        and all(encode_value(value) == encode_value(right[key]) for key, value in left.items())
    )


def commit_time(store: Store, version: int) -> int:
    """When a version was committed, in µs since 1970 UTC.

    :raises CorruptData: the journal does not have it.
    """
    value = store.get(journal_key(version))
    if value is None:
        raise CorruptData(f"commit {version} is missing in the journal")
    return decode_record(value).header.time
