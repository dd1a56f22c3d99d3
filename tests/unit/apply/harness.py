"""A database without a runtime: transactions over a store, and the machine they commit to.

Every payload that was applied is kept, so that a test can apply the log again elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from everwhen import limits
from everwhen.apply.machine import Machine, Outcome
from everwhen.errors import EverwhenError
from everwhen.model.graph import GraphView
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.store import Store
from everwhen.txn import commands as c
from everwhen.txn import commit
from everwhen.txn.transaction import Isolation, Transaction


class Database:
    """See the module. ``chunked`` sends even small transactions in chunks."""

    def __init__(self, store: Store | None = None) -> None:
        self.store: Store = MemoryStore() if store is None else store
        self.log: list[bytes] = []
        self.time = 1_000_000
        #: large transactions are checked before their commit entry
        self.checks = True
        #: transaction object -> number in the log of those that spilled
        self.spilled: dict[int, int] = {}
        self.open()

    def open(self) -> None:
        """(Re)open everything above the store."""
        self.state = RecordState.load(self.store)
        self.machine = Machine(self.store, self.state)
        self._ids: tuple[Iterator[int], Iterator[int]] = (iter(()), iter(()))

    # --- entries ---

    def propose(self, command: c.Command) -> Outcome:
        """Append and apply one entry."""
        self.log.append(c.encode(command))
        return self.machine.apply(len(self.log), 1, self.log[-1])

    def do(self, command: c.Command) -> Any:
        """The same, raising its error."""
        outcome = self.propose(command)
        if isinstance(outcome, EverwhenError):
            raise outcome
        return outcome

    def tick(self) -> int:
        self.time += 1_000
        return self.time

    # --- transactions ---

    def _node_id(self) -> int:
        return self._next_id(0)

    def _relationship_id(self) -> int:
        return self._next_id(1)

    def _next_id(self, which: int) -> int:
        found = next(self._ids[which], None)
        if found is None:
            leased = self.do(c.LeaseIds(c.FORMAT, 50, 50))
            self._ids = (
                iter(range(leased.first_node, leased.first_node + 50)),
                iter(range(leased.first_relationship, leased.first_relationship + 50)),
            )
            found = next(self._ids[which])
        return found

    def begin(self, isolation: Isolation = Isolation.SNAPSHOT, **more: Any) -> Transaction:
        return Transaction(
            GraphSnapshot(self.state),
            self._node_id,
            self._relationship_id,
            isolation=isolation,
            **more,
        )

    def commit(self, transaction: Transaction, *, chunked: bool = False, **origin: Any) -> Any:
        """Commit; the reply, or the error raised."""
        transaction.prepare()
        who = origin_of(**origin)
        small = None if chunked else commit.commit_of(transaction, who)
        if small is not None:
            return self.do(commit.stamp(small, self.tick()))
        number = self.spilled.pop(id(transaction), None)
        if number is None:
            number = self.do(commit.begin_of(transaction, who)).transaction
        self.check(transaction, number, self._send(transaction, number, last=True))
        return self.do(commit.commit_chunks_of(transaction, number, self.tick()))

    def spill(self, transaction: Transaction) -> None:
        """The hook for ``begin``."""
        number = self.spilled.get(id(transaction))
        if number is None:
            number = self.do(commit.begin_of(transaction, origin_of())).transaction
            self.spilled[id(transaction)] = number
        self._send(transaction, number)

    def _send(self, transaction: Transaction, number: int, *, last: bool = False) -> bool:
        """Whether something is left to be checked."""
        more = False
        try:
            for chunk in commit.take_chunks(transaction, number, last=last):
                more = self.do(chunk).more
        except EverwhenError:
            self.do(commit.abort_of(number, "a chunk was refused"))
            raise
        return more

    def check(self, transaction: Transaction, number: int, more: bool) -> None:
        """Let apply check in steps what the chunks left, unless the commit entry is to do it."""
        limit, chunks = limits.DETACHED_PER_STEP, transaction.chunks_taken
        try:
            while more and self.checks:
                more = self.do(c.CheckChunks(c.FORMAT, number, chunks, limit)).more
        except EverwhenError:
            self.do(commit.abort_of(number, "a check was refused"))
            raise

    def view(self, version: int | None = None) -> GraphSnapshot:
        return GraphSnapshot(self.state, version)

    # --- background ---

    def fold(self, limit: int = 1_000) -> None:
        while self.do(c.FoldStep(c.FORMAT, limit)).more:
            pass

    def backfill(self, number: int, limit: int = 3) -> None:
        while self.do(c.BackfillStep(c.FORMAT, number, limit)).more:
            pass

    def create_index(self, label: str, *keys: str, name: str = "", entity: str = "NODE") -> int:
        made: c.SchemaChanged = self.do(
            c.CreateIndex(c.FORMAT, name, entity, label, list(keys), False)
        )
        self.backfill(made.id)
        return made.id

    def create_constraint(
        self,
        kind: str,
        label: str,
        *keys: str,
        name: str = "",
        entity: str = "NODE",
        type_text: str = "",
    ) -> int:
        made: c.SchemaChanged = self.do(
            c.CreateConstraint(c.FORMAT, name, kind, entity, label, list(keys), type_text, False)
        )
        self.backfill(made.id)
        return made.id


def small_commit(transaction: Transaction, origin: c.Origin) -> c.Commit:
    """The one command of a small transaction."""
    command = commit.commit_of(transaction, origin)
    assert command is not None
    return command


def origin_of(client: str = "", sequence: int = 0) -> c.Origin:
    return c.Origin("neo4j", "test", "", {}, b"hash", b"salt", client, sequence)


def dump(view: GraphView) -> tuple[dict[int, Any], dict[int, Any]]:
    """Everything a view shows, as plain values."""
    nodes = {node.id: (tuple(node.labels), dict(node.properties)) for node in view.nodes()}
    relationships = {
        one.id: (one.type, one.start, one.end, dict(one.properties)) for one in view.relationships()
    }
    return nodes, relationships


def props(**properties: Any) -> Mapping[str, Any]:
    return properties
