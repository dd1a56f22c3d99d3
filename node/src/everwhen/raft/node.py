"""The core as its driver sees it: put things in, take what is ready, say when it is done.

With ``async_storage_writes`` (how the node runs it) a Ready holds messages to LOCAL_APPEND and
LOCAL_APPLY among those to other members. Each carries its replies, which are delivered when it is
done: a message that asserts durability exists only inside the batch that makes it durable. Without
(transcripts, small tests) the driver writes and applies what Ready lists, then calls ``advance``.
"""

from __future__ import annotations

from typing import Final

from everwhen.raft import membership
from everwhen.raft.confchange import ConfChange, ConfChangeV2
from everwhen.raft.core import Config, Raft
from everwhen.raft.progress import Progress
from everwhen.raft.storage import entry_size
from everwhen.raft.types import (
    LOCAL_APPEND,
    LOCAL_APPLY,
    NO_NODE,
    ConfState,
    Entry,
    EntryType,
    HardState,
    Message,
    MessageType,
    Ready,
    StepRefused,
)
from everwhen.raft.wire import encode_conf_change, encode_conf_change_v1

_LOCAL_TYPES: Final = (
    MessageType.HUP,
    MessageType.BEAT,
    MessageType.UNREACHABLE,
    MessageType.SNAP_STATUS,
    MessageType.CHECK_QUORUM,
    MessageType.STORAGE_APPEND,
    MessageType.STORAGE_APPEND_RESP,
    MessageType.STORAGE_APPLY,
    MessageType.STORAGE_APPLY_RESP,
)
_RESPONSE_TYPES: Final = (
    MessageType.APP_RESP,
    MessageType.VOTE_RESP,
    MessageType.HEARTBEAT_RESP,
    MessageType.UNREACHABLE,
    MessageType.READ_INDEX_RESP,
    MessageType.PRE_VOTE_RESP,
    MessageType.STORAGE_APPEND_RESP,
    MessageType.STORAGE_APPLY_RESP,
)
#: by the number of a type: the hash of an enumeration is slow
_LOCAL: Final = [kind in _LOCAL_TYPES for kind in MessageType]
_RESPONSES: Final = [kind in _RESPONSE_TYPES for kind in MessageType]
_STORAGE_THREADS = (LOCAL_APPEND, LOCAL_APPLY)

# members of enumerations as plain names: looking them up in their class is slow
_FOR_CONF_CHANGE: Final = EntryType.CONF_CHANGE
_FOR_CONF_CHANGE_V2: Final = EntryType.CONF_CHANGE_V2
_FORGET_LEADER: Final = MessageType.FORGET_LEADER
_HUP: Final = MessageType.HUP
_PROP: Final = MessageType.PROP
_READ_INDEX: Final = MessageType.READ_INDEX
_SNAP_STATUS: Final = MessageType.SNAP_STATUS
_STORAGE_APPEND: Final = MessageType.STORAGE_APPEND
_STORAGE_APPEND_RESP: Final = MessageType.STORAGE_APPEND_RESP
_STORAGE_APPLY: Final = MessageType.STORAGE_APPLY
_STORAGE_APPLY_RESP: Final = MessageType.STORAGE_APPLY_RESP
_TRANSFER_LEADER: Final = MessageType.TRANSFER_LEADER
_UNREACHABLE: Final = MessageType.UNREACHABLE


