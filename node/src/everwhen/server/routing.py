"""What ``neo4j://`` drivers are told: who takes writes, who reads, whom to ask again."""

from __future__ import annotations

import time

from everwhen.limits import (
    ROUTING_LEAVE_SECONDS,
    ROUTING_SECONDS,
    ROUTING_SECONDS_LONG,
    ROUTING_TOLD_SECONDS,
    ROUTING_WAIT_SECONDS,
    TICK_SECONDS,
)
from everwhen.runtime.node import Node
from everwhen.settings_doors import BoltSettings


class Routing:
    """Tables, and until when those that were given name this node.

    Some drivers ask for the next table only at the address they were given, and fail while that is
    down. So tables are short for who came by another name than a member's (a Service, several
    addresses in the DNS), and last for who did not. Before this node stops, the latter are told at
    their next transaction to look elsewhere, while there is somebody to be asked.
    """

    def __init__(self, node: Node, bolt: BoltSettings) -> None:
        self._node = node
        self._bolt = bolt
        self._used_until = 0.0
        #: a table that lasts was given to somebody
        self.lasts = False
        self._asked_until = 0.0
        node.member.presence.tables_last = self._last

    @property
    def used_until(self) -> float:
        """On the monotonic clock: when the last short table that names this node, of whichever member,
        is too old."""
        return max(self._used_until, time.monotonic() + self._node.member.presence.named_for)

    def _last(self) -> float:
        return max(self._used_until - time.monotonic(), 0.0)

    async def table(self, used: str) -> tuple[int, list[tuple[str, list[str]]]]:
        """For how many seconds, and what; ``used``: the address by which the driver came. While
        another leader is elected, once that one is known."""
        await self._until_somebody_leads()
        await self._node.member.presence.look()
        bolt, door = self._bolt, self._door(used)
        said = bolt.external if door == "external" else bolt.advertised
        table = routing_table(self._node, said or used or f"{bolt.host}:{bolt.port}", door)
        if len(self._node.member.cluster.members) < 2 or not used or self._is_of_member(used):
            self.lasts = True
            return ROUTING_SECONDS_LONG, table
        if not self._node.member.presence.stops:
            self._used_until = time.monotonic() + ROUTING_LEAVE_SECONDS
        return ROUTING_SECONDS, table

    async def _until_somebody_leads(self) -> None:
        """Or for so long as an election takes. Only voters take part in one: a member that was
        removed hears of nobody any more."""
        now, member = time.monotonic, self._node.member
        replica, deadline = member.replica, now() + ROUTING_WAIT_SECONDS
        while not replica.hears_leader and now() < deadline:
            if member.presence.stops or member.node_id not in member.configuration.voters:
                return
            # that it is heard again changes nothing of which one could be told
            await replica.changed.until(lambda: replica.hears_leader, TICK_SECONDS)

    @property
    def asked_until(self) -> float:
        """On the monotonic clock: when the last driver that was sent away has asked where to."""
        return self._asked_until

    def sends_away(self, used: str) -> bool:
        """Whether a driver that came by this address is to look for somebody else to write to: then
        it will ask here for whom."""
        presence = self._node.member.presence
        sent = presence.stops and presence.others_stay and self._is_of_member(used)
        if sent:
            self._asked_until = time.monotonic() + ROUTING_TOLD_SECONDS
        return sent

    def _door(self, used: str) -> str:
        """Which addresses of members a driver needs that came by this one."""
        members = self._node.member.cluster.members
        outside = any(under(used, each.addresses.get("external", "")) for each in members)
        return "external" if outside else "bolt"

    def _is_of_member(self, used: str) -> bool:
        door = self._door(used)
        return used in {each.addresses.get(door) for each in self._node.member.cluster.members}


def under(used: str, external: str) -> bool:
    """Whether an address by which a driver came is for clients outside as ``external`` is: it is
    that one, or its host is a name under the same domain."""
    domain = external.rpartition(":")[0].partition(".")[2]
    host = used.rpartition(":")[0]
    return bool(external) and (used == external or host.endswith(f".{domain}"))


def routing_table(node: Node, alone: str, door: str = "bolt") -> list[tuple[str, list[str]]]:
    """Role -> addresses.

    Without a leader nobody is named for writes, so drivers ask again. Members that are not connected,
    or are about to stop, are left out, as long as others are there. ``alone``: where this node is
    reached, for a group of one. ``door``: which addresses of members; who has none is left out."""
    member = node.member
    ids = member.configuration.ids
    if len(ids) <= 1:
        return [(role, [alone]) for role in ("WRITE", "READ", "ROUTE")]
    known = {
        one.id: address
        for one in member.cluster.members
        if one.id in ids and (address := one.addresses.get(door))
    }
    stay = {one: at for one, at in known.items() if member.presence.stays(one)} or known
    leader = member.replica.leader
    everyone = [stay[one] for one in ids if one in stay]
    others = [stay[one] for one in ids if one in stay and one != leader]
    writers = [known[leader]] if leader in known else []
    return [("WRITE", writers), ("READ", others or everyone), ("ROUTE", everyone)]
