"""The mutations of a data commit: one is one change to one entity.

Part of the replicated vocabulary, whose rules stand in ``txn.commands``.
"""

from __future__ import annotations

import msgspec


class Mutation(msgspec.Struct, frozen=True, array_like=True, tag_field="kind"):
    """Base of the mutations; one is one change to one entity."""


class CreateNode(Mutation, frozen=True, array_like=True, tag=1):
    """A fresh node; ``properties`` maps name position -> encoded value, ascending by name."""

    id: int
    labels: list[int]
    properties: dict[int, bytes]


class DeleteNode(Mutation, frozen=True, array_like=True, tag=2):
    id: int


class ChangeLabels(Mutation, frozen=True, array_like=True, tag=3):
    """Only labels that really change, relative to the transaction's snapshot."""

    id: int
    added: list[int]
    removed: list[int]


class ChangeNode(Mutation, frozen=True, array_like=True, tag=4):
    """Properties of a node; None removes one."""

    id: int
    properties: dict[int, bytes | None]


class CreateRelationship(Mutation, frozen=True, array_like=True, tag=5):
    id: int
    type: int
    start: int
    end: int
    properties: dict[int, bytes]


class DeleteRelationship(Mutation, frozen=True, array_like=True, tag=6):
    id: int


class ChangeRelationship(Mutation, frozen=True, array_like=True, tag=7):
    """Properties of a relationship; None removes one."""

    id: int
    properties: dict[int, bytes | None]


class ReviveNode(Mutation, frozen=True, array_like=True, tag=8):
    """A deleted node is there again, in a new lifetime under its id; as ``CreateNode``.

    From feature level 4 on.
    """

    id: int
    labels: list[int]
    properties: dict[int, bytes]


class ReviveRelationship(Mutation, frozen=True, array_like=True, tag=9):
    """The same for a relationship, between the nodes it was between."""

    id: int
    type: int
    start: int
    end: int
    properties: dict[int, bytes]


AnyMutation = (
    CreateNode
    | DeleteNode
    | ChangeLabels
    | ChangeNode
    | CreateRelationship
    | DeleteRelationship
    | ChangeRelationship
    | ReviveNode
    | ReviveRelationship
)
