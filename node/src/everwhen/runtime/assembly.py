"""Puts the parts of one node together, over whatever store, log and ports it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from everwhen.apply.machine import Machine
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.store import Store
from everwhen.ports import Clock, Random, Threads
from everwhen.runtime.administration import ServerFacts
from everwhen.runtime.applied import AppliedState
from everwhen.runtime.backend import LoopBackend
from everwhen.runtime.consensus import Consensus, Leader
from everwhen.runtime.database import Database, DatabaseOptions
from everwhen.runtime.gate import Gate
from everwhen.runtime.service import Service
from everwhen.runtime.single import Log, SingleConsensus
from everwhen.runtime.statements import Observer


@dataclass(slots=True)
class Parts:
    """One node, wired."""

    store: Store
    state: RecordState
    machine: Machine
    consensus: Consensus
    database: Database
    service: Service


def wire(
    state: RecordState,
    machine: Machine,
    consensus: Consensus,
    clock: Clock,
    random: Random,
    threads: Threads,
    facts: ServerFacts,
    *,
    options: DatabaseOptions | None = None,
    history_id: Callable[[], str] = lambda: "1",
    observer: Observer | None = None,
    queries_max: int = 64,
    waiting_max: int = 10_000,
) -> Parts:
    """What stands on consensus; starts nothing."""
    gate = Gate(queries_max, waiting_max)
    backend = LoopBackend(consensus, threads, gate)
    extra = {} if observer is None else {"observer": observer}
    database = Database(state, backend, clock, random, facts, options, **extra)
    service = Service(database, consensus, threads, history_id, gate)
    return Parts(state.store, state, machine, consensus, database, service)


def single(
    log: Log,
    state: RecordState,
    machine: Machine,
    clock: Clock,
    threads: Threads,
    facts: ServerFacts,
) -> SingleConsensus:
    """Consensus of this process alone, for a database without a group."""
    applied = AppliedState(state)
    return SingleConsensus(
        log,
        machine,
        applied,
        clock,
        threads,
        term=1,
        last_stamp=applied.closed_time,
        refuse_growth=lambda: None,
        leader=Leader(facts.node_id, facts.name, facts.address, is_self=True),
    )
