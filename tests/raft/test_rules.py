"""Rules of the core, each with the few messages that show it (numbers of research/raft.md, 3)."""

from __future__ import annotations

import pytest

from everwhen import raft
from everwhen.raft import Entry, Message, MessageType
from everwhen.raft.read_only import ReadOnlyOption
from everwhen.raft.storage import MemoryStorage
from everwhen.raft.types import NO_LIMIT, HardState


def node(
    entries: list[Entry],
    *,
    term: int = 1,
    voters: tuple[int, ...] = (1, 2, 3),
    uncommitted: int = NO_LIMIT,
    read_only: ReadOnlyOption = ReadOnlyOption.SAFE,
) -> raft.RawNode:
    """Node 1, restarted with a log that begins behind entry 2 of term 1; asynchronous storage."""
    storage = MemoryStorage()
    state = raft.ConfState(list(voters))
    storage.apply_snapshot(raft.Snapshot(b"", raft.SnapshotMetadata(state, 2, 1)))
    storage.append(entries)
    storage.hard_state = HardState(term, 0, 2)
    return raft.RawNode(
        raft.Config(
            1,
            election_tick=10,
            heartbeat_tick=1,
            storage=storage,
            random_below=lambda bound: 0,
            applied=2,
            async_storage_writes=True,
            max_uncommitted_size=uncommitted,
            check_quorum=True,
            read_only=read_only,
        )
    )


def log(*terms: int) -> list[Entry]:
    """Entries from index 3 on."""
    return [Entry(term, index) for index, term in enumerate(terms, start=3)]


def work(raw: raft.RawNode) -> tuple[list[Message], list[Message]]:
    """What goes to others now, and what storage is to do."""
    messages = raw.ready().messages
    local = (raft.LOCAL_APPEND, raft.LOCAL_APPLY)
    return [m for m in messages if m.to not in local], [m for m in messages if m.to in local]


def persist(raw: raft.RawNode, message: Message) -> list[Message]:
    """Make one message to storage durable; what it releases to others."""
    storage = raw.raft.config.storage
    assert isinstance(storage, MemoryStorage)
    storage.append(message.entries)
    return acknowledge(raw, message)


def acknowledge(raw: raft.RawNode, message: Message) -> list[Message]:
    released = []
    for reply in message.responses:
        if reply.to == 1:
            raw.step(reply)
        else:
            released.append(reply)
    return released


def lead(raw: raft.RawNode, *voters: int) -> None:
    """Win an election with the votes of others; of node 2 alone if none are named."""
    raw.campaign()
    _, (write,) = work(raw)
    persist(raw, write)
    for voter in voters or (2,):
        raw.step(Message(MessageType.VOTE_RESP, 1, voter, raw.term))
    assert raw.leader == 1


def settle(raw: raft.RawNode) -> list[Message]:
    """Write and apply everything that is due; what went to others."""
    sent = []
    while raw.has_ready():
        others, local = work(raw)
        sent += others
        for message in local:
            if message.to == raft.LOCAL_APPEND:
                sent += persist(raw, message)
            else:
                acknowledge(raw, message)
    return sent


def test_p1_entries_of_earlier_terms_are_not_committed_by_counting():
    raw = node(log(1, 1), term=1)
    lead(raw)
    settle(raw)
    raw.step(Message(MessageType.APP_RESP, 1, 2, raw.term, index=4))
    assert raw.committed == 2
    raw.step(Message(MessageType.APP_RESP, 1, 2, raw.term, index=5))
    assert raw.committed == 5


def test_p2_a_vote_is_told_only_by_the_write_that_makes_it_durable():
    raw = node([])
    raw.step(Message(MessageType.VOTE, 1, 2, 5, log_term=1, index=2))
    others, (write,) = work(raw)
    assert not others
    assert (write.term, write.vote) == (5, 2)
    assert [reply.type for reply in write.responses] == [MessageType.VOTE_RESP]


def test_p9_p11_a_message_commits_and_acknowledges_no_more_than_it_holds():
    raw = node(log(1, 1, 1), term=1)
    raw.step(Message(MessageType.APP, 1, 2, 2, log_term=1, index=3, commit=5))
    assert raw.committed == 3
    _, local = work(raw)
    assert [reply.index for reply in local[0].responses if reply.to == 2] == [3]


def test_p10_a_heartbeat_commits_only_what_the_follower_is_known_to_have():
    raw = node(log(1))
    lead(raw)
    settle(raw)
    raw.step(Message(MessageType.APP_RESP, 1, 2, raw.term, index=4))
    settle(raw)
    raw.tick()
    beats = [m for m in settle(raw) if m.type is MessageType.HEARTBEAT]
    assert {m.to: m.commit for m in beats} == {2: 4, 3: 0}


def test_p12_a_late_message_cuts_nothing_off():
    raw = node(log(1, 1, 1))
    raw.step(Message(MessageType.APP, 1, 2, 1, log_term=1, index=2, entries=log(1)))
    assert raw.last_index == 5


def test_p14_a_message_without_entries_must_fit_too():
    raw = node(log(1, 1))
    raw.step(Message(MessageType.APP, 1, 2, 9, log_term=8, index=4, commit=4))
    assert raw.committed == 2
    _, (write,) = work(raw)
    (answer,) = [reply for reply in write.responses if reply.to == 2]
    assert answer.reject


