"""The asynchronous face of the database: what doors call.

Statements run in the ``query`` pool; waiting for the log happens on the event loop, so a commit
holds no thread. Statements in a transaction of their own: ``auto_commit``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from everwhen.errors import QueryCancelled, ShuttingDown, TransactionTimedOut
from everwhen.ports import Threads
from everwhen.runtime.attempts import execute
from everwhen.runtime.auto_commit import AutoCommits
from everwhen.runtime.bookmarks import bookmark_of, version_of
from everwhen.runtime.bulk import BulkLoads
from everwhen.runtime.changes import Changes
from everwhen.runtime.consensus import Consensus
from everwhen.runtime.database import Database
from everwhen.runtime.gate import Gate
from everwhen.runtime.requests import Caller, TransactionOptions
from everwhen.runtime.steps import Execution, Steps
from everwhen.runtime.transaction import OpenTransaction

__all__ = ["Execution", "Service"]


class Service:
    """One per node."""

    def __init__(
        self,
        database: Database,
        consensus: Consensus,
        threads: Threads,
        history_id: Callable[[], str],
        gate: Gate,
    ) -> None:
        self.database = database
        self._history_id = history_id
        self._steps = Steps(database, consensus, threads, gate)
        self._auto_commits = AutoCommits(self._steps, self.bookmark)
        self.bulk = BulkLoads(database, consensus, threads)
        self.changes = Changes(database, consensus, self._steps, history_id, self._check_serving)
        self.stopping = False
        #: raises if this node must not answer (``replica.fence``); without a group it never does
        self.check_fence: Callable[[], None] = lambda: None

    def _check_serving(self) -> None:
        """:raises ShuttingDown, NodeFenced: nothing begins here any more."""
        if self.stopping:
            raise ShuttingDown("the server is stopping")
        self.check_fence()

    # --- bookmarks ---

    def bookmark(self, version: int) -> str:
        """A token for "at least this version of this history"."""
        return bookmark_of(version, self._history_id())

    def bookmark_version(self, bookmarks: list[str]) -> int:
        """The newest version among bookmarks, 0 for none.

        :raises BookmarkInvalid: malformed, or of another history.
        """
        return version_of(bookmarks, self._history_id())

    # --- transactions ---

    async def begin(self, options: TransactionOptions, caller: Caller) -> OpenTransaction:
        """An explicit transaction; end it with ``commit`` or ``rollback``."""
        self._check_serving()
        version = await self._steps.barrier(options)
        if options.at is None:
            return self.database.begin(version, options, caller)
        return await self._steps.in_thread(None, self.database.begin, version, options, caller)

    async def run(
        self,
        transaction: OpenTransaction,
        text: str,
        parameters: Mapping[str, Any],
        unread: Sequence[Execution] = (),
    ) -> Execution:
        """One statement of an explicit transaction. Writes are run whole before this returns.
        A statement that fails rolls the transaction back at once, so that it holds no locks.
        ``unread`` are its results that still have rows: they see nothing of what this writes."""
        try:
            self.check_fence()
            cursor = self._steps.at_once(transaction, text, parameters)
            if cursor is None:
                cursors = [each.cursor for each in unread if not each.cursor.done]
                given = (transaction, text, parameters, cursors)
                cursor = await self._steps.in_thread(transaction.deadline, execute, *given)
        except BaseException:
            await self.rollback(transaction)
            raise
        transaction.last_used = self.database.clock.monotonic()
        return Execution(cursor, transaction)

    async def fetch(self, execution: Execution, count: int) -> list[list[Any]]:
        """The next rows. A read's transaction of its own ends with its last row."""
        cursor = execution.cursor
        if cursor.has(count):
            rows = cursor.fetch(count)
        else:
            rows = await self._steps.in_thread(execution.transaction.deadline, cursor.fetch, count)
        execution.transaction.last_used = self.database.clock.monotonic()
        return rows

    async def take(self, execution: Execution, count: int) -> list[list[Any]]:
        """The next rows; the cursor then knows exactly whether it is done."""
        cursor = execution.cursor
        if cursor.has(count + 1):
            rows = cursor.take(count)
        else:
            rows = await self._steps.in_thread(execution.transaction.deadline, cursor.take, count)
        execution.transaction.last_used = self.database.clock.monotonic()
        return rows

    async def exhaust(self, execution: Execution) -> None:
        """Runs a statement to its end and holds its rows, within the statement's memory."""
        await self._steps.in_thread(execution.transaction.deadline, execution.cursor.run_to_end)

    async def commit(self, transaction: OpenTransaction) -> str:
        """Commits; the bookmark of the result.

        :raises TransactionConflict: nothing happened; run the transaction again.
        """
        try:
            self.check_fence()
            if transaction.needs_thread or transaction.transaction.has_writes:
                command = await self._steps.in_thread(
                    transaction.deadline, transaction.prepare_commit
                )
            else:
                command = transaction.prepare_commit()
            reply = await self._steps.propose(command)
        except BaseException:
            await self.rollback(transaction)
            raise
        await self._steps.end(transaction, committed=True)
        return self.bookmark(transaction.version if reply is None else reply.version)

    async def rollback(self, transaction: OpenTransaction) -> None:
        """Forgets the transaction; fine if it has ended."""
        await self._steps.end(transaction)

    async def auto_commit(
        self,
        text: str,
        parameters: Mapping[str, Any],
        options: TransactionOptions,
        caller: Caller,
    ) -> Execution:
        """A statement in a transaction of its own. Reads can be fetched while they run; a write
        has been committed when this returns."""
        self._check_serving()
        return await self._auto_commits.run(text, parameters, options, caller)

    async def finish(self, execution: Execution) -> None:
        """The door has all rows it wants of an auto-commit statement."""
        if not execution.transaction.ended:
            execution.cursor.close()
            await self.rollback(execution.transaction)

    # --- looking after what is open ---

    async def end_idle(self, idle_seconds: float) -> int:
        """Rolls back explicit transactions nobody used for so long, or that were terminated; how
        many."""
        now = self.database.clock.monotonic()
        ended = await self.bulk.end_idle(idle_seconds)
        for transaction in self.database.open_transactions():
            idle = now - transaction.last_used
            if transaction.busy or transaction.options.auto_commit:
                continue
            reason = transaction.deadline.cancelled
            if reason is None and idle < idle_seconds:
                continue
            late = TransactionTimedOut(f"idle for more than {idle_seconds:g} s")
            transaction.failed = late if reason is None else QueryCancelled(reason)
            await self.rollback(transaction)
            ended += 1
        return ended
