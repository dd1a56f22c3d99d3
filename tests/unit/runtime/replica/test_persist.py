"""Everything a write asked for is durable in the order it was asked for; which writes are worth a
change of threads, and which need not be made at all."""

from __future__ import annotations

from collections.abc import Sequence

from everwhen.limits import LOG_SYNC_HERE_BYTES_MAX, LOG_SYNC_HERE_SECONDS, LOG_SYNCS_QUICK
from everwhen.runtime.replica.persist import Persister, RecentSyncs, Write
from everwhen.storage.frames import Entry


class Recorder:
    def __init__(self) -> None:
        self.calls: list[object] = []
        self.quick = True

    def append(self, entries: Sequence[Entry]) -> None:
        self.calls.append([(entry.index, entry.term) for entry in entries])

    def is_quick(self, size: int) -> bool:
        return self.quick

    def save_hard_state(self, *, term: int, vote: int, commit: int) -> None:
        self.calls.append((term, vote, commit))


def run(*entries: tuple[int, int]) -> list[Entry]:
    return [Entry(index, term, 1, b"x") for index, term in entries]


def test_adjacent_runs_are_one_batch() -> None:
    log = Recorder()
    Persister(log, 2, 1, 0).persist(
        [Write(run((1, 2), (2, 2)), 2, 1), Write([], 2, 1), Write(run((3, 2)), 2, 1)]
    )
    assert log.calls == [[(1, 2), (2, 2), (3, 2)]]


def test_a_replacement_is_a_batch_of_its_own() -> None:
    log = Recorder()
    Persister(log, 2, 1, 0).persist(
        [Write(run((1, 2), (2, 2))), Write(run((2, 3), (3, 3)), 3, 0), Write(run((4, 3)), 3, 0)]
    )
    assert log.calls == [[(1, 2), (2, 2)], (3, 0, 0), [(2, 3), (3, 3), (4, 3)]]


def test_a_replacement_needs_no_vote_to_be_one() -> None:
    log = Recorder()
    Persister(log, 3, 1, 0).persist([Write(run((1, 2), (2, 2))), Write(run((2, 3)))])
    assert log.calls == [[(1, 2), (2, 2)], [(2, 3)]]


def test_a_vote_is_saved_once() -> None:
    log = Recorder()
    persister = Persister(log, 2, 0, 7)
    persister.persist([Write([], 3, 2), Write([], 3, 2)])
    persister.persist([Write(run((8, 3)), 3, 2)])
    assert log.calls == [(3, 2, 7), [(8, 3)]]


def test_a_commit_index_alone_is_not_written() -> None:
    log = Recorder()
    persister = Persister(log, 3, 1, 0)
    assert not persister.needed([Write([], 3, 1), Write([])])
    assert persister.needed([Write([], 4, 1)])
    assert persister.needed([Write(run((1, 3)), 3, 1)])
    persister.persist([Write(run((1, 3)), 3, 1), Write([], 4, 1)])
    assert not persister.needed([Write([], 4, 1)])


def test_the_commit_of_a_membership_entry_is_durable() -> None:
    log = Recorder()
    persister = Persister(log, 3, 1, 0)
    change = Entry(2, 3, 3, b"change")
    persister.persist([Write([*run((1, 3)), change, *run((3, 3))], 3, 1, 1)])
    assert not persister.needed([Write([], 3, 1, 1)])
    assert persister.needed([Write([], 3, 1, 2)])
    assert not persister.is_short([Write([], 3, 1, 2)])
    persister.persist([Write(run((4, 3)), 3, 1, 3), Write(run((5, 3)), 3, 1, 4)])
    assert not persister.needed([Write([], 3, 1, 5)])
    persister.persist([Write([], 4, 1, 5)])
    assert log.calls == [[(1, 3), (2, 3), (3, 3)], [(4, 3)], (3, 1, 3), [(5, 3)], (4, 1, 3)]


def test_so_is_that_of_one_that_was_in_the_log_before() -> None:
    log = Recorder()
    persister = Persister(log, 3, 1, 0, membership=7)
    assert not persister.needed([Write([], 3, 1, 6)])
    persister.persist([Write([], 3, 1, 8)])
    assert log.calls == [(3, 1, 8)]


def large(index: int, size: int) -> Write:
    return Write([Entry(index, 3, 1, b"x" * size)], 3, 1)


def test_what_is_short() -> None:
    log = Recorder()
    persister = Persister(log, 3, 1, 0)
    half = LOG_SYNC_HERE_BYTES_MAX // 2
    assert persister.is_short([large(1, half), large(2, half)])
    assert not persister.is_short([large(1, half), large(2, half + 1)])
    assert not persister.is_short([Write(run((1, 4)), 4, 1)])
    log.quick = False
    assert not persister.is_short([large(1, half)])


def some_quick(syncs: RecentSyncs, now: float) -> None:
    for _ in range(LOG_SYNCS_QUICK):
        assert not syncs.quick(now)
        syncs.took(LOG_SYNC_HERE_SECONDS, now)


def test_syncs_are_quick_when_some_in_a_row_were() -> None:
    syncs = RecentSyncs()
    some_quick(syncs, 1.0)
    assert syncs.quick(1.0)
    syncs.took(LOG_SYNC_HERE_SECONDS * 1.1, 1.0)
    some_quick(syncs, 1.0)
    assert syncs.quick(1.0)


def test_after_a_stall_the_loop_is_left_alone_for_long() -> None:
    """Whoever else finds the disk stalling now and then, it stands still for a hundredth of the
    time."""
    syncs = RecentSyncs()
    some_quick(syncs, 1.0)
    syncs.took(0.5, 1.5)
    some_quick(syncs, 1.6)
    assert not syncs.quick(51.4)
    # a shorter one meanwhile takes nothing back
    syncs.took(0.02, 2.0)
    some_quick(syncs, 2.0)
    assert not syncs.quick(51.4)
    assert syncs.quick(51.5)
