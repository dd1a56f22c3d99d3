"""What ``neo4j://`` drivers are told: who takes writes, who reads, whom to ask again."""

from __future__ import annotations

from everwhen.runtime.node import Node


def routing_table(node: Node, alone: str) -> list[tuple[str, list[str]]]:
    """Role -> addresses.

    Without a leader nobody is named for writes, so drivers ask again. Members that are not connected,
    or are about to stop, are left out, as long as others are there. ``alone``: where this node is
    reached, for a group of one."""
    member = node.member
    ids = member.configuration.ids
    if len(ids) <= 1:
        return [(role, [alone]) for role in ("WRITE", "READ", "ROUTE")]
    known = {
        one.id: address
        for one in member.cluster.members
        if one.id in ids and (address := one.addresses.get("bolt"))
    }
    stay = {one: at for one, at in known.items() if member.presence.stays(one)} or known
    leader = member.replica.leader
    everyone = [stay[one] for one in ids if one in stay]
    others = [stay[one] for one in ids if one in stay and one != leader]
    writers = [known[leader]] if leader in known else []
    return [("WRITE", writers), ("READ", others or everyone), ("ROUTE", everyone)]
