"""Constraints as a transaction sees them: on its snapshot with its own writes.

A duplicate is refused at the write that makes it, as soon as it is visible; existence, key and
type are looked at when the transaction ends, because a statement may set a property after the
label that demands it. What commits at the same time is apply's business, which checks everything
again on the merged state.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from everwhen.codec.ordered import is_equal_to_something
from everwhen.errors import ConstraintViolation, DeleteConnectedNode, IndexNotFound
from everwhen.model.elements import Value
from everwhen.model.graph import EntityKind
from everwhen.model.schema import (
    Catalog,
    ConstraintDefinition,
    ConstraintKind,
    IndexDefinition,
    IndexState,
)
from everwhen.model.types import matches_type
from everwhen.model.values import to_text
from everwhen.model.vector_index import parse_config

if TYPE_CHECKING:
    from everwhen.txn.writes import BufferedWrites


def entity_text(kind: EntityKind, entity: int) -> str:
    return f"{'Node' if kind is EntityKind.NODE else 'Relationship'}({entity})"


def _place(kind: EntityKind, label: str) -> str:
    return f"{'label' if kind is EntityKind.NODE else 'type'} `{label}`"


def connected_error(node: int) -> DeleteConnectedNode:
    """For a deleted node that still has relationships."""
    return DeleteConnectedNode(
        f"Cannot delete node<{node}>, because it still has relationships. To delete this node, "
        "you must first delete its relationships.",
        hint="DETACH DELETE removes them too",
        detail="DeleteConnectedNode",
    )


def duplicate_error(
    index: IndexDefinition, owner: int, values: Iterable[Value]
) -> ConstraintViolation:
    """Two entities with the same values under a unique or key constraint."""
    kind = EntityKind(index.entity)
    pairs = ", ".join(
        f"`{key}` = {to_text(value)}" for key, value in zip(index.properties, values, strict=True)
    )
    word = "property" if len(index.properties) == 1 else "properties"
    return ConstraintViolation(
        f"{entity_text(kind, owner)} already exists with {_place(kind, index.label)} and {word} "
        f"{pairs} (constraint `{index.constraint}`)"
    )


class Gettable(Protocol):
    """Properties of an entity, by name."""

    def get(self, key: str, /) -> Value: ...


def broken(
    constraint: ConstraintDefinition, entity: int, properties: Gettable
) -> ConstraintViolation | None:
    """What is wrong with one entity that carries the constraint's label, duplicates aside."""
    kind = EntityKind(constraint.entity)
    who = entity_text(kind, entity)
    place = _place(kind, constraint.label)
    if constraint.kind in (ConstraintKind.EXISTS, ConstraintKind.KEY):
        missing = [key for key in constraint.properties if properties.get(key) is None]
        if missing:
            names = ", ".join(f"`{key}`" for key in missing)
            word = "property" if len(missing) == 1 else "properties"
            return ConstraintViolation(
                f"{who} with {place} must have the {word} {names} (constraint `{constraint.name}`)"
            )
    if constraint.kind is ConstraintKind.TYPE:
        for key in constraint.properties:
            value = properties.get(key)
            if value is not None and not matches_type(value, constraint.type_text):
                return ConstraintViolation(
                    f"{who} with {place} must have a property `{key}` of type "
                    f"{constraint.type_text}, but its value is {to_text(value)} "
                    f"(constraint `{constraint.name}`)"
                )
    if constraint.kind is ConstraintKind.VECTOR:
        return _unfit(constraint, who, properties)
    return None


def _unfit(
    constraint: ConstraintDefinition, who: str, properties: Gettable
) -> ConstraintViolation | None:
    """What a vector index could not take."""
    value = properties.get(constraint.properties[0])
    if value is None:
        return None
    problem = parse_config(constraint.type_text).problem(value)
    if problem is None:
        return None
    return ConstraintViolation(
        f"{who} has a property `{constraint.properties[0]}` that the vector index "
        f"`{constraint.name}` cannot take: {problem}"
    )


def watched(
    catalog: Catalog,
) -> tuple[
    dict[tuple[str, str], list[IndexDefinition]], dict[tuple[str, str], list[ConstraintDefinition]]
]:
    """Unique indexes, and constraints to check on an entity alone, by (entity, label)."""
    unique: dict[tuple[str, str], list[IndexDefinition]] = {}
    single: dict[tuple[str, str], list[ConstraintDefinition]] = {}
    for index in catalog.indexes.values():
        if index.unique and index.state is not IndexState.FAILED:
            unique.setdefault((index.entity, index.label), []).append(index)
    for constraint in catalog.constraints.values():
        if (
            constraint.kind not in (ConstraintKind.UNIQUE, ConstraintKind.FULLTEXT)
            and constraint.state is not IndexState.FAILED
        ):
            single.setdefault((constraint.entity, constraint.label), []).append(constraint)
    return unique, single


class ConstraintChecks:
    """The checks of one transaction, against the catalog of the moment."""

    __slots__ = ("_single", "_transaction", "_unique", "_version", "any_unique")

    def __init__(self, transaction: BufferedWrites) -> None:
        self._transaction = transaction
        self._version = -1
        self._refresh()

    def close(self) -> None:
        """Let go of the transaction."""
        del self._transaction

    def _refresh(self) -> None:
        catalog = self._transaction.catalog
        if catalog.version != self._version:
            self._version = catalog.version
            self._unique, self._single = watched(catalog)
            self.any_unique = bool(self._unique)

    def unique(
        self,
        kind: EntityKind,
        entity: int,
        labels: Iterable[str],
        properties: Mapping[str, Value] | None,
        keys: Collection[str] | None,
    ) -> None:
        """Refuse a duplicate that the transaction can see.

        ``properties`` may be left out, then they are read; ``keys`` limits the look to indexes
        with one of these properties (None: all of the labels).
        """
        self._refresh()
        if not self.any_unique:
            return
        for label in labels:
            for index in self._unique.get((kind.value, label), ()):
                if keys is not None and not any(key in keys for key in index.properties):
                    continue
                if properties is None:
                    properties = self._transaction.own_properties(kind, entity)
                values = [properties.get(key) for key in index.properties]
                if all(map(is_equal_to_something, values)):
                    self._one(index, entity, values)

    def _one(self, index: IndexDefinition, entity: int, values: list[Value]) -> None:
        self._transaction.lock_value(index, values)
        if index.created_version > self._transaction.version:
            return  # the index does not know this snapshot: apply looks at the newest version
        try:
            owner = self._transaction.visible_owner(index, values, entity)
        except IndexNotFound:
            return  # dropped this moment: it demands nothing any more
        if owner is not None:
            raise duplicate_error(index, owner, values)

    def final(self) -> None:
        """Existence, key and type, on every entity this transaction wrote.

        :raises ConstraintViolation: names constraint, entity and value.
        """
        self._refresh()
        if not self._single:
            return
        transaction = self._transaction
        for kind, entity, labels in transaction.written_entities():
            properties: Mapping[str, Value] | None = None
            for label in labels:
                for constraint in self._single.get((kind.value, label), ()):
                    if properties is None:
                        properties = transaction.own_properties(kind, entity)
                    error = broken(constraint, entity, properties)
                    if error is not None:
                        raise error
