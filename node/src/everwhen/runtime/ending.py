"""What consensus is owed when a transaction has ended on its node: its locks, its chunks."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from everwhen.errors import TransientError
from everwhen.runtime.consensus import Consensus
from everwhen.txn import commands as c


@dataclass(frozen=True, slots=True)
class Owed:
    """Both are numbers of transactions, 0: none."""

    #: whose locks are to be released
    locks: int
    #: the large one whose chunks nobody will commit
    chunks: int


async def release(consensus: Consensus, owed: Owed) -> None:
    """Tell it. Where nobody hears of chunks, the leader forgets them because nothing comes any more
    (``runtime.background``); locks go with the connection of their node."""
    try:
        if owed.chunks:
            abort = c.AbortChunks(c.FORMAT, owed.chunks, "rolled back")
            with suppress(TransientError):
                await consensus.propose(c.encode(abort))
    finally:
        if owed.locks:
            await consensus.unlock(owed.locks)
