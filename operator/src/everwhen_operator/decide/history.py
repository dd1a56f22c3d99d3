"""How long versions are kept, as ``spec.history`` says. What it does not say is left to whoever
says it with ALTER DATABASE; rules of labels and types always are."""

from __future__ import annotations

import math
from typing import Final

from everwhen_operator.decide.group import Group
from everwhen_operator.model.actions import Action, SetRetention, Wait
from everwhen_operator.model.facts import Facts
from everwhen_operator.model.spec import ClusterSpec

#: the feature level from which on versions are forgotten at all
LEVEL_RETENTION: Final = 6


def keep(facts: Facts, group: Group, spec: ClusterSpec) -> Action | Wait | None:
    """The database's own rule; no pod restarts for it."""
    wanted, leader = spec.retention, group.leader
    if wanted is None or leader.retention == wanted:
        return None
    if leader.feature_level < LEVEL_RETENTION:
        return Wait(
            "RetentionWaits",
            f"spec.history.retention needs feature level {LEVEL_RETENTION}, "
            f"the cluster is at {leader.feature_level}",
            soft=True,
        )
    if leader.retention is None:
        return Wait(
            "RetentionWaits", "the leader's build does not take spec.history.retention", soft=True
        )
    said = "for ever" if math.isinf(wanted) else f"for {wanted:.0f} s"
    return SetRetention(
        f"versions are kept {said}: spec.history.retention", leader.ordinal, group.index, wanted
    )
