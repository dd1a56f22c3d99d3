"""Simulated machines: what a crash takes and what it leaves."""

from __future__ import annotations

from dataclasses import dataclass, field

from everwhen import raft
from everwhen.raft.storage import MemoryStorage
from everwhen.raft.types import HardState


@dataclass(slots=True)
class Process:
    """A running node; gone with a crash, but for ``disk`` and ``durable_*``."""

    raw: raft.RawNode
    append_work: list[raft.Message] = field(default_factory=list)
    apply_work: list[raft.Message] = field(default_factory=list)


@dataclass(slots=True)
class Machine:
    """What of a node outlives its process."""

    id: int
    disk: MemoryStorage = field(default_factory=MemoryStorage)
    applied: int = 0
    conf_state: raft.ConfState = field(default_factory=raft.ConfState)
    process: Process | None = None
    term: int = 0
    commit: int = 0


class View:
    """The disk of a machine as its core sees it, with the configuration as it was applied."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.entries = machine.disk.entries
        self.term = machine.disk.term
        self.last_index = machine.disk.last_index
        self.first_index = machine.disk.first_index

    def snapshot(self) -> raft.Snapshot:
        """The state as it is now: an older one may not know the member that needs it."""
        machine = self._machine
        if not machine.applied:
            raise raft.SnapshotTemporarilyUnavailable
        term = machine.disk.term(machine.applied)
        metadata = raft.SnapshotMetadata(machine.conf_state, machine.applied, term)
        return raft.Snapshot(b"state", metadata)

    def initial_state(self) -> tuple[HardState, raft.ConfState]:
        machine = self._machine
        saved = machine.disk.hard_state
        # what was applied was committed, whether the disk knows or not
        commit = max(saved.commit, machine.applied)
        return HardState(saved.term, saved.vote, commit), machine.conf_state
