"""What commits changed, from the journal into the image.

Going forward, each change is appended to the log of its part. Going back, the same entries are
gathered in reverse and put before the logs: they hold what was there before and after. Only
relationships differ: what ended is a new row then, and what began gets its begin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from everwhen.codec.columns import Column
from everwhen.codec.journal import (
    AnyChange,
    LabelsChanged,
    NodeChanged,
    NodeCreated,
    NodeDeleted,
    Record,
    RelationshipChanged,
    RelationshipCreated,
    RelationshipDeleted,
    Steps,
    changes_of,
    decode_piece,
    decode_record,
)
from everwhen.codec.keys import journal_key, piece_key
from everwhen.codec.segments import NodeSegment, RelationshipSegment, Segment
from everwhen.columns.graph.coding import NOTHING, NULL_TAG, UNBORN
from everwhen.columns.graph.content import Content
from everwhen.columns.graph.log import SET, VALUES, Log
from everwhen.columns.graph.table import Table
from everwhen.errors import CorruptData
from everwhen.model.columns import NEVER, Rows
from everwhen.mvcc.state import RecordState

Array = npt.NDArray[Any]
Step = list[AnyChange] | Segment


def commit_record(state: RecordState, version: int) -> Record | None:
    """The journal record of a commit; None if it does not say all that was changed."""
    raw = state.store.get(journal_key(version))
    if raw is None:
        return None
    record = decode_record(raw)
    # content that was erased is empty; that of a commit in pieces is an empty list
    return record if record.content else None


def steps_of(state: RecordState, record: Record) -> Iterator[Step]:
    """What a commit did, in order.

    :raises CorruptData: a piece or a segment is missing.
    """
    yield changes_of(record)
    header = record.header
    if not header.pieces:
        return
    refs = {ref.id: ref for ref in state.current.segments.refs if ref.version == header.version}
    for number in range(header.pieces):
        raw = state.store.get(piece_key(header.transaction, number))
        if raw is None:
            raise CorruptData(f"piece {number} of commit {header.version} is missing")
        piece = decode_piece(raw)
        missing = [one.id for one in piece.segments if one.id not in refs]
        if missing:
            raise CorruptData(f"segment {missing[0]} of commit {header.version} is missing")
        segments = [state.cache.get(refs[one.id]) for one in piece.segments]
        yield from (one for one in segments if isinstance(one, NodeSegment))
        yield piece.changes
        yield from (one for one in segments if isinstance(one, RelationshipSegment))


class Follower:
    """Takes the image one commit on. Under the image's lock."""

    __slots__ = ("_adding", "_closing", "_content", "_state", "_touched", "_version")

    def __init__(self, content: Content, state: RecordState) -> None:
        self._content = content
        self._state = state
        self._version = 0
        #: relationships created one after the other: table, ids, starts, ends
        self._adding: tuple[Table, list[int], list[int], list[int]] | None = None
        #: rows that ended, or (going back) began
        self._closing: dict[int, list[int]] = {}
        self._touched: set[int] = set()

    def commit(self, version: int, record: Record) -> None:
        """:raises CorruptData: the record contradicts the image, which must not be used then."""
        self._version = version - self._content.epoch
        for step in steps_of(self._state, record):
            self.take(step)
        self.finish()
        for type_ in sorted(self._touched):
            table = self._content.tables[type_]
            table.tally(self._version)
        self._touched.clear()

    def take(self, step: Step) -> None:
        """A part of a commit."""
        if isinstance(step, NodeSegment):
            self._node_segment(step)
        elif isinstance(step, RelationshipSegment):
            self._relationship_segment(step)
        else:
            for change in step:
                _TAKE[type(change)](self, change)

    # --- where changes go ---

    def members_log(self, label: int | None) -> Log:
        return self._content.members(label).log

    def property_log(self, type_: int | None, key: int) -> Log:
        return self._content.property(type_, key).log

    # --- nodes ---

    def _note(self, row: int, label: int | None, there: bool) -> None:
        self.members_log(label).append(self._version, row, there)

    def _value(
        self, type_: int | None, row: int, key: int, old: bytes | None, new: bytes | None
    ) -> None:
        coder = self._content.coder(key)
        before, after = coder.coded_bytes(old), coder.coded_bytes(new)
        self.property_log(type_, key).append(self._version, row, *before, *after)

    def _steps(self, type_: int | None, row: int, steps: Steps) -> None:
        for key, (old, new) in steps.items():
            self._value(type_, row, key, old, new)

    def node_created(self, change: NodeCreated) -> None:
        row = self._content.nodes.give(change.id)
        for label in (None, *change.labels):
            self._note(row, label, there=True)
        for key, value in change.properties.items():
            self._value(None, row, key, None, value)

    def node_deleted(self, change: NodeDeleted) -> None:
        row = self._content.nodes.give(change.id)
        for label in (None, *change.labels):
            self._note(row, label, there=False)
        for key, value in change.properties.items():
            self._value(None, row, key, value, None)

    def labels_changed(self, change: LabelsChanged) -> None:
        row = self._content.nodes.give(change.id)
        for label in change.new:
            if label not in change.old:
                self._note(row, label, there=True)
        for label in change.old:
            if label not in change.new:
                self._note(row, label, there=False)

    def node_changed(self, change: NodeChanged) -> None:
        self._steps(None, self._content.nodes.give(change.id), change.properties)

    def _node_segment(self, segment: NodeSegment) -> None:
        ids, tokens = segment.ids.whole(), self._state.tokens
        rows = self._content.nodes.give_all(ids)
        labels = (tokens.labels.ids[name] for name in segment.labels)
        for label in (None, *labels):
            self.members_log(label).extend(len(rows), self._version, rows, True)
        for name, column in segment.columns.items():
            self._column(None, tokens.keys.ids[name], rows, column)

    def _column(self, type_: int | None, key: int, rows: Rows, column: Column) -> None:
        """Values of new nodes; of new relationships, which have them for as long as they are."""
        tags, payloads = self._content.coder(key).coded_rows(column)
        there = tags != NULL_TAG
        if not bool(there.all()):
            rows, tags, payloads = rows[there], tags[there], payloads[there]
        log = self.property_log(type_, key)
        before = NOTHING if type_ is None else UNBORN
        log.extend(len(rows), self._version, rows, *before, tags, payloads)

    # --- relationships ---

    def _row(self, type_: int, identity: int) -> int:
        self._add()
        row = self._content.table(type_).row_of(identity, ended=self.backwards)
        if row < 0:
            raise CorruptData(f"a commit changes relationship {identity}, which is not there")
        return row

    @property
    def backwards(self) -> bool:
        return False

    def relationship_created(self, change: RelationshipCreated) -> None:
        row = self._adds(change)
        for key, value in change.properties.items():
            coded = self._content.coder(key).coded_bytes(value)
            self.property_log(change.type, key).append(self._version, row, *UNBORN, *coded)

    def _adds(self, change: RelationshipCreated | RelationshipDeleted) -> int:
        """A row to be added with others of its type."""
        adding = self._adding
        if adding is None or adding[0].number != change.type:
            self._add()
            adding = self._adding = (self._content.table(change.type), [], [], [])
        table, ids, starts, ends = adding
        give = self._content.nodes.give
        ids.append(change.id)
        starts.append(give(change.start))
        ends.append(give(change.end))
        return table.count + len(ids) - 1

    def _add(self) -> None:
        adding, self._adding = self._adding, None
        if adding is not None:
            table, ids, starts, ends = adding
            self._touched.add(table.number)
            rows = np.array(starts, np.int32), np.array(ends, np.int32)
            table.add(np.array(ids, np.int64), *rows, *self._span())

    def _span(self) -> tuple[int, int]:
        """Begin and end of rows that are added."""
        return self._version, NEVER

    def relationship_deleted(self, change: RelationshipDeleted) -> None:
        # its values stay: nobody sees them from there on
        row = self._row(change.type, change.id)
        self._close(self._content.table(change.type), row)

    def _close(self, table: Table, row: int) -> None:
        # at once in the table, so that the id is free for another lifetime
        table.ends[row] = self._version
        self._closing.setdefault(table.number, []).append(row)

    def relationship_changed(self, change: RelationshipChanged) -> None:
        self._steps(change.type, self._row(change.type, change.id), change.properties)

    def _relationship_segment(self, segment: RelationshipSegment) -> None:
        self._add()
        nodes, tokens = self._content.nodes, self._state.tokens
        type_ = tokens.types.ids[segment.type]
        table = self._content.table(type_)
        self._touched.add(type_)
        starts, ends = nodes.rows(segment.starts.whole()), nodes.rows(segment.ends.whole())
        rows = table.add(segment.ids.whole(), starts, ends, self._version)
        for name, column in segment.columns.items():
            self._column(type_, tokens.keys.ids[name], rows, column)

    def finish(self) -> None:
        """Everything that waits to be written together."""
        self._add()
        for type_, rows in self._closing.items():
            table = self._content.tables[type_]
            self._touched.add(type_)
            table.stamp(np.array(rows, np.int32), self._version, ends=not self.backwards)
        self._closing.clear()


