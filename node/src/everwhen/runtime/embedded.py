"""A database inside this process, for tests, notebooks and tools: no ports, no files.

The same service, transactions, consensus of one and apply as a served node, over a store in
memory and a log that forgets. Calls block; the event loop runs in a thread of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from everwhen.apply.machine import Machine
from everwhen.exec.choose import Execution
from everwhen.exec.procedures import ProcedureDefinition
from everwhen.limits import INT_MAX, LOCK_WAITERS_MAX
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.store import Store
from everwhen.ports import Clock, Random
from everwhen.runtime.administration import ServerFacts
from everwhen.runtime.allocator import keep_freed_blocks
from everwhen.runtime.assembly import Parts, single, wire
from everwhen.runtime.background import IDLE_SECONDS, Upkeep
from everwhen.runtime.cursor import Summary
from everwhen.runtime.database import DatabaseOptions
from everwhen.runtime.pins import Pins
from everwhen.runtime.requests import Caller, TransactionOptions
from everwhen.runtime.service import Service
from everwhen.runtime.session import Session
from everwhen.runtime.system import LoopThread, SystemClock, SystemRandom, SystemThreads
from everwhen.runtime.vacuum import Vacuuming, VacuumOptions
from everwhen.storage.frames import Entry
from everwhen.version import VERSION

_T = TypeVar("_T")


class ForgetfulLog:
    """A log that keeps nothing: what is applied is all there is."""

    def __init__(self, last_index: int) -> None:
        self.last_index = last_index

    def append(self, entries: Sequence[Entry]) -> None:
        """Counts."""
        self.last_index = entries[-1].index


@dataclass(slots=True)
class Result:
    """A statement's outcome, whole."""

    columns: tuple[str, ...] = ()
    rows: list[list[Any]] = field(default_factory=list)
    summary: Summary = field(default_factory=Summary)
    bookmark: str | None = None

    @property
    def counters(self) -> dict[str, int]:
        return self.summary.counters.as_dict()


class EmbeddedSession:
    """A client of an embedded database."""

    def __init__(self, owner: Embedded, session: Session) -> None:
        self._owner = owner
        self._session = session

    def run(
        self,
        text: str,
        parameters: Mapping[str, Any] | None = None,
        options: TransactionOptions | None = None,
    ) -> Result:
        """One statement, ``BEGIN``, ``COMMIT`` and ``ROLLBACK`` included.

        :raises EverwhenError: as the database answers.
        """
        if options is None and self._session.transaction is None:
            found = self._read(text, parameters or {})
            if found is not None:
                return found
        return self._owner.call(self._run(text, parameters or {}, options))

    def _read(self, text: str, parameters: Mapping[str, Any]) -> Result | None:
        """A read whose plan is known, in the caller's own thread: what was acknowledged is
        applied, so there is nothing to wait for. None: it is something else."""
        service = self._owner.service
        database, options = service.database, self._session.options
        version = database.version
        if options.at is not None or options.after_version > version:
            return None
        known = database.known_read(text)
        if known is None:
            return None
        transaction = database.begin(version, options, self._session.caller, only_reads=True)
        try:
            cursor = transaction.execute(text, parameters, known)
            rows = cursor.fetch(1_000)
            while not cursor.done:
                rows.extend(cursor.fetch(1_000))
        finally:
            transaction.rollback()
        return Result(cursor.columns, rows, cursor.summary, service.bookmark(version))

    async def _run(
        self, text: str, parameters: Mapping[str, Any], options: TransactionOptions | None
    ) -> Result:
        service = self._owner.service
        execution = await self._session.run(text, parameters, options)
        if execution is None:
            return Result()
        rows: list[list[Any]] = []
        try:
            while not execution.cursor.done:
                rows.extend(await service.fetch(execution, 1_000))
        finally:
            if self._session.transaction is not execution.transaction:
                await service.finish(execution)
        cursor = execution.cursor
        return Result(cursor.columns, rows, cursor.summary, execution.bookmark)

    def close(self) -> None:
        """Rolls back what is open."""
        self._owner.call(self._session.close())


