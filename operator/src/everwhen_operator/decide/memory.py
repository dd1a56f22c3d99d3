"""What is remembered from one observation to the next."""

from __future__ import annotations

from dataclasses import replace

from everwhen_operator.decide.group import Group, group_of
from everwhen_operator.model.actions import RemoveMember, Wait
from everwhen_operator.model.facts import Facts, Memory

_HOUR = 3_600.0


def remember(facts: Facts, group: Group | Wait) -> Memory:
    """The memory after these facts."""
    old = facts.memory
    updated = old.updated
    all_new = bool(facts.pods) and all(
        pod.revision == facts.revision and pod.ready for pod in facts.pods.values()
    )
    if not all_new:
        updated = None
    elif updated is None:
        updated = facts.now
    if isinstance(group, Wait):
        # nobody can say who is away: nobody is held to have been
        alive = dict.fromkeys(old.alive, facts.now)
        return replace(old, alive=alive, kept_up={}, updated=updated)
    limit = 0 if facts.spec is None else facts.spec.upgrade.max_lag
    alive = {
        one: facts.now if group.serves(one) else old.alive.get(one, facts.now) for one in group.ids
    }
    learner = {one: old.learner.get(one, facts.now) for one in group.learners}
    kept_up: dict[int, int] = {}
    for one in group.learners:
        lag = group.members[one].lag
        if lag is not None and lag <= limit and group.serves(one):
            kept_up[one] = old.kept_up.get(one, 0) + 1
    replaced = tuple(time for time in old.replaced if facts.now - time < _HOUR)
    return Memory(alive, learner, kept_up, replaced, updated)


def with_memory(facts: Facts) -> Facts:
    """The facts, with what they add to the memory."""
    return replace(facts, memory=remember(facts, group_of(facts)))


def noted(memory: Memory, action: object, now: float) -> Memory:
    """What was done is remembered where it counts."""
    if isinstance(action, RemoveMember) and action.replaces:
        return replace(memory, replaced=(*memory.replaced, now))
    return memory
