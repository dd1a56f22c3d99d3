"""Who leads is asked of the nodes alone, between looks: an election changes no object of Kubernetes,
so nothing would tell of it before the next look or before a machine is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from everwhen_operator.model.facts import NodeFact
from everwhen_operator.nodes import NodeFailed, Nodes, node_fact

Key = tuple[str, str]

#: between two rounds of questions, and how much longer for each cluster: many together do not ask
#: more than some hundred nodes a second
_PAUSE_SECONDS: Final = 0.4
_PAUSE_SECONDS_EACH: Final = 0.02
#: an answer that comes later says nothing; who is away is no news, who leads instead is
_ANSWER_SECONDS: Final = 0.4


@dataclass(frozen=True, slots=True)
class Leadership:
    """What a node says of who leads."""

    role: str
    term: int
    leader_id: int

    @classmethod
    def of(cls, node: NodeFact) -> Leadership:
        """By its status."""
        return cls(node.role, node.term, node.leader_id)


@dataclass(frozen=True, slots=True)
class Heard:
    """What the nodes of a cluster said when it was last looked at, and how to ask them again."""

    #: by ordinal
    addresses: Mapping[int, str] = field(default_factory=dict)
    #: what members must know
    secret: str = ""
    #: by ordinal; who did not answer is absent
    said: Mapping[int, Leadership] = field(default_factory=dict)


class Pulse:
    """Of all clusters."""

    def __init__(
        self, nodes: Nodes, heard: Callable[[], Mapping[Key, Heard]], wake: Callable[[Key], None]
    ) -> None:
        """``heard``: of every cluster that is known; ``wake``: look at one soon."""
        self._nodes = nodes
        self._heard = heard
        self._wake = wake

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_PAUSE_SECONDS + _PAUSE_SECONDS_EACH * len(self._heard()))
            await self.beat()

    async def beat(self) -> None:
        """Ask every node once; clusters of which one says something else are looked at."""
        async with asyncio.TaskGroup() as group:
            for key, heard in self._heard().items():
                for ordinal in heard.addresses:
                    group.create_task(self._ask(key, heard, ordinal))

    async def _ask(self, key: Key, heard: Heard, ordinal: int) -> None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                status = await self._nodes.status(heard.addresses[ordinal], heard.secret)
            said = Leadership.of(node_fact(ordinal, status))
        except (NodeFailed, TimeoutError, KeyError, TypeError, ValueError):
            return  # no answer or none that can be read is for the next look to tell of
        if said != heard.said.get(ordinal):
            self._wake(key)
