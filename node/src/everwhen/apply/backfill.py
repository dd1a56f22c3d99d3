"""Bringing what was there before into a new index or under a new constraint, step by step.

A step looks at a bounded number of entities and stores where it stopped, so it can be continued
by any node after any restart; see ``apply.schema`` for what it does to readers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Final

import msgspec

from everwhen.apply.schema import Schema, position_key
from everwhen.apply.work import Work
from everwhen.codec import ordered
from everwhen.codec.keys import PRESENT, VERSION_MAX, Counter, index_prefix, index_stem
from everwhen.errors import IndexNotFound
from everwhen.limits import INDEXED_VALUE_BYTES_MAX
from everwhen.model.schema import (
    ConstraintDefinition,
    IndexDefinition,
    IndexState,
)
from everwhen.mvcc.entities import Entities
from everwhen.mvcc.images import NodeImage, RelationshipImage
from everwhen.txn import commands as c
from everwhen.txn.constraints import broken

#: offenders named at most when a constraint fails
_OFFENDERS_MAX: Final = 10
#: holders of one value looked at to keep the number of distinct values (an estimate)
_HOLDERS_MAX: Final = 8


class Position(msgspec.Struct, array_like=True):
    """How far a backfill came."""

    version: int
    next_id: int = 0
    looked_at: int = 0


class Backfill:
    """Applies backfill steps."""

    __slots__ = ("_schema", "_work")

    def __init__(self, work: Work, schema: Schema) -> None:
        self._work = work
        self._schema = schema

    def step(self, command: c.BackfillStep) -> c.Done:
        """Look at up to ``limit`` entities.

        :raises IndexNotFound: the definition was dropped.
        """
        index, constraint = self._find(command.id)
        subject = constraint if constraint is not None else index
        assert subject is not None
        if subject.state is not IndexState.BUILDING:
            return c.Done()
        position = self._position(subject, index)
        entities = self._as_of(position.version)
        offenders: list[str] = []
        count = 0
        for entity, image in islice(
            self._candidates(entities, subject, position.next_id), command.limit
        ):
            count += 1
            position.next_id = entity + 1
            if index is not None:
                self._enter(index, entity, image, position.version, offenders)
            if constraint is not None:
                self._look(constraint, entity, offenders)
        position.looked_at += count
        if offenders:
            self._fail(index, constraint, offenders)
            return c.Done()
        if count < command.limit:
            self._finish(index, constraint)
            return c.Done()
        self._go_on(index, constraint, position)
        return c.Done(more=True)

    def _find(self, number: int) -> tuple[IndexDefinition | None, ConstraintDefinition | None]:
        catalog = self._work.catalog
        for constraint in catalog.constraints.values():
            index = None if constraint.index is None else catalog.indexes[constraint.index]
            if number == constraint.id or (index is not None and number == index.id):
                return index, constraint
        for one in catalog.indexes.values():
            if one.id == number:
                return one, None
        raise IndexNotFound(f"The definition {number} was dropped while it was building")

    def _position(
        self, subject: IndexDefinition | ConstraintDefinition, index: IndexDefinition | None
    ) -> Position:
        value = self._work.layer.get(position_key(subject.id))
        if value is not None:
            return _POSITION.decode(value)
        return Position(self._work.version if index is None else index.created_version)

    def _as_of(self, version: int) -> Entities:
        work = self._work
        return Entities(work.record, work.tokens, work.segments, work.state.cache, version)

    def _candidates(
        self, entities: Entities, subject: IndexDefinition | ConstraintDefinition, low: int
    ) -> Iterator[tuple[int, NodeImage | RelationshipImage]]:
        tokens = self._work.tokens
        if subject.entity == "NODE":
            for node in entities.labelled(tokens.labels.ids[subject.label], low):
                image = entities.node(node)
                if image is not None:
                    yield node, image
        else:
            yield from entities.relationships([tokens.types.ids[subject.label]], low)

    def _enter(
        self,
        index: IndexDefinition,
        entity: int,
        image: NodeImage | RelationshipImage,
        version: int,
        offenders: list[str],
    ) -> None:
        values = [image.get(key) for key in index.properties]
        if None in values:
            return
        entry = ordered.encode_tuple(values)
        if len(entry) > INDEXED_VALUE_BYTES_MAX:
            offenders.append(
                f"{entity} (its value takes {len(entry)} bytes of {INDEXED_VALUE_BYTES_MAX})"
            )
            return
        work = self._work
        stem = index_stem(index.id, entry, entity)
        newest = work.record.newest(stem)
        work.putter(version)(stem, PRESENT)
        work.count(Counter.INDEX_ENTRIES, index.id, 1)
        # an entity that left the value since has a newer tombstone, one that came back an entry
        alive = newest is None or bool(newest[1])
        others = self._others(index, entry, entity)
        if not others:
            work.count(Counter.INDEX_DISTINCT, index.id, 1)
        elif index.unique and alive and all(map(ordered.is_equal_to_something, values)):
            offenders.append(f"{others[0]} and {entity}")

    def _others(self, index: IndexDefinition, entry: bytes, entity: int) -> list[int]:
        """Others that have the value now; at least one if there is any among the first ones."""
        holders = self._work.record.prefix(index_prefix(index.id, entry), VERSION_MAX)
        for looked, (stem, _, there) in enumerate(holders):
            owner = int.from_bytes(stem[-8:], "big")
            if there and owner != entity:
                return [owner]
            if looked >= _HOLDERS_MAX and not index.unique:
                return []
        return []

    def _look(self, constraint: ConstraintDefinition, entity: int, offenders: list[str]) -> None:
        """What the entity is now counts: writes since the creation were checked, but one of them
        may have put the entity right, or away."""
        work = self._work
        image: NodeImage | RelationshipImage | None
        if constraint.entity == "NODE":
            node = work.entities.node(entity)
            label = work.tokens.labels.ids[constraint.label]
            image = node if node is not None and label in node.label_tokens else None
        else:
            image = work.entities.relationship(entity)
        if image is not None and broken(constraint, entity, image) is not None:
            offenders.append(str(entity))

    # --- what a step leaves behind ---

    def _go_on(
        self,
        index: IndexDefinition | None,
        constraint: ConstraintDefinition | None,
        position: Position,
    ) -> None:
        work = self._work
        subject = constraint if constraint is not None else index
        assert subject is not None
        work.layer.put(position_key(subject.id), msgspec.msgpack.encode(position))
        if subject.entity == "NODE":
            token = work.tokens.labels.ids[subject.label]
            total = work.state.counters.get(Counter.NODES_WITH_LABEL, token)
        else:
            token = work.tokens.types.ids[subject.label]
            total = work.state.counters.get(Counter.RELATIONSHIPS_OF_TYPE, token)
        percent = min(99.0, round(100.0 * position.looked_at / max(total, 1), 1))
        if index is not None:
            self._schema.put(replace(index, percent=percent))
        if constraint is not None:
            self._schema.put(replace(constraint, percent=percent))

    def _finish(
        self, index: IndexDefinition | None, constraint: ConstraintDefinition | None
    ) -> None:
        self._end(index, constraint, IndexState.ONLINE, 100.0, "")

    def _fail(
        self,
        index: IndexDefinition | None,
        constraint: ConstraintDefinition | None,
        offenders: list[str],
    ) -> None:
        named = "; ".join(offenders[:_OFFENDERS_MAX])
        more = len(offenders) - _OFFENDERS_MAX
        subject = constraint if constraint is not None else index
        assert subject is not None
        what = "nodes" if subject.entity == "NODE" else "relationships"
        failure = f"broken by {what} {named}" + (f" and {more} more" if more > 0 else "")
        self._end(index, constraint, IndexState.FAILED, 0.0, failure)
        if index is not None:
            self._schema.clear_entries(index.id)

    def _end(
        self,
        index: IndexDefinition | None,
        constraint: ConstraintDefinition | None,
        state: IndexState,
        percent: float,
        failure: str,
    ) -> None:
        subject = constraint if constraint is not None else index
        assert subject is not None
        self._work.layer.delete(position_key(subject.id))
        if index is not None:
            self._schema.put(replace(index, state=state, percent=percent, failure=failure))
        if constraint is not None:
            self._schema.put(replace(constraint, state=state, percent=percent, failure=failure))
        self._schema.moved()


def begun_at(work: Work, definition: IndexDefinition | ConstraintDefinition) -> int:
    """The version that what is being built reads the record at."""
    value = work.layer.get(position_key(definition.id))
    if value is not None:
        return _POSITION.decode(value).version
    return definition.created_version if isinstance(definition, IndexDefinition) else work.version


_POSITION: Final = msgspec.msgpack.Decoder(Position)
