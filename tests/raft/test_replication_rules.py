"""Rules of replication, membership and reads, each with the few messages that show it (numbers of
research/raft.md, 3)."""

from __future__ import annotations

import pytest

from everwhen import raft
from everwhen.limits import READS_PENDING_MAX
from everwhen.raft import Entry, Message, MessageType
from everwhen.raft.log import Log
from everwhen.raft.storage import MemoryStorage
from everwhen.raft.tracker import Tracker
from everwhen.raft.types import HardState
from everwhen.raft.unstable import Unstable
from tests.raft.test_rules import acknowledge, lead, log, node, persist, settle, work


def acked(raw: raft.RawNode, index: int, *, by: int = 2) -> list[Message]:
    """A member has everything up to an index; what that leads to."""
    raw.step(Message(MessageType.APP_RESP, 1, by, raw.term, index=index))
    return settle(raw)


def leading(*, voters: tuple[int, ...] = (1, 2, 3)) -> raft.RawNode:
    """A leader whose own first entry, the third, is committed."""
    raw = node([], voters=voters)
    lead(raw)
    settle(raw)
    acked(raw, 3)
    return raw


def test_p13_nothing_committed_is_cut_off():
    storage = MemoryStorage()
    storage.append([Entry(1, 1), Entry(1, 2)])
    kept = Log(storage)
    kept.commit_to(2)
    with pytest.raises(AssertionError, match="out of range"):
        kept.append([Entry(2, 2)])
    with pytest.raises(AssertionError, match="conflicts with committed"):
        kept.maybe_append(1, 1, 2, [Entry(2, 2)])


