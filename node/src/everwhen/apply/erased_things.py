"""Everything of the record that names one node or relationship, found and taken away.

A row of a segment cannot go at once, so tombstones of the row's own version stand over it, at which
no reader sees it, until no directory that anybody reads by has it: :meth:`Things.uncover`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

from everwhen.apply.segments import retired_refs
from everwhen.apply.vacuum import RECORD, cost_of
from everwhen.apply.work import Work
from everwhen.codec import journal, parse
from everwhen.codec.keys import (
    SUB_LABELS,
    TOMBSTONE,
    VERSION_MAX,
    Kind,
    adjacency_prefix,
    after,
    at_version,
    index_stem,
    journal_key,
    node_prefix,
    node_stem,
    piece_key,
    relationship_prefix,
    relationship_stem,
    segref_key,
)
from everwhen.codec.records import (
    decode_labels,
    decode_node_head_raw,
    decode_relationship_head_raw,
)
from everwhen.codec.retention import Erasure
from everwhen.index.maintenance import entry
from everwhen.model.graph import EntityKind
from everwhen.mvcc.entities import Entities
from everwhen.mvcc.images import NodeImage
from everwhen.mvcc.row_entries import Image, Row, pictured, pointers
from everwhen.mvcc.segments import SegmentRef
from everwhen.mvcc.visible import Lifetimes, Span

if TYPE_CHECKING:
    from everwhen.apply.erasing import Position

#: keys that one thing counts for in a step's limit: its row and all that points at it are looked up
_THING: Final = 24
#: stages of one thing: its row in a segment, its keys
ROW: Final = 0
KEYS: Final = 1


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

    def __init__(self, work: Work, erasure: Erasure | None = None, limit: int = 0) -> None:
        self._work = work
        self._erasure = 0
        self._nodes = self._relationships = set[int]()
        #: versions of rows whose commit's record was marked
        self._marked: set[int] = set()
        #: large commits whose pieces were gone through
        self.commits: dict[int, None] = {}
        if erasure is not None:
            self._erasure = erasure.number
            self._nodes, self._relationships = work.state.erased.open[erasure.number]
            self.commits.update(dict.fromkeys(erasure.commits))
        self._left = limit
        retired = work.vacuum.retired
        self._segments = work.segments.extended(retired_refs(work)) if retired else work.segments
        self.keys = 0
        self.bytes = 0

    @property
    def full(self) -> bool:
        """Whether the step has looked at as much as it may."""
        return self._left <= 0

    def _at(self, version: int) -> Entities:
        work = self._work
        return Entities(work.record, work.tokens, self._segments, work.state.cache, version)

    def _row(self, kind: EntityKind, identity: int) -> Row | None:
        """Its place in the segment that has its creation, or had it: somebody may read that."""
        return self._at(VERSION_MAX).row(kind, identity)

    def _image(self, kind: EntityKind, identity: int, version: int) -> Image | None:
        view = self._at(version)
        return view.node(identity) if kind is EntityKind.NODE else view.relationship(identity)

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
        row = self._row(kind, identity)
        if row is not None:
            names.update(self._names(pictured(tokens, row)))
        return Found(tuple(heads), None if row is None else row.version, frozenset(names))

    def _names(self, image: Image) -> tuple[str, ...]:
        if isinstance(image, NodeImage):
            return image.labels
        return (self._work.tokens.types.names[image.ends[0]],)

    def _run_heads(self, stem: bytes) -> Iterator[tuple[int, bytes]]:
        for run in self._work.runs:
            found = self._work.record.at(stem, run.version)
            if found is not None and found[0] == run.version:
                yield found

    # --- taking away ---

    def relationships_of(self, node: int, position: Position) -> Iterator[int]:
        """Relationships a node ever had, some more than once; where it stopped stands in
        ``position``."""
        for stage in range(position.stage, len(_SOURCES)):
            kind, rows = _SOURCES[stage]
            yield from (self._of_rows if rows else self._of_keys)(node, kind, position)
            if self.full:
                return
            position.stage, position.key, position.piece = stage + 1, b"", 0

    def _of_keys(self, node: int, kind: Kind, position: Position) -> Iterator[int]:
        prefix = adjacency_prefix(kind, node)
        start = position.key + b"\x00" if position.key else prefix
        for key, _ in self._work.layer.scan(start, after(prefix)):
            if self.full:
                return
            self._left -= 1
            position.key = key
            yield parse.decode_adjacency(key).relationship

    def _of_rows(self, node: int, kind: Kind, position: Position) -> Iterator[int]:
        outgoing = kind is Kind.OUT
        for ref in sorted(self._segments.at_node(node, outgoing, VERSION_MAX, None), key=place_of):
            place = place_of(ref)
            if self.full or place < position.key:
                continue
            if place > position.key:
                position.key, position.piece = place, 0
            segment = self._work.state.cache.relationship(ref)
            left = segment.rows_of(node, outgoing)[position.piece :]
            rows = left[: self._left]
            self._left -= 1 + len(rows)
            if len(rows) < len(left):
                position.piece += len(rows)
            else:
                position.key = place + b"\x00"
            yield from segment.ids.some(np.asarray(rows, np.intp))

    def take_away(self, kind: EntityKind, identity: int, position: Position) -> bool:
        """All that names it; False: the step is full, and goes on at ``position``."""
        layer = self._work.layer
        prefix, head = _places(kind, identity)
        row = self._row(kind, identity)
        placed = None if row is None else row.version
        if position.stage < KEYS:
            if row is not None:
                self._cover(kind, identity, row)
                self._mark(row.version)
                if not self._commit(row.version, position):
                    return False
            position.stage = KEYS
        seen: list[bytes] | None = None if position.key else []
        start = position.key + b"\x00" if position.key and not position.piece else prefix
        if position.piece and position.key:
            start = position.key
        for key, value in layer.scan(start, after(prefix)):
            if self.full:
                return False
            self._left -= 1
            if seen is not None:
                seen.append(key)
            version = VERSION_MAX - int.from_bytes(key[-8:], "big")
            if not position.piece:
                self.keys += 1
                self.bytes += len(key) + len(value)
                image = self._image(kind, identity, version)
                self._point_at(kind, identity, image, placed)
            position.key = key
            if not self._commit(version, position):
                return False
        self._clear(prefix, seen)
        if placed is not None:
            layer.put(at_version(head, placed), TOMBSTONE)
        self._left -= _THING
        return True

    def _clear(self, prefix: bytes, keys: list[bytes] | None) -> None:
        """Take away a thing's own keys: one by one if these are all, for ranges that were deleted
        make every read of the store slower, and there may be hundreds of thousands of things."""
        if keys is None:
            self._work.layer.delete_range(prefix, after(prefix))
            return
        for key in keys:
            self._work.layer.delete(key)

    def uncover(self, kind: EntityKind, identity: int) -> None:
        """Take away what stands over a thing's row, which nobody reads any more."""
        self._left -= 1
        row = self._row(kind, identity)
        if row is not None:
            self._left -= _THING
            prefix, _ = _places(kind, identity)
            self._clear(prefix, [key for key, _ in self._work.layer.scan(prefix, after(prefix))])
            self._point_at(kind, identity, pictured(self._work.tokens, row), None)

    def _cover(self, kind: EntityKind, identity: int, row: Row) -> None:
        """Tombstones in the place of what was written for a row, besides the thing's own keys."""
        image = pictured(self._work.tokens, row)
        self._point_at(kind, identity, image, row.version)
        for stem in pointers(identity, image):
            self._work.layer.put(at_version(stem, row.version), TOMBSTONE)

    def _point_at(
        self, kind: EntityKind, identity: int, image: Image | None, covered: int | None
    ) -> None:
        """Take away what was written for the thing as it was once, besides its own keys; not the
        tombstones over its row, which is of the version ``covered``."""
        if image is None:
            return
        for stem in pointers(identity, image):
            self._drop(stem, covered)
        names = self._names(image)
        for index in self._work.catalog.indexes.values():
            if index.entity == kind.value and index.label in names:
                value = entry(index, image.get, new=False)
                if value is not None:
                    self._drop(index_stem(index.id, value, identity))

    def _drop(self, stem: bytes, covered: int | None = None) -> None:
        """All versions of a stem, except a tombstone of the version ``covered``."""
        layer = self._work.layer
        cover = b"" if covered is None else at_version(stem, covered)
        for key, value in layer.scan(stem, stem + b"\xff" * 9):
            if len(key) == len(stem) + 8 and (value or key != cover):
                layer.delete(key)
                self.keys += 1
                self.bytes += len(key)

    # --- the journal ---

    def _mark(self, version: int) -> None:
        """The commit's record says that not all of what it wrote is there."""
        if version in self._marked:
            return
        self._marked.add(version)
        value = self._work.layer.get(journal_key(version))
        record = None if value is None else journal.decode_record(value)
        if record is not None and record.content:
            record = journal.with_left(record, record.content, self._erasure)
            self._work.layer.put(journal_key(version), journal.encode_record(record))

    def _goes(self, change: journal.AnyChange) -> bool:
        return change.id in (self._nodes if isinstance(change, _OF_NODES) else self._relationships)

    def _commit(self, version: int, position: Position) -> bool:
        """Take all things of the erasure out of what the journal says of a commit; False: go on at
        ``position``."""
        layer = self._work.layer
        value = None if version in self.commits else layer.get(journal_key(version))
        if value is None:
            return True
        self._left -= RECORD + cost_of(value)
        record = journal.decode_record(value)
        smaller = journal.without(record, self._goes, self._erasure)
        pieces = record.header.pieces
        number = position.piece
        while number < pieces:
            if self._piece(piece_key(record.header.transaction, number)) and not smaller:
                # its own content stays, but it does not say all any more
                left = record.content or record.left
                smaller = journal.with_left(record, left, self._erasure)
            number += 1
            if self.full:
                break
        if smaller is not None:
            layer.put(journal_key(version), journal.encode_record(smaller))
        position.piece = number if number < pieces else 0
        if pieces and number == pieces:
            self.commits[version] = None
        return number == pieces

    def _piece(self, key: bytes) -> bool:
        value = self._work.layer.get(key)
        self._left -= RECORD + cost_of(value)
        if value is None:
            return False
        piece = journal.decode_piece(value)
        kept = [change for change in piece.changes if not self._goes(change)]
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


#: where a node's relationships stand: among keys or, by segment, in rows
_SOURCES: Final = tuple((kind, rows) for kind in (Kind.OUT, Kind.IN) for rows in (False, True))


def place_of(ref: SegmentRef) -> bytes:
    """The order in which steps go through segments: one that takes another's place comes later."""
    return segref_key(ref.version, ref.id)


def _places(kind: EntityKind, identity: int) -> tuple[bytes, bytes]:
    """What a thing's own keys begin with, and those of its heads."""
    if kind is EntityKind.NODE:
        return node_prefix(identity), node_stem(identity)
    return relationship_prefix(identity), relationship_stem(identity)
