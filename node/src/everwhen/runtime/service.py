"""The asynchronous face of the database: what doors call.

Statements run in the ``query`` pool; waiting for the log happens on the event loop, so a commit
holds no thread. An auto-commit write that meets a conflict is run again by the server until its
deadline, its rows held back until it commits (architecture brief, section 4).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, TypeVarTuple

from everwhen.errors import (
    Fault,
    QueryCancelled,
    ShuttingDown,
    TransactionConflict,
    TransactionTimedOut,
)
from everwhen.limits import AT_ONCE_SECONDS, ROWS_AT_ONCE_MAX, RUNS_IN_THREADS
from everwhen.ports import Threads
from everwhen.query.compile import CachedPlan
from everwhen.runtime.attempts import Tried, attempt, execute, expected_long
from everwhen.runtime.bookmarks import bookmark_of, version_of
from everwhen.runtime.bulk import BulkLoads
from everwhen.runtime.consensus import Consensus, ReadMode, order_of
from everwhen.runtime.cursor import Cursor
from everwhen.runtime.database import Database
from everwhen.runtime.environment import Deadline, MustWait, TakesLong
from everwhen.runtime.gate import Gate
from everwhen.runtime.requests import Caller, Stop, TransactionOptions
from everwhen.runtime.transaction import OpenTransaction
from everwhen.txn.commands import Command, Committed, encode
from everwhen.txn.replies import decode_reply
from everwhen.txn.transaction import Isolation

_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")

#: an auto-commit write without a deadline of its own is run again for this long (seconds)
AUTO_RETRY_SECONDS = 30.0


@dataclass(slots=True)
class Execution:
    """A statement under way or done: its rows are pulled with ``Service.fetch``."""

    cursor: Cursor
    transaction: OpenTransaction
    bookmark: str | None = None
    commit: Committed | None = None


class Service:
    """One per node."""

    def __init__(
        self,
        database: Database,
        consensus: Consensus,
        threads: Threads,
        history_id: str,
        *,
        queries_max: int,
        waiting_max: int,
    ) -> None:
        self.database = database
        self._consensus = consensus
        self._threads = threads
        self._history_id = history_id
        self._gate = Gate(queries_max, waiting_max)
        self.bulk = BulkLoads(database, consensus, threads)
        #: held by the one statement that runs again after a conflict
        self._contended = asyncio.Lock()
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
        return bookmark_of(version, self._history_id)

    def bookmark_version(self, bookmarks: list[str]) -> int:
        """The newest version among bookmarks, 0 for none.

        :raises BookmarkInvalid: malformed, or of another history.
        """
        return version_of(bookmarks, self._history_id)

    # --- transactions ---

    async def begin(self, options: TransactionOptions, caller: Caller) -> OpenTransaction:
        """An explicit transaction; end it with ``commit`` or ``rollback``."""
        self._check_serving()
        version = await self._barrier(options)
        if options.at is None:
            return self.database.begin(version, options, caller)
        return await self._in_thread(None, self.database.begin, version, options, caller)

    async def _barrier(self, options: TransactionOptions) -> int:
        if options.after_version:
            return await self._consensus.read_barrier(ReadMode.BOOKMARK, options.after_version)
        if not options.staleness:
            return await self._consensus.read_barrier(ReadMode.LINEARIZABLE)
        mode = ReadMode.STALE if options.staleness == math.inf else ReadMode.BOUNDED
        return await self._consensus.read_barrier(mode, staleness=options.staleness)

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
            cursor = self._at_once(transaction, text, parameters)
            if cursor is None:
                cursors = [each.cursor for each in unread if not each.cursor.done]
                given = (transaction, text, parameters, cursors)
                cursor = await self._in_thread(transaction.deadline, execute, *given)
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
            rows = await self._in_thread(execution.transaction.deadline, cursor.fetch, count)
        execution.transaction.last_used = self.database.clock.monotonic()
        return rows

    async def take(self, execution: Execution, count: int) -> list[list[Any]]:
        """The next rows; the cursor then knows exactly whether it is done."""
        cursor = execution.cursor
        if cursor.has(count + 1):
            rows = cursor.take(count)
        else:
            rows = await self._in_thread(execution.transaction.deadline, cursor.take, count)
        execution.transaction.last_used = self.database.clock.monotonic()
        return rows

    async def exhaust(self, execution: Execution) -> None:
        """Runs a statement to its end and holds its rows, within the statement's memory."""
        await self._in_thread(execution.transaction.deadline, execution.cursor.run_to_end)

    async def commit(self, transaction: OpenTransaction) -> str:
        """Commits; the bookmark of the result.

        :raises TransactionConflict: nothing happened; run the transaction again.
        """
        try:
            self.check_fence()
            if transaction.needs_thread_to_end or transaction.transaction.has_writes:
                command = await self._in_thread(transaction.deadline, transaction.prepare_commit)
            else:
                command = transaction.prepare_commit()
            reply = await self._propose(command)
        except BaseException:
            await self.rollback(transaction)
            raise
        await self._end(transaction, transaction.committed)
        return self.bookmark(transaction.version if reply is None else reply.version)

    async def rollback(self, transaction: OpenTransaction) -> None:
        """Forgets the transaction; fine if it has ended."""
        if not transaction.ended:
            await self._end(transaction, transaction.rollback)

    async def _end(self, transaction: OpenTransaction, end: Callable[[], None]) -> None:
        if transaction.needs_thread_to_end:
            await self._in_thread(transaction.deadline, end)
        else:
            end()

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
        try:
            version = await self._barrier(options)
            return await self._attempt(version, text, parameters, options, caller)
        except TransactionConflict:
            started = self.database.clock.monotonic()
        return await self._again(started, text, parameters, options, caller)

    async def _again(
        self,
        started: float,
        text: str,
        parameters: Mapping[str, Any],
        options: TransactionOptions,
        caller: Caller,
    ) -> Execution:
        """Run a statement that met a conflict until it commits. Those that did take turns: all at
        once, one of them would commit and the others would have run for nothing."""
        async with self._contended:
            while True:
                version = await self._barrier(options)
                try:
                    return await self._attempt(version, text, parameters, options, caller)
                except TransactionConflict:
                    waited = self.database.clock.monotonic() - started
                    if waited > (options.timeout or AUTO_RETRY_SECONDS):
                        raise

    async def _attempt(
        self,
        version: int,
        text: str,
        parameters: Mapping[str, Any],
        options: TransactionOptions,
        caller: Caller,
    ) -> Execution:
        """One try of an auto-commit statement, in a transaction of its own."""
        tried: Tried | None = None
        plan = None if options.at is not None else self.database.known(text, version)
        if plan is not None and not expected_long(plan):
            if plan.plan.kind == "r":
                quick = self._read_at_once(plan, version, text, parameters, options, caller)
                if quick is not None:
                    return quick
            elif "w" in plan.plan.kind and options.isolation is not Isolation.PESSIMISTIC:
                tried = self._write_at_once(plan, version, text, parameters, options, caller)
        if tried is None:
            tried = await self._try_in_thread(version, text, parameters, options, caller)
        transaction, cursor, command = tried
        if not cursor.writes:
            return Execution(cursor, transaction, self.bookmark(transaction.version))
        try:
            reply = await self._propose(command)
        except BaseException:
            await self.rollback(transaction)
            raise
        await self._end(transaction, transaction.committed)
        shown = self.database.version if reply is None else reply.version
        return Execution(cursor, transaction, self.bookmark(shown), reply)

    async def _try_in_thread(
        self,
        version: int,
        text: str,
        parameters: Mapping[str, Any],
        options: TransactionOptions,
        caller: Caller,
    ) -> Tried:
        stop = options.stop = options.stop or Stop()
        try:
            given = (self.database, version, options, caller, text, parameters)
            return await self._in_thread(stop, attempt, *given)
        except asyncio.CancelledError:
            # it may have been done already: then nobody else knows of its transaction
            for transaction in self.database.open_transactions():
                if transaction.options is options:
                    await self.rollback(transaction)
            raise

    def _read_at_once(
        self,
        plan: CachedPlan,
        version: int,
        text: str,
        parameters: Mapping[str, Any],
        options: TransactionOptions,
        caller: Caller,
    ) -> Execution | None:
        """See ``_at_once``; in a transaction of its own."""
        transaction = self.database.begin(version, options, caller)
        try:
            cursor = self._at_once(transaction, text, parameters, plan)
        except BaseException:
            transaction.rollback()
            raise
        if cursor is None:
            transaction.rollback()
            return None
        return Execution(cursor, transaction, self.bookmark(transaction.version))

    def _write_at_once(
        self,
        plan: CachedPlan,
        version: int,
        text: str,
        parameters: Mapping[str, Any],
        options: TransactionOptions,
        caller: Caller,
    ) -> Tried | None:
        """The same for a write, up to the command to propose; until then nothing has happened."""
        clock = self.database.clock
        started = clock.monotonic()
        try:
            tried = attempt(self.database, version, options, caller, text, parameters, at_once=True)
        except MustWait:
            return None
        except TakesLong:
            plan.long_runs = RUNS_IN_THREADS
            return None
        if clock.monotonic() - started > AT_ONCE_SECONDS:
            plan.long_runs = RUNS_IN_THREADS
        return tried

    def _at_once(
        self,
        transaction: OpenTransaction,
        text: str,
        parameters: Mapping[str, Any],
        plan: CachedPlan | None = None,
    ) -> Cursor | None:
        """Runs a read of a known plan here on the event loop, where a thread would cost more than
        the read; None if it turns out to take more than a moment. Then nothing has happened."""
        plan = plan or self.database.known_read(text, transaction.version)
        if plan is None or expected_long(plan) or transaction.needs_thread_to_end:
            return None
        clock = self.database.clock
        started = clock.monotonic()
        transaction.deadline.at_once = True
        try:
            cursor = transaction.execute(text, parameters)
            cursor.look_ahead(ROWS_AT_ONCE_MAX)
        except TakesLong:
            plan.long_runs = RUNS_IN_THREADS
            return None
        finally:
            transaction.deadline.at_once = False
        if clock.monotonic() - started > AT_ONCE_SECONDS:
            plan.long_runs = RUNS_IN_THREADS
        return cursor

    async def finish(self, execution: Execution) -> None:
        """The door has all rows it wants of an auto-commit statement."""
        if not execution.transaction.ended:
            execution.cursor.close()
            await self.rollback(execution.transaction)

    async def _propose(self, command: Command | None) -> Committed | None:
        if command is None:
            return None
        reply = decode_reply(await self._consensus.propose(encode(command), order_of(command)))
        if not isinstance(reply, Committed):
            raise Fault(f"a commit was answered with {type(reply).__name__}")
        return reply

    async def _in_thread(
        self,
        whose: Deadline | Stop | None,
        call: Callable[[*_Arguments], _Result],
        *arguments: *_Arguments,
    ) -> _Result:
        """Cancelled, it tells the call's transaction to stop, and waits until the call has ended."""
        stop = None if whose is None else whose.client_gone
        async with self._gate:
            return await self._threads.run("query", call, *arguments, stop=stop)

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