class Backtracker(Follower):
    """Takes the image to older versions: commits in descending order, then ``extend``."""

    __slots__ = ("_members", "_values")

    def __init__(self, content: Content, state: RecordState) -> None:
        super().__init__(content, state)
        self._members: dict[int | None, Log] = {}
        self._values: dict[tuple[int | None, int], Log] = {}

    @property
    def backwards(self) -> bool:
        return True

    def commit(self, version: int, record: Record) -> None:
        self._version = version - self._content.epoch
        for step in reversed(list(steps_of(self._state, record))):
            self.take(step[::-1] if isinstance(step, list) else step)
        self.finish()

    def extend(self) -> None:
        """Put what was gathered before the logs."""
        content = self._content
        for label, log in self._members.items():
            old = content.members(label)
            joined = old.log.joined(_reversed(log))
            content.put_members(label, old.with_log(joined))
        for (type_, key), log in self._values.items():
            held = content.properties_of(type_)
            held[key] = held[key].with_log(held[key].log.joined(_reversed(log)))

    def members_log(self, label: int | None) -> Log:
        found = self._members.get(label)
        if found is None:
            self._content.members(label)
            found = self._members[label] = Log(self._content.arena, SET)
        return found

    def property_log(self, type_: int | None, key: int) -> Log:
        found = self._values.get((type_, key))
        if found is None:
            self._content.property(type_, key)
            found = self._values[type_, key] = Log(self._content.arena, VALUES)
        return found

    def relationship_created(self, change: RelationshipCreated) -> None:
        # its values are there already: nobody sees them before
        row = self._row(change.type, change.id)
        self._close(self._content.table(change.type), row)

    def _close(self, table: Table, row: int) -> None:
        table.begins[row] = self._version
        self._closing.setdefault(table.number, []).append(row)

    def relationship_deleted(self, change: RelationshipDeleted) -> None:
        row = self._adds(change)
        for key, value in change.properties.items():
            self._value(change.type, row, key, value, None)

    def _span(self) -> tuple[int, int]:
        return 0, self._version

    def _relationship_segment(self, segment: RelationshipSegment) -> None:
        self.finish()
        tokens = self._state.tokens
        type_ = tokens.types.ids[segment.type]
        table = self._content.table(type_)
        rows = table.unbegun(segment.ids.whole())
        table.stamp(rows, self._version, ends=False)


def _reversed(log: Log) -> tuple[Array, ...]:
    return tuple(array[::-1] for array in log.slice(0, log.count))


_TAKE: dict[type, Callable[[Follower, Any], None]] = {
    NodeCreated: lambda follower, change: follower.node_created(change),
    NodeDeleted: lambda follower, change: follower.node_deleted(change),
    LabelsChanged: lambda follower, change: follower.labels_changed(change),
    NodeChanged: lambda follower, change: follower.node_changed(change),
    RelationshipCreated: lambda follower, change: follower.relationship_created(change),
    RelationshipDeleted: lambda follower, change: follower.relationship_deleted(change),
    RelationshipChanged: lambda follower, change: follower.relationship_changed(change),
}
