"""Consensus without clock, input, output or chance: Raft with the semantics and names of etcd's.

``node.RawNode`` is what a driver holds; ``core.Raft`` is the member inside.
"""

from everwhen.raft.confchange import (
    Change,
    ChangeRefused,
    ChangeType,
    ConfChange,
    ConfChangeV2,
    Transition,
)
from everwhen.raft.core import Config
from everwhen.raft.node import RawNode
from everwhen.raft.progress import ProgressState
from everwhen.raft.types import (
    LOCAL_APPEND,
    LOCAL_APPLY,
    Compacted,
    ConfState,
    Entry,
    EntryType,
    HardState,
    Message,
    MessageType,
    ProposalDropped,
    Ready,
    Snapshot,
    SnapshotMetadata,
    SnapshotTemporarilyUnavailable,
    StateType,
    StepRefused,
    Unavailable,
)
from everwhen.raft.wire import decode_conf_change, decode_message, encode_message

__all__ = [
    "LOCAL_APPEND",
    "LOCAL_APPLY",
    "Change",
    "ChangeRefused",
    "ChangeType",
    "Compacted",
    "ConfChange",
    "ConfChangeV2",
    "ConfState",
    "Config",
    "Entry",
    "EntryType",
    "HardState",
    "Message",
    "MessageType",
    "ProgressState",
    "ProposalDropped",
    "RawNode",
    "Ready",
    "Snapshot",
    "SnapshotMetadata",
    "SnapshotTemporarilyUnavailable",
    "StateType",
    "StepRefused",
    "Transition",
    "Unavailable",
    "decode_conf_change",
    "decode_message",
    "encode_message",
]
