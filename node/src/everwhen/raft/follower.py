"""A follower's messages: what the leader sends, and what is passed on to it
(Raft thesis, 3.4, 3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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

# members of enumerations as plain names: looking them up in their class is slow
_APP: Final = MessageType.APP
_APP_RESP: Final = MessageType.APP_RESP
_FORGET_LEADER: Final = MessageType.FORGET_LEADER
_HEARTBEAT: Final = MessageType.HEARTBEAT
_HEARTBEAT_RESP: Final = MessageType.HEARTBEAT_RESP
_PROP: Final = MessageType.PROP
_READ_INDEX: Final = MessageType.READ_INDEX
_READ_INDEX_RESP: Final = MessageType.READ_INDEX_RESP
_SNAP: Final = MessageType.SNAP
_TIMEOUT_NOW: Final = MessageType.TIMEOUT_NOW
_TRANSFER_LEADER: Final = MessageType.TRANSFER_LEADER


def step(raft: Raft, message: Message) -> None:
    """Take a message of the present term."""
    kind = message.type
    if kind in (_APP, _HEARTBEAT, _SNAP):
        raft.election_elapsed = 0
        raft.lead = message.from_
        from_leader(raft, message)
    elif kind is _PROP:
        if raft.lead == NO_NODE:
            raise ProposalDropped("no node leads", may_pass=True)
        if raft.config.disable_proposal_forwarding:
            raise ProposalDropped("this node does not lead", may_pass=False)
        _pass_on(raft, message)
    elif kind in (_TRANSFER_LEADER, _READ_INDEX):
        if raft.lead != NO_NODE:
            if kind is _READ_INDEX and message.from_ == NO_NODE and raft.config.askers_confirm:
                # of its own reads it says in which term it follows: see leader._is_confirmed
                message.log_term = raft.term
            _pass_on(raft, message)
    elif kind is _FORGET_LEADER:
        # a lease may be in use that the leader relies on
        if raft.config.read_only is not ReadOnlyOption.LEASE_BASED:
            raft.lead = NO_NODE
    elif kind is _TIMEOUT_NOW:
        # no pre-vote: the leader itself asked for it
        election.hup(raft, Campaign.TRANSFER)
    elif kind is _READ_INDEX_RESP:
        if len(message.entries) == 1:
            raft.read_states.append(ReadState(message.index, message.entries[0].data))


def _pass_on(raft: Raft, message: Message) -> None:
    message.to = raft.lead
    raft.send(message)


def from_leader(raft: Raft, message: Message) -> None:
    """Entries, a heartbeat or a snapshot of the leader."""
    if message.type is _APP:
        _append(raft, message)
    elif message.type is _HEARTBEAT:
        raft.log.commit_to(message.commit)
        raft.send(Message(_HEARTBEAT_RESP, message.from_, context=message.context))
    else:
        _restore(raft, message)


def _append(raft: Raft, message: Message) -> None:
    """Entries, also none of them: they are checked against the log all the same (P14)."""
    log = raft.log
    if message.index < log.committed:
        raft.send(Message(_APP_RESP, message.from_, index=log.committed))
        return
    last = log.maybe_append(message.index, message.log_term, message.commit, message.entries)
    if last is not None:
        # the end of this message, not of the log, whose tail may be another leader's (P11)
        raft.send(Message(_APP_RESP, message.from_, index=last))
        return
    hint = min(message.index, log.last_index())
    hint, hint_term = log.find_conflict_by_term(hint, message.log_term)
    raft.send(
        Message(
            _APP_RESP,
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
    raft.send(Message(_APP_RESP, message.from_, index=index))
