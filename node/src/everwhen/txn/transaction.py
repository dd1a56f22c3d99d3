"""One transaction: reads of a snapshot with own writes on top, and the writes themselves.

Nothing here reaches the record. Writes are validated and buffered; ``txn.commit`` turns what is
pending into commands, and apply decides. What can be seen to be wrong already (a duplicate that
the snapshot shows, a value that cannot be stored) is refused at the write, so that the statement
fails where the mistake is; what can only be judged at the end (existence, types, a deleted node
with relationships) is checked by :meth:`Transaction.prepare`.

A transaction belongs to one thread at a time. After an error in a statement it must be thrown
away (as in Neo4j), except for :meth:`savepoint`, which PESSIMISTIC uses to run a statement again.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from enum import Enum

from everwhen import limits
from everwhen.errors import TransactionConflict
from everwhen.model.graph import Direction, GraphView
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.txn.buffer import Buffer, Pending
from everwhen.txn.constraints import ConstraintChecks, connected_error
from everwhen.txn.writes import BufferedWrites


class Isolation(Enum):
    """What a transaction is protected from (architecture brief, section 4)."""

    SNAPSHOT = "SNAPSHOT"
    SERIALIZABLE = "SERIALIZABLE"
    PESSIMISTIC = "PESSIMISTIC"


class Transaction(BufferedWrites):
    """Implements ``GraphView`` and ``GraphWriter``.

    ``allocate_node`` and ``allocate_relationship`` give final ids. ``lock`` is called with write
    keys (``txn.footprint``) before an entity is first written (PESSIMISTIC); it returns when they
    are held, or raises. ``spill`` is called when more is pending than one entry may carry; it
    must take all of it with ``txn.commit.take_chunks``. ``memory_limit`` bounds ``bytes_estimated``.
    ``writes_first``: it is not worth while to let the snapshot answer until then.
    """

    def __init__(
        self,
        snapshot: GraphSnapshot,
        allocate_node: Callable[[], int],
        allocate_relationship: Callable[[], int],
        *,
        isolation: Isolation = Isolation.SNAPSHOT,
        read_only: bool = False,
        lock: Callable[[list[bytes]], None] | None = None,
        spill: Callable[[Transaction], object] | None = None,
        memory_limit: int = limits.STATEMENT_MEMORY_BYTES_MAX,
        writes_first: bool = False,
    ) -> None:
        super().__init__(
            snapshot,
            allocate_node,
            allocate_relationship,
            serializable=isolation is Isolation.SERIALIZABLE,
            read_only=read_only,
            lock=lock if isolation is Isolation.PESSIMISTIC else None,
            memory_limit=memory_limit,
        )
        self.isolation = isolation
        #: chunks already taken by ``txn.commit.take_chunks``
        self.chunks_taken = 0
        #: relationships that apply has to pass for the nodes deleted here, gone ones too
        self._passed = 0
        self._spill = spill
        if not writes_first:
            self._delegate()

    def close(self) -> None:
        """It ended, nobody reads through it any more: let go of everything around it."""
        self._unbind()
        self._checks.close()
        self._lock = self._spill = None

    def _full(self) -> None:
        if self._spill is not None:
            self._spill(self)

    # --- state ---

    @property
    def has_writes(self) -> bool:
        """Whether there is anything to commit."""
        return bool(self.chunks_taken or len(self._buffer.pending) or self._buffer.pending.merges)

    @property
    def is_large(self) -> bool:
        """Whether chunks have left already, or apply is to check in several steps."""
        return self.chunks_taken > 0 or self._passed > limits.MUTATIONS_PER_COMMIT_MAX

    @property
    def snapshot(self) -> GraphView:
        """The committed graph underneath."""
        return self._snapshot

    @property
    def pending(self) -> Pending:
        """What the next command must carry (for ``txn.commit``)."""
        return self._buffer.pending

    @property
    def drafts(self) -> Buffer:
        """Everything written so far (for ``txn.commit``)."""
        return self._buffer

    def read_keys(self) -> list[bytes]:
        """Read keys of a SERIALIZABLE transaction; empty otherwise."""
        return [] if self._reads is None else self._reads.keys()

    # --- the end ---

    def prepare(self) -> None:
        """Check what only the end can tell; call before the last commands are made.

        :raises DeleteConnectedNode: a deleted node still has relationships.
        :raises ConstraintViolation: existence, key or type, on what this transaction touched.
        """
        self._passed = 0
        for node in self._buffer.deleted_nodes:
            if self._still_connected(node):
                raise connected_error(node)
        self._checks.final()

    def _still_connected(self, node: int) -> bool:
        buffer = self._buffer
        own = self._own_expand(node, Direction.BOTH, None)
        if own is not None and next(own, None) is not None:
            return True
        if node in buffer.created_nodes:
            return False
        deleted = buffer.deleted_relationships
        for outgoing in (True, False):
            said = self._snapshot.entities.adjacency(node, outgoing, None)
            for (_, _, relationship), there in said:
                self._passed += 1
                if there and relationship not in deleted:
                    return True
        return False

    # --- PESSIMISTIC: a statement that waited runs again on a fresh snapshot ---

    def savepoint(self) -> tuple[Buffer, int]:
        """The writes so far; for :meth:`rollback_to`. Costs a copy, so keep such transactions
        small; not possible once chunks have left."""
        return deepcopy(self._buffer), self.bytes_estimated

    def rollback_to(self, savepoint: tuple[Buffer, int]) -> None:
        """Forget what was written since; a savepoint serves once."""
        self._buffer, self.bytes_estimated = savepoint
        self._forget_indexes()
        self._undelegate()
        self._delegate()

    def refresh(self, snapshot: GraphSnapshot) -> None:
        """Read at a newer snapshot from here on.

        :raises TransactionConflict: something this transaction wrote was changed in between by
            one that takes no locks.
        """
        old = self._snapshot
        for node in [*self._buffer.changed_nodes, *self._buffer.deleted_nodes]:
            if node not in self._buffer.created_nodes and not _same_node(old, snapshot, node):
                raise TransactionConflict(f"Node {node} was changed by another transaction")
        changed = [*self._buffer.changed_relationships, *self._buffer.deleted_relationships]
        for one in changed:
            if one not in self._buffer.created_relationships and not (
                snapshot.has_relationship(one)
                and old.relationship_properties(one) == snapshot.relationship_properties(one)
            ):
                raise TransactionConflict(f"Relationship {one} was changed by another transaction")
        self._snapshot = snapshot
        self._bind()
        self._forget_indexes()
        self._checks = ConstraintChecks(self)
        self._undelegate()
        self._delegate()


def _same_node(old: GraphView, new: GraphView, node: int) -> bool:
    return (
        new.has_node(node)
        and old.node_labels(node) == new.node_labels(node)
        and old.node_properties(node) == new.node_properties(node)
    )