class Embedded:
    """See the module. Use as a context manager, or call ``close``."""

    def __init__(
        self,
        store: Store | None = None,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        options: DatabaseOptions | None = None,
        query_threads: int = 4,
    ) -> None:
        keep_freed_blocks()
        self._loop = LoopThread()
        self._threads = SystemThreads(
            {"query": query_threads + LOCK_WAITERS_MAX, "log": 1, "apply": 1, "background": 1}
        )
        self._clock = clock or SystemClock()
        self._random = random or SystemRandom()
        self._options = options
        self._query_threads = query_threads
        self._parts: Parts
        self._open(store or MemoryStore())

    def _open(self, store: Store) -> None:
        self._stop_event = asyncio.Event()
        self._parts, self._serving = self._loop.serve(partial(self._serve, store))
        self._session = self.session()

    async def _serve(self, store: Store, opened: Callable[[Parts], object]) -> None:
        """One life of the database, until the stop event."""
        state = RecordState.load(store)
        machine = Machine(store, state)
        facts = ServerFacts(VERSION, "1", "embedded", "", "embedded", self._clock.now_micros())
        log = ForgetfulLog(state.current.head.applied_index)
        consensus = single(log, state, machine, self._clock, self._threads, facts)
        parts = wire(
            state,
            machine,
            consensus,
            self._clock,
            self._random,
            self._threads,
            facts,
            options=self._options,
            queries_max=self._query_threads,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(consensus.run())
            upkeep = group.create_task(self._keep_up(parts))
            opened(parts)
            await self._stop_event.wait()
            upkeep.cancel()
            consensus.stop()

    async def _keep_up(self, parts: Parts) -> None:
        """What ``background`` does for a served node: folds large transactions, builds indexes."""
        database = parts.database
        pins = Pins(database, first_index=lambda: INT_MAX)
        pins.erased_upto = INT_MAX  # no file, no log: what was taken away is nowhere
        vacuuming = Vacuuming(
            parts.state, parts.consensus, pins, self._clock, VacuumOptions(keys_per_s=0.0)
        )
        database.vacuuming = vacuuming
        upkeep = Upkeep(database, parts.consensus, self._threads, vacuuming)
        while True:
            more = (
                await upkeep.fold()
                or await upkeep.build()
                or await upkeep.seal()
                or await upkeep.tend()
                or await upkeep.forget()
            )
            await asyncio.sleep(0 if more else IDLE_SECONDS)

    @property
    def service(self) -> Service:
        return self._parts.service

    @property
    def store(self) -> Store:
        return self._parts.store

    @property
    def version(self) -> int:
        """The newest version."""
        return self._parts.database.version

    def call(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine on the database's loop and wait for it."""
        return self._loop.start(coroutine).result()

    def execute(
        self,
        text: str,
        parameters: Mapping[str, Any] | None = None,
        options: TransactionOptions | None = None,
    ) -> Result:
        """One statement in auto-commit."""
        return self._session.run(text, parameters, options)

    def session(self, caller: Caller | None = None) -> EmbeddedSession:
        """A further client."""
        return EmbeddedSession(self, Session(self.service, caller or Caller("neo4j", "embedded")))

    def register_procedure(self, procedure: ProcedureDefinition) -> None:
        """Add a procedure (tests)."""
        database = self._parts.database
        database.procedures[procedure.name.lower()] = procedure
        database.drop_plans()

    def run_plans(self, execution: str, batch_rows: int | None = None) -> None:
        """Run plans over ``rows``, over ``batches`` wherever they can be, or ``auto`` (tests)."""
        self._options = replace(
            self._options or DatabaseOptions(), execution=execution, batch_rows=batch_rows
        )
        self._parts.database.run_plans(Execution(execution, batch_rows))

    def reset(self) -> None:
        """An empty graph again, without schema or added procedures."""
        self._stop()
        self._open(MemoryStore())

    def reopen(self) -> None:
        """Close in good order and open again over the same store."""
        store = self._parts.store
        self._stop()
        self._open(store)

    def _stop(self) -> None:
        """End this life in good order.

        :raises Fault: what broke it earlier.
        """
        self._loop.call_soon(self._stop_event.set)
        self._serving.result()

    def close(self) -> None:
        """Stop the loop and the threads."""
        try:
            self._stop()
        finally:
            self._threads.close()
            self._loop.close()

    def __enter__(self) -> Embedded:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