class RawNode:
    """See the module. Not for use by two threads at once."""

    def __init__(self, config: Config) -> None:
        self.raft = Raft(config)
        self._async = config.async_storage_writes
        self._soft = self.raft.soft_state
        self._hard = self.raft.hard_state
        self._steps_on_advance: list[Message] = []

    # --- in ---

    def tick(self) -> None:
        """One tick of the clock."""
        self.raft.tick()

    def campaign(self) -> None:
        """Stand for election now."""
        self.raft.step(Message(_HUP))

    def propose(self, payloads: list[bytes]) -> None:
        """Append payloads, all or none.

        :raises ProposalDropped: none was appended.
        """
        entries = [Entry(data=data) for data in payloads]
        self.raft.step(Message(_PROP, from_=self.raft.id, entries=entries))

    def propose_conf_change(self, change: ConfChange | ConfChangeV2) -> None:
        """Propose a membership change.

        :raises ProposalDropped: it was not appended.
        """
        if isinstance(change, ConfChange):
            entry = Entry(type=_FOR_CONF_CHANGE, data=encode_conf_change_v1(change))
        else:
            entry = Entry(type=_FOR_CONF_CHANGE_V2, data=encode_conf_change(change))
        self.raft.step(Message(_PROP, from_=self.raft.id, entries=[entry]))

    def apply_conf_change(self, change: ConfChange | ConfChangeV2) -> ConfState:
        """A committed membership entry is being applied: the configuration it leads to."""
        return membership.apply_conf_change(self.raft, change.as_v2())

    def step(self, message: Message) -> None:
        """A message arrived.

        :raises StepRefused: it is not one that members send, or its sender is none.
        :raises ProposalDropped: a proposal that was not appended.
        """
        if message.from_ not in _STORAGE_THREADS:
            if _LOCAL[message.type]:
                raise StepRefused("cannot step raft local message")
            if _RESPONSES[message.type] and message.from_ not in self.raft.tracker.progress:
                raise StepRefused("cannot step as peer not found")
        self.raft.step(message)

    def read_index(self, context: bytes) -> None:
        """Ask up to which index to apply before a read that begins now is served; the answer is a
        ReadState with this context. Lost if no node leads: ask again."""
        self.raft.step(Message(_READ_INDEX, entries=[Entry(data=context)]))

    def transfer_leadership(self, to: int) -> None:
        """Hand leadership to ``to``."""
        self.raft.step(Message(_TRANSFER_LEADER, from_=to))

    def forget_leader(self) -> None:
        """Do not protect the leader any more: grant votes, stand for election without waiting."""
        self.raft.step(Message(_FORGET_LEADER))

    def bar(self, *, barred: bool) -> None:
        """Whether this node may never stand for election. A leader steps down."""
        self.raft.barred = barred
        if barred and self.raft.lead == self.raft.id != NO_NODE:
            self.raft.become_follower(self.raft.term, NO_NODE)

    def report_unreachable(self, node: int) -> None:
        """What was sent last to ``node`` may be lost."""
        self.raft.step(Message(_UNREACHABLE, from_=node))

    def report_snapshot(self, node: int, *, failed: bool) -> None:
        """How the sending of a snapshot ended."""
        self.raft.step(Message(_SNAP_STATUS, from_=node, reject=failed))

    # --- out ---

    def has_ready(self) -> bool:
        """Whether ``ready`` has anything."""
        raft = self.raft
        if raft.messages or raft.messages_after_append or raft.read_states:
            return True
        unstable = raft.log.unstable
        if unstable.offset + len(unstable.entries) > unstable.offset_in_progress:
            return True
        if unstable.snapshot is not None and not unstable.snapshot_in_progress:
            return True
        if raft.log.has_next_committed(allow_unstable=not self._async):
            return True
        if raft.lead != self._soft.lead or raft.state is not self._soft.state:
            return True
        hard = self._hard
        return raft.log.committed != hard.commit or raft.term != hard.term or raft.vote != hard.vote

    def ready(self) -> Ready:
        """Everything to be done now; it counts as handed out."""
        ready = self._make_ready()
        self._accept(ready)
        return ready

    def _make_ready(self) -> Ready:
        raft = self.raft
        ready = Ready(
            entries=raft.log.unstable.next_entries(),
            committed_entries=raft.log.next_committed(allow_unstable=not self._async),
            messages=raft.messages,
            snapshot=raft.log.unstable.next_snapshot(),
            read_states=raft.read_states,
        )
        soft, hard = self._soft, self._hard
        if raft.lead != soft.lead or raft.state is not soft.state:
            ready.soft_state = raft.soft_state
        moved = raft.term != hard.term or raft.vote != hard.vote
        if moved or raft.log.committed != hard.commit:
            ready.hard_state = raft.hard_state
        ready.must_sync = moved or bool(ready.entries)
        if self._async:
            if _needs_append(raft, ready):
                ready.messages.append(_append_message(raft, ready))
            if ready.committed_entries:
                ready.messages.append(_apply_message(raft, ready.committed_entries))
        else:
            # to be sent after what Ready lists is durable, as its contract says
            for message in raft.messages_after_append:
                if message.to != raft.id:
                    ready.messages.append(message)
        return ready

    def _accept(self, ready: Ready) -> None:
        raft = self.raft
        if ready.soft_state is not None:
            self._soft = ready.soft_state
        if not ready.hard_state.is_empty:
            self._hard = ready.hard_state
        if not self._async:
            assert not self._steps_on_advance, "two accepted Ready structs without call to advance"
            steps = [each for each in raft.messages_after_append if each.to == raft.id]
            if _needs_append_response(raft, ready):
                steps.append(_append_response(raft, ready))
            if ready.committed_entries:
                steps.append(_apply_response(raft, ready.committed_entries))
            self._steps_on_advance = steps
        raft.read_states = []
        raft.messages = []
        raft.messages_after_append = []
        raft.log.unstable.accept_in_progress()
        if ready.committed_entries:
            size = sum([entry_size(entry) for entry in ready.committed_entries])
            last = ready.committed_entries[-1].index
            raft.log.accept_applying(last, size, allow_unstable=not self._async)

    def advance(self) -> None:
        """What the last Ready listed is done (without ``async_storage_writes``)."""
        steps, self._steps_on_advance = self._steps_on_advance, []
        for message in steps:
            self.raft.step(message)

    # --- facts ---

    @property
    def term(self) -> int:
        """The present term."""
        return self.raft.term

    @property
    def leader(self) -> int:
        """Who leads, 0 if that is not known."""
        return self.raft.lead

    @property
    def last_index(self) -> int:
        """The newest entry, durable or not."""
        return self.raft.log.last_index()

    @property
    def committed(self) -> int:
        """The newest committed entry."""
        return self.raft.log.committed

    def progress(self, node: int) -> Progress | None:
        """What this leader knows of a member; None on others."""
        if self.raft.lead != self.raft.id or self.raft.id == NO_NODE:
            return None
        return self.raft.tracker.progress.get(node)


