"""From a transaction's buffer to the commands that carry it to apply.

A small transaction is one ``Commit``. A larger one travels as ``BeginChunks``, ``Chunk``s and
``CommitChunks``: either it *spilled* while it ran (``take_chunks`` from the spill hook), or it
turns out at its end to be more than one entry should carry.

Mutations stand in canonical order: creations of nodes, then of relationships, label changes,
property changes, then deletions of relationships, then of nodes; each group in the order of the
writes. So a chunk never speaks of an entity before its creation.

The commit time is stamped by the proposer just before it proposes (:func:`stamp`), so encoding
happens once, after that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

import msgspec

from everwhen import limits
from everwhen.codec.values import encode_value
from everwhen.model.elements import Value
from everwhen.txn import commands as c
from everwhen.txn.buffer import Buffer, Pending
from everwhen.txn.transaction import Isolation, Transaction

_Stamped = TypeVar("_Stamped", c.Commit, c.CommitChunks)


class Names:
    """Strings of one command, by position."""

    __slots__ = ("_shapes", "names", "places")

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self.names: list[str] = []
        #: keys as they stand in an entity, to the same in order with their places
        self._shapes: dict[tuple[str, ...], list[tuple[str, int]]] = {}

    def in_order(self, keys: Iterable[str]) -> list[tuple[str, int]]:
        """Keys in ascending order, each with its place; many entities have the same."""
        shape = tuple(keys)
        found = self._shapes.get(shape)
        if found is None:
            found = self._shapes[shape] = [(key, self.at(key)) for key in sorted(shape)]
        return found

    def clear(self) -> None:
        """For the next command."""
        self.names.clear()
        self.places.clear()
        self._shapes.clear()

    def at(self, name: str) -> int:
        place = self.places.get(name)
        if place is None:
            place = self.places[name] = len(self.names)
            self.names.append(name)
        return place


def stamp(command: _Stamped, time: int, *, own_time: bool = False) -> _Stamped:
    """The command with its commit time."""
    return msgspec.structs.replace(command, time=time, own_time=own_time)


def commit_of(
    transaction: Transaction, origin: c.Origin, time: int = 0, texts: Sequence[str] = ()
) -> c.Commit | None:
    """The whole transaction as one command; None if it is too large for one.

    Call ``transaction.prepare()`` first.
    """
    pending = transaction.pending
    if transaction.is_large or len(pending) > limits.MUTATIONS_PER_COMMIT_MAX:
        return None
    names = Names()
    mutations: list[c.AnyMutation] = []
    size = 0
    for mutation, weight in _mutations(transaction.drafts, pending, names):
        mutations.append(mutation)
        size += weight
        if size > limits.CHUNK_BYTES:
            return None
    return c.Commit(
        c.FORMAT,
        time,
        transaction.version,
        names.names,
        mutations,
        c.Checks(list(pending.merges), transaction.read_keys()),
        origin,
        texts=list(texts),
    )


def begin_of(
    transaction: Transaction, origin: c.Origin, texts: Sequence[str] = ()
) -> c.BeginChunks:
    """The first command of a large transaction; apply answers with its number."""
    return c.BeginChunks(c.FORMAT, 0, transaction.version, origin, list(texts))


def take_chunks(transaction: Transaction, number: int, *, last: bool = False) -> Iterator[c.Chunk]:
    """What is pending, as chunks of the large transaction ``number``; then nothing is pending.

    ``last``: the transaction ends, so the read keys travel with the last chunk. The iterator must
    be used up before the transaction goes on.
    """
    pending, buffer = transaction.pending, transaction.drafts
    buffer.pending = Pending()
    transaction.pending_bytes = 0
    merges = list(pending.merges)
    names = Names()
    mutations: list[c.AnyMutation] = []
    size = 0
    source = _mutations(buffer, pending, names)
    while True:
        # names are collected while the mutations are made, so each chunk has a table of its own
        for mutation, weight in islice(source, limits.MUTATIONS_PER_CHUNK):
            mutations.append(mutation)
            size += weight
            if size > limits.CHUNK_BYTES:
                break
        reads: list[bytes] = []
        ended = size <= limits.CHUNK_BYTES and len(mutations) < limits.MUTATIONS_PER_CHUNK
        if ended and last and transaction.isolation is Isolation.SERIALIZABLE:
            reads = transaction.read_keys()
        if mutations or merges or reads:
            at = transaction.chunks_taken
            transaction.chunks_taken = at + 1
            yield c.Chunk(
                c.FORMAT, number, at, list(names.names), mutations, [], c.Checks(merges, reads)
            )
        if ended:
            return
        merges, mutations, size = [], [], 0
        names.clear()


def abort_of(number: int, reason: str) -> c.AbortChunks:
    """The command that forgets a large transaction."""
    return c.AbortChunks(c.FORMAT, number, reason)


def commit_chunks_of(transaction: Transaction, number: int, time: int = 0) -> c.CommitChunks:
    """The command that publishes a large transaction all of whose chunks were taken."""
    return c.CommitChunks(c.FORMAT, time, number, transaction.chunks_taken)


# --- mutations ------------------------------------------------------------------------------

_Weighed = tuple[c.AnyMutation, int]


def _mutations(buffer: Buffer, pending: Pending, names: Names) -> Iterator[_Weighed]:
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


def _values(properties: Mapping[str, Value], names: Names) -> tuple[dict[int, bytes], int]:
    encoded: dict[int, bytes] = {}
    weight = 0
    for key, place in names.in_order(properties):
        value = encoded[place] = encode_value(properties[key])
        weight += len(value)
    return encoded, weight


def _steps(
    now: Mapping[str, Value], keys: Mapping[str, None], names: Names
) -> tuple[dict[int, bytes | None], int]:
    encoded: dict[int, bytes | None] = {}
    weight = 0
    for key, place in names.in_order(keys):
        value = now.get(key)
        raw = encoded[place] = None if value is None else encode_value(value)
        weight += 0 if raw is None else len(raw)
    return encoded, weight
