"""Elections: standing, asking, answering (Raft thesis, 3.4, 3.6.1, 9.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everwhen.raft.quorum import VoteResult
from everwhen.raft.types import NO_NODE, Campaign, EntryType, Message, MessageType, StateType

if TYPE_CHECKING:
    from everwhen.raft.core import Raft

TRANSFER: Final = b"CampaignTransfer"
_CONF_CHANGES: Final = frozenset({EntryType.CONF_CHANGE, EntryType.CONF_CHANGE_V2})


def promotable(raft: Raft) -> bool:
    """Whether it may stand for election: a voter that is not barred, with no snapshot waiting to
    be applied."""
    progress = raft.tracker.progress.get(raft.id)
    return (
        progress is not None
        and not progress.is_learner
        and not raft.barred
        and raft.log.unstable.snapshot is None
    )


def hup(raft: Raft, kind: Campaign) -> None:
    """Stand for election, unless a committed membership change is not applied yet (P28)."""
    if raft.state is StateType.LEADER or not promotable(raft):
        return
    if _has_unapplied_conf_changes(raft):
        return
    campaign(raft, kind)


def _has_unapplied_conf_changes(raft: Raft) -> bool:
    log = raft.log
    low = log.applied + 1
    while low <= log.committed:
        batch = log.slice(low, log.committed + 1, 1 << 20)
        if any(entry.type in _CONF_CHANGES for entry in batch):
            return True
        low += len(batch)
    return False


def campaign(raft: Raft, kind: Campaign) -> None:
    """Ask every voter."""
    if kind is Campaign.PRE_ELECTION:
        raft.become_pre_candidate()
        ask, answer = MessageType.PRE_VOTE, MessageType.PRE_VOTE_RESP
        term = raft.term + 1
    else:
        raft.become_candidate()
        ask, answer = MessageType.VOTE, MessageType.VOTE_RESP
        term = raft.term
    context = TRANSFER if kind is Campaign.TRANSFER else b""
    last, last_term = raft.log.last_index(), raft.log.last_term()
    for node in raft.tracker.voter_nodes():
        if node == raft.id:
            # the own vote counts once it is durable
            raft.send(Message(answer, node, term=term))
        else:
            question = Message(
                ask, node, term=term, index=last, log_term=last_term, context=context
            )
            raft.send(_telling(raft, question))


def poll(raft: Raft, node: int, *, granted: bool) -> VoteResult:
    """Count a vote."""
    raft.tracker.record_vote(node, granted)
    return raft.tracker.tally()[2]


def _telling(raft: Raft, message: Message) -> Message:
    """The message of a vote, with what is known to be committed here."""
    if raft.config.votes_tell_commit:
        message.commit = raft.log.committed
        message.commit_term = raft.log.term_or_zero(message.commit)
    return message


def learn(raft: Raft, message: Message) -> None:
    """Commit what the message of a vote says is committed, if it is the same entry here: then all
    before it is the same too (log matching, Raft paper, 5.3).

    Without it a group may stand still for ever with all it needs: a member has the longest log, so
    that nobody else can win, and does not stand because it has not heard that the change was
    committed which makes it a voter. The rule is that of TiKV's raft-rs (``commit`` and
    ``commit_term`` of its votes).
    """
    if raft.state is StateType.LEADER:
        return
    if not raft.log.maybe_commit(message.commit, message.commit_term):
        return
    if raft.state is not StateType.FOLLOWER and _has_unapplied_conf_changes(raft):
        raft.become_follower(raft.term, NO_NODE)  # as if it had known before it stood (P28)


def answer_vote(raft: Raft, message: Message) -> None:
    """Grant or refuse (thesis, 3.4, 3.6.1)."""
    learn(raft, message)
    pre = message.type is MessageType.PRE_VOTE
    answer = MessageType.PRE_VOTE_RESP if pre else MessageType.VOTE_RESP
    can_vote = (
        raft.vote == message.from_
        or (raft.vote == NO_NODE and raft.lead == NO_NODE)
        or (pre and message.term > raft.term)
    )
    if can_vote and raft.log.is_up_to_date(message.index, message.log_term):
        # the term asked about: an answer to a question about the future is of the future
        raft.send(Message(answer, message.from_, term=message.term))
        if not pre:
            raft.election_elapsed = 0
            raft.vote = message.from_
    else:
        refusal = Message(answer, message.from_, term=raft.term, reject=True)
        raft.send(_telling(raft, refusal))
