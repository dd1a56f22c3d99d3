"""What commits changed, from the commit journal: lazily, in order, each change at its position.

A commit's changes are numbered as they were applied: those of its record, or of its pieces one
after the other, a piece's segments (creations only) behind its other changes. Every node numbers
them alike, so a position read on one is good on all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

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
    Steps,
    Values,
    changes_of,
    decode_piece,
    decode_record,
)
from everwhen.codec.keys import journal_key, piece_key
from everwhen.codec.segments import NODES, NodeSegment
from everwhen.codec.values import decode_value
from everwhen.errors import ChangesGone, CorruptData
from everwhen.model.changes import ChangeRecord, CommitFacts, Names, Position
from everwhen.model.graph import EntityKind
from everwhen.mvcc.segments import SegmentCache, SegmentRef
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.tokens import Tokens

_EVENTS: Final = {
    NodeCreated: "created",
    NodeDeleted: "deleted",
    RelationshipCreated: "created",
    RelationshipDeleted: "deleted",
}


class ChangeReader:
    """Iterates over the changes after a position, up to a version.

    ``position``: everything up to there was given, or passed over because nobody wants it.
    ``tick`` is called for each change looked at, and may raise.
    """

    def __init__(
        self,
        source: Source,
        after: Position,
        upto: int,
        names: Names | None = None,
        tick: Callable[[], None] | None = None,
    ) -> None:
        self.position = after
        self._source = source
        self._upto = upto
        self._names = names
        self._tick = tick

    def __iter__(self) -> Iterator[ChangeRecord]:
        if self.position.number is not None:
            yield from self._commit(self.position.version, self.position.number + 1)
        while self.position.version < self._upto:
            yield from self._commit(self.position.version + 1, 0)

    def _commit(self, version: int, first: int) -> Iterator[ChangeRecord]:
        record = self._source.record(version)
        facts = _facts(record)
        number = 0
        for part in self._source.parts(record):
            if number + len(part) <= first:
                number += len(part)
                continue
            start = max(first - number, 0)
            number += start
            if part.holds(self._names):
                for found in part.records(facts, start, number):
                    if self._tick is not None:
                        self._tick()
                    # moved before it is given: who has it has seen up to it
                    self.position = Position(version, found.number)
                    if self._names is None or self._names.want(found):
                        yield found
            number += len(part) - start
        self.position = Position(version)


def _facts(record: Record) -> CommitFacts:
    header, origin = record.header, record.header.origin
    return CommitFacts(header.version, header.time, origin.principal, origin.tag, origin.metadata)


def reader_of(
    state: RecordState,
    after: Position,
    upto: int,
    names: Names | None,
    tick: Callable[[], None] | None,
) -> ChangeReader:
    """The changes of a record after a position up to a version."""
    return ChangeReader(Source(state), after, upto, names, tick)


class Source:
    """The journal as it is now, and what is needed to put its records into words. Vacuum may come
    meanwhile: what was read counts if it is still kept after that."""

    def __init__(self, state: RecordState) -> None:
        self._state = state
        self._store = state.store
        self._tokens = state.tokens
        self._cache = state.cache

    def _check_kept(self, version: int) -> None:
        """:raises ChangesGone: vacuum may have taken away some of what a commit changed."""
        oldest = self._state.current.retention.journal_floor
        if version <= oldest:
            raise ChangesGone(
                f"the changes of commit {version} are not kept any more: "
                f"the oldest position to go on from is {oldest}",
                hint=f"read the graph AT VERSION {oldest} or later, and go on from there",
            )

    def record(self, version: int) -> Record:
        """The journal's record of a commit.

        :raises ChangesGone: older than what is kept.
        """
        value = self._store.get(journal_key(version))
        self._check_kept(version)
        if value is None:
            raise CorruptData(f"commit {version} is missing in the journal")
        return decode_record(value)

    def parts(self, record: Record) -> Iterator[_Changes | _Rows]:
        """The changes of a commit, in parts."""
        changes = changes_of(record)
        if changes:
            yield _Changes(self._tokens, changes)
        header = record.header
        refs: dict[int, SegmentRef] | None = None
        for number in range(header.pieces):
            piece = self._piece(record, number)
            if piece.changes:
                yield _Changes(self._tokens, piece.changes)
            if piece.segments and refs is None:
                known = self._state.current.segments.refs
                refs = {ref.id: ref for ref in known if ref.version == header.version}
            for segment in piece.segments:
                ref = None if refs is None else refs.get(segment.id)
                if ref is None:
                    self._check_kept(header.version)
                    raise CorruptData(f"segment {segment.id} of commit {header.version} is missing")
                yield _Rows(self._tokens, self._cache, ref)

    def _piece(self, record: Record, number: int) -> Piece:
        header = record.header
        value = self._store.get(piece_key(header.transaction, number))
        self._check_kept(header.version)
        if value is None:
            raise CorruptData(f"piece {number} of commit {header.version} is missing")
        return decode_piece(value)


class _Changes:
    """Changes of the journal."""

    def __init__(self, tokens: Tokens, changes: list[AnyChange]) -> None:
        self._tokens = tokens
        self._changes = changes

    def __len__(self) -> int:
        return len(self._changes)

    def holds(self, names: Names | None) -> bool:
        """Whether any of it may be wanted."""
        return True

    def records(self, facts: CommitFacts, start: int, number: int) -> Iterator[ChangeRecord]:
        """From the change at ``start`` on; ``number`` is its place in the commit."""
        for at in range(start, len(self._changes)):
            yield self._record(facts, number + at - start, self._changes[at])

    def _record(self, facts: CommitFacts, number: int, change: AnyChange) -> ChangeRecord:
        event = _EVENTS.get(type(change), "changed")
        if isinstance(change, RelationshipCreated | RelationshipDeleted | RelationshipChanged):
            kind, ends = EntityKind.RELATIONSHIP, (change.start, change.end)
            names: tuple[str, ...] = (self._tokens.types.names[change.type],)
        else:
            kind, ends = EntityKind.NODE, None
            after = change.new if isinstance(change, LabelsChanged) else change.labels
            names = self._labels(after)
        old_names = self._labels(change.old) if isinstance(change, LabelsChanged) else None
        old: dict[str, object] | None
        new: dict[str, object] | None
        if isinstance(change, LabelsChanged):
            old, new = {}, {}
        elif isinstance(change, NodeChanged | RelationshipChanged):
            old, new = self._steps(change.properties, 0), self._steps(change.properties, 1)
        else:
            values = self._values(change.properties)
            old, new = (None, values) if event == "created" else (values, None)
        return ChangeRecord(facts, number, event, kind, change.id, names, old_names, ends, old, new)

    def _labels(self, tokens: list[int]) -> tuple[str, ...]:
        return tuple(sorted(self._tokens.labels.names[token] for token in tokens))

    def _values(self, values: Values) -> dict[str, object]:
        names = self._tokens.keys.names
        return {names[token]: decode_value(value) for token, value in values.items()}

    def _steps(self, steps: Steps, side: int) -> dict[str, object]:
        names = self._tokens.keys.names
        found: dict[str, object] = {}
        for token, step in steps.items():
            value = step[side]
            found[names[token]] = None if value is None else decode_value(value)
        return found


class _Rows:
    """The creations that a segment holds."""

    def __init__(self, tokens: Tokens, cache: SegmentCache, ref: SegmentRef) -> None:
        self._cache = cache
        self._ref = ref
        nodes = ref.entry.kind == NODES
        table = tokens.labels if nodes else tokens.types
        self._names = tuple(sorted(table.names[token] for token in ref.entry.tokens))

    def __len__(self) -> int:
        return self._ref.entry.count

    def holds(self, names: Names | None) -> bool:
        """Whether any of it may be wanted; all of its rows have the same labels or type."""
        if names is None:
            return True
        wanted = names.labels if self._ref.entry.kind == NODES else names.types
        return not wanted.isdisjoint(self._names)

    def records(self, facts: CommitFacts, start: int, number: int) -> Iterator[ChangeRecord]:
        """From the row at ``start`` on; ``number`` is its place in the commit."""
        segment = self._cache.get(self._ref)
        nodes = isinstance(segment, NodeSegment)
        kind = EntityKind.NODE if nodes else EntityKind.RELATIONSHIP
        ids = segment.ids.whole()
        for row in range(start, len(self)):
            ends = None if isinstance(segment, NodeSegment) else segment.ends_of(row)
            yield ChangeRecord(
                facts,
                number + row - start,
                "created",
                kind,
                int(ids[row]),
                self._names,
                None,
                ends,
                None,
                segment.properties(row),
            )
