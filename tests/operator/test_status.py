"""What the object's status says of each member."""

from __future__ import annotations

from typing import Any

from everwhen_operator.decide import decide
from everwhen_operator.status import status_of
from tests.operator import cluster_facts as f


def _roles(facts: Any) -> dict[str, str]:
    status = status_of(facts, decide(facts), {}, epoch=1)
    return {each["name"]: each["role"] for each in status["members"]}


def test_a_settled_group_has_a_leader_and_voters() -> None:
    roles = _roles(f.settled())
    assert roles == {"graph-0": "Leader", "graph-1": "Voter", "graph-2": "Voter"}


def test_a_removed_member_that_still_answers_is_no_member() -> None:
    gone = f.node(3, 4, voters=(1, 2, 3, 4))  # it has not heard of its removal
    facts = f.but(f.settled(), pods={3: f.pod(3, ready=False, deleting=True)}, nodes={3: gone})
    assert _roles(facts)["graph-3"] == "Removed"


def test_without_a_leader_each_speaks_for_itself() -> None:
    followers = {o: f.node(o, role="follower", leader_id=0) for o in range(3)}
    assert set(_roles(f.but(f.settled(), nodes=followers)).values()) == {"Voter"}
