"""Everything a write asked for is durable in the order it was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from everwhen.runtime.replica.persist import Persister, Write
from everwhen.storage.frames import Entry


class Recorder:
    def __init__(self) -> None:
        self.calls: list[object] = []

    def append(self, entries: Sequence[Entry]) -> None:
        self.calls.append([(entry.index, entry.term) for entry in entries])

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


def test_a_vote_is_saved_once() -> None:
    log = Recorder()
    persister = Persister(log, 2, 0, 7)
    persister.persist([Write([], 3, 2), Write([], 3, 2)])
    persister.persist([Write(run((8, 3)), 3, 2)])
    assert log.calls == [(3, 2, 7), [(8, 3)]]
