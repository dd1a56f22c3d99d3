"""The steps of which statements and transactions are made: a barrier, a run, a proposal.

What is known to be short runs at once on the event loop, where a thread would cost more; all else
in the ``query`` pool, through the gate that bounds how many.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, TypeVarTuple

from everwhen.errors import Fault
from everwhen.limits import AT_ONCE_SECONDS, ROWS_AT_ONCE_MAX, RUNS_IN_THREADS
from everwhen.ports import Threads
from everwhen.query.compile import Compiled
from everwhen.runtime.attempts import expected_long
from everwhen.runtime.consensus import Consensus, ReadMode, order_of
from everwhen.runtime.cursor import Cursor
from everwhen.runtime.database import Database
from everwhen.runtime.ending import release
from everwhen.runtime.environment import Deadline, TakesLong
from everwhen.runtime.gate import Gate
from everwhen.runtime.requests import Stop, TransactionOptions
from everwhen.runtime.transaction import OpenTransaction
from everwhen.txn.commands import Command, Committed, encode
from everwhen.txn.replies import decode_reply

_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")


@dataclass(slots=True)
class Execution:
    """A statement under way or done: its rows are pulled with ``Service.fetch``."""

    cursor: Cursor
    transaction: OpenTransaction
    bookmark: str | None = None
    commit: Committed | None = None


class Steps:
    """One per service. Event loop only."""

    def __init__(
        self, database: Database, consensus: Consensus, threads: Threads, gate: Gate
    ) -> None:
        self.database = database
        self.consensus = consensus
        self._threads = threads
        self._gate = gate
        #: of transactions that have ended; nobody else may hold these tasks any more
        self._telling: set[asyncio.Future[None]] = set()

    async def barrier(self, options: TransactionOptions) -> int:
        """A version to read at, as fresh as asked for."""
        if options.after_version:
            return await self.consensus.read_barrier(ReadMode.BOOKMARK, options.after_version)
        if not options.staleness:
            return await self.consensus.read_barrier(ReadMode.LINEARIZABLE)
        mode = ReadMode.STALE if options.staleness == math.inf else ReadMode.BOUNDED
        return await self.consensus.read_barrier(mode, staleness=options.staleness)

    def at_once(
        self,
        transaction: OpenTransaction,
        text: str,
        parameters: Mapping[str, Any],
        known: Compiled | None = None,
    ) -> Cursor | None:
        """Runs a read of a known plan here on the event loop, where a thread would cost more than
        the read; None if it turns out to take more than a moment. Then nothing has happened."""
        known = known or self.database.known_read(text)
        if known is None or expected_long(known.entry) or transaction.needs_thread:
            return None
        plan = known.entry
        clock = self.database.clock
        started = clock.monotonic()
        transaction.deadline.at_once(0)
        try:
            cursor = transaction.execute(text, parameters, known)
            cursor.look_ahead(ROWS_AT_ONCE_MAX)
        except TakesLong:
            plan.long_runs = RUNS_IN_THREADS
            return None
        finally:
            transaction.deadline.in_thread()
        if clock.monotonic() - started > AT_ONCE_SECONDS:
            plan.long_runs = RUNS_IN_THREADS
        return cursor

    async def propose(self, command: Command | None, term: int = 0) -> Committed | None:
        """Commit what a transaction wants done, if anything.

        :raises TermEnded: ``term`` is over; nothing happened (``Consensus.propose``).
        """
        if command is None:
            return None
        given = (encode(command), order_of(command), term)
        reply = decode_reply(await self.consensus.propose(*given))
        if not isinstance(reply, Committed):
            raise Fault(f"a commit was answered with {type(reply).__name__}")
        return reply

    async def in_thread(
        self,
        whose: Deadline | Stop | None,
        call: Callable[[*_Arguments], _Result],
        *arguments: *_Arguments,
    ) -> _Result:
        """Cancelled, it tells the call's transaction to stop, and waits until the call has ended."""
        stop = None if whose is None else whose.client_gone
        async with self._gate:
            return await self._threads.run("query", call, *arguments, stop=stop)

    async def end(self, transaction: OpenTransaction, *, committed: bool = False) -> None:
        """Ends a transaction, committed or rolled back; fine if it has ended. It is over here at
        once; what others are to be told of it they are told even if the caller is cancelled."""
        owed = transaction.end(committed=committed)
        if owed is None:
            return
        telling = asyncio.ensure_future(release(self.consensus, owed))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)
        await asyncio.wait([telling])
        telling.result()
