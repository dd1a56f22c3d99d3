"""A leader's messages: proposals, acknowledgements, heartbeats, reads, transfers
(Raft thesis, 3.5, 3.10, 6.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everwhen.limits import READS_PENDING_MAX
from everwhen.raft import replication
from everwhen.raft.confchange import ConfChangeV2
from everwhen.raft.progress import Progress, ProgressState
from everwhen.raft.quorum import VoteResult
from everwhen.raft.read_only import ReadOnlyOption
from everwhen.raft.types import (
    NO_NODE,
    Entry,
    EntryType,
    Message,
    MessageType,
    ProposalDropped,
    ReadState,
)
from everwhen.raft.wire import decode_conf_change, encode_conf_change

if TYPE_CHECKING:
    from everwhen.raft.core import Raft

# members of enumerations as plain names: looking them up in their class is slow
_FOR_CONF_CHANGE_V2: Final = EntryType.CONF_CHANGE_V2
_FOR_NORMAL: Final = EntryType.NORMAL
_APP_RESP: Final = MessageType.APP_RESP
_BEAT: Final = MessageType.BEAT
_CHECK_QUORUM: Final = MessageType.CHECK_QUORUM
_FORGET_LEADER: Final = MessageType.FORGET_LEADER
_HEARTBEAT_RESP: Final = MessageType.HEARTBEAT_RESP
_PROP: Final = MessageType.PROP
_READ_INDEX: Final = MessageType.READ_INDEX
_READ_INDEX_RESP: Final = MessageType.READ_INDEX_RESP
_SNAP_STATUS: Final = MessageType.SNAP_STATUS
_TIMEOUT_NOW: Final = MessageType.TIMEOUT_NOW
_TRANSFER_LEADER: Final = MessageType.TRANSFER_LEADER
_UNREACHABLE: Final = MessageType.UNREACHABLE
_AT_PROBE: Final = ProgressState.PROBE
_AT_REPLICATE: Final = ProgressState.REPLICATE
_AT_SNAPSHOT: Final = ProgressState.SNAPSHOT


def step(raft: Raft, message: Message) -> None:
    """Take a message of the present term."""
    kind = message.type
    if kind is _PROP:
        _propose(raft, message)
    elif kind is _BEAT:
        replication.bcast_heartbeat(raft)
    elif kind is _CHECK_QUORUM:
        _check_quorum(raft)
    elif kind is _READ_INDEX:
        _read_index(raft, message)
    elif kind is not _FORGET_LEADER:
        progress = raft.tracker.progress.get(message.from_)
        if progress is not None:
            _step_member(raft, message, progress)


def _step_member(raft: Raft, message: Message, progress: Progress) -> None:
    """Messages about one member."""
    kind = message.type
    if kind is _APP_RESP:
        progress.recent_active = True
        if message.reject:
            _rejected(raft, message, progress)
        else:
            _acknowledged(raft, message, progress)
    elif kind is _HEARTBEAT_RESP:
        _heartbeat_answered(raft, message, progress)
    elif kind is _SNAP_STATUS:
        if progress.state is _AT_SNAPSHOT:
            if message.reject:
                # first, or it would be probed behind a snapshot that it does not have
                progress.pending_snapshot = 0
            progress.become_probe()
            # after a success wait for its own word, after a failure for the next heartbeat
            progress.msg_app_flow_paused = True
    elif kind is _UNREACHABLE:
        if progress.state is _AT_REPLICATE:
            progress.become_probe()
    elif kind is _TRANSFER_LEADER:
        _transfer(raft, message.from_, progress)


def _check_quorum(raft: Raft) -> None:
    """Step down if no quorum was heard from within an election timeout (thesis, 6.2)."""
    if not raft.tracker.quorum_active():
        raft.become_follower(raft.term, NO_NODE)
    for node, progress in raft.tracker.progress.items():
        if node != raft.id:
            progress.recent_active = False


# --- proposals ---


def _propose(raft: Raft, message: Message) -> None:
    """:raises ProposalDropped: nothing was appended."""
    assert message.entries, "stepped empty proposal"
    if raft.id not in raft.tracker.progress:
        raise ProposalDropped("this leader was removed from the group", may_pass=False)
    if raft.lead_transferee != NO_NODE:
        raise ProposalDropped("leadership is being transferred", may_pass=True)
    pending = raft.pending_conf_index
    for at, entry in enumerate(message.entries):
        if entry.type is _FOR_NORMAL:
            continue
        refusal = _conf_change_refusal(raft, decode_conf_change(entry))
        if refusal is not None and not raft.config.disable_conf_change_validation:
            # an empty entry in its place: the caller sees its proposal go by without effect
            message.entries[at] = Entry()
        else:
            raft.pending_conf_index = raft.log.last_index() + at + 1
    if not replication.append_entries(raft, message.entries):
        raft.pending_conf_index = pending
        raise ProposalDropped("too much is uncommitted already", may_pass=True)
    replication.bcast_append(raft)


def _conf_change_refusal(raft: Raft, change: ConfChangeV2) -> str | None:
    """Why a membership change cannot begin now (P24); None if it can."""
    joint = raft.tracker.config.voters.is_joint
    leaves = not change.changes
    if raft.pending_conf_index > raft.log.applied:
        return (
            f"possible unapplied conf change at index {raft.pending_conf_index} "
            f"(applied to {raft.log.applied})"
        )
    if joint and not leaves:
        return "must transition out of joint config first"
    if not joint and leaves:
        return "not in joint state; refusing empty conf change"
    return None


def propose_leave_joint(raft: Raft) -> None:
    """Leave the joint configuration that asked for it. If that cannot be proposed now (a transfer
    is under way), the next entry that is applied tries again."""
    entry = Entry(type=_FOR_CONF_CHANGE_V2, data=encode_conf_change(ConfChangeV2()))
    try:
        raft.step(Message(_PROP, from_=raft.id, entries=[entry]))
    except ProposalDropped:
        return


# --- acknowledgements ---


def _rejected(raft: Raft, message: Message, progress: Progress) -> None:
    """It does not have what the entries should follow: probe further back, by terms (P19)."""
    probe = message.reject_hint
    if message.log_term > 0:
        probe, _ = raft.log.find_conflict_by_term(message.reject_hint, message.log_term)
    if progress.maybe_decr_to(message.index, probe):
        if progress.state is _AT_REPLICATE:
            progress.become_probe()
        replication.send_append(raft, message.from_)


def _acknowledged(raft: Raft, message: Message, progress: Progress) -> None:
    """It has everything up to ``message.index``, durably."""
    known = progress.match == message.index and progress.state is _AT_PROBE
    if not progress.maybe_update(message.index) and not known:
        return
    if progress.state is _AT_PROBE:
        progress.become_replicate()
    elif progress.state is _AT_SNAPSHOT:
        # whatever snapshot it has, it can be caught up from the log now
        if progress.match + 1 >= raft.log.first_index():
            progress.become_probe()
            progress.become_replicate()
    else:
        progress.inflights.free_up_to(message.index)
    other = message.from_ != raft.id
    if raft.maybe_commit():
        _release_pending_reads(raft)
        replication.bcast_append(raft)
    elif other and progress.can_bump_commit(raft.log.committed):
        replication.send_append(raft, message.from_)
    if other:
        # the window may have room for several messages now
        left = raft.config.max_messages_per_ack or -1
        while left and replication.maybe_send_append(raft, message.from_, send_if_empty=False):
            left -= 1
    if message.from_ == raft.lead_transferee and progress.match == raft.log.last_index():
        raft.send(Message(_TIMEOUT_NOW, message.from_))


def _heartbeat_answered(raft: Raft, message: Message, progress: Progress) -> None:
    progress.recent_active = True
    # an empty message now and then, or a window whose messages were all lost never moves (P20)
    progress.msg_app_flow_paused = False
    if progress.match < raft.log.last_index() or progress.state is _AT_PROBE:
        replication.send_append(raft, message.from_)
    reads = raft.read_only
    if reads.option is not ReadOnlyOption.SAFE or not message.context:
        return
    reads.acknowledge(message.from_, message.context)
    for request, index in reads.advance(raft.tracker.config.voters):
        _answer_read(raft, request, index)


# --- reads ---


def _read_index(raft: Raft, message: Message) -> None:
    """Begin a read; lost if too many wait: whoever asked asks again (P57)."""
    if raft.committed_in_term():
        _begin_read(raft, message)
    elif len(raft.pending_reads) < READS_PENDING_MAX:
        # until then it does not know what is committed (P49); a leader alone does not either: the
        # commit index it had before it was restarted need not have been durable
        raft.pending_reads.append(message)


def _begin_read(raft: Raft, message: Message) -> None:
    reads, voters = raft.read_only, raft.tracker.config.voters
    # alone it decides if the one voter is this node: one that was removed leads on for a while
    alone = raft.tracker.is_singleton and raft.id in voters.incoming
    if alone or reads.option is ReadOnlyOption.LEASE_BASED or _is_confirmed(raft, message):
        _answer_read(raft, message, raft.log.committed)
    elif not reads.is_full:
        replication.bcast_heartbeat(raft, reads.add(raft.log.committed, message, raft.id))


def _is_confirmed(raft: Raft, request: Message) -> bool:
    """Whether who asks and this leader are a quorum of the present term. The asker followed in that
    term after the read began, so nobody was elected in a later term before it: the question is worth
    an answer to a heartbeat (thesis, 6.4), but for this read alone (P50)."""
    if request.log_term != raft.term:
        return False
    votes = {raft.id: True, request.from_: True}
    return raft.tracker.config.voters.vote_result(votes) is VoteResult.WON


def _answer_read(raft: Raft, request: Message, index: int) -> None:
    """To whoever asked: this node, or another one."""
    if request.from_ in (NO_NODE, raft.id):
        raft.read_states.append(ReadState(index, request.entries[0].data))
    else:
        raft.send(Message(_READ_INDEX_RESP, request.from_, index=index, entries=request.entries))


def _release_pending_reads(raft: Raft) -> None:
    """Reads that came before the first commit of the term."""
    if raft.pending_reads and raft.committed_in_term():
        waiting, raft.pending_reads = raft.pending_reads, []
        for message in waiting:
            _begin_read(raft, message)


# --- transfer ---


def _transfer(raft: Raft, to: int, progress: Progress) -> None:
    """Hand over to ``to`` (thesis, 3.10): once it has the whole log it is told to stand."""
    if progress.is_learner or to in (raft.lead_transferee, raft.id):
        return
    # within one election timeout, or not at all
    raft.election_elapsed = 0
    raft.lead_transferee = to
    if progress.match == raft.log.last_index():
        raft.send(Message(_TIMEOUT_NOW, to))
    else:
        replication.send_append(raft, to)
