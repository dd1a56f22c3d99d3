"""Transcripts about quorums and about changes of configurations."""

from __future__ import annotations

from everwhen.raft.confchange import Change, Changer, ChangeRefused, ChangeType
from everwhen.raft.quorum import EVERYTHING, JointConfig, majority_committed, majority_vote
from everwhen.raft.tracker import Tracker
from everwhen.raft.types import NO_LIMIT
from tests.raft.datadriven import Case

_TOKENS = {
    "v": ChangeType.ADD_NODE,
    "l": ChangeType.ADD_LEARNER_NODE,
    "r": ChangeType.REMOVE_NODE,
    "u": ChangeType.UPDATE_NODE,
}


def parse_changes(text: str) -> list[Change]:
    """``v1 l2 r3 u4``."""
    changes: list[Change] = []
    for token in text.split():
        if token[0] not in _TOKENS or not token[1:].isdecimal():
            raise ValueError(f"unknown input: {token}")
        changes.append(Change(_TOKENS[token[0]], int(token[1:])))
    return changes


class ConfChanges:
    """One file of changes, each on top of the last."""

    def __init__(self) -> None:
        self._tracker = Tracker(10, NO_LIMIT)
        self._last_index = 0

    def handle(self, case: Case) -> str:
        changer = Changer(self._tracker, self._last_index)
        self._last_index += 1
        changes = parse_changes(case.body)
        try:
            if case.command == "simple":
                result = changer.simple(changes)
            elif case.command == "enter-joint":
                auto_leave = case.one("autoleave", "false") == "true"
                result = changer.enter_joint(changes, auto_leave=auto_leave)
            elif case.command == "leave-joint":
                if changes:
                    raise ChangeRefused("this command takes no input")
                result = changer.leave_joint()
            else:
                raise ValueError(f"unknown command {case.command}")
        except ChangeRefused as refusal:
            return str(refusal)
        tracker = self._tracker
        tracker.config, tracker.progress = result
        lines = [str(tracker.config)]
        lines += [f"{node}: {tracker.progress[node]}" for node in tracker.ids()]
        return "\n".join(lines)


class Quorums:
    """Commit index and vote result of majorities and pairs of them."""

    def handle(self, case: Case) -> str:
        ids = [int(each) for each in case.value("cfg") or []]
        joint = case.value("cfgj")
        outgoing = [] if joint is None or joint == ["zero"] else [int(each) for each in joint]
        voters = list(dict.fromkeys([*ids, *outgoing]))
        config = JointConfig(set(ids), set(outgoing))
        if case.command == "committed":
            return self._committed(case, voters, config, joint=joint is not None)
        if case.command == "vote":
            return self._vote(case, voters, config)
        raise ValueError(f"unknown command {case.command}")

    def _committed(self, case: Case, voters: list[int], config: JointConfig, *, joint: bool) -> str:
        given = case.value("idx") or []
        acked = {
            voter: int(index) for voter, index in zip(voters, given, strict=True) if index != "_"
        }
        found = config.committed_index(acked)
        # the same asked in other ways: mirrored, joint with itself, with and without zeros
        same = {
            JointConfig(config.outgoing, config.incoming).committed_index(acked),
            config.committed_index({voter: acked.get(voter, 0) for voter in voters}),
        }
        if not config.outgoing:
            same.add(majority_committed(config.incoming, acked))
            same.add(JointConfig(config.incoming, config.incoming).committed_index(acked))
        if same != {found}:
            return f"{found} is also {sorted(same)}"
        shown = "∞" if found == EVERYTHING else str(found)
        return _bars(sorted(config.ids), acked) + shown

    def _vote(self, case: Case, voters: list[int], config: JointConfig) -> str:
        given = case.value("votes") or []
        votes = {
            voter: vote == "y" for voter, vote in zip(voters, given, strict=True) if vote != "_"
        }
        found = config.vote_result(votes)
        same = {JointConfig(config.outgoing, config.incoming).vote_result(votes)}
        if not config.outgoing:
            same.add(majority_vote(config.incoming, votes))
            same.add(JointConfig(config.incoming, config.incoming).vote_result(votes))
        if same != {found}:
            return f"{found.name} is also {sorted(each.name for each in same)}"
        return f"Vote{found.name.capitalize()}"


def _bars(ids: list[int], acked: dict[int, int]) -> str:
    """The chart above a commit index."""
    if not ids:
        return "<empty majority quorum>"
    order = sorted(ids, key=lambda node: (acked.get(node, 0), node))
    bars: dict[int, int] = {}
    for at, node in enumerate(order):
        before = acked.get(order[at - 1], 0) if at else 0
        same = at > 0 and before == acked.get(node, 0)
        bars[node] = bars[order[at - 1]] if same else at
    count = len(ids)
    text = " " * count + "    idx\n"
    for node in ids:
        bar = "x" * bars[node] + ">" + " " * (count - bars[node])
        if node not in acked:
            bar = "?" + " " * count
        text += f"{bar} {acked.get(node, 0):5d}    (id={node})\n"
    return text
