"""A majority that does not answer: wait for it, or go on without it by consent.

Only a person knows that members never come back. The consent names the cluster, the member to go on
from and where its log ends, so that it holds for this loss and for no other.
"""

from __future__ import annotations

from everwhen_operator import names
from everwhen_operator.decide.group import quorum
from everwhen_operator.model.actions import Action, Fence, Recover, Wait
from everwhen_operator.model.facts import Facts, NodeFact


def lost_majority(facts: Facts, otherwise: Wait) -> Action | Wait:
    """What to do while nobody can say who leads; ``otherwise`` is why."""
    answers = facts.members().values()
    survivors = [node for node in answers if node.node_id in (*node.voters, *node.learners)]
    if not survivors or any(node.leader_id for node in survivors):
        return otherwise
    # whose log ends last: by term, then index, as an election would have it (Raft thesis, 3.6.1)
    best = max(survivors, key=lambda node: (node.last_term, node.last_index, -node.ordinal))
    if _may_elect(best, {node.node_id for node in survivors}):
        return otherwise
    token = f"{best.cluster_id}/{best.node_id}/{best.last_index}"
    name = names.pod(facts.name, best.ordinal)
    if facts.spec is None or facts.spec.accept_data_loss != token:
        return Wait("MajorityLost", _said(facts, best, len(survivors), name, token))
    for node in survivors:
        # what it holds may be older: it must never lead those that come back
        if node.node_id != best.node_id and node.fenced is None:
            pod = names.pod(facts.name, node.ordinal)
            return Fence(
                f"{pod} is given up for {name}", node.ordinal, True, f"{name} went on without it"
            )
    if best.fenced is not None:
        return Wait("RecoveryFenced", f"{name} is fenced, so it cannot lead: lift its fence first")
    return Recover(
        f"{name} goes on alone; what others had after entry {best.last_index} is lost",
        best.ordinal,
        token,
    )


def _may_elect(best: NodeFact, there: set[int]) -> bool:
    """Whether those that answer are enough to elect a leader by themselves."""
    return all(
        len(there.intersection(voters)) >= quorum(len(voters))
        for voters in (best.voters, best.outgoing)
        if voters
    )


def _said(facts: Facts, best: NodeFact, there: int, name: str, token: str) -> str:
    old = ""
    if facts.spec is not None and facts.spec.accept_data_loss:
        old = "spec.recovery.acceptDataLoss is of another state. "
    return (
        f"only {there} of {len(best.voters)} voters answer; the others may come back with all they "
        f"have. {old}If they never will, {name} can go on alone with its log up to entry "
        f"{best.last_index}: set spec.recovery.acceptDataLoss to {token}. What only the others had "
        "is lost then, and their volumes are emptied"
    )
