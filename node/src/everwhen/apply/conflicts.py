"""The conflicts apply finds, as errors: what happened, and that running it again helps."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from everwhen.errors import EntityErased, TransactionConflict, TransactionTooOld
from everwhen.model.schema import IndexDefinition

_AGAIN: Final = "Run the transaction again"


def changed_since(kind: str, entity: int, key: str | None = None) -> TransactionConflict:
    what = f"{kind} {entity}" if key is None else f"Property `{key}` of {kind.lower()} {entity}"
    return TransactionConflict(
        f"{what} was changed by a transaction that committed first", hint=_AGAIN
    )


def gone(kind: str, entity: int) -> TransactionConflict:
    return TransactionConflict(
        f"{kind} {entity} was deleted by a transaction that committed first", hint=_AGAIN
    )


def forgotten(kind: str, entity: int) -> TransactionConflict:
    return TransactionConflict(
        f"{kind} {entity} cannot come back: everything of it was erased meanwhile", hint=_AGAIN
    )


def end_deleted(node: int) -> TransactionConflict:
    return TransactionConflict(
        f"Node {node}, the end of a new relationship, was deleted by a transaction that "
        "committed first",
        hint=_AGAIN,
    )


def joined_since(node: int) -> TransactionConflict:
    return TransactionConflict(
        f"Node {node} got a new relationship from a transaction that committed first", hint=_AGAIN
    )


def taken_since(index: IndexDefinition, owner: int) -> TransactionConflict:
    what = "Node" if index.entity == "NODE" else "Relationship"
    return TransactionConflict(
        f"{what} {owner} took a value of constraint `{index.constraint}` in a transaction that "
        "committed first",
        hint=_AGAIN,
    )


def merged_since() -> TransactionConflict:
    return TransactionConflict(
        "Another transaction that committed first merged the same pattern", hint=_AGAIN
    )


def read_stale() -> TransactionConflict:
    return TransactionConflict(
        "Something this SERIALIZABLE transaction read was changed by a transaction that committed "
        "first",
        hint=_AGAIN,
    )


def staged_conflict(what: str) -> TransactionConflict:
    return TransactionConflict(f"The large transaction met a conflict: {what}", hint=_AGAIN)


def too_old(read_version: int, floor: int) -> TransactionTooOld:
    return TransactionTooOld(
        f"The transaction reads version {read_version}; conflicts can be decided from version "
        f"{floor} on",
        hint=_AGAIN,
    )


def refuse_erased(kind: str, entity: int, erased: Container[int]) -> None:
    """:raises EntityErased: a thing whose history is gone is to be created again."""
    if entity in erased:
        raise EntityErased(
            f"{kind} {entity} was erased, history and all: its id never comes back",
            hint="create it under a new id",
        )
