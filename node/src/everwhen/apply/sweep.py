"""What vacuum takes out of the entries of entities, labels, adjacency and indexes: one bounded
stretch of keys at a time.

A stretch ends after so many keys, in the middle of a stem if need be; the position is its last
key. Everything a decision needs is looked up again from the record, so a stretch begins anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from everwhen.apply.work import Work
from everwhen.codec import parse
from everwhen.codec.keys import (
    SUB_HEAD,
    SUB_LABELS,
    VERSION_MAX,
    Kind,
    adjacency_prefix,
    after,
    kind_range,
    node_stem,
    relationship_stem,
)
from everwhen.codec.records import (
    decode_labels,
    decode_node_head_raw,
    decode_relationship_head_raw,
)
from everwhen.model.graph import EntityKind
from everwhen.mvcc.entities import Entities
from everwhen.mvcc.horizons import Horizons
from everwhen.mvcc.segments import SegmentDirectory, SegmentRef
from everwhen.mvcc.visible import NEVER, Lifetimes, Readers, Span

_ID_SUB: Final = Struct(">QI")
_ID_AT: Final = 3
#: keys that looking up an entity's lifetimes and row counts for in a step's limit
_LOOKUP: Final = 2


class Group(NamedTuple):
    """Keys of one stem that follow each other; ``newer``: the version of the one before them,
    ``whole``: the stem's oldest one is among them."""

    stem: bytes
    keys: list[bytes]
    entries: list[Span]
    sizes: list[int]
    newer: int
    whole: bool


