"""A candidate's messages, before (pre-vote) and in an election (Raft thesis, 3.4, 9.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from everwhen.raft import election, follower, replication
from everwhen.raft.quorum import VoteResult
from everwhen.raft.types import (
    NO_NODE,
    Campaign,
    Message,
    MessageType,
    ProposalDropped,
    StateType,
)

if TYPE_CHECKING:
    from everwhen.raft.core import Raft


def step(raft: Raft, message: Message) -> None:
    """Take a message of the present term."""
    kind = message.type
    pre = raft.state is StateType.PRE_CANDIDATE
    if kind is MessageType.PROP:
        raise ProposalDropped("no node leads", may_pass=True)
    if kind in (MessageType.APP, MessageType.HEARTBEAT, MessageType.SNAP):
        # somebody leads in this term
        raft.become_follower(message.term, message.from_)
        follower.from_leader(raft, message)
    elif kind is (MessageType.PRE_VOTE_RESP if pre else MessageType.VOTE_RESP):
        election.learn(raft, message)
        if raft.state is StateType.FOLLOWER:
            return
        result = election.poll(raft, message.from_, granted=not message.reject)
        if result is VoteResult.WON:
            if pre:
                election.campaign(raft, Campaign.ELECTION)
            else:
                raft.become_leader()
                replication.bcast_append(raft)
        elif result is VoteResult.LOST:
            raft.become_follower(raft.term, NO_NODE)
