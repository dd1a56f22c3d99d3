"""The history of one entity: the maximal intervals in which its labels and properties stayed.

Everything that was written to the entity is read once, from its own keys, runs and segment row, and
put together version by version. The cost is that of its own writes, whatever else the record holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from everwhen.codec.journal import decode_record
from everwhen.codec.keys import (
    SUB_HEAD,
    SUB_PROPERTY,
    journal_key,
    node_prefix,
    relationship_prefix,
)
from everwhen.errors import CorruptData
from everwhen.model.graph import EntityKind, Era, Span
from everwhen.mvcc.difference import same_node, same_relationship
from everwhen.mvcc.entities import Entities
from everwhen.mvcc.images import (
    NodeImage,
    NodeRow,
    Part,
    RelationshipImage,
    RelationshipRow,
    node_image,
    relationship_image,
)
from everwhen.mvcc.store import Store
from everwhen.mvcc.tokens import Tokens

Image = NodeImage | RelationshipImage


class State(NamedTuple):
    """What an entity is from a version on; None: it is not there."""

    version: int
    image: Image | None


def states(entities: Entities, kind: EntityKind, identity: int, since: int = 0) -> Iterator[State]:
    """The states of an entity from one version up to that of ``entities``, each unlike the one
    before, oldest first; what holds at ``since`` begins there. Nothing before it first existed."""
    node = kind is EntityKind.NODE
    prefix = node_prefix(identity) if node else relationship_prefix(identity)
    written: dict[int, list[Part]] = {}
    for stem, version, value in entities.record.entries(prefix, since, entities.version):
        part = Part(int.from_bytes(stem[-4:], "big"), version, value)
        written.setdefault(max(version, since), []).append(part)
    row = entities.row(kind, identity)
    if row is not None:
        written.setdefault(max(row.version, since), [])
    current: dict[int, Part] = {}
    last: Image | None = None
    for version in sorted(written):
        changed = False
        for part in written[version]:
            changed = changed or _changes(current, part)
            current[part.sub] = part
        if last is not None and _only_properties(written[version]):
            image: Image | None = last.followed(written[version])
        else:
            parts = [current[sub] for sub in sorted(current)]
            placed = row if row is not None and row.version <= version else None
            image = _image(entities.tokens, parts, placed, node=node)
        if image is None and last is None:
            continue
        if not changed and image is not None and last is not None and _same(last, image):
            continue
        last = image
        yield State(version, image)


def _only_properties(parts: list[Part]) -> bool:
    """Whether what was written at a version, something, left head and labels alone."""
    return bool(parts) and all(part.sub >= SUB_PROPERTY for part in parts)


def _changes(current: dict[int, Part], part: Part) -> bool:
    """Whether a delta certainly changes what is there: it follows another one of its kind in the
    same lifetime. Equal values have equal bytes."""
    before = current.get(part.sub)
    if part.sub == SUB_HEAD or before is None or before.value == part.value:
        return False
    head = current.get(SUB_HEAD)
    return head is None or before.version >= head.version


def _image(
    tokens: Tokens, parts: list[Part], row: NodeRow | RelationshipRow | None, *, node: bool
) -> Image | None:
    if node:
        return node_image(tokens, parts, row if isinstance(row, NodeRow) else None)
    return relationship_image(tokens, parts, row if isinstance(row, RelationshipRow) else None)


def spans(entities: Entities, kind: EntityKind, identity: int, since: int = 0) -> list[Span]:
    """The versions of an entity that hold at or after ``since``; the first may have begun before
    it, and is said to begin there."""
    return [span for span, _ in pictured(entities, kind, identity, since)]


def pictured(
    entities: Entities, kind: EntityKind, identity: int, since: int = 0
) -> Iterator[tuple[Span, Image]]:
    """The same, each with what the entity is then."""
    last: State | None = None
    for state in states(entities, kind, identity, since):
        if last is not None and last.image is not None:
            yield Span(last.version, state.version), last.image
        last = state
    if last is not None and last.image is not None:
        yield Span(last.version, None), last.image


def lifetimes(found: Sequence[Span]) -> Iterator[Span]:
    """Versions that follow each other without a gap as one."""
    last: Span | None = None
    for one in found:
        if last is None or last.until != one.since:
            if last is not None:
                yield last
            last = one
        else:
            last = Span(last.since, one.until)
    if last is not None:
        yield last


def eras(entities: Entities, kind: EntityKind, identity: int, oldest: int = 0) -> Iterator[Era]:
    """The eras of an entity up to the version of ``entities``, oldest first. Those that ended
    before ``oldest`` were forgotten; what holds there is said to begin there."""
    types = entities.tokens.types.names
    for version, image in states(entities, kind, identity, oldest):
        time = commit_time(entities.record.store, version)
        if image is None:
            yield Era(version, time, None, None)
        else:
            names = image.labels if isinstance(image, NodeImage) else (types[image.ends[0]],)
            yield Era(version, time, names, image.properties())


def _same(one: Image, other: Image) -> bool:
    if isinstance(one, NodeImage) and isinstance(other, NodeImage):
        return same_node(one, other)
    if isinstance(one, RelationshipImage) and isinstance(other, RelationshipImage):
        return same_relationship(one, other)
    return False


def commit_time(store: Store, version: int) -> int:
    """When a version was committed, in µs since 1970 UTC.

    :raises CorruptData: the journal does not have it.
    """
    value = store.get(journal_key(version))
    if value is None:
        raise CorruptData(f"commit {version} is missing in the journal")
    return decode_record(value).header.time
