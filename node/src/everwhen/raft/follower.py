"""A follower's messages: what the leader sends, and what is passed on to it
(Raft thesis, 3.4, 3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from everwhen.raft import election, membership
from everwhen.raft.read_only import ReadOnlyOption
from everwhen.raft.types import (
    NO_NODE,
    Campaign,
    Message,
    MessageType,
    ProposalDropped,
    ReadState,
    Snapshot,
)

if TYPE_CHECKING:
    from everwhen.raft.core import Raft


def step(raft: Raft, message: Message) -> None:
    """Take a message of the present term."""
    kind = message.type
    if kind in (MessageType.APP, MessageType.HEARTBEAT, MessageType.SNAP):
        raft.election_elapsed = 0
        raft.lead = message.from_
        from_leader(raft, message)
    elif kind is MessageType.PROP:
        if raft.lead == NO_NODE:
            raise ProposalDropped("no node leads", may_pass=True)
        if raft.config.disable_proposal_forwarding:
            raise ProposalDropped("this node does not lead", may_pass=False)
        _pass_on(raft, message)
    elif kind in (MessageType.TRANSFER_LEADER, MessageType.READ_INDEX):
        if raft.lead != NO_NODE:
            _pass_on(raft, message)
    elif kind is MessageType.FORGET_LEADER:
        # a lease may be in use that the leader relies on
        if raft.config.read_only is not ReadOnlyOption.LEASE_BASED:
            raft.lead = NO_NODE
    elif kind is MessageType.TIMEOUT_NOW:
        # no pre-vote: the leader itself asked for it
        election.hup(raft, Campaign.TRANSFER)
    elif kind is MessageType.READ_INDEX_RESP:
        if len(message.entries) == 1:
            raft.read_states.append(ReadState(message.index, message.entries[0].data))


def _pass_on(raft: Raft, message: Message) -> None:
    message.to = raft.lead
    raft.send(message)


def from_leader(raft: Raft, message: Message) -> None:
    """Entries, a heartbeat or a snapshot of the leader."""
    if message.type is MessageType.APP:
        _append(raft, message)
    elif message.type is MessageType.HEARTBEAT:
        raft.log.commit_to(message.commit)
        raft.send(Message(MessageType.HEARTBEAT_RESP, message.from_, context=message.context))
    else:
        _restore(raft, message)


def _append(raft: Raft, message: Message) -> None:
    """Entries, also none of them: they are checked against the log all the same (P14)."""
    log = raft.log
    if message.index < log.committed:
        raft.send(Message(MessageType.APP_RESP, message.from_, index=log.committed))
        return
    last = log.maybe_append(message.index, message.log_term, message.commit, message.entries)
    if last is not None:
        # the end of this message, not of the log, whose tail may be another leader's (P11)
        raft.send(Message(MessageType.APP_RESP, message.from_, index=last))
        return
    hint = min(message.index, log.last_index())
    hint, hint_term = log.find_conflict_by_term(hint, message.log_term)
    raft.send(
        Message(
            MessageType.APP_RESP,
            message.from_,
            index=message.index,
            reject=True,
            reject_hint=hint,
            log_term=hint_term,
        )
    )


def _restore(raft: Raft, message: Message) -> None:
    snapshot = message.snapshot or Snapshot()
    restored = membership.restore(raft, snapshot)
    index = raft.log.last_index() if restored else raft.log.committed
    raft.send(Message(MessageType.APP_RESP, message.from_, index=index))
