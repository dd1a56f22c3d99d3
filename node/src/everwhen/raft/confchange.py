"""From one configuration to the next, with every step checked (Raft thesis, chapter 4).

*Simple* changes move at most one voter. Everything else goes through a joint configuration in which
the old and the new majority must both agree; ``leave_joint`` ends it. Nothing is changed in place:
what comes out is checked first, so a refused change leaves no trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from everwhen.raft.progress import Progress, inflights_of
from everwhen.raft.quorum import JointConfig
from everwhen.raft.tracker import Config, Tracker
from everwhen.raft.types import ConfState


class ChangeType(IntEnum):
    """What happens to a node."""

    ADD_NODE = 0
    REMOVE_NODE = 1
    UPDATE_NODE = 2
    ADD_LEARNER_NODE = 3


class Transition(IntEnum):
    """How to get there: as simply as possible, or through a joint configuration."""

    AUTO = 0
    JOINT_IMPLICIT = 1
    JOINT_EXPLICIT = 2


@dataclass(frozen=True, slots=True)
class Change:
    """One node's change."""

    type: ChangeType
    node: int


@dataclass(frozen=True, slots=True)
class ConfChange:
    """A membership entry of the first kind: one node, one step."""

    type: ChangeType
    node: int
    context: bytes = b""

    def as_v2(self) -> ConfChangeV2:
        """The same in the general form."""
        return ConfChangeV2(Transition.AUTO, (Change(self.type, self.node),), self.context)


@dataclass(frozen=True, slots=True)
class ConfChangeV2:
    """A membership entry: any number of nodes at once. Empty: leave the joint configuration."""

    transition: Transition = Transition.AUTO
    changes: tuple[Change, ...] = field(default=())
    context: bytes = b""

    def as_v2(self) -> ConfChangeV2:
        """Itself."""
        return self

    def enter_joint(self) -> tuple[bool, bool]:
        """(whether to leave automatically, whether a joint configuration is used)."""
        if self.transition is not Transition.AUTO or len(self.changes) > 1:
            return self.transition is not Transition.JOINT_EXPLICIT, True
        return False, False

    @property
    def leaves_joint(self) -> bool:
        """Whether this ends a joint configuration."""
        return self.transition is Transition.AUTO and not self.changes


class ChangeRefused(ValueError):
    """The change would break a rule; nothing was changed."""


ProgressMap = dict[int, Progress]


