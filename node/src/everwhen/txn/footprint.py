"""The bytes of conflict keys: what a transaction read, and what a commit wrote.

Read keys travel with SERIALIZABLE transactions only; write keys are derived from the journal by
apply when such a transaction commits. Both sides must spell the same key the same way, which is
why both stand here. Names, not tokens, go into a key: a token may not exist yet when it is read.

======= ============================ ============================================================
key     stands for                   written by
======= ============================ ============================================================
``n``   node id                      any change of the node
``r``   relationship id              any change of the relationship
``a``   node, direction, type        creation or deletion of such a relationship at the node
        (empty: all types)
``l``   label (empty: all nodes)     a node gaining or losing the label, creation, deletion
``L``   label (empty: no label)      any change of a node that carries the label (widened ``n``)
``t``   type (empty: all types)      creation or deletion of a relationship of the type
``T``   type                         any change of a relationship of the type (widened ``r``)
``p``   N/R, label, property, value  the value gained or lost by an entity with the label or type
``q``   N/R, label, property         the same for any value (a range was read)
``x``   label                        an existing node gaining or losing the label (an index was
                                     read, whose entries come and go with the label)
======= ============================ ============================================================

A merge key names what MERGE looked for in vain; only other merge keys meet it. Wherever values
stand in a key they are in the encoding of ``codec.ordered``, where equal numbers are equal bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Final

from everwhen import limits
from everwhen.codec import ordered
from everwhen.model.elements import Value
from everwhen.model.graph import Direction, EntityKind, MergedPart

#: values longer than this stand in a key by their hash
_VALUE_BYTES: Final = 40
#: keys of one sort before they widen; four sorts share the bound of a commit
_SORT_MAX: Final = limits.CONFLICT_KEYS_PER_COMMIT_MAX // 4

OUT: Final = b">"
IN: Final = b"<"


def node_key(node: int) -> bytes:
    return b"n" + node.to_bytes(8, "big")


def relationship_key(relationship: int) -> bytes:
    return b"r" + relationship.to_bytes(8, "big")


def pattern_lock_key(pattern: bytes) -> bytes:
    """Lock of a MERGE pattern (PESSIMISTIC only; never a conflict key)."""
    return b"lock pattern " + pattern


def unique_lock_key(index: int, values: bytes) -> bytes:
    """Lock of a value under a unique index (PESSIMISTIC only; never a conflict key)."""
    return b"lock unique %d " % index + values


def adjacency_key(node: int, direction: bytes, type_: str = "") -> bytes:
    return b"a" + direction + node.to_bytes(8, "big") + type_.encode()


def label_key(label: str = "") -> bytes:
    return b"l" + label.encode()


def labelled_key(label: str = "") -> bytes:
    return b"L" + label.encode()


def type_key(type_: str = "") -> bytes:
    return b"t" + type_.encode()


def typed_key(type_: str) -> bytes:
    return b"T" + type_.encode()


def _named(kind: EntityKind, label: str, key: str) -> bytes:
    name = label.encode()
    head = b"N" if kind is EntityKind.NODE else b"R"
    return head + len(name).to_bytes(4, "big") + name + key.encode() + b"\x00"


def point_key(kind: EntityKind, label: str, key: str, value: bytes) -> bytes:
    """``value`` is in the encoding of ``codec.ordered``."""
    return b"p" + _named(kind, label, key) + short(value)


def range_key(kind: EntityKind, label: str, key: str) -> bytes:
    return b"q" + _named(kind, label, key)


def relabelled_key(label: str) -> bytes:
    return b"x" + label.encode()


def short(value: bytes) -> bytes:
    """A value of bounded length that is equal for equal values."""
    if len(value) <= _VALUE_BYTES:
        return value
    return b"\xff#" + blake2b(value, digest_size=16).digest()


# --- merge patterns -------------------------------------------------------------------------


def _properties_bytes(properties: Mapping[str, Value]) -> bytes:
    parts = [len(properties).to_bytes(4, "big")]
    for key in sorted(properties):
        name = key.encode()
        value = short(ordered.encode(properties[key]))
        parts.append(len(name).to_bytes(4, "big") + name + len(value).to_bytes(1, "big") + value)
    return b"".join(parts)


def merge_key(pattern: Sequence[MergedPart]) -> bytes:
    """The key of what MERGE looked for. The order of labels and properties is no matter, nor is
    the direction of a relationship, because an undirected MERGE looks for either."""
    return _digest(b"".join(_merged_part(part) for part in pattern))


def _merged_part(part: MergedPart) -> bytes:
    names = [name.encode() for name in sorted(set(part.names))]
    head = len(names).to_bytes(2, "big")
    head += b"".join(len(name).to_bytes(4, "big") + name for name in names)
    properties = _properties_bytes(part.properties)
    if part.ends is None:
        return b"n" + head + properties
    ends = b"".join(end.to_bytes(9, "big", signed=True) for end in sorted(part.ends))
    return b"r" + ends + head + properties


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=16, person=b"everwhen.merge").digest()


# --- what a transaction read ----------------------------------------------------------------


class ReadSet:
    """Read keys of one SERIALIZABLE transaction, widening per sort when there are many.

    ``labels_of`` gives a node's labels in the snapshot: a widened node key is one of its labels,
    because every change of the node writes the ``L`` key of each label it has or had.
    """

    __slots__ = ("_adjacent", "_labels_of", "_names", "_nodes", "_points", "_relationships")

    def __init__(self, labels_of: Callable[[int], Sequence[str]]) -> None:
        self._labels_of = labels_of
        self._nodes: dict[int, None] | None = {}
        self._relationships: dict[int, str] | None = {}
        self._adjacent: dict[tuple[int, bytes, str], None] | None = {}
        self._points: dict[bytes, bytes] | None = {}
        #: keys of names (labels, types, ranges); these never widen
        self._names: dict[bytes, None] = {}

    def node(self, node: int) -> None:
        nodes = self._nodes
        if nodes is None:
            self._wide_node(node)
            return
        nodes[node] = None
        if len(nodes) > _SORT_MAX:
            self._nodes = None
            for seen in nodes:
                self._wide_node(seen)

    def _wide_node(self, node: int) -> None:
        labels = self._labels_of(node)
        self._names[labelled_key(labels[0] if labels else "")] = None

    def relationship(self, relationship: int, type_: str) -> None:
        seen = self._relationships
        if seen is None:
            self._names[typed_key(type_)] = None
            return
        seen[relationship] = type_
        if len(seen) > _SORT_MAX:
            self._relationships = None
            for name in seen.values():
                self._names[typed_key(name)] = None

    def expand(self, node: int, direction: Direction, types: Sequence[str] | None) -> None:
        names = types if types is not None else ("",)
        for name in names:
            if direction is not Direction.IN:
                self._adjacency(node, OUT, name)
            if direction is not Direction.OUT:
                self._adjacency(node, IN, name)

    def _adjacency(self, node: int, direction: bytes, name: str) -> None:
        adjacent = self._adjacent
        if adjacent is None:
            self._names[type_key(name)] = None
            return
        adjacent[node, direction, name] = None
        if len(adjacent) > _SORT_MAX:
            self._adjacent = None
            for _, _, seen in adjacent:
                self._names[type_key(seen)] = None

    def label(self, label: str = "") -> None:
        """A scan of a label, or of all nodes."""
        self._names[label_key(label)] = None

    def types(self, types: Sequence[str] | None) -> None:
        """A scan of relationships."""
        for name in types if types is not None else ("",):
            self._names[type_key(name)] = None

    def index_point(self, kind: EntityKind, label: str, key: str, value: Value) -> None:
        wide = range_key(kind, label, key)
        if kind is EntityKind.NODE:
            self._names[relabelled_key(label)] = None
        points = self._points
        if points is None:
            self._names[wide] = None
            return
        points[point_key(kind, label, key, ordered.encode(value))] = wide
        if len(points) > _SORT_MAX:
            self._points = None
            self._names.update(dict.fromkeys(points.values()))

    def index_range(self, kind: EntityKind, label: str, key: str) -> None:
        self._names[range_key(kind, label, key)] = None
        if kind is EntityKind.NODE:
            self._names[relabelled_key(label)] = None

    def keys(self) -> list[bytes]:
        """All keys, ascending."""
        found = list(self._names)
        found.extend(node_key(node) for node in self._nodes or ())
        found.extend(relationship_key(one) for one in self._relationships or ())
        found.extend(adjacency_key(*one) for one in self._adjacent or ())
        found.extend(self._points or ())
        return sorted(found)
