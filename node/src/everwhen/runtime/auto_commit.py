"""Statements in a transaction of their own.

A write that meets a conflict is run again until its deadline, its rows held back until it commits
(architecture brief, section 4).

A short write on the leader does not ask the others whether it still leads before it reads: it reads
what is committed as the leader knows, and its entry may enter the log in that same term only. An
entry of term T that was committed proves that nobody had been elected in a later term when the
entry was made (leader completeness, Raft paper 5.4.3), hence that what was read before it was up to
date. A statement with nothing to commit, or an error, is confirmed afterwards instead (ReadIndex,
Raft thesis 6.4). If the term has ended meanwhile nothing has happened, and it is run again the
long way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from everwhen.errors import EverwhenError, TransactionConflict
from everwhen.limits import AT_ONCE_SECONDS, RUNS_IN_THREADS
from everwhen.query.compile import Compiled
from everwhen.runtime.attempts import Tried, attempt, expected_long
from everwhen.runtime.consensus import TermEnded
from everwhen.runtime.environment import MustWait, TakesLong
from everwhen.runtime.requests import Caller, Stop, TransactionOptions
from everwhen.runtime.steps import Execution, Steps
from everwhen.txn.transaction import Isolation

#: a write without a deadline of its own is run again for this long (seconds)
AUTO_RETRY_SECONDS: Final = 30.0


class AutoCommits:
    """One per service. Event loop only."""

    def __init__(self, steps: Steps, bookmark: Callable[[int], str]) -> None:
        self._steps = steps
        self.database = steps.database
        self._bookmark = bookmark
        #: held by the one statement that runs again after a conflict
        self._contended = asyncio.Lock()

    async def run(
        self,
        text: str,
        parameters: Mapping[str, Any],
        options: TransactionOptions,
        caller: Caller,
    ) -> Execution:
        """See ``Service.auto_commit``."""
        try:
            return await self._once(text, parameters, options, caller)
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
                try:
                    return await self._once(text, parameters, options, caller)
                except TransactionConflict:
                    waited = self.database.clock.monotonic() - started
                    if waited > (options.timeout or AUTO_RETRY_SECONDS):
                        raise

    async def _once(
        self,
        text: str,
        parameters: Mapping[str, Any],
        options: TransactionOptions,
        caller: Caller,
    ) -> Execution:
        """One try."""
        done = await self._while_leading(text, parameters, options, caller)
        if done is not None:
            return done
        version = await self._steps.barrier(options)
        return await self._attempt(version, text, parameters, options, caller)

    async def _while_leading(
        self,
        text: str,
        parameters: Mapping[str, Any],
        options: TransactionOptions,
        caller: Caller,
    ) -> Execution | None:
        """A short write on the leader, without asking the others first (see the module); None
        where that is not possible: then nothing has happened."""
        if options.after_version or options.staleness or options.at is not None:
            return None
        if options.isolation is Isolation.PESSIMISTIC:
            return None
        known = self.database.known(text)
        if known is None or "w" not in known.plan.kind or known.entry.long_runs:
            return None
        consensus = self._steps.consensus
        term = await consensus.leading_term()
        if not term:
            return None
        version = self.database.version
        try:
            tried = self._write_at_once(known, version, text, parameters, options, caller)
        except TransactionConflict:
            raise
        except EverwhenError:
            if await consensus.still_leads(term):
                raise
            return None
        if tried is None:
            return None
        transaction, _, command = tried
        try:
            if command is not None or await consensus.still_leads(term):
                return await self._commit(tried, term)
        except TermEnded:
            return None
        finally:
            await self._steps.end(transaction)
        return None

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
        known = None if options.at is not None else self.database.known(text)
        if known is not None and not expected_long(known.entry):
            if known.plan.kind == "r":
                quick = self._read_at_once(known, version, text, parameters, options, caller)
                if quick is not None:
                    return quick
            elif "w" in known.plan.kind and options.isolation is not Isolation.PESSIMISTIC:
                tried = self._write_at_once(known, version, text, parameters, options, caller)
        if tried is None:
            tried = await self._try_in_thread(version, text, parameters, options, caller)
        return await self._commit(tried)

    async def _commit(self, tried: Tried, term: int = 0) -> Execution:
        """Commit what was tried, if it is a write; ``term``: see ``Consensus.propose``."""
        transaction, cursor, command = tried
        if not cursor.writes:
            return Execution(cursor, transaction, self._bookmark(transaction.version))
        try:
            reply = await self._steps.propose(command, term)
        except BaseException:
            await self._steps.end(transaction)
            raise
        await self._steps.end(transaction, committed=True)
        shown = self.database.version if reply is None else reply.version
        return Execution(cursor, transaction, self._bookmark(shown), reply)

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
            return await self._steps.in_thread(stop, attempt, *given)
        except asyncio.CancelledError:
            # it may have been done already: then nobody else knows of its transaction
            for transaction in self.database.open_transactions():
                if transaction.options is options:
                    await self._steps.end(transaction)
            raise

    def _read_at_once(
        self,
        known: Compiled,
        version: int,
        text: str,
        parameters: Mapping[str, Any],
        options: TransactionOptions,
        caller: Caller,
    ) -> Execution | None:
        """See ``Steps.at_once``; in a transaction of its own."""
        transaction = self.database.begin(version, options, caller, only_reads=True)
        try:
            cursor = self._steps.at_once(transaction, text, parameters, known)
        except BaseException:
            transaction.rollback()
            raise
        if cursor is None:
            transaction.rollback()
            return None
        return Execution(cursor, transaction, self._bookmark(transaction.version))

    def _write_at_once(
        self,
        known: Compiled,
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
            given = (self.database, version, options, caller, text, parameters)
            tried = attempt(*given, known=known)
        except MustWait:
            return None
        except TakesLong:
            known.entry.long_runs = RUNS_IN_THREADS
            return None
        if clock.monotonic() - started > AT_ONCE_SECONDS:
            known.entry.long_runs = RUNS_IN_THREADS
        return tried
