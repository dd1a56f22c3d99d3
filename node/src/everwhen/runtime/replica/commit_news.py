"""News of commits wait a moment for entries that go to the same member.

Under load the next entries follow within a millisecond or two and carry the commit index as well.
A message of its own would wake every follower, and its answer the leader, once more for each
batch; so exchanges are what a replicated commit costs most. A member that waits for the outcome
of its own proposal, or that is answered a read, is told at once; and everybody is of what is no
data: users, schema, membership are looked up on every member without asking the leader.

A message that is held back may be replaced by a later one or never sent: to the core that is a
message that was slow, or lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from everwhen import raft
from everwhen.limits import COMMIT_NEWS_SECONDS


class CommitNews:
    """The newest message without entries for each member. Event loop only."""

    def __init__(self, send: Callable[[raft.Message], None]) -> None:
        self._send = send
        self._held: dict[int, raft.Message] = {}
        #: the index up to which a member waits for commits
        self._awaited: dict[int, int] = {}
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def awaited(self, node: int, index: int) -> None:
        """``node`` waits for what is appended up to ``index`` to be committed."""
        self._awaited[node] = index

    def passes(self, append: raft.Message) -> bool:
        """Whether a message of entries, or of none, is to be sent now. If not it is kept here."""
        to = append.to
        awaited = self._awaited.get(to)
        if append.entries or awaited is not None:
            if awaited is not None and append.commit >= awaited:
                del self._awaited[to]
            self._held.pop(to, None)
            return True
        loop = asyncio.get_running_loop()
        if not self._held:
            self._since = loop.time()
        self._held[to] = append
        if self._timer is None:
            self._timer = loop.call_later(COMMIT_NEWS_SECONDS, self._due)
        return False

    def release(self, node: int) -> None:
        """``node`` needs to know now."""
        held = self._held.pop(node, None)
        if held is not None:
            self._send(held)

    def release_all(self) -> None:
        """Everybody needs to know now."""
        for node in sorted(self._held):
            self.release(node)

    def _due(self) -> None:
        """Send what has waited long enough."""
        self._timer = None
        if not self._held:
            return
        loop = asyncio.get_running_loop()
        left = self._since + COMMIT_NEWS_SECONDS - loop.time()
        if left > 0:
            self._timer = loop.call_later(left, self._due)
            return
        self.release_all()
