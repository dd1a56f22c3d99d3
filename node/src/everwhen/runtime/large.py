"""A large transaction as its session sends it: begun, chunk by chunk, and checked."""

from __future__ import annotations

from collections.abc import Callable

from everwhen import limits
from everwhen.errors import Fault, NoLeader, OutcomeUnknown
from everwhen.txn import commands as c


class Large:
    """See the module. Each entry is waited for before the next one is sent; ``check`` raises when
    the transaction's time is up.

    Whatever became of such an entry, nothing was committed: that takes one more, which the caller
    sends.
    """

    __slots__ = ("_check", "_more", "_propose", "number")

    def __init__(
        self,
        begin: c.BeginChunks,
        propose: Callable[[c.Command], c.Reply],
        check: Callable[[], None],
    ) -> None:
        self._propose = propose
        self._check = check
        #: apply has nodes to look at again
        self._more = False
        begun = self._entry(begin)
        if not isinstance(begun, c.Begun):
            raise Fault(f"BeginChunks was answered with {type(begun).__name__}")
        self.number = begun.transaction

    def send(self, chunk: c.Chunk) -> None:
        """The next chunk."""
        self._take(self._entry(chunk))

    def finish(self, chunks: int) -> None:
        """All chunks are sent: let apply check in bounded steps what they left to be checked.

        :raises DeleteConnectedNode: a deleted node has a relationship.
        """
        while self._more:
            check = c.CheckChunks(c.FORMAT, self.number, chunks, limits.DETACHED_PER_STEP)
            self._take(self._entry(check))

    def _take(self, reply: c.Reply) -> None:
        self._more = isinstance(reply, c.Done) and reply.more
        self._check()

    def _entry(self, command: c.Command) -> c.Reply:
        try:
            return self._propose(command)
        except OutcomeUnknown as unknown:
            raise not_committed() from unknown


def not_committed() -> NoLeader:
    """What an unknown outcome of any entry before the commit is."""
    return NoLeader(
        "no leader answered in time; the transaction was not committed", hint="run it again"
    )
