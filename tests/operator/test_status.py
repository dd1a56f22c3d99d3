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


def test_it_is_up_to_date_once_all_nodes_have_read_the_settings() -> None:
    late = f.but(f.settled(settings_hash="b"), nodes={1: f.node(1, settings_hash="a")})
    for facts, holds, reason in (
        (late, "False", "SettingsArriving"),
        (f.settled(), "True", "Reached"),
    ):
        status = status_of(facts, decide(facts), {}, epoch=1)
        found = {each["type"]: each for each in status["conditions"]}
        assert (found["UpToDate"]["status"], found["UpToDate"]["reason"]) == (holds, reason)
        assert found["Ready"]["status"] == holds


def test_without_a_leader_each_speaks_for_itself() -> None:
    followers = {o: f.node(o, role="follower", leader_id=0) for o in range(3)}
    assert set(_roles(f.but(f.settled(), nodes=followers)).values()) == {"Voter"}
