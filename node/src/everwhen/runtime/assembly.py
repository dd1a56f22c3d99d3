"""Puts the parts of one node together, over whatever store, log and ports it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from everwhen.apply.machine import Machine
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.store import Store
from everwhen.ports import Clock, Random, Threads
from everwhen.runtime.administration import ServerFacts
from everwhen.runtime.backend import LoopBackend
from everwhen.runtime.consensus import Leader
from everwhen.runtime.database import Database, DatabaseOptions
from everwhen.runtime.service import Service
from everwhen.runtime.single import Log, SingleConsensus
from everwhen.runtime.statements import Observer
from everwhen.version import VERSION


@dataclass(slots=True)
class Parts:
    """One node, wired."""

    store: Store
    state: RecordState
    machine: Machine
    consensus: SingleConsensus
    database: Database
    service: Service


class AppliedState:
    """What consensus asks of the record's state."""

    def __init__(self, state: RecordState) -> None:
        self._state = state

    @property
    def version(self) -> int:
        return self._state.current.head.version

    @property
    def closed_time(self) -> int:
        head = self._state.current.head
        return max(head.closed_time, head.time)


def assemble(
    store: Store,
    log: Log,
    clock: Clock,
    random: Random,
    threads: Threads,
    *,
    state: RecordState | None = None,
    machine: Machine | None = None,
    facts: ServerFacts | None = None,
    options: DatabaseOptions | None = None,
    term: int = 1,
    last_stamp: int = 0,
    history_id: str = "1",
    refuse_growth: Callable[[], str | None] = lambda: None,
    observer: Observer | None = None,
    queries_max: int = 64,
    waiting_max: int = 10_000,
) -> Parts:
    """Wires the parts; starts nothing. ``state`` and ``machine`` are made from the store if they
    are not given."""
    state = state or RecordState.load(store)
    machine = machine or Machine(store, state)
    facts = facts or ServerFacts(VERSION, "1", "embedded", "", "embedded", clock.now_micros())
    applied = AppliedState(state)
    consensus = SingleConsensus(
        log,
        machine,
        applied,
        clock,
        threads,
        term=term,
        last_stamp=max(last_stamp, applied.closed_time),
        refuse_growth=refuse_growth,
        leader=Leader(facts.node_id, facts.name, facts.address, is_self=True),
    )
    backend = LoopBackend(consensus, threads)
    extra = {} if observer is None else {"observer": observer}
    database = Database(state, backend, clock, random, facts, options, **extra)
    service = Service(
        database,
        consensus,
        threads,
        history_id,
        queries_max=queries_max,
        waiting_max=waiting_max,
    )
    return Parts(store, state, machine, consensus, database, service)
