"""The consensus core of a member, made from what is on its disk."""

from __future__ import annotations

from collections.abc import Callable

from everwhen import raft
from everwhen.codec.cluster import Cluster, Configuration
from everwhen.limits import (
    APPEND_BYTES_MAX,
    APPENDS_AT_ONCE_MAX,
    APPLY_BATCH_BYTES_MAX,
    ELECTION_TICKS,
    HEARTBEAT_TICKS,
    INFLIGHT_BYTES_MAX,
    INFLIGHT_MESSAGES_MAX,
    PROBE_BYTES_MAX,
    UNCOMMITTED_BYTES_MAX,
)
from everwhen.mvcc.state import RecordState
from everwhen.ports import Random
from everwhen.raft.storage import Storage
from everwhen.runtime.replica.log_view import LogView, membership_entries
from everwhen.runtime.replica.persist import Persister
from everwhen.storage.directory import DataDirectory


def core_of(
    directory: DataDirectory,
    state: RecordState,
    random: Random,
    snapshot: Callable[[], raft.SnapshotMetadata | None],
) -> tuple[LogView, raft.RawNode, Persister]:
    """The consensus core as the process before left it, the log it reads, and what writes that."""
    meta, log = directory.meta.value, directory.log
    applied = state.current.head.applied_index
    certain, newest = membership_entries(log, applied)
    committed = max(meta.commit, applied, log.first_index - 1, certain)
    view = LogView(
        log,
        hard=raft.HardState(meta.term, meta.vote, committed),
        configuration=configuration_of(state.current.cluster, meta.node_id),
        snapshot=snapshot,
    )
    core = raft.RawNode(config_of(meta.node_id, view, random.below, applied))
    return view, core, Persister(log, meta.term, meta.vote, meta.commit, newest)


def config_of(
    node_id: int, storage: Storage, random_below: Callable[[int], int], applied: int
) -> raft.Config:
    """What every member's core is told; ``applied`` is the index it begins behind."""
    return raft.Config(
        node_id,
        ELECTION_TICKS,
        HEARTBEAT_TICKS,
        storage,
        random_below,
        applied=applied,
        async_storage_writes=True,
        max_size_per_msg=APPEND_BYTES_MAX,
        max_committed_size_per_ready=4 * APPLY_BATCH_BYTES_MAX,
        max_uncommitted_size=UNCOMMITTED_BYTES_MAX,
        max_inflight_msgs=INFLIGHT_MESSAGES_MAX,
        max_inflight_bytes=INFLIGHT_BYTES_MAX,
        max_size_per_probe=PROBE_BYTES_MAX,
        max_messages_per_ack=APPENDS_AT_ONCE_MAX,
        check_quorum=True,
        pre_vote=True,
        votes_tell_commit=True,
        askers_confirm=True,
        step_down_on_removal=True,
    )


def configuration_of(cluster: Cluster, node_id: int) -> Configuration:
    """The configuration in force. A log that begins before there were groups belongs to a node
    that decides alone."""
    if not cluster.members and node_id == 1:
        return Configuration(voters=[1])
    return cluster.configuration