def test_p15_a_late_refusal_moves_nothing():
    raw = node(log(1))
    lead(raw)
    settle(raw)
    raw.step(Message(MessageType.APP_RESP, 1, 2, raw.term, index=4))
    raw.step(Message(MessageType.APP_RESP, 1, 2, raw.term, index=3, reject=True, reject_hint=2))
    progress = raw.progress(2)
    assert progress is not None
    assert (progress.match, progress.next) == (4, 5)


def test_p37_a_snapshot_that_is_not_newer_is_not_taken():
    raw = node(log(1, 1))
    raw.step(Message(MessageType.APP, 1, 2, 1, log_term=1, index=4, commit=4))
    state = raft.ConfState([1, 2, 3])
    old = raft.Snapshot(b"", raft.SnapshotMetadata(state, 4, 9))
    raw.step(Message(MessageType.SNAP, 1, 2, 1, snapshot=old))
    assert raw.raft.log.unstable.snapshot is None
    assert raw.last_index == 4


def test_p40_what_was_written_under_an_earlier_term_proves_nothing():
    raw = node([])
    first = log(1, 1)
    raw.step(Message(MessageType.APP, 1, 2, 1, log_term=1, index=2, entries=first))
    _, (write,) = work(raw)
    raw.step(Message(MessageType.APP, 1, 3, 2, log_term=1, index=2, entries=log(2, 2)))
    work(raw)
    raw.step(Message(MessageType.APP, 1, 2, 3, log_term=1, index=2, entries=log(1, 1)))
    work(raw)
    # the first write is done; the second one is still on its way and will overwrite it
    acknowledge(raw, write)
    assert [entry.term for entry in raw.raft.log.unstable.entries] == [1, 1]


def test_p42_a_leader_alone_commits_once_it_is_durable():
    raw = node([], voters=(1,))
    raw.campaign()
    _, (write,) = work(raw)
    persist(raw, write)
    assert raw.leader == 1
    raw.propose([b"x"])
    assert raw.committed == 2
    settle(raw)
    assert raw.committed == 4


def test_p49_no_read_before_a_commit_of_the_own_term():
    raw = node(log(1), voters=(1,))
    raw.campaign()
    _, (write,) = work(raw)
    persist(raw, write)
    raw.read_index(b"r")
    ready = raw.ready()
    assert not ready.read_states
    for message in ready.messages:
        persist(raw, message)
    assert [state.index for state in raw.ready().read_states] == [4]


def test_p50_an_answer_to_an_earlier_heartbeat_confirms_no_later_read():
    raw = node([])
    lead(raw)
    settle(raw)
    raw.step(Message(MessageType.APP_RESP, 1, 2, raw.term, index=3))
    settle(raw)
    raw.read_index(b"same")
    early = [m for m in settle(raw) if m.type is MessageType.HEARTBEAT and m.to == 2][-1]
    answer = Message(MessageType.HEARTBEAT_RESP, 1, 2, raw.term, context=early.context)
    raw.step(answer)
    assert len(raw.ready().read_states) == 1
    raw.read_index(b"same")
    raw.step(answer)
    assert not raw.ready().read_states
    raw.tick()
    late = [m for m in settle(raw) if m.type is MessageType.HEARTBEAT and m.to == 2][-1]
    raw.step(Message(MessageType.HEARTBEAT_RESP, 1, 2, raw.term, context=late.context))
    assert len(raw.ready().read_states) == 1


def test_p58_a_transfer_refuses_proposals_and_ends_with_the_election_timeout():
    raw = node([])
    lead(raw)
    settle(raw)
    raw.step(Message(MessageType.APP_RESP, 1, 2, raw.term, index=3))
    raw.transfer_leadership(3)
    with pytest.raises(raft.ProposalDropped) as dropped:
        raw.propose([b"x"])
    assert dropped.value.may_pass
    for _ in range(10):
        raw.step(Message(MessageType.HEARTBEAT_RESP, 1, 2, raw.term))
        raw.tick()
    raw.propose([b"x"])


def test_p57_what_is_uncommitted_is_bounded_and_a_dropped_change_is_not_pending():
    raw = node([], uncommitted=10)
    lead(raw)
    settle(raw)
    raw.step(Message(MessageType.APP_RESP, 1, 2, raw.term, index=3))
    settle(raw)
    raw.propose([b"longer than ten bytes"])
    last, change = (
        raw.last_index,
        raft.ConfChangeV2(changes=(raft.Change(raft.ChangeType.ADD_NODE, 4),)),
    )
    with pytest.raises(raft.ProposalDropped):
        raw.propose_conf_change(change)
    assert raw.last_index == last
    settle(raw)
    raw.step(Message(MessageType.APP_RESP, 1, 2, raw.term, index=last))
    settle(raw)
    raw.propose_conf_change(change)
    entry = raw.raft.log.unstable.entries[-1]
    assert entry.type is raft.EntryType.CONF_CHANGE_V2


def test_a_removed_leader_of_one_other_voter_answers_no_read_alone():
    raw = node([], voters=(1, 2))
    lead(raw)
    settle(raw)
    raw.step(Message(MessageType.APP_RESP, 1, 2, raw.term, index=3))
    raw.propose_conf_change(raft.ConfChange(raft.ChangeType.REMOVE_NODE, 1))
    settle(raw)
    raw.step(Message(MessageType.APP_RESP, 1, 2, raw.term, index=4))
    _, local = work(raw)
    (applied,) = [m for m in local if m.to == raft.LOCAL_APPLY]
    raw.apply_conf_change(raft.decode_conf_change(applied.entries[-1]))
    raw.read_index(b"r")
    assert not raw.ready().read_states
