"""Majorities, and two of them at once: what is committed, who has won (Raft thesis, 3.5, 4.3)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

#: what an empty majority commits: everything, so that a joint quorum of one half is that half
EVERYTHING: Final = (1 << 64) - 1


class VoteResult(IntEnum):
    """The state of a vote."""

    PENDING = 1
    LOST = 2
    WON = 3


def majority_committed(voters: Collection[int], acked: Mapping[int, int]) -> int:
    """The highest index that a majority of ``voters`` has; who is not in ``acked`` has none.

    Every voter is sorted in: a prefix of them would commit without a quorum (P16).
    """
    count = len(voters)
    if count == 0:
        return EVERYTHING
    if count == 1:
        return acked.get(next(iter(voters)), 0)
    indexes = sorted([acked.get(voter, 0) for voter in voters])
    return indexes[count - (count // 2 + 1)]


def majority_vote(voters: Collection[int], votes: Mapping[int, bool]) -> VoteResult:
    """Where a vote among ``voters`` stands; other votes do not count."""
    if not voters:
        return VoteResult.WON
    yes = no = 0
    for voter in voters:
        vote = votes.get(voter)
        if vote is None:
            continue
        if vote:
            yes += 1
        else:
            no += 1
    needed = len(voters) // 2 + 1
    if yes >= needed:
        return VoteResult.WON
    if len(voters) - no >= needed:
        return VoteResult.PENDING
    return VoteResult.LOST


@dataclass(slots=True)
class JointConfig:
    """Voters, and in a joint configuration also those on their way out: both must agree (P24)."""

    incoming: set[int] = field(default_factory=set)
    outgoing: set[int] = field(default_factory=set)

    @property
    def ids(self) -> set[int]:
        """Every voter."""
        return self.incoming | self.outgoing

    @property
    def is_joint(self) -> bool:
        """Whether two majorities decide."""
        return bool(self.outgoing)

    def committed_index(self, acked: Mapping[int, int]) -> int:
        """The highest index that both majorities have."""
        incoming = majority_committed(self.incoming, acked)
        if not self.outgoing:
            return incoming
        return min(incoming, majority_committed(self.outgoing, acked))

    def vote_result(self, votes: Mapping[int, bool]) -> VoteResult:
        """Won if both have won, lost if one has lost."""
        first = majority_vote(self.incoming, votes)
        second = majority_vote(self.outgoing, votes)
        if first == second:
            return first
        if VoteResult.LOST in (first, second):
            return VoteResult.LOST
        return VoteResult.PENDING

    def copy(self) -> JointConfig:
        """A configuration of its own."""
        return JointConfig(set(self.incoming), set(self.outgoing))

    def __str__(self) -> str:
        if self.outgoing:
            return f"{_list(self.incoming)}&&{_list(self.outgoing)}"
        return _list(self.incoming)


def _list(ids: Collection[int]) -> str:
    return "(" + " ".join(str(each) for each in sorted(ids)) + ")"
