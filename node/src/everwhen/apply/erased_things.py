"""Everything of the record that names one node or relationship, found and taken away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from everwhen.apply.work import Work
from everwhen.codec import journal, parse
from everwhen.codec.keys import (
    SUB_LABELS,
    VERSION_MAX,
    Kind,
    adjacency_prefix,
    after,
    in_stem,
    index_stem,
    journal_key,
    label_stem,
    node_prefix,
    node_stem,
    out_stem,
    piece_key,
    relationship_prefix,
    relationship_stem,
)
from everwhen.codec.records import (
    decode_labels,
    decode_node_head_raw,
    decode_relationship_head_raw,
)
from everwhen.index.maintenance import entry
from everwhen.model.graph import EntityKind
from everwhen.mvcc.entities import Entities
from everwhen.mvcc.visible import Lifetimes, Span

if TYPE_CHECKING:
    from everwhen.apply.erasing import Position

#: keys that one journal record or piece of one counts for in a step's limit
_RECORD: Final = 8
#: stages of one thing: a node's relationships, its row in a segment, its keys
NEIGHBOURS: Final = 0
ROW: Final = 1
KEYS: Final = 2


@dataclass(frozen=True, slots=True)
class Found:
    """What the record knows of a thing: ``names`` are the labels or types it ever had."""

    heads: tuple[Span, ...]
    row: int | None
    names: frozenset[str]

    @property
    def alive(self) -> bool:
        """Whether it is there now."""
        return self.heads[0].present if self.heads else self.row is not None

    def seen_at(self, version: int) -> bool:
        """Whether it was there at a version."""
        return Lifetimes(self.heads, self.row).end_of(version) > version


class Things:
    """One step."""

    def __init__(self, work: Work, erasure: int = 0, limit: int = 0) -> None:
        self._work = work
        self._erasure = erasure
        self._left = limit
        self.keys = 0
        self.bytes = 0

    @property
    def full(self) -> bool:
        """Whether the step has looked at as much as it may."""
        return self._left <= 0

    def _at(self, version: int) -> Entities:
        work = self._work
        return Entities(work.record, work.tokens, work.segments, work.state.cache, version)

    def _placed(self, kind: EntityKind, identity: int) -> int | None:
        """The version of the segment that has its creation."""
        row = self._at(VERSION_MAX).row(kind, identity)
        return None if row is None else row.version

    def find(self, kind: EntityKind, identity: int) -> Found:
        """Its lifetimes and names."""
        work, tokens = self._work, self._work.tokens
        make = node_stem if kind is EntityKind.NODE else relationship_stem
        names: set[str] = set()
        heads = []
        runs = sorted(self._run_heads(make(identity)), reverse=True)
        stored = (
            (VERSION_MAX - int.from_bytes(key[-8:], "big"), value)
            for key, value in work.layer.scan(make(identity), make(identity, SUB_LABELS))
        )
        for version, value in sorted(chain(runs, stored), reverse=True):
            heads.append(Span(version, bool(value)))
            if value and kind is EntityKind.NODE:
                labels = decode_node_head_raw(value)[0]
                names.update(tokens.labels.names[token] for token in labels)
            elif value:
                names.add(tokens.types.names[decode_relationship_head_raw(value)[0]])
        if kind is EntityKind.NODE:
            start, end = node_stem(identity, SUB_LABELS), node_stem(identity, SUB_LABELS + 1)
            for _, value in work.layer.scan(start, end):
                names.update(tokens.labels.names[token] for token in decode_labels(value))
        row = self._placed(kind, identity)
        if row is not None:
            names.update(self._row_names(kind, identity, row))
        return Found(tuple(heads), row, frozenset(names))

    def _run_heads(self, stem: bytes) -> Iterator[tuple[int, bytes]]:
        for run in self._work.runs:
            found = self._work.record.at(stem, run.version)
            if found is not None and found[0] == run.version:
                yield found

    def _row_names(self, kind: EntityKind, identity: int, row: int) -> tuple[str, ...]:
        view = self._at(row)
        if kind is EntityKind.NODE:
            node = view.node(identity)
            return () if node is None else node.labels
        image = view.relationship(identity)
        return () if image is None else (self._work.tokens.types.names[image.ends[0]],)

    # --- taking away ---

    def relationships_of(self, node: int, position: Position) -> Iterator[int]:
        """Relationships a node ever had; where it stopped stands in ``position``."""
        ends = {kind: after(adjacency_prefix(kind, node)) for kind in (Kind.OUT, Kind.IN)}
        for kind in (Kind.OUT, Kind.IN):
            start = adjacency_prefix(kind, node)
            if position.key > start:
                start = position.key + b"\x00"
            for key, _ in self._work.layer.scan(start, ends[kind]):
                if self.full:
                    return
                self._left -= 1
                position.key = key
                yield parse.decode_adjacency(key).relationship
            outgoing = kind is Kind.OUT
            for ref in self._work.segments.at_node(node, outgoing, VERSION_MAX, None):
                segment = self._work.state.cache.relationship(ref)
                yield from (one for _, one in segment.neighbours(node, outgoing))

    def take_away(self, kind: EntityKind, identity: int, position: Position) -> bool:
        """All that names it; False: the step is full, and goes on at ``position``."""
        layer = self._work.layer
        if kind is EntityKind.NODE:
            prefix = node_prefix(identity)
        else:
            prefix = relationship_prefix(identity)
        if position.stage < KEYS:
            row = self._placed(kind, identity)
            if row is not None:
                self._point_at(kind, identity, row)
                if not self._commit(kind, identity, row, position):
                    return False
            position.stage = KEYS
        start = position.key + b"\x00" if position.key and not position.piece else prefix
        if position.piece and position.key:
            start = position.key
        for key, value in layer.scan(start, after(prefix)):
            if self.full:
                return False
            self._left -= 1
            version = VERSION_MAX - int.from_bytes(key[-8:], "big")
            if not position.piece:
                self.keys += 1
                self.bytes += len(key) + len(value)
                self._point_at(kind, identity, version)
            position.key = key
            if not self._commit(kind, identity, version, position):
                return False
        layer.delete_range(prefix, after(prefix))
        return True

    def _point_at(self, kind: EntityKind, identity: int, version: int) -> None:
        """What was written for the thing at a version, besides its own keys."""
        view, tokens = self._at(version), self._work.tokens
        image: Any
        if kind is EntityKind.NODE:
            image = node = view.node(identity)
            if node is None:
                return
            names = set(node.labels)
            for token in node.label_tokens:
                self._drop(label_stem(token, identity))
        else:
            image = relationship = view.relationship(identity)
            if relationship is None:
                return
            type_, start, end = relationship.ends
            names = {tokens.types.names[type_]}
            self._drop(out_stem(start, type_, end, identity))
            self._drop(in_stem(end, type_, start, identity))
        for index in self._work.catalog.indexes.values():
            if index.entity == kind.value and index.label in names:
                value = entry(index, image.get, new=False)
                if value is not None:
                    self._drop(index_stem(index.id, value, identity))

    def _drop(self, stem: bytes) -> None:
        """All versions of a stem."""
        layer = self._work.layer
        for key, _ in layer.scan(stem, stem + b"\xff" * 9):
            if len(key) == len(stem) + 8:
                layer.delete(key)
                self.keys += 1
                self.bytes += len(key)

    # --- the journal ---

    def _commit(self, kind: EntityKind, identity: int, version: int, position: Position) -> bool:
        """Take a thing out of what the journal says of a commit; False: go on at ``position``."""
        layer = self._work.layer
        value = layer.get(journal_key(version))
        if value is None:
            return True
        self._left -= _RECORD

        def goes(change: journal.AnyChange) -> bool:
            is_node = isinstance(change, _OF_NODES)
            return change.id == identity and is_node == (kind is EntityKind.NODE)

        record = journal.decode_record(value)
        smaller = journal.without(record, goes, self._erasure)
        pieces = record.header.pieces
        number = position.piece
        while number < pieces:
            if self._piece(piece_key(record.header.transaction, number), goes) and not smaller:
                # its own content stays, but it does not say all any more
                left = record.content or record.left
                smaller = journal.with_left(record, left, self._erasure)
            self._left -= _RECORD
            number += 1
            if self.full:
                break
        if smaller is not None:
            layer.put(journal_key(version), journal.encode_record(smaller))
        position.piece = number if number < pieces else 0
        return number == pieces

    def _piece(self, key: bytes, goes: Any) -> bool:
        value = self._work.layer.get(key)
        if value is None:
            return False
        piece = journal.decode_piece(value)
        kept = [change for change in piece.changes if not goes(change)]
        if len(kept) == len(piece.changes):
            return False
        self._work.layer.put(key, journal.encode_piece(journal.Piece(kept, piece.segments)))
        return True


_OF_NODES: Final = (
    journal.NodeCreated,
    journal.NodeDeleted,
    journal.LabelsChanged,
    journal.NodeChanged,
)