class Changer:
    """Computes configurations from the one in force."""

    __slots__ = ("_last_index", "_tracker")

    def __init__(self, tracker: Tracker, last_index: int) -> None:
        self._tracker = tracker
        self._last_index = last_index

    def changed(self, change: ConfChangeV2) -> tuple[Config, ProgressMap]:
        """What a membership entry leads to.

        :raises ChangeRefused: it breaks a rule.
        """
        auto_leave, joint = change.enter_joint()
        if change.leaves_joint:
            return self.leave_joint()
        if joint:
            return self.enter_joint(change.changes, auto_leave=auto_leave)
        return self.simple(change.changes)

    def enter_joint(
        self, changes: Sequence[Change], *, auto_leave: bool
    ) -> tuple[Config, ProgressMap]:
        """Into a joint configuration whose new half is the present one with ``changes``."""
        config, progress = self._checked_copy()
        if config.voters.is_joint:
            raise ChangeRefused("config is already joint")
        if not config.voters.incoming:
            raise ChangeRefused("can't make a zero-voter config joint")
        config.voters.outgoing = set(config.voters.incoming)
        self._apply(config, progress, changes)
        config.auto_leave = auto_leave
        return _checked(config, progress)

    def leave_joint(self) -> tuple[Config, ProgressMap]:
        """Out of the joint configuration: the new half stays."""
        config, progress = self._checked_copy()
        if not config.voters.is_joint:
            raise ChangeRefused("can't leave a non-joint config")
        for node in sorted(config.learners_next):
            config.learners.add(node)
            progress[node].is_learner = True
        config.learners_next = set()
        for node in sorted(config.voters.outgoing):
            if node not in config.voters.incoming and node not in config.learners:
                del progress[node]
        config.voters.outgoing = set()
        config.auto_leave = False
        return _checked(config, progress)

    def simple(self, changes: Sequence[Change]) -> tuple[Config, ProgressMap]:
        """Changes that move at most one voter."""
        config, progress = self._checked_copy()
        if config.voters.is_joint:
            raise ChangeRefused("can't apply simple config change in joint config")
        self._apply(config, progress, changes)
        before = self._tracker.config.voters.incoming
        if len(before ^ config.voters.incoming) > 1:
            raise ChangeRefused("more than one voter changed without entering joint config")
        return _checked(config, progress)

    # --- one node ---

    def _apply(self, config: Config, progress: ProgressMap, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.node == 0:
                continue
            if change.type is ChangeType.ADD_NODE:
                self._make_voter(config, progress, change.node)
            elif change.type is ChangeType.ADD_LEARNER_NODE:
                self._make_learner(config, progress, change.node)
            elif change.type is ChangeType.REMOVE_NODE:
                _remove(config, progress, change.node)
        if not config.voters.incoming:
            raise ChangeRefused("removed all voters")

    def _make_voter(self, config: Config, progress: ProgressMap, node: int) -> None:
        known = progress.get(node)
        if known is None:
            self._add(config, progress, node, is_learner=False)
            return
        known.is_learner = False
        config.learners.discard(node)
        config.learners_next.discard(node)
        config.voters.incoming.add(node)

    def _make_learner(self, config: Config, progress: ProgressMap, node: int) -> None:
        known = progress.get(node)
        if known is None:
            self._add(config, progress, node, is_learner=True)
            return
        if known.is_learner:
            return
        _remove(config, progress, node)
        progress[node] = known
        # while it votes in the outgoing half it cannot be a learner yet
        if node in config.voters.outgoing:
            config.learners_next.add(node)
        else:
            known.is_learner = True
            config.learners.add(node)

    def _add(self, config: Config, progress: ProgressMap, node: int, *, is_learner: bool) -> None:
        (config.learners if is_learner else config.voters.incoming).add(node)
        tracker = self._tracker
        window = inflights_of(tracker.max_inflight, tracker.max_inflight_bytes)
        new = Progress(0, max(self._last_index, 1), window, is_learner=is_learner)
        # or a check of the quorum before it has said anything would depose the leader
        new.recent_active = True
        progress[node] = new

    def _checked_copy(self) -> tuple[Config, ProgressMap]:
        tracker = self._tracker
        progress = {node: one.clone() for node, one in tracker.progress.items()}
        return _checked(tracker.config.clone(), progress)


def _remove(config: Config, progress: ProgressMap, node: int) -> None:
    if node not in progress:
        return
    config.voters.incoming.discard(node)
    config.learners.discard(node)
    config.learners_next.discard(node)
    if node not in config.voters.outgoing:
        del progress[node]


def _checked(config: Config, progress: ProgressMap) -> tuple[Config, ProgressMap]:
    """:raises ChangeRefused: the configuration contradicts itself."""
    for node in sorted(config.voters.ids | config.learners | config.learners_next):
        if node not in progress:
            raise ChangeRefused(f"no progress for {node}")
    for node in sorted(config.learners_next):
        if node not in config.voters.outgoing:
            raise ChangeRefused(f"{node} is in LearnersNext, but not Voters[1]")
        if progress[node].is_learner:
            raise ChangeRefused(f"{node} is in LearnersNext, but is already marked as learner")
    for node in sorted(config.learners):
        if node in config.voters.outgoing:
            raise ChangeRefused(f"{node} is in Learners and Voters[1]")
        if node in config.voters.incoming:
            raise ChangeRefused(f"{node} is in Learners and Voters[0]")
        if not progress[node].is_learner:
            raise ChangeRefused(f"{node} is in Learners, but is not marked as learner")
    if not config.voters.outgoing:
        if config.learners_next:
            raise ChangeRefused("LearnersNext must be nil when not joint")
        if config.auto_leave:
            raise ChangeRefused("AutoLeave must be false when not joint")
    return config, progress


def restore(tracker: Tracker, last_index: int, state: ConfState) -> tuple[Config, ProgressMap]:
    """The configuration of a snapshot, built up by the same checked steps."""
    outgoing, incoming = _steps_to(state)

    def take(result: tuple[Config, ProgressMap]) -> None:
        tracker.config, tracker.progress = result

    if not outgoing:
        for change in incoming:
            take(Changer(tracker, last_index).simple([change]))
    else:
        # first the outgoing half, as if it were the only one
        for change in outgoing:
            take(Changer(tracker, last_index).simple([change]))
        changer = Changer(tracker, last_index)
        take(changer.enter_joint(incoming, auto_leave=state.auto_leave))
    return tracker.config, tracker.progress


def _steps_to(state: ConfState) -> tuple[list[Change], list[Change]]:
    """Steps that build the outgoing half, and those that lead from it to the incoming one."""
    outgoing = [Change(ChangeType.ADD_NODE, node) for node in state.voters_outgoing]
    incoming = [Change(ChangeType.REMOVE_NODE, node) for node in state.voters_outgoing]
    incoming += [Change(ChangeType.ADD_NODE, node) for node in state.voters]
    incoming += [Change(ChangeType.ADD_LEARNER_NODE, node) for node in state.learners]
    incoming += [Change(ChangeType.ADD_LEARNER_NODE, node) for node in state.learners_next]
    return outgoing, incoming


__all__ = [
    "Change",
    "ChangeRefused",
    "ChangeType",
    "Changer",
    "ConfChange",
    "ConfChangeV2",
    "JointConfig",
    "Transition",
    "restore",
]
