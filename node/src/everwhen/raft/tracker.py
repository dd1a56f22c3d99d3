"""The configuration in force and what is known of every member in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from everwhen.raft.progress import Progress
from everwhen.raft.quorum import JointConfig, VoteResult
from everwhen.raft.types import ConfState


@dataclass(slots=True)
class Config:
    """Who votes, who only follows, who will only follow when the joint configuration is left."""

    voters: JointConfig = field(default_factory=JointConfig)
    auto_leave: bool = False
    learners: set[int] = field(default_factory=set)
    #: voters of the outgoing half that become learners
    learners_next: set[int] = field(default_factory=set)

    def clone(self) -> Config:
        """A copy."""
        return Config(
            self.voters.copy(), self.auto_leave, set(self.learners), set(self.learners_next)
        )

    def __str__(self) -> str:
        text = f"voters={self.voters}"
        if self.learners:
            text += f" learners={_list(self.learners)}"
        if self.learners_next:
            text += f" learners_next={_list(self.learners_next)}"
        if self.auto_leave:
            text += " autoleave"
        return text


def _list(ids: set[int]) -> str:
    return "(" + " ".join(str(each) for each in sorted(ids)) + ")"


class Tracker:
    """Configuration, progress and votes of one node."""

    __slots__ = ("config", "max_inflight", "max_inflight_bytes", "progress", "votes")

    def __init__(self, max_inflight: int, max_inflight_bytes: int) -> None:
        self.config = Config()
        self.progress: dict[int, Progress] = {}
        self.votes: dict[int, bool] = {}
        self.max_inflight = max_inflight
        self.max_inflight_bytes = max_inflight_bytes

    def conf_state(self) -> ConfState:
        """The configuration as storage holds it."""
        config = self.config
        return ConfState(
            sorted(config.voters.incoming),
            sorted(config.learners),
            sorted(config.voters.outgoing),
            sorted(config.learners_next),
            config.auto_leave,
        )

    @property
    def is_singleton(self) -> bool:
        """One voter decides alone."""
        voters = self.config.voters
        return len(voters.incoming) == 1 and not voters.outgoing

    def committed(self) -> int:
        """The highest index on a quorum. Learners do not count (P17)."""
        voters, progress_of = self.config.voters, self.progress
        if not voters.outgoing and voters.incoming:
            # the same for one majority, on the path of every acknowledgement
            matches = [progress_of[node].match for node in voters.incoming]
            matches.sort()
            return matches[(len(matches) - 1) // 2]
        return voters.committed_index(
            {node: progress.match for node, progress in self.progress.items()}
        )

    def ids(self) -> list[int]:
        """Every member, ascending: no order of a dict reaches the outside."""
        return sorted(self.progress)

    def quorum_active(self) -> bool:
        """Whether a quorum was heard from since the last check."""
        votes = {
            node: progress.recent_active
            for node, progress in self.progress.items()
            if not progress.is_learner
        }
        return self.config.voters.vote_result(votes) is VoteResult.WON

    def voter_nodes(self) -> list[int]:
        """All voters, ascending."""
        return sorted(self.config.voters.ids)

    def reset_votes(self) -> None:
        """A new election."""
        self.votes = {}

    def record_vote(self, node: int, granted: bool) -> None:
        """The first vote of a node in an election counts (P5)."""
        self.votes.setdefault(node, granted)

    def tally(self) -> tuple[int, int, VoteResult]:
        """Granted, rejected, result. Who does not vote in this configuration is not counted."""
        granted = rejected = 0
        for node, progress in self.progress.items():
            if progress.is_learner:
                continue
            vote = self.votes.get(node)
            if vote is True:
                granted += 1
            elif vote is False:
                rejected += 1
        return granted, rejected, self.config.voters.vote_result(self.votes)
