"""Which index entries and constraints a change of an entity touches.

:class:`Rules` is the catalog in the record's terms: by label or type token, with key tokens, so
that apply finds what it must maintain with one look-up. It is rebuilt when the catalog changes.
Indexes are maintained from *building* on; a *failed* one is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from everwhen.codec import ordered
from everwhen.model.schema import (
    Catalog,
    ConstraintDefinition,
    ConstraintKind,
    IndexDefinition,
    IndexState,
)
from everwhen.mvcc.tokens import Tokens

Reader = Callable[[str], Any]
"""Property by name, or None."""


class IndexRule(NamedTuple):
    """One index to maintain."""

    id: int
    unique: bool
    keys: frozenset[str]
    definition: IndexDefinition


class Edit(NamedTuple):
    """What one entity's change does to one index: entries by their bytes, None for none.

    ``distinguishable``: the index is unique and another entity could have equal new values.
    ``values`` are the new ones, of unique indexes only.
    """

    rule: IndexRule
    entity: int
    old: bytes | None
    new: bytes | None
    distinguishable: bool = False
    values: Sequence[Any] = ()


Wanted = tuple[list[tuple[IndexRule, list[int]]], list[ConstraintDefinition]]
"""Indexes that a new entity meets, with the places of their properties, and constraints."""


#: what no entity can break by itself
_UNCHECKED: Final = (ConstraintKind.UNIQUE, ConstraintKind.FULLTEXT)


class Rules:
    """What to maintain and to check, for nodes by label token and relationships by type token."""

    __slots__ = (
        "any_nodes",
        "any_relationships",
        "node_constraints",
        "node_indexes",
        "relationship_constraints",
        "relationship_indexes",
        "version",
    )

    def __init__(self, catalog: Catalog, tokens: Tokens) -> None:
        self.version = catalog.version
        self.node_indexes: dict[int, list[IndexRule]] = {}
        self.relationship_indexes: dict[int, list[IndexRule]] = {}
        self.node_constraints: dict[int, list[ConstraintDefinition]] = {}
        self.relationship_constraints: dict[int, list[ConstraintDefinition]] = {}
        for index in catalog.indexes.values():
            if index.state is IndexState.FAILED:
                continue
            rule = IndexRule(index.id, index.unique, frozenset(index.properties), index)
            if index.entity == "NODE":
                token = tokens.labels.ids[index.label]
                self.node_indexes.setdefault(token, []).append(rule)
            else:
                token = tokens.types.ids[index.label]
                self.relationship_indexes.setdefault(token, []).append(rule)
        for constraint in catalog.constraints.values():
            if constraint.kind in _UNCHECKED or constraint.state is IndexState.FAILED:
                continue
            if constraint.entity == "NODE":
                token = tokens.labels.ids[constraint.label]
                self.node_constraints.setdefault(token, []).append(constraint)
            else:
                token = tokens.types.ids[constraint.label]
                self.relationship_constraints.setdefault(token, []).append(constraint)
        self.any_nodes = bool(self.node_indexes or self.node_constraints)
        self.any_relationships = bool(self.relationship_indexes or self.relationship_constraints)

    def of_new_node(self, labels: Sequence[int], names: Sequence[str]) -> Wanted:
        """What meets a new node: indexes by label token, constraints in the order of its labels.
        Properties are given by the places of their names (-1: nobody has such a property)."""
        places = {name: at for at, name in enumerate(names)}
        indexes: list[tuple[IndexRule, list[int]]] = []
        constraints: list[ConstraintDefinition] = []
        for label in sorted(set(labels)):
            indexes += [
                (rule, [places.get(key, -1) for key in rule.definition.properties])
                for rule in self.node_indexes.get(label, ())
            ]
        for label in labels:
            constraints += self.node_constraints.get(label, ())
        return indexes, constraints


def entry(definition: IndexDefinition, read: Reader, *, new: bool = True) -> bytes | None:
    """The entry of an entity that carries the label, or None if it lacks a property.

    :raises QueryArgumentError: a ``new`` one is larger than an index entry may be.
    """
    values = []
    for key in definition.properties:
        value = read(key)
        if value is None:
            return None
        values.append(value)
    return ordered.encode_entry(values) if new else ordered.encode_tuple(values)


def first_entry(rule: IndexRule, entity: int, values: list[Any]) -> Edit:
    """The edit of an entity that is new to an index.

    :raises QueryArgumentError: the values are larger than an index entry may be.
    """
    new = ordered.encode_entry(values)
    if rule.unique:
        one = all(ordered.is_equal_to_something(value) for value in values)
        return Edit(rule, entity, None, new, one, values)
    return Edit(rule, entity, None, new)


def edits(
    rules: dict[int, list[IndexRule]],
    entity: int,
    labels: tuple[Iterable[int], Iterable[int]],
    reads: tuple[Reader, Reader],
    changed: frozenset[str] | None,
) -> list[Edit]:
    """The edits of one entity's change, from old to new (labels or type, and properties).

    ``changed`` names the keys that differ, None if anything may. Labels that carry no index cost
    nothing but the look-up.

    :raises QueryArgumentError: a new value is larger than an index entry may be.
    """
    old_labels, new_labels = set(labels[0]), set(labels[1])
    found: list[Edit] = []
    for label in sorted(old_labels | new_labels):
        for rule in rules.get(label, ()):
            was, is_ = label in old_labels, label in new_labels
            if was and is_ and changed is not None and not changed & rule.keys:
                continue
            old = entry(rule.definition, reads[0], new=False) if was else None
            new = entry(rule.definition, reads[1]) if is_ else None
            if old != new:
                if rule.unique and new is not None:
                    values = [reads[1](key) for key in rule.definition.properties]
                    one = all(ordered.is_equal_to_something(value) for value in values)
                    found.append(Edit(rule, entity, old, new, one, values))
                else:
                    found.append(Edit(rule, entity, old, new))
    return found
