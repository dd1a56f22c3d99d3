"""Segments whose rows have versions of their own, put into a record by hand: of elements that keys
hold in one version, with or without their heads' keys."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from everwhen.codec.columns import column_of
from everwhen.codec.keys import (
    VERSION_MAX,
    Kind,
    at_version,
    kind_range,
    node_stem,
    relationship_stem,
    segment_key,
    segref_key,
)
from everwhen.codec.parse import decode_entity
from everwhen.codec.records import (
    decode_node_head,
    decode_relationship_head,
    encode_segment_entry,
)
from everwhen.codec.segment_making import node_segment, versioned_relationships
from everwhen.codec.segments import Segment, encode_segment, pieces
from everwhen.mvcc.segments import entry_of
from everwhen.mvcc.store import Batch, Store
from tests.unit.apply.harness import Database
from tests.unit.apply.test_erasing_verified import audited
from tests.unit.apply.test_histories import History

Element = tuple[int, int, Any]
"""Id, version, head."""


class Audited(History):
    """A history of which the audit finds nothing at its end."""

    def finish(self) -> None:
        super().finish()
        assert audited(self.db)[0] == []


def single(store: Store, kind: Kind) -> list[Element]:
    """The elements that keys say just one thing about: that they were created."""
    found: dict[int, list[tuple[int, int, bytes]]] = {}
    for key, value in store.scan(*kind_range(kind)):
        part = decode_entity(key)
        found.setdefault(part.id, []).append((part.sub, part.version, value))
    decode: Any = decode_node_head if kind is Kind.NODE else decode_relationship_head
    return [
        (identity, entries[0][1], decode(entries[0][2]))
        for identity, entries in found.items()
        if len(entries) == 1 and entries[0][0] == 0 and entries[0][2]
    ]


def segments_of(
    db: Database, chance: random.Random, share: float
) -> tuple[list[tuple[Segment, list[int]]], list[bytes]]:
    """Segments of a share of them with the tokens of their names, and the keys that they stand
    for."""
    by_labels: dict[tuple[int, ...], list[Element]] = {}
    by_type: dict[int, list[Element]] = {}
    keys = []
    for kind in (Kind.NODE, Kind.REL):
        for one in single(db.store, kind):
            if chance.random() < share and not _has_row(db, kind, one[0]):
                keys.append(at_version(stem_of(kind, one), one[1]))
                if kind is Kind.NODE:
                    by_labels.setdefault(tuple(one[2][0]), []).append(one)
                else:
                    by_type.setdefault(one[2][0], []).append(one)
    made = [(nodes_of(db, labels, found), list(labels)) for labels, found in by_labels.items()]
    rest = [(_relationships(db, type_, found), [type_]) for type_, found in by_type.items()]
    return [*made, *rest], keys


def moved(db: Database, chance: random.Random, share: float, *, drop: float) -> int:
    """A share of them stands in segments afterwards, and a share of these in no key any more; the
    number of segments."""
    db.fold()
    made, keys = segments_of(db, chance, share)
    known = db.state.current.segments.refs
    number = 1_000_000 + max((ref.id for ref in known), default=0)
    batch = Batch()
    for at, (segment, tokens) in enumerate(made):
        _file(db, batch, number + at, segment, tokens)
    for key in keys:
        if chance.random() < drop:
            batch.delete(key)
    db.store.write(batch)
    db.open()
    return len(made)


def stem_of(kind: Kind, element: Element) -> bytes:
    """The stem of its head."""
    return (node_stem if kind is Kind.NODE else relationship_stem)(element[0])


def _has_row(db: Database, kind: Kind, identity: int) -> bool:
    segments = db.state.current.segments
    find = segments.of_node if kind is Kind.NODE else segments.of_relationship
    refs = find(identity, VERSION_MAX)
    return any(db.state.cache.get(ref).row(identity) is not None for ref in refs)


def _columns(db: Database, elements: list[Element]) -> dict[str, Any]:
    names = db.state.tokens.keys.names
    keys = sorted({key for _, _, head in elements for key in head[-1]})
    return {names[key]: column_of([head[-1].get(key) for _, _, head in elements]) for key in keys}


def _ints(values: list[int]) -> Any:
    return np.array(values, np.int64)


def nodes_of(db: Database, labels: tuple[int, ...], nodes: list[Element]) -> Segment:
    names = [db.state.tokens.labels.names[label] for label in labels]
    nodes.sort(key=lambda one: one[0])
    ids, versions = _ints([one[0] for one in nodes]), _ints([one[1] for one in nodes])
    return node_segment(names, ids, _columns(db, nodes), versions)


def _relationships(db: Database, type_: int, found: list[Element]) -> Segment:
    found.sort(key=lambda one: one[0])
    ids, versions = _ints([one[0] for one in found]), _ints([one[1] for one in found])
    starts, ends = _ints([one[2][1] for one in found]), _ints([one[2][2] for one in found])
    name = db.state.tokens.types.names[type_]
    return versioned_relationships(name, ids, starts, ends, _columns(db, found), versions)


def _file(db: Database, batch: Batch, number: int, segment: Segment, tokens: list[int]) -> None:
    data = encode_segment(segment)
    cut = pieces(data)
    for at, piece in enumerate(cut):
        batch.put(segment_key(number, at), piece)
    assert segment.versions is not None
    filed = entry_of(segment, sorted(tokens), len(cut), len(data))
    first = int(segment.versions.whole().min())
    batch.put(segref_key(first, number), encode_segment_entry(filed))
