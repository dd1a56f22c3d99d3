"""What the core is given and what it gives: entries, messages, states. No behaviour.

Names and meanings are those of etcd's raft, so that its transcripts can be read against this code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Final

NO_NODE: Final = 0
#: addressees of what storage is to do; no node has such an id
LOCAL_APPEND: Final = (1 << 64) - 1
LOCAL_APPLY: Final = (1 << 64) - 2
NO_LIMIT: Final = (1 << 64) - 1


class EntryType(IntEnum):
    """Who an entry is for: the state machine, or the group's configuration."""

    NORMAL = 0
    CONF_CHANGE = 1
    CONF_CHANGE_V2 = 2


class MessageType(IntEnum):
    """Kinds of messages; numbered as they travel."""

    HUP = 0
    BEAT = 1
    PROP = 2
    APP = 3
    APP_RESP = 4
    VOTE = 5
    VOTE_RESP = 6
    SNAP = 7
    HEARTBEAT = 8
    HEARTBEAT_RESP = 9
    UNREACHABLE = 10
    SNAP_STATUS = 11
    CHECK_QUORUM = 12
    TRANSFER_LEADER = 13
    TIMEOUT_NOW = 14
    READ_INDEX = 15
    READ_INDEX_RESP = 16
    PRE_VOTE = 17
    PRE_VOTE_RESP = 18
    STORAGE_APPEND = 19
    STORAGE_APPEND_RESP = 20
    STORAGE_APPLY = 21
    STORAGE_APPLY_RESP = 22
    FORGET_LEADER = 23


#: questions for a vote and their answers
VOTES: Final = frozenset(
    {
        MessageType.VOTE,
        MessageType.VOTE_RESP,
        MessageType.PRE_VOTE,
        MessageType.PRE_VOTE_RESP,
    }
)


class StateType(IntEnum):
    """What a node is."""

    FOLLOWER = 0
    CANDIDATE = 1
    LEADER = 2
    PRE_CANDIDATE = 3


class Campaign(Enum):
    """Kinds of elections."""

    PRE_ELECTION = "CampaignPreElection"
    ELECTION = "CampaignElection"
    TRANSFER = "CampaignTransfer"


@dataclass(slots=True)
class Entry:
    """One position of the log."""

    term: int = 0
    index: int = 0
    type: EntryType = EntryType.NORMAL
    data: bytes = b""


@dataclass(slots=True)
class HardState:
    """What must be durable before anything that depends on it is said."""

    term: int = 0
    vote: int = 0
    commit: int = 0

    @property
    def is_empty(self) -> bool:
        """Nothing was ever saved."""
        return not (self.term or self.vote or self.commit)


@dataclass(slots=True)
class SoftState:
    """Who leads and what this node is; not durable."""

    lead: int = NO_NODE
    state: StateType = StateType.FOLLOWER


@dataclass(slots=True)
class ConfState:
    """A configuration, as snapshots and storage hold it."""

    voters: list[int] = field(default_factory=list)
    learners: list[int] = field(default_factory=list)
    voters_outgoing: list[int] = field(default_factory=list)
    learners_next: list[int] = field(default_factory=list)
    auto_leave: bool = False


@dataclass(slots=True)
class SnapshotMetadata:
    """Where a snapshot stands."""

    conf_state: ConfState = field(default_factory=ConfState)
    index: int = 0
    term: int = 0


@dataclass(slots=True)
class Snapshot:
    """A state of the machine; the data is opaque here."""

    data: bytes = b""
    metadata: SnapshotMetadata = field(default_factory=SnapshotMetadata)

    @property
    def is_empty(self) -> bool:
        """No snapshot at all."""
        return self.metadata.index == 0


@dataclass(slots=True)
class Message:
    """One message; which fields count depends on the type."""

    type: MessageType
    to: int = NO_NODE
    from_: int = NO_NODE
    term: int = 0
    log_term: int = 0
    index: int = 0
    entries: list[Entry] = field(default_factory=list)
    commit: int = 0
    #: of votes: the term of the entry at ``commit``
    commit_term: int = 0
    vote: int = 0
    snapshot: Snapshot | None = None
    reject: bool = False
    reject_hint: int = 0
    context: bytes = b""
    responses: list[Message] = field(default_factory=list)


@dataclass(slots=True)
class ReadState:
    """A confirmed read: everything up to ``index`` must be applied before it is served."""

    index: int
    request_ctx: bytes


@dataclass(slots=True)
class Ready:
    """What the caller has to do now."""

    soft_state: SoftState | None = None
    hard_state: HardState = field(default_factory=HardState)
    read_states: list[ReadState] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    snapshot: Snapshot | None = None
    committed_entries: list[Entry] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    must_sync: bool = False


class ProposalDropped(Exception):
    """Nothing was appended. ``may_pass``: the same proposal may be taken a moment later."""

    def __init__(self, reason: str, *, may_pass: bool) -> None:
        super().__init__(reason)
        self.may_pass = may_pass


class StepRefused(Exception):
    """A message that this node cannot take."""


class Compacted(LookupError):
    """The entries asked for are no longer in the log."""


class Unavailable(LookupError):
    """The entries asked for are not in the log yet."""


class SnapshotTemporarilyUnavailable(LookupError):
    """A snapshot is wanted and not ready yet; it will be asked for again."""
