"""One member of a Raft group: term, vote, log, and what it does with messages and ticks.

Semantics and names are those of etcd's raft. This module holds what every role shares: state, the
rules about terms and votes, elections, the switch of configurations. What a role does with its
messages stands in ``leader.py``, ``candidate.py`` and ``follower.py``.

No clock, no input or output, no randomness of its own: ``tick`` is time, ``Config.random_below``
is chance, messages go into lists that the caller takes (``node.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from everwhen.raft import candidate, follower, leader
from everwhen.raft.confchange import Changer, ConfChangeV2, ProgressMap, restore
from everwhen.raft.log import Log
from everwhen.raft.progress import Progress, ProgressState, inflights_of
from everwhen.raft.quorum import VoteResult
from everwhen.raft.read_only import ReadOnly, ReadOnlyOption
from everwhen.raft.storage import Storage, entry_size
from everwhen.raft.tracker import Config as Configuration
from everwhen.raft.tracker import Tracker
from everwhen.raft.types import (
    NO_LIMIT,
    NO_NODE,
    Campaign,
    ConfState,
    Entry,
    EntryType,
    HardState,
    Message,
    MessageType,
    ReadState,
    Snapshot,
    SnapshotTemporarilyUnavailable,
    SoftState,
    StateType,
)

_VOTES = frozenset(
    {
        MessageType.VOTE,
        MessageType.VOTE_RESP,
        MessageType.PRE_VOTE,
        MessageType.PRE_VOTE_RESP,
    }
)
#: replies that assert that something is durable: released only when it is
_AFTER_APPEND = frozenset({MessageType.APP_RESP, MessageType.VOTE_RESP, MessageType.PRE_VOTE_RESP})
_TRANSFER = b"CampaignTransfer"
_CONF_CHANGES = frozenset({EntryType.CONF_CHANGE, EntryType.CONF_CHANGE_V2})


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
    check_quorum: bool = False
    pre_vote: bool = False
    read_only: ReadOnlyOption = ReadOnlyOption.SAFE
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
        self.state = StateType.FOLLOWER
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
        self.election_elapsed = 0
        self.heartbeat_elapsed = 0
        self.randomized_election_timeout = 0
        restored = restore(self.tracker, self.log.last_index(), conf_state)
        self._switch(*restored)
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
        if message.type in _VOTES:
            assert message.term, f"term should be set when sending {message.type.name}"
        else:
            assert not message.term, f"term should not be set when sending {message.type.name}"
            # proposals and reads are passed on to the leader: they belong to no term yet
            if message.type is not MessageType.PROP and message.type is not MessageType.READ_INDEX:
                message.term = self.term
        if message.type in _AFTER_APPEND:
            self.messages_after_append.append(message)
        else:
            assert message.to != self.id, f"message should not be self-addressed: {message}"
            self.messages.append(message)

    def send_append(self, to: int) -> None:
        """Entries, or an empty message with the commit index."""
        self.maybe_send_append(to, send_if_empty=True)

    def maybe_send_append(self, to: int, *, send_if_empty: bool) -> bool:
        """Entries to a member, as far as its window lets them; whether a message went."""
        progress = self.tracker.progress[to]
        if progress.is_paused:
            return False
        log = self.log
        previous = progress.next - 1
        entries: list[Entry] = []
        try:
            previous_term = log.term(previous)
            if progress.state is not ProgressState.REPLICATE or not progress.inflights.full:
                entries = log.entries(progress.next, self.config.max_size_per_msg)
        except LookupError:
            # compacted: the member cannot be caught up from the log any more
            return self._maybe_send_snapshot(to, progress)
        if not entries and not send_if_empty:
            return False
        self.send(
            Message(
                MessageType.APP,
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

    def _maybe_send_snapshot(self, to: int, progress: Progress) -> bool:
        if not progress.recent_active:
            return False
        try:
            snapshot = self.log.snapshot()
        except SnapshotTemporarilyUnavailable:
            return False
        assert not snapshot.is_empty, "need non-empty snapshot"
        progress.become_snapshot(snapshot.metadata.index)
        self.send(Message(MessageType.SNAP, to, snapshot=snapshot))
        return True

    def bcast_append(self) -> None:
        """Entries to every other member."""
        for node in self.tracker.ids():
            if node != self.id:
                self.send_append(node)

    def bcast_heartbeat(self, context: bytes | None = None) -> None:
        """A heartbeat to every other member, carrying the newest read that waits."""
        carried = self.read_only.last_context() if context is None else context
        for node in self.tracker.ids():
            if node == self.id:
                continue
            progress = self.tracker.progress[node]
            # never beyond what it is known to have (P10)
            commit = min(progress.match, self.log.committed)
            self.send(Message(MessageType.HEARTBEAT, node, commit=commit, context=carried))
            progress.sent_commit = commit

    # --- roles ---

    def become_follower(self, term: int, lead: int) -> None:
        """Follow ``lead``, if it is known."""
        self._reset(term)
        self.lead = lead
        self.state = StateType.FOLLOWER

    def become_candidate(self) -> None:
        """Stand for election in the next term, with the own vote."""
        assert self.state is not StateType.LEADER, "invalid transition [leader -> candidate]"
        self._reset(self.term + 1)
        self.vote = self.id
        self.state = StateType.CANDIDATE

    def become_pre_candidate(self) -> None:
        """Ask whether an election could be won; changes neither term nor vote (thesis, 9.6)."""
        assert self.state is not StateType.LEADER, "invalid transition [leader -> pre-candidate]"
        self.tracker.reset_votes()
        # or it would refuse others in the name of a leader it does not believe in (P25)
        self.lead = NO_NODE
        self.state = StateType.PRE_CANDIDATE

    def become_leader(self) -> None:
        """Lead, beginning with an empty entry of the own term (P1, P49)."""
        assert self.state is not StateType.FOLLOWER, "invalid transition [follower -> leader]"
        self._reset(self.term)
        self.lead = self.id
        self.state = StateType.LEADER
        own = self.tracker.progress[self.id]
        own.become_replicate()
        own.recent_active = True
        # entries of earlier leaders may hold a membership change that is not applied (P23)
        self.pending_conf_index = self.log.last_index()
        taken = self.append_entries([Entry()])
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

    def append_entries(self, entries: list[Entry]) -> bool:
        """Append to the own log as leader; False if too much is uncommitted already."""
        if not self._increase_uncommitted(entries):
            return False
        last = self.log.last_index()
        for at, entry in enumerate(entries, start=1):
            entry.term = self.term
            entry.index = last + at
        last = self.log.append(entries)
        # the leader's own acknowledgement, delivered once the entries are durable (P42)
        self.send(Message(MessageType.APP_RESP, self.id, index=last))
        return True

    def _increase_uncommitted(self, entries: list[Entry]) -> bool:
        size = payload_size(entries)
        total = self.uncommitted_size + size
        # one proposal is always let in, and so is what has no payload
        if self.uncommitted_size > 0 and size > 0 and total > self.config.max_uncommitted_size:
            return False
        self.uncommitted_size = total
        return True

    # --- time ---

    def tick(self) -> None:
        """One tick of the clock."""
        if self.state is StateType.LEADER:
            self._tick_heartbeat()
        else:
            self._tick_election()

    def _tick_election(self) -> None:
        self.election_elapsed += 1
        if self.promotable and self.election_elapsed >= self.randomized_election_timeout:
            self.election_elapsed = 0
            self.step(Message(MessageType.HUP, from_=self.id))

    def _tick_heartbeat(self) -> None:
        self.heartbeat_elapsed += 1
        self.election_elapsed += 1
        if self.election_elapsed >= self.config.election_tick:
            self.election_elapsed = 0
            if self.config.check_quorum:
                self.step(Message(MessageType.CHECK_QUORUM, from_=self.id))
            # a transfer that did not happen within an election timeout will not (P58)
            if self.state is StateType.LEADER and self.lead_transferee != NO_NODE:
                self.lead_transferee = NO_NODE
        if self.state is not StateType.LEADER:
            return
        if self.heartbeat_elapsed >= self.config.heartbeat_tick:
            self.heartbeat_elapsed = 0
            self.step(Message(MessageType.BEAT, from_=self.id))

    # --- elections ---

    @property
    def promotable(self) -> bool:
        """Whether it may stand for election: a voter, with no snapshot waiting to be applied."""
        progress = self.tracker.progress.get(self.id)
        return (
            progress is not None and not progress.is_learner and self.log.unstable.snapshot is None
        )

    def hup(self, kind: Campaign) -> None:
        """Stand for election, unless a committed membership change is not applied yet (P28)."""
        if self.state is StateType.LEADER or not self.promotable:
            return
        if self._has_unapplied_conf_changes():
            return
        self.campaign(kind)

    def _has_unapplied_conf_changes(self) -> bool:
        log = self.log
        low = log.applied + 1
        while low <= log.committed:
            batch = log.slice(low, log.committed + 1, 1 << 20)
            if any(entry.type in _CONF_CHANGES for entry in batch):
                return True
            low += len(batch)
        return False

    def campaign(self, kind: Campaign) -> None:
        """Ask every voter."""
        if kind is Campaign.PRE_ELECTION:
            self.become_pre_candidate()
            ask, answer = MessageType.PRE_VOTE, MessageType.PRE_VOTE_RESP
            term = self.term + 1
        else:
            self.become_candidate()
            ask, answer = MessageType.VOTE, MessageType.VOTE_RESP
            term = self.term
        context = _TRANSFER if kind is Campaign.TRANSFER else b""
        last, last_term = self.log.last_index(), self.log.last_term()
        for node in self.tracker.voter_nodes():
            if node == self.id:
                # the own vote counts once it is durable
                self.send(Message(answer, node, term=term))
            else:
                self.send(
                    Message(ask, node, term=term, index=last, log_term=last_term, context=context)
                )

    def poll(self, node: int, *, granted: bool) -> VoteResult:
        """Count a vote."""
        self.tracker.record_vote(node, granted)
        return self.tracker.tally()[2]

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
        if kind is MessageType.HUP:
            self.hup(Campaign.PRE_ELECTION if self.config.pre_vote else Campaign.ELECTION)
        elif kind is MessageType.STORAGE_APPEND_RESP:
            if message.index:
                self.log.unstable.stable_to(message.index, message.log_term)
            if message.snapshot is not None:
                self._applied_snapshot(message.snapshot)
        elif kind is MessageType.STORAGE_APPLY_RESP:
            if message.entries:
                entries = message.entries
                size = sum(entry_size(entry) for entry in entries)
                self.applied_to(entries[-1].index, size)
                self.uncommitted_size = max(self.uncommitted_size - payload_size(entries), 0)
        elif kind is MessageType.VOTE or kind is MessageType.PRE_VOTE:
            self._answer_vote(message)
        elif self.state is StateType.LEADER:
            leader.step(self, message)
        elif self.state is StateType.FOLLOWER:
            follower.step(self, message)
        else:
            candidate.step(self, message)

    def _take_newer_term(self, message: Message) -> bool:
        """A message of a later term: follow it there, unless it is only asking, or the leader was
        heard from within an election timeout (thesis, 4.2.3). False: it is ignored."""
        kind = message.type
        if kind is MessageType.VOTE or kind is MessageType.PRE_VOTE:
            in_lease = (
                self.config.check_quorum
                and self.lead != NO_NODE
                and self.election_elapsed < self.config.election_tick
            )
            if in_lease and message.context != _TRANSFER:
                return False
        if kind is MessageType.PRE_VOTE:
            return True
        if kind is MessageType.PRE_VOTE_RESP and not message.reject:
            # granted for a term that begins only if the vote is won
            return True
        from_leader = kind in (MessageType.APP, MessageType.HEARTBEAT, MessageType.SNAP)
        self.become_follower(message.term, message.from_ if from_leader else NO_NODE)
        return True

    def _answer_older_term(self, message: Message) -> None:
        kind = message.type
        config = self.config
        if (config.check_quorum or config.pre_vote) and kind in (
            MessageType.HEARTBEAT,
            MessageType.APP,
        ):
            # a leader that was cut off would never hear of the new term otherwise: this node's
            # votes are ignored by those who follow it
            self.send(Message(MessageType.APP_RESP, message.from_))
        elif kind is MessageType.PRE_VOTE:
            # with the own term, so that a candidate with a long log and an old term learns (P26)
            self.send(
                Message(MessageType.PRE_VOTE_RESP, message.from_, term=self.term, reject=True)
            )
        elif kind is MessageType.STORAGE_APPEND_RESP and message.snapshot is not None:
            # entries may have been replaced since (P40); a snapshot is valid in every term
            self._applied_snapshot(message.snapshot)

    def _answer_vote(self, message: Message) -> None:
        """Grant or refuse (thesis, 3.4, 3.6.1)."""
        pre = message.type is MessageType.PRE_VOTE
        answer = MessageType.PRE_VOTE_RESP if pre else MessageType.VOTE_RESP
        can_vote = (
            self.vote == message.from_
            or (self.vote == NO_NODE and self.lead == NO_NODE)
            or (pre and message.term > self.term)
        )
        if can_vote and self.log.is_up_to_date(message.index, message.log_term):
            # the term asked about: an answer to a question about the future is of the future
            self.send(Message(answer, message.from_, term=message.term))
            if not pre:
                self.election_elapsed = 0
                self.vote = message.from_
        else:
            self.send(Message(answer, message.from_, term=self.term, reject=True))

    # --- progress of this node ---

    def applied_to(self, index: int, size: int) -> None:
        """The state machine is at ``index``; leave a joint configuration if that is asked for."""
        index = max(index, self.log.applied)
        self.log.applied_to(index, size)
        if (
            self.tracker.config.auto_leave
            and index >= self.pending_conf_index
            and self.state is StateType.LEADER
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

    # --- configuration ---

    def apply_conf_change(self, change: ConfChangeV2) -> ConfState:
        """Put an applied membership entry into force.

        :raises ChangeRefused: it breaks a rule; the caller must not have let it in.
        """
        changer = Changer(self.tracker, self.log.last_index())
        auto_leave, joint = change.enter_joint()
        if change.leaves_joint:
            result = changer.leave_joint()
        elif joint:
            result = changer.enter_joint(change.changes, auto_leave=auto_leave)
        else:
            result = changer.simple(change.changes)
        return self._switch(*result)

    def _switch(self, configuration: Configuration, progress: ProgressMap) -> ConfState:
        tracker = self.tracker
        tracker.config, tracker.progress = configuration, progress
        state = tracker.conf_state()
        own = progress.get(self.id)
        self.is_learner = own is not None and own.is_learner
        if (own is None or own.is_learner) and self.state is StateType.LEADER:
            # removed or demoted: it leads on until that is committed and applied, then no more
            if self.config.step_down_on_removal:
                self.become_follower(self.term, NO_NODE)
            return state
        if self.state is not StateType.LEADER or not state.voters:
            return state
        if self.maybe_commit():
            self.bcast_append()
        else:
            for node in tracker.ids():
                if node != self.id:
                    self.maybe_send_append(node, send_if_empty=False)
        if self.lead_transferee not in configuration.voters.ids:
            self.lead_transferee = NO_NODE
        return state

    def restore(self, snapshot: Snapshot) -> bool:
        """Take the place of the log by a snapshot; False if it is not needed or not for this
        node (P37)."""
        metadata = snapshot.metadata
        if metadata.index <= self.log.committed:
            return False
        if self.state is not StateType.FOLLOWER:
            self.become_follower(self.term + 1, NO_NODE)
            return False
        state = metadata.conf_state
        if self.id not in {*state.voters, *state.learners, *state.voters_outgoing}:
            return False
        if self.log.match_term(metadata.index, metadata.term):
            # the log has it all: only the commit index was behind
            self.log.commit_to(metadata.index)
            return False
        self.log.restore(snapshot)
        self.tracker = Tracker(self.config.max_inflight_msgs, self.config.max_inflight_bytes)
        self._switch(*restore(self.tracker, self.log.last_index(), state))
        return True


def payload_size(entries: list[Entry]) -> int:
    """Bytes of the data of entries."""
    return sum(len(entry.data) for entry in entries)
