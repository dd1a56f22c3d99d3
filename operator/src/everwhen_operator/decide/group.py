"""Who votes and who leads, as a majority confirms it. Everything that changes the group rests on
this; pods, labels and the object's status never stand in for it."""

from __future__ import annotations

from dataclasses import dataclass

from everwhen_operator.model.actions import Wait
from everwhen_operator.model.facts import Facts, MemberFact, NodeFact


def quorum(voters: int) -> int:
    """How many of so many decide."""
    return voters // 2 + 1


@dataclass(frozen=True, slots=True)
class Group:
    """The group as its leader has it, confirmed by a majority of its voters."""

    leader: NodeFact
    #: answers by node id
    answers: dict[int, NodeFact]
    members: dict[int, MemberFact]
    ordinals: dict[int, int | None]

    @property
    def index(self) -> int:
        return self.leader.config_index

    @property
    def voters(self) -> tuple[int, ...]:
        return self.leader.voters

    @property
    def learners(self) -> tuple[int, ...]:
        return self.leader.learners

    @property
    def ids(self) -> tuple[int, ...]:
        return (*self.leader.voters, *self.leader.learners)

    def holder(self, ordinal: int) -> int | None:
        """The member at an ordinal."""
        return next((one for one in self.ids if self.ordinals.get(one) == ordinal), None)

    def serves(self, node_id: int) -> bool:
        """It answers, follows this leader and is in step with it."""
        answer = self.answers.get(node_id)
        return (
            answer is not None
            and answer.term == self.leader.term
            and answer.leader_id == self.leader.node_id
            and self.members[node_id].healthy is not False
        )

    def quorum_without(self, node_id: int) -> bool:
        """Whether the voters still decide while this one is away."""
        rest = sum(1 for one in self.voters if one != node_id and self.serves(one))
        return rest >= quorum(len(self.voters))

    def quorum_after_removal(self, node_id: int) -> bool:
        """Whether the voters that remain decide once this one is none."""
        rest = [one for one in self.voters if one != node_id]
        return bool(rest) and sum(map(self.serves, rest)) >= quorum(len(rest))


def group_of(facts: Facts) -> Group | Wait:
    """The group, or why nobody can say what it is."""
    members = facts.members()
    if not members:
        return Wait("NoMemberAnswers", "no member of the cluster answers")
    leaders = [node for node in members.values() if node.role == "leader"]
    if not leaders:
        return Wait("NoLeader", f"none of the {len(members)} members that answer leads")
    leader = max(leaders, key=lambda node: node.term)
    if max(node.term for node in members.values()) > leader.term:
        return Wait("NoLeader", "an election is under way")
    answers = {node.node_id: node for node in members.values() if node.node_id}
    known = {each.node_id: each for each in leader.members}
    group = Group(
        leader,
        answers,
        known,
        {each.node_id: facts.ordinal_of(each.name) for each in known.values()},
    )
    if any(one not in known for one in group.ids):
        return Wait("ConfigMoving", "the leader does not describe every member yet")
    for voters in (leader.voters, leader.outgoing):
        served = sum(map(group.serves, voters)) if voters else 0
        if voters and served < quorum(len(voters)):
            return Wait(
                "QuorumNotProven",
                f"only {served} of {len(voters)} voters confirm that node {leader.node_id} leads",
            )
    if any(node.config_index > leader.config_index for node in members.values()):
        return Wait("ConfigMoving", "the leader has not applied its newest configuration yet")
    return group
