"""Elements that keys hold in one version, as segments whose rows have versions: what a leader
proposes to compact (ADR 5). A proposal only: apply compares every row with its key.

Elements are looked at by id, a window at a time, so that segments of all types together cover each
id a few times at most. What a window has few of stays where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, Final, NamedTuple

import numpy as np

from everwhen.codec.columns import Column, column_of
from everwhen.codec.keys import SUB_HEAD, Kind, kind_range, node_stem, relationship_stem, version_of
from everwhen.codec.records import decode_node_head, decode_relationship_head
from everwhen.codec.segment_making import node_segment, versioned_relationships
from everwhen.codec.segments import Segment, encode_segment
from everwhen.limits import COMPACTION_BYTES, COMPACTION_ROWS_MIN, COMPACTION_WINDOW
from everwhen.mvcc.store import Store
from everwhen.mvcc.tokens import Tokens

_ID_SUB: Final = Struct(">QI")
_ID_AT: Final = 3
#: elements looked at between two calls of ``check``
_CHUNK: Final = 1_000

_Names = tuple[int, ...]
"""Tokens of a node's labels, or of the one type."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is looked at: elements and bytes of a window, and rows that a segment has at least
    (tests; see ``limits``)."""

    window: int = COMPACTION_WINDOW
    rows_min: int = COMPACTION_ROWS_MIN
    bytes: int = COMPACTION_BYTES


class Window(NamedTuple):
    """Segments of a window, encoded, how many elements stay keys, and the id behind it; None:
    there are no more elements."""

    segments: list[bytes]
    stayed: int
    following: int | None


@dataclass(slots=True)
class _Group:
    """Elements with the same names."""

    ids: list[int] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    heads: list[tuple[Any, ...]] = field(default_factory=list)


def window_of(
    store: Store, tokens: Tokens, kind: Kind, first: int, extent: Extent, check: Callable[[], None]
) -> Window:
    """The window of nodes or relationships that begins at an id. ``check`` is called now and then,
    and may raise."""
    nodes = kind is Kind.NODE
    decode: Any = decode_node_head if nodes else decode_relationship_head
    groups: dict[_Names, _Group] = {}
    size = stayed = 0
    following = None
    for looked, (identity, version, raw) in enumerate(_elements(store, kind, first)):
        if looked >= extent.window or (looked and size + len(raw) > extent.bytes):
            following = identity
            break
        if looked % _CHUNK == 0:
            check()
        stayed += 1
        if raw:
            size += len(raw)
            head = decode(raw)
            names: _Names = tuple(head[0]) if nodes else (head[0],)
            group = groups.setdefault(names, _Group())
            group.ids.append(identity)
            group.versions.append(version)
            group.heads.append(head)
    make = _nodes if nodes else _relationships
    segments = []
    for names, group in groups.items():
        if len(group.ids) >= extent.rows_min:
            check()
            segments.append(encode_segment(make(tokens, names, group)))
            stayed -= len(group.ids)
    return Window(segments, stayed, following)


def _elements(store: Store, kind: Kind, first: int) -> Iterator[tuple[int, int, bytes]]:
    """Id, version and head of each element that keys name; no head of one of which they say more
    than that it was created."""
    start = node_stem(first) if kind is Kind.NODE else relationship_stem(first)
    current, version, head, entries = -1, 0, b"", 0
    for key, value in store.scan(start, kind_range(kind)[1]):
        identity, sub = _ID_SUB.unpack_from(key, _ID_AT)
        if identity != current:
            if entries:
                yield current, version, head
            current, entries, head = identity, 0, b""
        entries += 1
        version = version_of(key)
        head = value if sub == SUB_HEAD and entries == 1 else b""
    if entries:
        yield current, version, head


def _columns(tokens: Tokens, heads: list[tuple[Any, ...]]) -> dict[str, Column]:
    names = tokens.keys.names
    keys = sorted({key for head in heads for key in head[-1]})
    return {names[key]: column_of([head[-1].get(key) for head in heads]) for key in keys}


def _nodes(tokens: Tokens, labels: _Names, group: _Group) -> Segment:
    return node_segment(
        [tokens.labels.names[token] for token in labels],
        np.array(group.ids, np.int64),
        _columns(tokens, group.heads),
        np.array(group.versions, np.int64),
    )


def _relationships(tokens: Tokens, type_: _Names, group: _Group) -> Segment:
    return versioned_relationships(
        tokens.types.names[type_[0]],
        np.array(group.ids, np.int64),
        np.array([head[1] for head in group.heads], np.int64),
        np.array([head[2] for head in group.heads], np.int64),
        _columns(tokens, group.heads),
        np.array(group.versions, np.int64),
    )
