"""Random membership changes: whatever is taken keeps the rules of a configuration."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from everwhen.raft.confchange import Change, Changer, ChangeRefused, ChangeType, restore
from everwhen.raft.tracker import Config, Tracker
from everwhen.raft.types import NO_LIMIT

CHANGES = st.lists(
    st.builds(Change, st.sampled_from(list(ChangeType)), st.integers(1, 6)), max_size=4
)
STEPS = st.lists(st.tuples(st.sampled_from(("simple", "enter", "leave")), CHANGES), max_size=12)


def check(config: Config, members: Sequence[int]) -> None:
    voters = config.voters
    assert voters.incoming
    assert not config.learners & voters.ids
    assert config.learners_next <= voters.outgoing - voters.incoming
    assert set(members) == voters.ids | config.learners
    if not voters.outgoing:
        assert not config.learners_next
        assert not config.auto_leave


def quorums_intersect(before: Config, after: Config) -> bool:
    """Every quorum of the one shares a voter with every quorum of the other."""

    def majorities(voters: set[int]) -> list[set[int]]:
        every = sorted(voters)
        subsets = [
            {each for at, each in enumerate(every) if mask >> at & 1}
            for mask in range(1 << len(every))
        ]
        return [each for each in subsets if len(each) > len(every) // 2]

    def quorums(config: Config) -> list[set[int]]:
        halves = config.voters
        if not halves.outgoing:
            return majorities(halves.incoming)
        return [a | b for a in majorities(halves.incoming) for b in majorities(halves.outgoing)]

    return all(one & other for one in quorums(before) for other in quorums(after))


@given(st.integers(1, 6), STEPS)
def test_every_step_keeps_the_rules(first: int, steps: list[tuple[str, list[Change]]]):
    tracker = Tracker(10, NO_LIMIT)
    start = Changer(tracker, 1).simple([Change(ChangeType.ADD_NODE, first)])
    tracker.config, tracker.progress = start
    for kind, changes in steps:
        before, text = tracker.config, str(tracker.config)
        changer = Changer(tracker, 10)
        try:
            if kind == "simple":
                result = changer.simple(changes)
            elif kind == "enter":
                result = changer.enter_joint(changes, auto_leave=False)
            else:
                result = changer.leave_joint()
        except ChangeRefused:
            assert str(tracker.config) == text
            continue
        tracker.config, tracker.progress = result
        check(tracker.config, sorted(tracker.progress))
        assert str(before) == text
        assert quorums_intersect(before, tracker.config)

        again = Tracker(10, NO_LIMIT)
        config, progress = restore(again, 10, tracker.conf_state())
        assert str(config) == str(tracker.config)
        assert {n: p.is_learner for n, p in progress.items()} == {
            n: p.is_learner for n, p in tracker.progress.items()
        }
