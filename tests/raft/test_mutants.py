"""Random schedules notice rules of the core that are taken away; ``test_rules.py`` has those that
need a schedule of their own (numbers of research/raft.md, 3)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from everwhen import raft
from everwhen.raft import core, election
from everwhen.raft.log import Log
from everwhen.raft.quorum import JointConfig, VoteResult, majority_committed, majority_vote
from everwhen.raft.tracker import Tracker
from everwhen.raft.types import NO_NODE
from tests.raft.simulation import Simulation

Patch = pytest.MonkeyPatch
_SEEDS = 60


def tells_of_votes_before_they_are_durable(patch: Patch) -> None:  # P2
    held = [kind is raft.MessageType.APP_RESP for kind in raft.MessageType]
    patch.setattr(core, "_AFTER_APPEND", held)


def acknowledges_before_entries_are_durable(patch: Patch) -> None:  # P3
    votes = (raft.MessageType.VOTE_RESP, raft.MessageType.PRE_VOTE_RESP)
    held = [kind in votes for kind in raft.MessageType]
    patch.setattr(core, "_AFTER_APPEND", held)

    original = core.Raft.send

    def send(self: core.Raft, message: raft.Message) -> None:
        if message.type is raft.MessageType.APP_RESP and message.to == self.id:
            message.from_, message.term = self.id, self.term
            self.messages_after_append.append(message)
        else:
            original(self, message)

    patch.setattr(core.Raft, "send", send)


def votes_twice_in_a_term(patch: Patch) -> None:  # P4
    original = election.answer_vote

    def answer_vote(self: core.Raft, message: raft.Message) -> None:
        self.vote = self.lead = NO_NODE
        original(self, message)

    patch.setattr(election, "answer_vote", answer_vote)


def votes_for_shorter_logs(patch: Patch) -> None:  # P6
    patch.setattr(Log, "is_up_to_date", lambda self, index, term: True)


def commits_without_a_quorum(patch: Patch) -> None:  # P16
    def committed(self: Tracker) -> int:
        return max(progress.match for progress in self.progress.values())

    patch.setattr(Tracker, "committed", committed)


def counts_learners(patch: Patch) -> None:  # P17
    def committed(self: Tracker) -> int:
        acked = {node: progress.match for node, progress in self.progress.items()}
        return majority_committed(set(acked), acked)

    patch.setattr(Tracker, "committed", committed)


def counts_over_the_union_of_both_halves(patch: Patch) -> None:  # P24
    def committed_index(self: JointConfig, acked: dict[int, int]) -> int:
        return majority_committed(self.ids, acked)

    def vote_result(self: JointConfig, votes: dict[int, bool]) -> VoteResult:
        return majority_vote(self.ids, votes)

    patch.setattr(JointConfig, "committed_index", committed_index)
    patch.setattr(JointConfig, "vote_result", vote_result)


def answers_reads_before_it_committed(patch: Patch) -> None:  # P49
    patch.setattr(core.Raft, "committed_in_term", lambda self: True)


MUTANTS: list[Callable[[Patch], None]] = [
    tells_of_votes_before_they_are_durable,
    acknowledges_before_entries_are_durable,
    votes_twice_in_a_term,
    votes_for_shorter_logs,
    commits_without_a_quorum,
    counts_learners,
    counts_over_the_union_of_both_halves,
    answers_reads_before_it_committed,
]


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_schedule_kills(mutant: Callable[[Patch], None], monkeypatch: Patch):
    mutant(monkeypatch)
    for seed in range(_SEEDS):
        group = Simulation(seed)
        try:
            group.run(8_000)
        except AssertionError as error:
            print(f"{mutant.__name__}: seed {seed}, step {group.steps}: {error}")
            return
    pytest.fail(f"{_SEEDS} schedules did not notice")