def _needs_append(raft: Raft, ready: Ready) -> bool:
    return bool(
        ready.entries
        or not ready.hard_state.is_empty
        or ready.snapshot is not None
        or raft.messages_after_append
    )


def _needs_append_response(raft: Raft, ready: Ready) -> bool:
    return bool(raft.log.unstable.entries) or ready.snapshot is not None


def _append_message(raft: Raft, ready: Ready) -> Message:
    """What is to be made durable, with the replies that wait for it."""
    message = Message(
        _STORAGE_APPEND,
        LOCAL_APPEND,
        raft.id,
        entries=ready.entries,
        snapshot=ready.snapshot,
        responses=raft.messages_after_append,
    )
    hard: HardState = ready.hard_state
    if not hard.is_empty:
        message.term, message.vote, message.commit = hard.term, hard.vote, hard.commit
    # last, so that the leader's own acknowledgement is handled while the entries are still here
    if _needs_append_response(raft, ready):
        message.responses = [*message.responses, _append_response(raft, ready)]
    return message


def _append_response(raft: Raft, ready: Ready) -> Message:
    """Tells the core how far its log is durable; void once the term has changed (P40)."""
    message = Message(
        _STORAGE_APPEND_RESP,
        raft.id,
        LOCAL_APPEND,
        raft.term,
        snapshot=ready.snapshot,
    )
    if raft.log.unstable.entries:
        message.index = raft.log.last_index()
        message.log_term = raft.log.last_term()
    return message


def _apply_message(raft: Raft, entries: list[Entry]) -> Message:
    return Message(
        _STORAGE_APPLY,
        LOCAL_APPLY,
        raft.id,
        entries=entries,
        responses=[_apply_response(raft, entries)],
    )


def _apply_response(raft: Raft, entries: list[Entry]) -> Message:
    return Message(_STORAGE_APPLY_RESP, raft.id, LOCAL_APPLY, entries=entries)
