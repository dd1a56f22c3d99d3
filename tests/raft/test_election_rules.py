"""Rules of votes and elections, each with the few messages that show it (numbers of
research/raft.md, 3)."""

from __future__ import annotations

from everwhen import raft
from everwhen.raft import Message, MessageType
from everwhen.raft.storage import MemoryStorage
from everwhen.raft.types import HardState
from tests.raft.test_rules import acknowledge, lead, log, node, persist, settle, work

_TIMEOUT = 10


def stored(raw: raft.RawNode) -> MemoryStorage:
    storage = raw.raft.config.storage
    assert isinstance(storage, MemoryStorage)
    return storage


def ask(raw: raft.RawNode, term: int, *, last: tuple[int, int], by: int = 2) -> list[Message]:
    """A candidate whose log ends with (term, index) asks; what it is answered once it may be."""
    log_term, index = last
    raw.step(Message(MessageType.VOTE, 1, by, term, log_term=log_term, index=index))
    return [m for m in settle(raw) if m.to == by]


def test_p2_a_restarted_node_keeps_term_and_vote():
    raw = node([], term=4)
    stored(raw).hard_state = HardState(4, 3, 2)
    again = raft.RawNode(raw.raft.config)
    assert again.term == 4
    (answer,) = ask(again, 4, last=(1, 2), by=2)
    assert answer.reject
    (answer,) = ask(again, 4, last=(1, 2), by=3)
    assert not answer.reject


def test_p3_entries_are_acknowledged_by_the_write_that_makes_them_durable():
    raw = node([])
    raw.step(Message(MessageType.APP, 1, 2, 1, log_term=1, index=2, entries=log(1)))
    others, (write,) = work(raw)
    assert not others
    assert [m.index for m in persist(raw, write)] == [3]


def test_p4_a_candidate_that_steps_down_in_its_term_votes_for_nobody_else():
    raw = node([])
    raw.campaign()
    settle(raw)
    term = raw.term
    raw.step(Message(MessageType.HEARTBEAT, 1, 2, term))
    raw.forget_leader()
    settle(raw)
    (answer,) = ask(raw, term, last=(1, 2), by=3)
    assert answer.reject


def test_p5_a_vote_that_comes_twice_counts_once():
    raw = node([], voters=(1, 2, 3, 4, 5))
    raw.campaign()
    settle(raw)
    for _ in range(2):
        raw.step(Message(MessageType.VOTE_RESP, 1, 2, raw.term))
    assert raw.leader == 0
    raw.step(Message(MessageType.VOTE_RESP, 1, 3, raw.term))
    assert raw.leader == 1


def test_p5_a_vote_of_an_earlier_election_does_not_count():
    raw = node([])
    raw.campaign()
    settle(raw)
    early = raw.term
    raw.campaign()
    settle(raw)
    raw.step(Message(MessageType.VOTE_RESP, 1, 2, early))
    assert raw.leader == 0


def test_p6_the_term_of_the_last_entry_decides_before_the_length():
    raw = node(log(1, 2), term=2)
    (longer,) = ask(raw, 3, last=(1, 9))
    assert longer.reject
    (shorter,) = ask(raw, 4, last=(2, 3))
    assert shorter.reject
    (as_long,) = ask(raw, 5, last=(2, 4))
    assert not as_long.reject
    raw = node(log(1, 2), term=2)
    (newer,) = ask(raw, 3, last=(3, 3))
    assert not newer.reject


def test_p7_a_refusal_of_a_later_term_ends_the_candidacy():
    raw = node([])
    raw.campaign()
    settle(raw)
    raw.step(Message(MessageType.VOTE_RESP, 1, 2, raw.term + 5, reject=True))
    assert raw.raft.state is raft.StateType.FOLLOWER
    assert raw.term == 7


def pre_voter(raw: raft.RawNode) -> raft.RawNode:
    """The same with pre-vote."""
    raw.raft.config.pre_vote = True
    return raw


def test_p25_who_asks_for_votes_protects_no_leader():
    raw = pre_voter(node([]))
    raw.step(Message(MessageType.HEARTBEAT, 1, 2, 1))
    settle(raw)
    # the leader is gone: this node asks, and so does the other one
    for _ in range(_TIMEOUT):
        raw.tick()
    settle(raw)
    assert raw.raft.state is raft.StateType.PRE_CANDIDATE
    raw.step(Message(MessageType.PRE_VOTE, 1, 3, 2, log_term=1, index=2))
    (answer,) = [m for m in settle(raw) if m.type is MessageType.PRE_VOTE_RESP and m.to == 3]
    assert not answer.reject


