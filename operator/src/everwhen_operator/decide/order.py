"""The order of decision: the first rule that has something to do is followed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from everwhen_operator.decide import (
    birth,
    cures,
    history,
    membership,
    recovery,
    roll,
    settings,
    tasks,
)
from everwhen_operator.decide.group import Group, group_of
from everwhen_operator.model.actions import Action, Decision, Wait
from everwhen_operator.model.facts import Facts
from everwhen_operator.model.spec import ClusterSpec

Rule = Callable[[Facts], Action | Wait | None]
GroupRule = Callable[[Facts, Group, ClusterSpec], Action | Wait | None]

#: in any health
ALWAYS: Final[tuple[Rule, ...]] = (
    tasks.expire,
    cures.leave_alone,
    tasks.forget,
    cures.refuse_foreign_claims,
    cures.grow_claims,
    cures.recreate_set,
    cures.apply_objects,
    cures.delete_left_over,
    cures.delete_stuck_pods,
    cures.label_pods,
    cures.label_claims,
    cures.fence,
    tasks.in_any_health,
    birth.hibernate,
    birth.wake,
    birth.latch,
    birth.bootstrap,
)
#: once a majority confirms who votes and who leads
WITH_QUORUM: Final[tuple[GroupRule, ...]] = (
    membership.finish_change,
    membership.replace_lost,
    membership.free_lost_machines,
    membership.discard_left_over,
    membership.grow,
    history.keep,
    tasks.change,
    roll.roll,
    roll.finalize,
    membership.shrink,
    membership.retire_pods,
    tasks.restart,
    settings.arrive,
)
SETTLED: Final = Wait("Settled", "everything is as asked for")


def decide(facts: Facts) -> Decision:
    """One action, or a wait with its reason; with whatever else is awaited."""
    blocked: list[Wait] = []
    found = _first((rule(facts) for rule in ALWAYS), blocked)
    if found is None:
        group = group_of(facts)
        if isinstance(group, Wait):
            found = recovery.lost_majority(facts, group)
        elif facts.spec is not None:
            spec = facts.spec
            found = _first((rule(facts, group, spec) for rule in WITH_QUORUM), blocked)
    if isinstance(found, Wait):
        blocked.insert(0, found)
    if found is None:
        found = next((wait for wait in blocked if not wait.task), SETTLED)
    return Decision(found, tuple(blocked))


def _first(results: Iterable[Action | Wait | None], blocked: list[Wait]) -> Action | Wait | None:
    """The first that is more than a note; notes are kept."""
    for result in results:
        if isinstance(result, Wait) and result.soft:
            blocked.append(result)
        elif result is not None:
            return result
    return None
