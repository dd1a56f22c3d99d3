"""Reading an index as of a version.

An index says everything from the version on at which it was created. A snapshot older than that
answers from the labelled nodes (or typed relationships) themselves: the same ids in the same
order, found the long way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any

from everwhen.codec import ordered
from everwhen.codec.keys import after, index_prefix
from everwhen.errors import IndexNotFound, TransactionConflict
from everwhen.model.graph import Bound
from everwhen.model.schema import IndexDefinition
from everwhen.model.values import compare
from everwhen.mvcc.versioned import Entry

if TYPE_CHECKING:
    from everwhen.mvcc.graph import GraphSnapshot


def definition_of(snapshot: GraphSnapshot, name: str) -> IndexDefinition:
    """:raises IndexNotFound: no index of that name."""
    definition = snapshot.catalog.indexes.get(name)
    if definition is None:
        raise IndexNotFound(f"there is no index named {name!r}")
    return definition


def seek(snapshot: GraphSnapshot, name: str, values: Sequence[Any]) -> Iterator[int]:
    """Ids whose leading properties equal ``values``."""
    definition = definition_of(snapshot, name)
    if not all(ordered.is_equal_to_something(value) for value in values):
        return iter(())
    head = ordered.encode_tuple(values)
    return _ids(snapshot, definition, head, after(head) if head else b"\xff")


def between(
    snapshot: GraphSnapshot,
    name: str,
    prefix: Sequence[Any],
    lower: Bound | None,
    upper: Bound | None,
) -> Iterator[int]:
    """Ids with equal leading properties and the next one within the bounds."""
    definition = definition_of(snapshot, name)
    if not all(ordered.is_equal_to_something(value) for value in prefix):
        return iter(())
    limits = ordered.range_of(_limit(lower), _limit(upper))
    if limits is None:
        return iter(())
    head = ordered.encode_tuple(prefix)
    ids = _ids(snapshot, definition, head + limits[0], head + limits[1])
    bounds = [bound for bound in (lower, upper) if bound is not None]
    if any(isinstance(bound.value, list) for bound in bounds) and snapshot.is_moment:
        # the total order places lists that ``<`` cannot compare
        key = definition.properties[len(prefix)]
        read = _reader(snapshot, definition)
        return (
            entity
            for entity in ids
            if all(_comparable(read(entity, key), bound.value) for bound in bounds)
        )
    return ids


def _comparable(left: Any, right: Any) -> bool:
    order = compare(left, right)
    return order is not None and not isnan(order)


def starting(snapshot: GraphSnapshot, name: str, prefix: Sequence[Any], text: str) -> Iterator[int]:
    """Ids whose next property is a string that starts with ``text``."""
    definition = definition_of(snapshot, name)
    if not all(ordered.is_equal_to_something(value) for value in prefix):
        return iter(())
    head = ordered.encode_tuple(prefix)
    start, end = ordered.prefix_range(text)
    return _ids(snapshot, definition, head + start, head + end)


def everything(snapshot: GraphSnapshot, name: str) -> Iterator[int]:
    """All ids, in the order of their values."""
    return _ids(snapshot, definition_of(snapshot, name), b"", b"\xff")


def _limit(bound: Bound | None) -> tuple[Any, bool] | None:
    return None if bound is None else (bound.value, bound.inclusive)


def _reader(snapshot: GraphSnapshot, definition: IndexDefinition) -> Any:
    nodes = definition.entity == "NODE"
    return snapshot.node_property if nodes else snapshot.relationship_property


def _ids(
    snapshot: GraphSnapshot, definition: IndexDefinition, start: bytes, end: bytes
) -> Iterator[int]:
    """Ids of the entries in [start, end), ascending by (values, id)."""
    if snapshot.oldest < definition.created_version:
        return _without_index(snapshot, definition, start, end)
    entries = snapshot.entities.record.scan(
        index_prefix(definition.id, start), index_prefix(definition.id, end), snapshot.version
    )
    found = _still_there(snapshot, definition, entries)
    return found if snapshot.is_moment else _once(found)


def _once(ids: Iterator[int]) -> Iterator[int]:
    """Through a range of versions an entity may stand in an index with several values."""
    seen: set[int] = set()
    for entity in ids:
        if entity not in seen:
            seen.add(entity)
            yield entity


def _still_there(
    snapshot: GraphSnapshot, definition: IndexDefinition, entries: Iterator[Entry]
) -> Iterator[int]:
    """The ids; if the index was dropped meanwhile, entries may be missing, which must not look
    like an answer."""
    for stem, _, value in entries:
        if value:
            yield int.from_bytes(stem[-8:], "big")
    found = snapshot.catalog.indexes.get(definition.name)
    if found is None or found.id != definition.id:
        raise TransactionConflict(
            f"the index {definition.name!r} was dropped while it was read", hint="run it again"
        )


def _without_index(
    snapshot: GraphSnapshot, definition: IndexDefinition, start: bytes, end: bytes
) -> Iterator[int]:
    found: list[tuple[bytes, int]] = []
    nodes = definition.entity == "NODE"
    label = definition.label
    candidates = (
        (node.id for node in snapshot.nodes_with_label(label))
        if nodes
        else (relationship.id for relationship in snapshot.relationships([label]))
    )
    if not snapshot.is_moment:  # all of them are candidates
        return candidates
    read = _reader(snapshot, definition)
    for entity in candidates:
        values = [read(entity, key) for key in definition.properties]
        if not any(value is None for value in values):
            entry = ordered.encode_tuple(values)
            if start <= entry < end:
                found.append((entry, entity))
    found.sort()
    return (entity for _, entity in found)