class Sweep:
    """One step."""

    def __init__(
        self, work: Work, horizons: Horizons, pins: tuple[int, ...], retired: list[SegmentRef]
    ) -> None:
        self._work = work
        self._horizons = horizons
        self._readers = Readers(pins)
        known = SegmentDirectory([*work.segments.refs, *retired])
        self._known = known
        self._rows = Entities(work.record, work.tokens, known, work.state.cache, VERSION_MAX)
        self._retired = {ref.id for ref in retired}
        self._of_indexes = {
            index.id: horizons.of(
                "NODE" if index.entity == "NODE" else "RELATIONSHIP", index.label
            ).version
            for index in work.catalog.indexes.values()
        }
        self._lifetimes: tuple[int, Lifetimes, int] | None = None
        #: keys that looking entities up counted for
        self._lookups = 0
        self.keys = 0
        self.bytes = 0
        #: rows that nobody can see: segment -> ids
        self.dead: dict[int, list[int]] = {}

    def run(self, kind: Kind, position: bytes, limit: int) -> bytes:
        """A stretch of a kind's keys; where the next one begins, b"" for nowhere."""
        decide = {
            Kind.NODE: self._entity,
            Kind.REL: self._entity,
            Kind.OUT: self._adjacent,
            Kind.IN: self._adjacent,
            Kind.LABEL: self._label,
            Kind.INDEX: self._index,
        }[kind]
        last = b""
        looked = 0
        delete = self._work.layer.delete
        for group in self._groups(kind, position, limit):
            last = group.keys[-1]
            for key, size, kept in zip(group.keys, group.sizes, decide(group), strict=True):
                if not kept:
                    delete(key)
                    self.keys += 1
                    self.bytes += size
            looked += len(group.keys)
            if looked + self._lookups >= limit:
                return last
        return b""

    def _groups(self, kind: Kind, position: bytes, limit: int) -> Iterator[Group]:
        start, end = kind_range(kind)
        stem, newer = b"", NEVER
        if position:
            start, stem = position + b"\x00", position[:-8]
            newer = VERSION_MAX - int.from_bytes(position[-8:], "big")
        keys: list[bytes] = []
        entries: list[Span] = []
        sizes: list[int] = []
        for looked, (key, value) in enumerate(self._work.layer.scan(start, end)):
            if looked >= limit:
                if keys:
                    yield Group(stem, keys, entries, sizes, newer, key[:-8] != stem)
                return
            if key[:-8] != stem:
                if keys:
                    yield Group(stem, keys, entries, sizes, newer, True)
                stem, newer, keys, entries, sizes = key[:-8], NEVER, [], [], []
            keys.append(key)
            entries.append(Span(VERSION_MAX - int.from_bytes(key[-8:], "big"), bool(value)))
            sizes.append(len(key) + len(value))
        if keys:
            yield Group(stem, keys, entries, sizes, newer, True)

    # --- entities ---

    def _entity(self, group: Group) -> list[bool]:
        kind = Kind(group.stem[2])
        entity, sub = _ID_SUB.unpack_from(group.stem, _ID_AT)
        lifetimes, horizon = self._of(kind, entity)
        if sub == SUB_HEAD:
            beneath = not group.whole or self._row(kind, entity) is not None
            return self._readers.stem(group.entries, horizon, newer=group.newer, beneath=beneath)
        kept = []
        newer = group.newer
        for entry in group.entries:
            version = entry.version
            end = min(newer, lifetimes.end_of(version))
            # the head of what is newer than the horizon may lie in a large transaction's run
            seen = end > version and self._readers.see(version, end, horizon)
            kept.append(version > horizon or seen)
            newer = entry.version
        return kept

    def _of(self, kind: Kind, entity: int) -> tuple[Lifetimes, int]:
        """An entity's lifetimes and horizon; they stay at hand while its keys are looked at."""
        if self._lifetimes is not None and self._lifetimes[0] == entity:
            return self._lifetimes[1], self._lifetimes[2]
        make = node_stem if kind is Kind.NODE else relationship_stem
        start, end = make(entity, SUB_HEAD), make(entity, SUB_LABELS)
        self._lookups += _LOOKUP
        heads = list(self._work.layer.scan(start, end))
        spans = [Span(VERSION_MAX - int.from_bytes(k[-8:], "big"), bool(v)) for k, v in heads]
        row = self._row(kind, entity)
        lifetimes = Lifetimes(spans, row)
        horizon = self._horizons.highest
        if not self._horizons.plain:
            values = [value for _, value in heads if value]
            if kind is Kind.NODE:
                horizon = self._node_horizon(entity, values)
            else:
                horizon = self._relationship_horizon(entity, values)
        self._lifetimes = (entity, lifetimes, horizon)
        if row is not None and not self._readers.see(row, lifetimes.end_of_row(), horizon):
            self._note_dead(kind, entity)
        return lifetimes, horizon

    def _row(self, kind: Kind, entity: int) -> int | None:
        if not self._known:
            return None
        what = EntityKind.NODE if kind is Kind.NODE else EntityKind.RELATIONSHIP
        row = self._rows.row(what, entity)
        return None if row is None else row.version

    def _note_dead(self, kind: Kind, entity: int) -> None:
        find = self._known.of_node if kind is Kind.NODE else self._known.of_relationship
        cache = self._work.state.cache
        for ref in find(entity, VERSION_MAX):
            if ref.id not in self._retired and cache.get(ref).row(entity) is not None:
                self.dead.setdefault(ref.id, []).append(entity)

    def _node_horizon(self, node: int, heads: list[bytes]) -> int:
        """See ``mvcc.horizons``: by every label it carried, and every type it has."""
        names = self._work.tokens.labels.names
        sets = [decode_node_head_raw(value)[0] for value in heads]
        start, end = node_stem(node, SUB_LABELS), node_stem(node, SUB_LABELS + 1)
        sets += [decode_labels(value) for _, value in self._work.layer.scan(start, end) if value]
        labels = {names[token] for labels in sets for token in labels}
        labels.update("" for labels in sets if not labels)
        for ref in self._known.of_node(node, VERSION_MAX):
            labels.update(names[token] for token in ref.entry.tokens)
            if not ref.entry.tokens:
                labels.add("")
        return self._horizons.node(sorted(labels), sorted(self._types_at(node)))

    def _types_at(self, node: int) -> set[str]:
        names = self._work.tokens.types.names
        found: set[str] = set()
        for kind in (Kind.OUT, Kind.IN):
            prefix = adjacency_prefix(kind, node)
            start, end = prefix, after(prefix)
            while True:
                pair = self._work.layer.first(start, end)
                if pair is None:
                    break
                token = parse.decode_adjacency(pair[0]).type
                found.add(names[token])
                start = after(adjacency_prefix(kind, node, token))
            refs = self._known.at_node(node, kind is Kind.OUT, VERSION_MAX, None)
            found.update(names[ref.entry.tokens[0]] for ref in refs)
        return found

    def _relationship_horizon(self, relationship: int, heads: list[bytes]) -> int:
        names = self._work.tokens.types.names
        tokens = {decode_relationship_head_raw(value)[0] for value in heads}
        for ref in self._known.of_relationship(relationship, VERSION_MAX):
            tokens.update(ref.entry.tokens)
        return min(
            (self._horizons.type(names[token]).version for token in tokens),
            default=self._horizons.lowest,
        )

    # --- what points at entities ---

    def _stem(self, group: Group, horizon: int, kind: Kind | None, entity: int) -> list[bool]:
        tombstones = not all(entry.present for entry in group.entries)
        beneath = not group.whole
        if tombstones and kind is not None and not beneath:
            beneath = self._row(kind, entity) is not None
        return self._readers.stem(group.entries, horizon, newer=group.newer, beneath=beneath)

    def _adjacent(self, group: Group) -> list[bool]:
        part = parse.decode_adjacency(group.keys[0])
        type_ = self._work.tokens.types.names[part.type]
        horizon = self._horizons.type(type_).version
        return self._stem(group, horizon, Kind.REL, part.relationship)

    def _label(self, group: Group) -> list[bool]:
        part = parse.decode_label(group.keys[0])
        label = self._work.tokens.labels.names[part.label]
        return self._stem(group, self._horizons.label(label).version, Kind.NODE, part.node)

    def _index(self, group: Group) -> list[bool]:
        horizon = self._of_indexes.get(int.from_bytes(group.stem[3:7], "big"))
        if horizon is None:
            return [True] * len(group.keys)  # dropped; cleared in other steps
        return self._stem(group, horizon, None, 0)