def test_p15_what_a_member_has_never_shrinks():
    raw = node(log(1))
    lead(raw)
    settle(raw)
    acked(raw, 4)
    acked(raw, 3)
    progress = raw.progress(2)
    assert progress is not None
    assert progress.match == 4
    # while it is probed, an answer to an older question says nothing
    raw.report_unreachable(2)
    raw.step(Message(MessageType.APP_RESP, 1, 2, raw.term, index=1, reject=True, reject_hint=0))
    assert (progress.match, progress.next) == (4, 5)
    raw.step(Message(MessageType.APP_RESP, 1, 2, raw.term, index=4, reject=True, reject_hint=0))
    assert (progress.match, progress.next) == (4, 5)
    other = raw.progress(3)
    assert other is not None
    wanted = other.next
    raw.step(Message(MessageType.APP_RESP, 1, 3, raw.term, index=2, reject=True, reject_hint=1))
    assert other.next == wanted


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_p16_p17_an_entry_is_committed_by_more_than_half(count: int):
    tracker = Tracker(1, 0)
    state = raft.ConfState(list(range(1, count + 1)), [9])
    raft.confchange.restore(tracker, 1, state)
    tracker.progress[9].match = 100
    for held in range(count + 1):
        # those that have it are neither the first nor the last
        for member in range(1, count + 1):
            tracker.progress[member].match = 10 if (member + 1) % count < held else 5
        assert tracker.committed() == (10 if held > count // 2 else 5)


def test_p17_learners_confirm_no_read():
    raw = leading()
    raw.propose_conf_change(raft.ConfChange(raft.ChangeType.ADD_LEARNER_NODE, 4))
    settle(raw)
    raw.step(Message(MessageType.APP_RESP, 1, 2, raw.term, index=4))
    _, local = work(raw)
    for message in local:
        if message.to == raft.LOCAL_APPLY:
            raw.apply_conf_change(raft.decode_conf_change(message.entries[-1]))
        acknowledge(raw, message)
    raw.read_index(b"r")
    beat = next(m for m in settle(raw) if m.type is MessageType.HEARTBEAT)
    for member, confirmed in ((4, 0), (2, 1)):
        raw.step(Message(MessageType.HEARTBEAT_RESP, 1, member, raw.term, context=beat.context))
        assert len(raw.raft.read_states) == confirmed


def test_p18_a_refusal_acknowledges_nothing():
    raw = node([])
    lead(raw)
    settle(raw)
    raw.step(Message(MessageType.APP_RESP, 1, 2, raw.term, index=3, reject=True, reject_hint=1))
    assert raw.committed == 2


def test_p19_a_long_tail_of_another_leader_is_skipped_at_once():
    length = 100
    follower = node([Entry(3, index) for index in range(3, 3 + length)], term=3)
    raw = node([Entry(2, index) for index in range(3, 3 + length)], term=6)
    lead(raw)
    rounds = 0
    sent = [m for m in settle(raw) if m.type is MessageType.APP and m.to == 2]
    while sent and rounds < length:
        rounds += 1
        follower.step(Message(
            MessageType.APP, 1, 2, sent[-1].term, log_term=sent[-1].log_term,
            index=sent[-1].index, entries=sent[-1].entries, commit=sent[-1].commit,
        ))  # fmt: skip
        (answer,) = [m for m in settle(follower) if m.type is MessageType.APP_RESP]
        if not answer.reject:
            break
        raw.step(Message(
            MessageType.APP_RESP, 1, 2, raw.term, index=answer.index, reject=True,
            reject_hint=answer.reject_hint, log_term=answer.log_term,
        ))  # fmt: skip
        sent = [m for m in settle(raw) if m.type is MessageType.APP and m.to == 2]
    assert rounds <= 3


def test_p20_a_window_whose_messages_were_lost_moves_again():
    raw = leading()
    raw.raft.tracker.progress[2].inflights._count_max = 1
    raw.propose([b"a"])
    settle(raw)
    raw.propose([b"b"])
    settle(raw)
    progress = raw.progress(2)
    assert progress is not None
    assert progress.is_paused
    raw.step(Message(MessageType.HEARTBEAT_RESP, 1, 2, raw.term))
    assert [m.to for m in settle(raw) if m.type is MessageType.APP] == [2]


def test_p21_what_was_replaced_is_gone_and_written_again():
    raw = node([])
    raw.step(Message(MessageType.APP, 1, 2, 1, log_term=1, index=2, entries=log(1, 1, 1)))
    _, _first = work(raw)
    later = [Entry(2, 4)]
    raw.step(Message(MessageType.APP, 1, 3, 2, log_term=1, index=3, entries=later))
    assert raw.last_index == 4
    _, (write,) = work(raw)
    assert [(e.index, e.term) for e in write.entries] == [(4, 2)]


def test_p23_a_new_leader_changes_no_membership_before_it_applied_its_log():
    raw = node(log(1))
    lead(raw)
    raw.propose_conf_change(raft.ConfChange(raft.ChangeType.ADD_NODE, 4))
    assert raw.raft.log.unstable.entries[-1].type is raft.EntryType.NORMAL


def test_p24_one_change_at_a_time():
    raw = leading()
    for member in (4, 5):
        raw.propose_conf_change(raft.ConfChange(raft.ChangeType.ADD_NODE, member))
    kinds = [entry.type for entry in raw.raft.log.unstable.entries]
    assert kinds == [raft.EntryType.CONF_CHANGE, raft.EntryType.NORMAL]


def test_p24_p30_a_restart_keeps_both_halves_and_every_role():
    state = raft.ConfState([1, 2, 3], [6], [1, 2, 4], [4], auto_leave=True)
    storage = MemoryStorage()
    storage.apply_snapshot(raft.Snapshot(b"", raft.SnapshotMetadata(state, 2, 1)))
    storage.hard_state = HardState(1, 0, 2)
    config = raft.Config(1, election_tick=10, heartbeat_tick=1, storage=storage, random_below=int)
    again = raft.RawNode(config)
    assert again.raft.tracker.conf_state() == state
    assert again.raft.tracker.progress[6].is_learner


def test_p32_a_removed_member_is_sent_nothing_more():
    raw = leading()
    raw.propose_conf_change(raft.ConfChange(raft.ChangeType.REMOVE_NODE, 3))
    settle(raw)
    raw.step(Message(MessageType.APP_RESP, 1, 2, raw.term, index=4))
    _, local = work(raw)
    for message in local:
        if message.to == raft.LOCAL_APPLY:
            raw.apply_conf_change(raft.decode_conf_change(message.entries[-1]))
        acknowledge(raw, message)
    settle(raw)
    raw.propose([b"x"])
    raw.tick()
    assert {m.to for m in settle(raw)} == {2}


def test_p35_a_snapshot_brings_its_own_membership():
    raw = node([])
    state = raft.ConfState([1, 4, 5])
    there = raft.Snapshot(b"", raft.SnapshotMetadata(state, 9, 1))
    raw.step(Message(MessageType.SNAP, 1, 2, 1, snapshot=there))
    assert raw.raft.tracker.conf_state() == state


def behind_the_log(raw: raft.RawNode) -> list[Message]:
    """Member 3 says that it has nothing; what it is sent."""
    raw.step(Message(MessageType.APP_RESP, 1, 3, raw.term, index=2, reject=True, reject_hint=0))
    return [message for message in settle(raw) if message.to == 3]


def test_p39_who_is_behind_the_log_is_sent_a_snapshot():
    sent = behind_the_log(leading())
    assert [m.type for m in sent] == [MessageType.SNAP]
    assert sent[0].snapshot is not None
    assert sent[0].snapshot.metadata.index == 2


def test_p39_a_snapshot_that_failed_is_sent_again():
    raw = leading()
    behind_the_log(raw)
    raw.report_snapshot(3, failed=True)
    raw.step(Message(MessageType.HEARTBEAT_RESP, 1, 3, raw.term))
    assert MessageType.SNAP in [message.type for message in settle(raw)]


def test_p51_no_read_before_a_quorum_has_confirmed_the_leader():
    raw = leading()
    raw.read_index(b"r")
    assert not raw.raft.read_states


@pytest.mark.parametrize(
    ("voters", "asker", "term", "confirmed"),
    [
        ((1, 2, 3), 2, 0, True),
        ((1, 2, 3), 2, -1, False),
        ((1, 2, 3), 4, 0, False),
        ((1, 2, 3, 4, 5), 2, 0, False),
    ],
)
def test_p51_who_asks_in_the_present_term_confirms_its_own_read(
    voters: tuple[int, ...], asker: int, term: int, confirmed: bool
):
    raw = node([], voters=voters)
    lead(raw, *voters[1:])
    settle(raw)
    for member in voters[1:]:
        acked(raw, 3, by=member)
    raw.read_index(b"earlier")
    question = [Entry(data=b"r")]
    raw.step(Message(MessageType.READ_INDEX, 1, asker, log_term=raw.term + term, entries=question))
    answers = [m.type for m in settle(raw) if m.to == asker]
    assert (MessageType.READ_INDEX_RESP in answers) is confirmed
    # what was asked before it may have begun later than it was sent
    assert not raw.raft.read_states


def test_p51_a_follower_says_in_which_term_it_asks():
    follower = node(log(1), term=2)
    follower.raft.config.askers_confirm = True
    follower.step(Message(MessageType.HEARTBEAT, 1, 2, 2))
    settle(follower)
    follower.read_index(b"r")
    follower.step(Message(MessageType.READ_INDEX, 1, 3, log_term=1, entries=[Entry(data=b"s")]))
    asked = [m for m in settle(follower) if m.type is MessageType.READ_INDEX]
    assert [(m.from_, m.log_term) for m in asked] == [(1, 2), (3, 1)]


def test_p57_reads_that_wait_are_bounded():
    raw = node([])
    lead(raw)
    for _ in range(READS_PENDING_MAX + 1):
        raw.read_index(b"r")
    assert len(raw.raft.pending_reads) == READS_PENDING_MAX
    raw = leading()
    for _ in range(READS_PENDING_MAX + 1):
        raw.read_index(b"r")
        raw.raft.messages.clear()
    assert raw.raft.read_only.is_full


def test_p58_a_target_is_told_to_stand_once_it_has_everything():
    raw = leading()
    raw.propose([b"x"])
    settle(raw)
    raw.transfer_leadership(2)
    assert not [m for m in settle(raw) if m.type is MessageType.TIMEOUT_NOW]
    assert [m.to for m in acked(raw, 4) if m.type is MessageType.TIMEOUT_NOW] == [2]


def test_p58_a_learner_is_handed_nothing():
    raw = leading()
    raw.raft.tracker.progress[3].is_learner = True
    raw.transfer_leadership(3)
    raw.propose([b"x"])


def test_p40_a_write_counts_for_the_entry_it_wrote():
    unstable = Unstable(3)
    unstable.truncate_and_append([Entry(2, 3)])
    unstable.stable_to(3, 1)
    assert unstable.entries
    unstable.stable_to(3, 2)
    assert not unstable.entries


def test_p42_a_leader_counts_itself_once_it_is_durable():
    raw = leading()
    raw.propose([b"x"])
    _, (write,) = work(raw)
    raw.step(Message(MessageType.APP_RESP, 1, 2, raw.term, index=4))
    # one of three: the leader's own write is still under way
    assert raw.committed == 3
    persist(raw, write)
    assert raw.committed == 4


def test_p50_an_answer_confirms_only_what_was_asked_before_it():
    raw = leading()
    raw.read_index(b"first")
    early = next(m for m in settle(raw) if m.type is MessageType.HEARTBEAT)
    raw.read_index(b"second")
    raw.step(Message(MessageType.HEARTBEAT_RESP, 1, 2, raw.term, context=early.context))
    assert [state.request_ctx for state in raw.raft.read_states] == [b"first"]


def test_a_question_how_far_a_log_reaches_is_small():
    """It is asked again at each heartbeat until the first answer comes: with as many entries as a
    message may hold, a member that joins took the leader whole seconds."""
    raw = long_log(max_size_per_probe=100, max_size_per_msg=1_000)
    for _ in range(3):
        raw.step(Message(MessageType.HEARTBEAT_RESP, 1, 2, raw.term))
        [asked] = [each for each in settle(raw) if each.to == 2]
        assert asked.type is MessageType.APP
        assert 0 < sum(len(entry.data) for entry in asked.entries) <= 100


def test_one_acknowledgement_lets_few_messages_follow():
    raw = long_log(max_messages_per_ack=2, max_size_per_msg=1_000)
    sent = [each for each in acked(raw, 3) if each.to == 2 and each.entries]
    assert len(sent) == 2
    last = sent[-1].entries[-1].index
    more = [each for each in acked(raw, sent[0].entries[-1].index) if each.to == 2 and each.entries]
    assert len(more) == 2
    assert more[0].index == last, "the next ones, while the others are on their way"


def long_log(**config: int) -> raft.RawNode:
    """A leader with 100 entries of 50 bytes that node 2 was not asked about yet."""
    raw = node([Entry(1, index, data=bytes(50)) for index in range(3, 103)])
    for name, value in config.items():
        setattr(raw.raft.config, name, value)
    lead(raw)
    settle(raw)
    progress = raw.progress(2)
    assert progress is not None
    progress.next, progress.match = 3, 2
    progress.msg_app_flow_paused = False
    return raw
