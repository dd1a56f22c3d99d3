"""The committed graph through a range of versions.

What a :class:`GraphRange` yields was there at one of them: it reads the record as if everything
that was present at its first version or written since were still there. So what it yields are
candidates; each is bound to one of its versions, whatever else it did, and tested then. A row keeps
what its elements' versions have in common as a narrower range, and the next element is looked for
in that one.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Final

from everwhen.limits import RANGE_SNAPSHOTS, SNAPSHOT_CACHE_ENTRIES
from everwhen.model.elements import Node
from everwhen.model.graph import EntityKind, Span
from everwhen.mvcc.entities import Entities
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.mvcc.history import Image, lifetimes, pictured
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.versioned import Entry, Versioned, newest_first, run_entries, through

_STEM: Final = itemgetter(0)


class Ever(Versioned):
    """Keys as of all versions from one on: of each stem an entry that says it was present, or else
    the one that held at the beginning."""

    __slots__ = ("low",)

    def __init__(self, record: Versioned, low: int) -> None:
        super().__init__(record.store, record.runs, record.unfolded)
        self.low = low

    def scan(self, start: bytes, end: bytes, version: int) -> Iterator[Entry]:
        # run cursors are opened before the main one: see mvcc.versioned
        sources = [run_entries(self.store, run, start, end) for run in self.visible(version)]
        found = merge(
            *sources, through(self.store, start, end, self.low, version), key=newest_first
        )
        return self._present(found)

    def all(self, start: bytes, end: bytes, version: int) -> list[Entry]:
        return list(self.scan(start, end, version))

    def _present(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        for _, group in groupby(entries, _STEM):
            for entry in group:
                if entry[2] or entry[1] <= self.low:
                    yield entry
                    break


class Whole:
    """What all parts of one range share: what is known of its entities, and graphs of moments."""

    __slots__ = ("_entities", "_kept", "_low", "_snapshots", "_spans", "_state")

    def __init__(self, state: RecordState, entities: Entities, low: int) -> None:
        self._state = state
        self._entities = entities
        self._low = low
        self._spans: dict[tuple[EntityKind, int], list[tuple[Span, Image]]] = {}
        self._kept = 0
        self._snapshots: dict[int, GraphSnapshot] = {}

    def spans(self, kind: EntityKind, identity: int) -> list[tuple[Span, Image]]:
        """The versions of an entity that the range meets, and what it is then."""
        key = kind, identity
        found = self._spans.get(key)
        if found is None:
            if self._kept >= SNAPSHOT_CACHE_ENTRIES:
                self._spans.clear()
                self._snapshots.clear()  # they know as much
                self._kept = 0
            found = self._spans[key] = list(pictured(self._entities, kind, identity, self._low))
            self._kept += 1 + len(found)
        return found

    def at(self, version: int) -> GraphSnapshot:
        """The graph at one version."""
        found = self._snapshots.get(version)
        if found is None:
            if len(self._snapshots) >= RANGE_SNAPSHOTS:
                self._snapshots.clear()
            found = self._snapshots[version] = GraphSnapshot(self._state, version)
        return found


class GraphRange(GraphSnapshot):
    """A :class:`~everwhen.model.graph.RangeView` of committed data; its version is its last one."""

    __slots__ = ("_whole", "low")

    def __init__(self, state: RecordState, low: int, high: int, whole: Whole | None) -> None:
        super().__init__(state, high)
        self.low = low
        self._whole = Whole(state, self._entities, low) if whole is None else whole
        self._entities = self._entities.reading(Ever(self._entities.record, low))

    @classmethod
    def whole(cls, state: RecordState, low: int, high: int) -> GraphRange:
        """A range that is not part of another one."""
        return cls(state, low, high, None)

    @property
    def oldest(self) -> int:
        return self.low

    def first(self) -> GraphSnapshot:
        return self._whole.at(self.low)

    def versions_of(
        self, kind: EntityKind, identity: int
    ) -> Iterator[tuple[GraphRange, GraphSnapshot]]:
        for span, image in self._whole.spans(kind, identity):
            part = self._part(span)
            if part is not None:
                moment = part.first()
                moment.know(identity, image)
                yield part, moment

    def lifetimes_of(self, kind: EntityKind, identity: int) -> Iterator[GraphRange]:
        for span in lifetimes([span for span, _ in self._whole.spans(kind, identity)]):
            part = self._part(span)
            if part is not None:
                yield part

    def _part(self, span: Span) -> GraphRange | None:
        """What the range and some versions have in common."""
        low = max(self.low, span.since)
        high = self._version if span.until is None else min(self._version, span.until - 1)
        if low > high:
            return None
        if low == self.low and high == self._version:
            return self
        return GraphRange(self._state, low, high, self._whole)

    def nodes(self) -> Iterator[Node]:
        return (Node(node, self) for node in self._entities.node_ids())

    def nodes_with_label(self, label: str) -> Iterator[Node]:
        token = self._tokens.labels.find(label)
        ids = iter(()) if token is None else self._entities.labelled(token)
        return (Node(node, self) for node in ids)
