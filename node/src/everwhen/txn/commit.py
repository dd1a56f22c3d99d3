"""From a transaction's buffer to the commands that carry it to apply.

A small transaction is one ``Commit``. A larger one travels as ``BeginChunks``, ``Chunk``s and
``CommitChunks``: its buffer *spills* while it runs (``take_chunk`` from the spill hook) whenever
it is more than one entry should carry.

Mutations stand in canonical order: creations of nodes, then of relationships, label changes,
property changes, then deletions of relationships, then of nodes; each group in the order of the
writes. So a chunk never speaks of an entity before its creation.

The commit time is stamped by the proposer just before it proposes (:func:`stamp`), so encoding
happens once, after that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

import msgspec

from everwhen import limits
from everwhen.codec.values import encode_value
from everwhen.model.elements import Value
from everwhen.txn import commands as c
from everwhen.txn.buffer import Buffer, Pending
from everwhen.txn.transaction import Transaction

_Stamped = TypeVar("_Stamped", c.Commit, c.CommitChunks)


class _Names:
    """Strings of one command, by position."""

    __slots__ = ("names", "places")

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self.names: list[str] = []

    def at(self, name: str) -> int:
        place = self.places.get(name)
        if place is None:
            place = self.places[name] = len(self.names)
            self.names.append(name)
        return place

    def clear(self) -> None:
        self.names.clear()
        self.places.clear()


def stamp(command: _Stamped, time: int) -> _Stamped:
    """The command with its commit time; one with a time of its own (historical load) keeps it."""
    return command if command.own_time else msgspec.structs.replace(command, time=time)


def commit_of(
    transaction: Transaction, origin: c.Origin, *, own_time: int | None = None
) -> c.Commit:
    """The whole of a transaction that is not large, as one command.

    Call ``transaction.prepare()`` first.
    """
    pending = transaction.pending
    names = _Names()
    mutations = [one for one, _ in _mutations(transaction.drafts, pending, names)]
    return c.Commit(
        c.FORMAT,
        own_time or 0,
        transaction.version,
        names.names,
        mutations,
        c.Checks(list(pending.merges), transaction.read_keys()),
        origin,
        own_time is not None,
    )


def begin_of(transaction: Transaction, origin: c.Origin) -> c.BeginChunks:
    """The first command of a large transaction; apply answers with its number."""
    return c.BeginChunks(c.FORMAT, 0, transaction.version, origin)


def take_chunk(transaction: Transaction, number: int) -> Iterator[c.Chunk]:
    """What is pending, as chunks of the large transaction ``number``; then nothing is pending.

    The iterator must be used up before the transaction goes on.
    """
    pending, buffer = transaction.pending, transaction.drafts
    buffer.pending = Pending()
    transaction.pending_bytes = 0
    merges = list(pending.merges)
    names = _Names()
    mutations: list[c.AnyMutation] = []
    size = 0
    # names are collected as the mutations are made, so that each chunk has a table of its own
    for mutation, weight in _mutations(buffer, pending, names):
        mutations.append(mutation)
        size += weight
        if len(mutations) >= limits.MUTATIONS_PER_CHUNK or size > limits.CHUNK_BYTES:
            yield _chunk(transaction, number, names, mutations, merges)
            merges, mutations, size = [], [], 0
            names.clear()
    if mutations or merges:
        yield _chunk(transaction, number, names, mutations, merges)


def _chunk(
    transaction: Transaction,
    number: int,
    names: _Names,
    mutations: list[c.AnyMutation],
    merges: list[bytes],
) -> c.Chunk:
    at = transaction.chunks_taken
    transaction.chunks_taken = at + 1
    checks = c.Checks(merges, [])
    return c.Chunk(c.FORMAT, number, at, list(names.names), mutations, [], checks)


def commands_of(
    transaction: Transaction, number: int, *, own_time: int | None = None
) -> c.CommitChunks:
    """The command that publishes a large transaction all of whose chunks were taken."""
    return c.CommitChunks(
        c.FORMAT,
        own_time or 0,
        number,
        transaction.chunks_taken,
        own_time is not None,
        c.Checks([], transaction.read_keys()),
    )


def abort_of(number: int, reason: str) -> c.AbortChunks:
    """The command that forgets a large transaction."""
    return c.AbortChunks(c.FORMAT, number, reason)


# --- mutations ------------------------------------------------------------------------------

_Weighed = tuple[c.AnyMutation, int]


def _mutations(buffer: Buffer, pending: Pending, names: _Names) -> Iterator[_Weighed]:
    """Everything pending, in canonical order, with the bytes of its values."""
    at = names.at
    for node in pending.created_nodes:
        draft = buffer.created_nodes[node]
        labels = sorted(draft.labels)
        values, weight = _values(draft.properties, names)
        yield c.CreateNode(node, [at(label) for label in labels], values), weight
    for one in pending.created_relationships:
        made = buffer.created_relationships[one]
        values, weight = _values(made.properties, names)
        yield c.CreateRelationship(one, at(made.type), made.start, made.end, values), weight
    for node, touch in pending.changed_nodes.items():
        if touch.labels:
            added = sorted(label for label, there in touch.labels.items() if there)
            removed = sorted(label for label, there in touch.labels.items() if not there)
            yield c.ChangeLabels(node, [at(x) for x in added], [at(x) for x in removed]), 0
    for node, touch in pending.changed_nodes.items():
        if touch.keys:
            made_here = buffer.created_nodes.get(node)
            now: Mapping[str, Value] = (
                buffer.changed_nodes[node].properties if made_here is None else made_here.properties
            )
            steps, weight = _steps(now, touch.keys, names)
            yield c.ChangeNode(node, steps), weight
    for one, keys in pending.changed_relationships.items():
        draft_here = buffer.created_relationships.get(one)
        now = buffer.changed_relationships[one] if draft_here is None else draft_here.properties
        steps, weight = _steps(now, keys, names)
        yield c.ChangeRelationship(one, steps), weight
    for one in pending.deleted_relationships:
        yield c.DeleteRelationship(one), 0
    for node in pending.deleted_nodes:
        yield c.DeleteNode(node), 0


def _values(properties: Mapping[str, Value], names: _Names) -> tuple[dict[int, bytes], int]:
    encoded: dict[int, bytes] = {}
    weight = 0
    for key in sorted(properties):
        value = encode_value(properties[key])
        encoded[names.at(key)] = value
        weight += len(value)
    return encoded, weight


def _steps(
    now: Mapping[str, Value], keys: Mapping[str, None], names: _Names
) -> tuple[dict[int, bytes | None], int]:
    encoded: dict[int, bytes | None] = {}
    weight = 0
    for key in sorted(keys):
        value = now.get(key)
        raw = None if value is None else encode_value(value)
        encoded[names.at(key)] = raw
        weight += 0 if raw is None else len(raw)
    return encoded, weight
