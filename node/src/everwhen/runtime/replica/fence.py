"""Taking a node out of service without taking it out of the group.

A fenced node answers nobody and never leads. Its log is the group's log all the same, so it goes on
voting for others and acknowledging entries: fencing one of three does not make the other two lose
their majority. The mark is on disk, so that a restart does not bring the node back unseen.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from everwhen.errors import MembershipRefused, NodeFenced
from everwhen.limits import FENCE_REASON_CHARS_MAX
from everwhen.ports import Disk, Threads
from everwhen.runtime.replica.replica import Replica
from everwhen.storage.fence_file import (
    BY_DIVERGENCE,
    BY_OPERATOR,
    Fenced,
    read_fence,
    remove_fence,
    write_fence,
)


class Fence:
    """Of one node. Made before the loop runs; event loop only from then on."""

    def __init__(self, disk: Disk, root: Path, threads: Threads, replica: Replica) -> None:
        self._disk = disk
        self._root = root
        self._threads = threads
        self._changing = asyncio.Lock()
        self._replica = replica
        self.state: Fenced | None = read_fence(disk, root)
        replica.core.bar(barred=self.state is not None)

    def check(self) -> None:
        """:raises NodeFenced: this node must not answer."""
        if self.state is not None:
            raise NodeFenced(
                f"this node is out of service: {self.state.reason}",
                hint="ask another member of the cluster",
            )

    async def put_up(self, reason: str, by: str = BY_OPERATOR) -> None:
        """Out of service from now on; durable on return. What a node found out about itself is not
        overwritten by what an operator says."""
        async with self._changing:
            if self.state is not None and self.state.by == BY_DIVERGENCE:
                return
            self.state = Fenced(by, reason[:FENCE_REASON_CHARS_MAX])
            self.enforce()
            await self._threads.run("background", write_fence, self._disk, self._root, self.state)

    async def lift(self) -> None:
        """Back in service.

        :raises MembershipRefused: what this node computed differs from the others.
        """
        async with self._changing:
            if self.state is not None and self.state.by == BY_DIVERGENCE:
                raise MembershipRefused(
                    f"this node was fenced because {self.state.reason}",
                    hint="remove it from the cluster and let it join anew with an empty disk",
                )
            await self._threads.run("background", remove_fence, self._disk, self._root)
            self.state = None
            self.enforce()

    def enforce(self) -> None:
        """Bar the replica from leading, or let it lead again."""
        self._replica.core.bar(barred=self.state is not None)
        self._replica.pump_soon()