def test_p26_a_refusal_carries_the_later_term():
    raw = pre_voter(node([], term=9))
    raw.step(Message(MessageType.PRE_VOTE, 1, 2, 5, log_term=4, index=50))
    (answer,) = [m for m in settle(raw) if m.to == 2]
    assert (answer.reject, answer.term) == (True, 9)


def test_p27_a_leader_that_hears_no_quorum_steps_down():
    raw = node([])
    lead(raw)
    settle(raw)
    for _ in range(2 * _TIMEOUT):
        raw.tick()
    assert raw.raft.state is not raft.StateType.LEADER


def test_p27_an_old_leader_hears_of_the_later_term():
    raw = node([], term=9)
    raw.step(Message(MessageType.HEARTBEAT, 1, 2, 5))
    assert [(m.to, m.term) for m in settle(raw)] == [(2, 9)]


def test_p27_who_hears_a_leader_lets_nobody_unseat_it():
    raw = node([])
    raw.step(Message(MessageType.HEARTBEAT, 1, 2, 1))
    settle(raw)
    assert ask(raw, 2, last=(5, 99), by=3) == []
    assert raw.term == 1


def test_p28_nobody_stands_with_a_committed_change_unapplied():
    raw = node([])
    change = raft.ConfChange(raft.ChangeType.ADD_NODE, 4)
    data = raft.wire.encode_conf_change_v1(change)
    entry = raft.Entry(1, 3, raft.EntryType.CONF_CHANGE, data)
    raw.step(Message(MessageType.APP, 1, 2, 1, log_term=1, index=2, entries=[entry], commit=3))
    _, (write,) = work(raw)
    persist(raw, write)
    _, local = work(raw)
    raw.campaign()
    assert raw.term == 1
    raw.apply_conf_change(change)
    for message in local:
        acknowledge(raw, message)
    raw.campaign()
    assert raw.term == 2


def test_p28_a_learner_that_is_asked_votes():
    raw = node([])
    state = raft.ConfState([2, 3], [1])
    stored(raw).apply_snapshot(raft.Snapshot(b"", raft.SnapshotMetadata(state, 4, 1)))
    raw.raft.config.applied = 4
    stored(raw).hard_state = HardState(1, 0, 4)
    again = raft.RawNode(raw.raft.config)
    assert again.raft.is_learner
    # whoever asks knows already that it was promoted
    (answer,) = ask(again, 2, last=(1, 4))
    assert not answer.reject


def promotion(index: int) -> raft.Entry:
    """The entry that makes node 1 a voter."""
    change = raft.ConfChange(raft.ChangeType.ADD_NODE, 1)
    data = raft.wire.encode_conf_change_v1(change)
    return raft.Entry(1, index, raft.EntryType.CONF_CHANGE, data)


def test_a_learner_with_the_longest_log_hears_of_its_promotion_by_who_asks_for_its_vote():
    raw = node([promotion(3), *log(1, 1, 1)[1:]], voters=(2, 3))
    raw.raft.config.pre_vote = True
    # its log is shorter, and nobody else is left who could win: it says what is committed
    question = Message(MessageType.PRE_VOTE, 1, 2, 2, log_term=1, index=4, commit=3, commit_term=1)
    raw.step(question)
    assert raw.raft.log.committed == 3
    assert [entry.index for entry in raw.ready().committed_entries] == [3]


def test_what_a_vote_says_is_committed_is_another_entry_here():
    raw = node(log(1, 1))
    for commit, term in ((4, 2), (9, 1), (4, 0)):
        question = Message(
            MessageType.PRE_VOTE, 1, 2, 2, log_term=2, index=9, commit=commit, commit_term=term
        )
        raw.step(question)
        assert raw.raft.log.committed == 2


def test_who_stands_and_hears_of_a_committed_change_stands_down_until_it_is_applied():
    raw = node([promotion(3)], voters=(1, 2, 3))
    raw.raft.config.pre_vote = True
    raw.raft.config.votes_tell_commit = True
    raw.campaign()
    others, _ = work(raw)
    assert {(m.commit, m.commit_term) for m in others} == {(2, 1)}
    refusal = Message(MessageType.PRE_VOTE_RESP, 1, 2, 1, reject=True, commit=3, commit_term=1)
    raw.step(refusal)
    assert raw.raft.state is raft.StateType.FOLLOWER
    assert raw.raft.log.committed == 3


def test_a_refusal_says_what_is_committed():
    raw = node(log(1, 1))
    raw.raft.config.votes_tell_commit = True
    (answer,) = ask(raw, 2, last=(1, 2))
    assert (answer.reject, answer.commit, answer.commit_term) == (True, 2, 1)
