"""Majorities and joint majorities against counting over all subsets."""

from __future__ import annotations

from itertools import combinations

from hypothesis import example, given
from hypothesis import strategies as st

from everwhen.raft.quorum import (
    EVERYTHING,
    JointConfig,
    VoteResult,
    majority_committed,
    majority_vote,
)

IDS = st.integers(1, 7)
VOTERS = st.sets(IDS, max_size=7)
ACKED = st.dictionaries(IDS, st.integers(0, 12))
VOTES = st.dictionaries(IDS, st.booleans())


def naive_committed(voters: set[int], acked: dict[int, int]) -> int:
    """The best index such that some majority has all of it."""
    if not voters:
        return EVERYTHING
    return max(
        min(acked.get(voter, 0) for voter in quorum)
        for quorum in combinations(sorted(voters), len(voters) // 2 + 1)
    )


def naive_vote(voters: set[int], votes: dict[int, bool]) -> VoteResult:
    """Won or lost whatever those say who have not voted; pending otherwise."""
    if not voters:
        return VoteResult.WON
    needed = len(voters) // 2 + 1
    yes = sum(votes.get(voter, False) for voter in voters)
    at_best = sum(votes.get(voter, True) for voter in voters)
    if yes >= needed:
        return VoteResult.WON
    return VoteResult.PENDING if at_best >= needed else VoteResult.LOST


@given(VOTERS, ACKED)
def test_majority_committed(voters: set[int], acked: dict[int, int]):
    assert majority_committed(voters, acked) == naive_committed(voters, acked)


@given(VOTERS, VOTES)
def test_majority_vote(voters: set[int], votes: dict[int, bool]):
    assert majority_vote(voters, votes) == naive_vote(voters, votes)


@example(incoming={1}, outgoing={2, 3}, acked={2: 5, 3: 5})
@given(VOTERS, VOTERS, ACKED)
def test_joint_committed_needs_both_halves(
    incoming: set[int], outgoing: set[int], acked: dict[int, int]
):
    expected = min(naive_committed(incoming, acked), naive_committed(outgoing, acked))
    assert JointConfig(incoming, outgoing).committed_index(acked) == expected
    assert JointConfig(outgoing, incoming).committed_index(acked) == expected
    assert JointConfig(incoming, set(incoming)).committed_index(acked) == naive_committed(
        incoming, acked
    )


@example(incoming={1}, outgoing={2, 3}, votes={2: True, 3: True})
@given(VOTERS, VOTERS, VOTES)
def test_joint_vote_needs_both_halves(
    incoming: set[int], outgoing: set[int], votes: dict[int, bool]
):
    halves = {naive_vote(incoming, votes), naive_vote(outgoing, votes)}
    if VoteResult.LOST in halves:
        expected = VoteResult.LOST
    elif VoteResult.PENDING in halves:
        expected = VoteResult.PENDING
    else:
        expected = VoteResult.WON
    assert JointConfig(incoming, outgoing).vote_result(votes) is expected
    assert JointConfig(outgoing, incoming).vote_result(votes) is expected


@given(VOTERS.filter(bool), VOTERS, ACKED, IDS, st.integers(0, 12))
def test_who_does_not_vote_moves_nothing(
    incoming: set[int], outgoing: set[int], acked: dict[int, int], other: int, index: int
):
    joint = JointConfig(incoming, outgoing)
    if other not in joint.ids:
        assert joint.committed_index({**acked, other: index}) == joint.committed_index(acked)
