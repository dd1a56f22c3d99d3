"""Entries and heartbeats to the other members, entries into the own log (Raft thesis, 3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everwhen.raft.progress import Progress, ProgressState
from everwhen.raft.types import Entry, Message, MessageType, SnapshotTemporarilyUnavailable

if TYPE_CHECKING:
    from everwhen.raft.core import Raft

# members of enumerations as plain names: looking them up in their class is slow
_APP: Final = MessageType.APP
_APP_RESP: Final = MessageType.APP_RESP
_HEARTBEAT: Final = MessageType.HEARTBEAT
_SNAP: Final = MessageType.SNAP
_AT_PROBE: Final = ProgressState.PROBE
_AT_REPLICATE: Final = ProgressState.REPLICATE


def send_append(raft: Raft, to: int) -> None:
    """Entries, or an empty message with the commit index."""
    maybe_send_append(raft, to, send_if_empty=True)


def size_of_message(raft: Raft, progress: Progress) -> int:
    """Bytes of entries that a message may hold."""
    config = raft.config
    if progress.state is _AT_PROBE:
        return min(config.max_size_per_probe, config.max_size_per_msg)
    return config.max_size_per_msg


def maybe_send_append(raft: Raft, to: int, *, send_if_empty: bool) -> bool:
    """Entries to a member, as far as its window lets them; whether a message went."""
    progress = raft.tracker.progress[to]
    if progress.is_paused:
        return False
    log = raft.log
    previous = progress.next - 1
    entries: list[Entry] = []
    try:
        previous_term = log.term(previous)
        if progress.state is not _AT_REPLICATE or not progress.inflights.full:
            entries = log.entries(progress.next, size_of_message(raft, progress))
    except LookupError:
        # compacted: the member cannot be caught up from the log any more
        return _maybe_send_snapshot(raft, to, progress)
    if not entries and not send_if_empty:
        return False
    raft.send(
        Message(
            _APP,
            to,
            index=previous,
            log_term=previous_term,
            entries=entries,
            commit=log.committed,
        )
    )
    progress.sent_entries(len(entries), payload_size(entries))
    progress.sent_commit = log.committed
    return True


def _maybe_send_snapshot(raft: Raft, to: int, progress: Progress) -> bool:
    if not progress.recent_active:
        return False
    try:
        snapshot = raft.log.snapshot()
    except SnapshotTemporarilyUnavailable:
        return False
    assert not snapshot.is_empty, "need non-empty snapshot"
    progress.become_snapshot(snapshot.metadata.index)
    raft.send(Message(_SNAP, to, snapshot=snapshot))
    return True


def bcast_append(raft: Raft) -> None:
    """Entries to every other member."""
    for node in raft.tracker.ids():
        if node != raft.id:
            send_append(raft, node)


def bcast_heartbeat(raft: Raft, context: bytes | None = None) -> None:
    """A heartbeat to every other member, carrying the newest read that waits."""
    carried = raft.read_only.last_context() if context is None else context
    for node in raft.tracker.ids():
        if node == raft.id:
            continue
        progress = raft.tracker.progress[node]
        # never beyond what it is known to have (P10)
        commit = min(progress.match, raft.log.committed)
        raft.send(Message(_HEARTBEAT, node, commit=commit, context=carried))
        progress.sent_commit = commit


def append_entries(raft: Raft, entries: list[Entry]) -> bool:
    """Append to the own log as leader; False if too much is uncommitted already."""
    if not _increase_uncommitted(raft, entries):
        return False
    last = raft.log.last_index()
    for at, entry in enumerate(entries, start=1):
        entry.term = raft.term
        entry.index = last + at
    last = raft.log.append(entries)
    # the leader's own acknowledgement, delivered once the entries are durable (P42)
    raft.send(Message(_APP_RESP, raft.id, index=last))
    return True


def _increase_uncommitted(raft: Raft, entries: list[Entry]) -> bool:
    size = payload_size(entries)
    total = raft.uncommitted_size + size
    # one proposal is always let in, and so is what has no payload
    if raft.uncommitted_size > 0 and size > 0 and total > raft.config.max_uncommitted_size:
        return False
    raft.uncommitted_size = total
    return True


def payload_size(entries: list[Entry]) -> int:
    """Bytes of the data of entries."""
    return sum([len(entry.data) for entry in entries])
