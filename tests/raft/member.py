"""One node of a transcript: the core, its storage, its state machine, its storage threads."""

from __future__ import annotations

from dataclasses import dataclass, field

from everwhen import raft
from everwhen.raft.storage import MemoryStorage
from everwhen.raft.types import HardState


class HistoryStorage(MemoryStorage):
    """Its snapshot is the newest state of the machine."""

    def __init__(self, history: list[raft.Snapshot]) -> None:
        super().__init__()
        self._history = history

    def snapshot(self) -> raft.Snapshot:
        return self._history[-1]


@dataclass(slots=True)
class Node:
    raw: raft.RawNode
    storage: HistoryStorage
    asynchronous: bool
    history: list[raft.Snapshot]
    append_work: list[raft.Message] = field(default_factory=list)
    apply_work: list[raft.Message] = field(default_factory=list)

    def append(
        self, state: HardState, entries: list[raft.Entry], snapshot: raft.Snapshot | None
    ) -> None:
        if not state.is_empty:
            self.storage.hard_state = state
        if snapshot is not None and not snapshot.is_empty:
            if entries:
                raise ValueError("can't apply snapshot and entries at the same time")
            self.storage.apply_snapshot(snapshot)
        else:
            self.storage.append(entries)

    def apply(self, entries: list[raft.Entry]) -> None:
        """The state machine appends the data of every entry."""
        for entry in entries:
            last = self.history[-1]
            state = last.metadata.conf_state
            update = entry.data
            if entry.type is not raft.EntryType.NORMAL:
                change = raft.decode_conf_change(entry)
                update = change.context
                state = self.raw.apply_conf_change(change)
            metadata = raft.SnapshotMetadata(state, entry.index, entry.term)
            self.history.append(raft.Snapshot(last.data + update, metadata))
