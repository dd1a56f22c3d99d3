"""One member of a Raft group: term, vote, log, and what it does with messages and ticks.

Semantics and names are those of etcd's raft. This module holds what every role shares: state, the
rules about terms, the roles and how they change. What a role does with its messages stands in
``leader.py``, ``candidate.py`` and ``follower.py``; sending, elections and configurations in
``replication.py``, ``election.py`` and ``membership.py``.

No clock, no input or output, no randomness of its own: ``tick`` is time, ``Config.random_below``
is chance, messages go into lists that the caller takes (``node.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from everwhen.raft import candidate, election, follower, leader, membership, replication
from everwhen.raft.confchange import restore
from everwhen.raft.log import Log
from everwhen.raft.progress import Progress, inflights_of
from everwhen.raft.read_only import ReadOnly, ReadOnlyOption
from everwhen.raft.storage import Storage, entry_size
from everwhen.raft.tracker import Tracker
from everwhen.raft.types import (
    NO_LIMIT,
    NO_NODE,
    VOTES,
    Campaign,
    Entry,
    HardState,
    Message,
    MessageType,
    ReadState,
    Snapshot,
    SoftState,
    StateType,
)

_VOTES: Final = [kind in VOTES for kind in MessageType]
#: replies that assert that something is durable: released only when it is
_AFTER_APPEND: Final = [
    kind in (MessageType.APP_RESP, MessageType.VOTE_RESP, MessageType.PRE_VOTE_RESP)
    for kind in MessageType
]


# members of enumerations as plain names: looking them up in their class is slow
_APP: Final = MessageType.APP
_APP_RESP: Final = MessageType.APP_RESP
_BEAT: Final = MessageType.BEAT
_CHECK_QUORUM: Final = MessageType.CHECK_QUORUM
_HEARTBEAT: Final = MessageType.HEARTBEAT
_HUP: Final = MessageType.HUP
_PRE_VOTE: Final = MessageType.PRE_VOTE
_PRE_VOTE_RESP: Final = MessageType.PRE_VOTE_RESP
_PROP: Final = MessageType.PROP
_READ_INDEX: Final = MessageType.READ_INDEX
_SNAP: Final = MessageType.SNAP
_STORAGE_APPEND_RESP: Final = MessageType.STORAGE_APPEND_RESP
_STORAGE_APPLY_RESP: Final = MessageType.STORAGE_APPLY_RESP
_VOTE: Final = MessageType.VOTE
_IS_CANDIDATE: Final = StateType.CANDIDATE
_IS_FOLLOWER: Final = StateType.FOLLOWER
_IS_LEADER: Final = StateType.LEADER
_IS_PRE_CANDIDATE: Final = StateType.PRE_CANDIDATE


@dataclass(slots=True)
class Config:
    """How a member behaves; times in ticks, sizes in bytes."""

    id: int
    election_tick: int
    heartbeat_tick: int
    storage: Storage
    #: a number in [0, bound): chance comes from outside
    random_below: Callable[[int], int]
    #: the entry up to which the state machine was when the process ended
    applied: int = 0
    async_storage_writes: bool = False
    max_size_per_msg: int = NO_LIMIT
    max_committed_size_per_ready: int = 0
    max_uncommitted_size: int = NO_LIMIT
    max_inflight_msgs: int = 256
    max_inflight_bytes: int = NO_LIMIT
    #: of entries in a message that asks how far a member's log reaches: it may be asked again and
    #: again before the first answer comes, at each heartbeat
    max_size_per_probe: int = NO_LIMIT
    #: messages of entries that an acknowledgement lets follow; 0: all that the window has room for.
    #: A window that grows by each of them gives others a turn between
    max_messages_per_ack: int = 0
    check_quorum: bool = False
    pre_vote: bool = False
    #: who asks for a vote, or refuses one, says what it knows to be committed (`election.learn`)
    votes_tell_commit: bool = False
    read_only: ReadOnlyOption = ReadOnlyOption.SAFE
    #: a read that a follower passes on confirms the leader by itself where both are a quorum
    askers_confirm: bool = False
    disable_proposal_forwarding: bool = False
    disable_conf_change_validation: bool = False
    step_down_on_removal: bool = False

    def check(self) -> None:
        """:raises ValueError: a value makes no sense."""
        if self.id == NO_NODE:
            raise ValueError("cannot use none as id")
        if self.heartbeat_tick <= 0:
            raise ValueError("heartbeat tick must be greater than 0")
        if self.election_tick <= self.heartbeat_tick:
            raise ValueError("election tick must be greater than heartbeat tick")
        if self.max_inflight_msgs <= 0:
            raise ValueError("max inflight messages must be greater than 0")
        if self.max_inflight_bytes < self.max_size_per_msg:
            raise ValueError("max inflight bytes must be >= max message size")
        if self.read_only is ReadOnlyOption.LEASE_BASED and not self.check_quorum:
            raise ValueError("CheckQuorum must be enabled when ReadOnlyOption is lease based")


class Raft:
    """See the module."""

    def __init__(self, config: Config) -> None:
        config.check()
        hard, conf_state = config.storage.initial_state()
        self.config = config
        self.id = config.id
        self.term = 0
        self.vote = NO_NODE
        self.lead = NO_NODE
        self.state = _IS_FOLLOWER
        self.is_learner = False
        self.log = Log(
            config.storage, config.max_committed_size_per_ready or config.max_size_per_msg
        )
        self.tracker = Tracker(config.max_inflight_msgs, config.max_inflight_bytes)
        self.read_only = ReadOnly(config.read_only)
        self.read_states: list[ReadState] = []
        #: to be sent now
        self.messages: list[Message] = []
        #: to be sent, or stepped into this node, once what was appended before is durable
        self.messages_after_append: list[Message] = []
        self.lead_transferee = NO_NODE
        #: no further membership entry while one up to here may not be applied
        self.pending_conf_index = 0
        self.uncommitted_size = 0
        self.pending_reads: list[Message] = []
        #: it never stands for election; it votes and acknowledges like any other
        self.barred = False
        self.election_elapsed = 0
        self.heartbeat_elapsed = 0
        self.randomized_election_timeout = 0
        restored = restore(self.tracker, self.log.last_index(), conf_state)
        membership.switch(self, *restored)
        if not hard.is_empty:
            self._load(hard)
        if config.applied > 0:
            self.log.applied_to(config.applied, 0)
        self.become_follower(self.term, NO_NODE)

    def _load(self, hard: HardState) -> None:
        if not self.log.committed <= hard.commit <= self.log.last_index():
            raise ValueError(
                f"state.commit {hard.commit} is out of range "
                f"[{self.log.committed}, {self.log.last_index()}]"
            )
        self.log.committed = hard.commit
        self.term = hard.term
        self.vote = hard.vote

    @property
    def soft_state(self) -> SoftState:
        """Leader and role."""
        return SoftState(self.lead, self.state)

    @property
    def hard_state(self) -> HardState:
        """Term, vote, commit."""
        return HardState(self.term, self.vote, self.log.committed)

    # --- sending ---

    def send(self, message: Message) -> None:
        """Queue a message; what asserts durability waits for it."""
        if message.from_ == NO_NODE:
            message.from_ = self.id
        if _VOTES[message.type]:
            assert message.term, f"term should be set when sending {message.type.name}"
        else:
            assert not message.term, f"term should not be set when sending {message.type.name}"
            # proposals and reads are passed on to the leader: they belong to no term yet
            if message.type is not _PROP and message.type is not _READ_INDEX:
                message.term = self.term
        if _AFTER_APPEND[message.type]:
            self.messages_after_append.append(message)
        else:
            assert message.to != self.id, f"message should not be self-addressed: {message}"
            self.messages.append(message)

    # --- roles ---

    def become_follower(self, term: int, lead: int) -> None:
        """Follow ``lead``, if it is known."""
        self._reset(term)
        self.lead = lead
        self.state = _IS_FOLLOWER

    def become_candidate(self) -> None:
        """Stand for election in the next term, with the own vote."""
        assert self.state is not _IS_LEADER, "invalid transition [leader -> candidate]"
        self._reset(self.term + 1)
        self.vote = self.id
        self.state = _IS_CANDIDATE

    def become_pre_candidate(self) -> None:
        """Ask whether an election could be won; changes neither term nor vote (thesis, 9.6)."""
        assert self.state is not _IS_LEADER, "invalid transition [leader -> pre-candidate]"
        self.tracker.reset_votes()
        # or it would refuse others in the name of a leader it does not believe in (P25)
        self.lead = NO_NODE
        self.state = _IS_PRE_CANDIDATE

    def become_leader(self) -> None:
        """Lead, beginning with an empty entry of the own term (P1, P49)."""
        assert self.state is not _IS_FOLLOWER, "invalid transition [follower -> leader]"
        self._reset(self.term)
        self.lead = self.id
        self.state = _IS_LEADER
        own = self.tracker.progress[self.id]
        own.become_replicate()
        own.recent_active = True
        # entries of earlier leaders may hold a membership change that is not applied (P23)
        self.pending_conf_index = self.log.last_index()
        taken = replication.append_entries(self, [Entry()])
        assert taken, "empty entry was dropped"

    def _reset(self, term: int) -> None:
        if self.term != term:
            self.term = term
            self.vote = NO_NODE
        self.lead = NO_NODE
        self.election_elapsed = 0
        self.heartbeat_elapsed = 0
        timeout = self.config.election_tick
        self.randomized_election_timeout = timeout + self.config.random_below(timeout)
        self.lead_transferee = NO_NODE
        self.tracker.reset_votes()
        last = self.log.last_index()
        for node, progress in self.tracker.progress.items():
            window = inflights_of(self.tracker.max_inflight, self.tracker.max_inflight_bytes)
            new = Progress(0, last + 1, window, is_learner=progress.is_learner)
            if node == self.id:
                new.match = last
            self.tracker.progress[node] = new
        self.pending_conf_index = 0
        self.uncommitted_size = 0
        self.read_only = ReadOnly(self.config.read_only)
        self.pending_reads = []

    # --- time ---

    def tick(self) -> None:
        """One tick of the clock."""
        if self.state is _IS_LEADER:
            self._tick_heartbeat()
        else:
            self._tick_election()

    def _tick_election(self) -> None:
        self.election_elapsed += 1
        if election.promotable(self) and self.election_elapsed >= self.randomized_election_timeout:
            self.election_elapsed = 0
            self.step(Message(_HUP, from_=self.id))

    def _tick_heartbeat(self) -> None:
        self.heartbeat_elapsed += 1
        self.election_elapsed += 1
        if self.election_elapsed >= self.config.election_tick:
            self.election_elapsed = 0
            if self.config.check_quorum:
                self.step(Message(_CHECK_QUORUM, from_=self.id))
            # a transfer that did not happen within an election timeout will not (P58)
            if self.state is _IS_LEADER and self.lead_transferee != NO_NODE:
                self.lead_transferee = NO_NODE
        if self.state is not _IS_LEADER:
            return
        if self.heartbeat_elapsed >= self.config.heartbeat_tick:
            self.heartbeat_elapsed = 0
            self.step(Message(_BEAT, from_=self.id))

    # --- messages ---

    def step(self, message: Message) -> None:
        """Take a message.

        :raises ProposalDropped: a proposal that nothing became of.
        """
        if message.term > self.term:
            if not self._take_newer_term(message):
                return
        elif 0 < message.term < self.term:
            self._answer_older_term(message)
            return
        kind = message.type
        if kind is _HUP:
            election.hup(self, Campaign.PRE_ELECTION if self.config.pre_vote else Campaign.ELECTION)
        elif kind is _STORAGE_APPEND_RESP:
            if message.index:
                self.log.unstable.stable_to(message.index, message.log_term)
            if message.snapshot is not None:
                self._applied_snapshot(message.snapshot)
        elif kind is _STORAGE_APPLY_RESP:
            if message.entries:
                entries = message.entries
                size = sum([entry_size(entry) for entry in entries])
                self.applied_to(entries[-1].index, size)
                self.uncommitted_size = max(
                    self.uncommitted_size - replication.payload_size(entries), 0
                )
        elif kind is _VOTE or kind is _PRE_VOTE:
            election.answer_vote(self, message)
        elif self.state is _IS_LEADER:
            leader.step(self, message)
        elif self.state is _IS_FOLLOWER:
            follower.step(self, message)
        else:
            candidate.step(self, message)

    def _take_newer_term(self, message: Message) -> bool:
        """A message of a later term: follow it there, unless it is only asking, or the leader was
        heard from within an election timeout (thesis, 4.2.3). False: it is ignored."""
        kind = message.type
        if kind is _VOTE or kind is _PRE_VOTE:
            in_lease = (
                self.config.check_quorum
                and self.lead != NO_NODE
                and self.election_elapsed < self.config.election_tick
            )
            if in_lease and message.context != election.TRANSFER:
                return False
        if kind is _PRE_VOTE:
            return True
        if kind is _PRE_VOTE_RESP and not message.reject:
            # granted for a term that begins only if the vote is won
            return True
        from_leader = kind in (_APP, _HEARTBEAT, _SNAP)
        self.become_follower(message.term, message.from_ if from_leader else NO_NODE)
        return True

    def _answer_older_term(self, message: Message) -> None:
        kind = message.type
        config = self.config
        if (config.check_quorum or config.pre_vote) and kind in (
            _HEARTBEAT,
            _APP,
        ):
            # a leader that was cut off would never hear of the new term otherwise: this node's
            # votes are ignored by those who follow it
            self.send(Message(_APP_RESP, message.from_))
        elif kind is _PRE_VOTE:
            # with the own term, so that a candidate with a long log and an old term learns (P26)
            self.send(Message(_PRE_VOTE_RESP, message.from_, term=self.term, reject=True))
        elif kind is _STORAGE_APPEND_RESP and message.snapshot is not None:
            # entries may have been replaced since (P40); a snapshot is valid in every term
            self._applied_snapshot(message.snapshot)

    # --- progress of this node ---

    def applied_to(self, index: int, size: int) -> None:
        """The state machine is at ``index``; leave a joint configuration if that is asked for."""
        index = max(index, self.log.applied)
        self.log.applied_to(index, size)
        if (
            self.tracker.config.auto_leave
            and index >= self.pending_conf_index
            and self.state is _IS_LEADER
        ):
            leader.propose_leave_joint(self)

    def _applied_snapshot(self, snapshot: Snapshot) -> None:
        self.log.unstable.stable_snapshot_to(snapshot.metadata.index)
        self.applied_to(snapshot.metadata.index, 0)

    def maybe_commit(self) -> bool:
        """Commit what a quorum has, if it is of the present term (P1)."""
        return self.log.maybe_commit(self.tracker.committed(), self.term)

    def committed_in_term(self) -> bool:
        """Whether an entry of the present term is committed: only then the leader knows what is
        (P49)."""
        return self.log.term_or_zero(self.log.committed) == self.term
