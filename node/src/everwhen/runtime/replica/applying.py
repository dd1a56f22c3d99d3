"""Applies what is committed, in log order.

Few plain entries are applied where they come, which saves a turn of the event loop; others wait for
a loop of their own, and large ones are applied in a thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from everwhen import raft
from everwhen.limits import (
    APPLY_BATCH_BYTES_MAX,
    APPLY_BATCH_ENTRIES_MAX,
    APPLY_INLINE_BYTES_MAX,
)
from everwhen.ports import Threads
from everwhen.runtime.applied import Applier, Raw, Replies


class Applying:
    """See the module. Event loop only."""

    def __init__(
        self,
        applier: Applier,
        threads: Threads,
        configured: Callable[[raft.Entry], bytes],
        done: Callable[[Sequence[raft.Entry], Replies], None],
        finished: Callable[[raft.Message], None],
    ) -> None:
        """``configured``: puts a membership entry into force, and gives the command for the record.
        ``done``: called with each batch and its replies; ``finished``: with each message that was
        not applied at once."""
        self._applier = applier
        self._threads = threads
        self._configured = configured
        self._done = done
        self._finished = finished
        #: held while entries are applied, and while the record is copied
        self.gate = asyncio.Lock()
        self._waiting: deque[raft.Message] = deque()
        self._wake = asyncio.Event()
        #: a message was taken from ``_waiting`` and is not done
        self._busy = False
        #: what ended the applying of a message outside the loop
        self._failed: Exception | None = None

    def take(self, message: raft.Message) -> bool:
        """Committed entries, the next ones; whether they are applied already."""
        before = self._busy or self._waiting or self.gate.locked() or self._failed is not None
        if before or not _is_short(message.entries):
            self._waiting.append(message)
            self._wake.set()
            return False
        try:
            self._done(message.entries, self._applier.apply_batch(_raw(message.entries)))
        except Exception as error:  # noqa: BLE001 - ``run`` raises it, whoever brought the entries
            self._failed = error
            self._wake.set()
            return False
        return True

    async def run(self) -> None:
        """Apply what waits, until cancelled.

        :raises Fault: apply met what it does not understand, or the disk failed.
        """
        while True:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
            if self._failed is not None:
                raise self._failed
            message = self._waiting.popleft()
            self._busy = True
            async with self.gate:
                await self._apply(message.entries)
            self._busy = False
            self._finished(message)

    async def _apply(self, entries: Sequence[raft.Entry]) -> None:
        """Apply committed entries, membership entries one by one and the others in batches."""
        batch: list[raft.Entry] = []
        size = 0
        for entry in entries:
            if entry.type is not raft.EntryType.NORMAL:
                await self._apply_batch(batch)
                batch, size = [], 0
                await self._apply_batch([entry])
                continue
            if batch and (
                size + len(entry.data) > APPLY_BATCH_BYTES_MAX
                or len(batch) == APPLY_BATCH_ENTRIES_MAX
            ):
                await self._apply_batch(batch)
                batch, size = [], 0
            batch.append(entry)
            size += len(entry.data)
        await self._apply_batch(batch)

    async def _apply_batch(self, batch: list[raft.Entry]) -> None:
        if not batch:
            return
        raw = _raw(batch)
        if batch[0].type is not raft.EntryType.NORMAL:
            raw = [(batch[0].index, batch[0].term, self._configured(batch[0]))]
        if sum(len(payload) for _, _, payload in raw) <= APPLY_INLINE_BYTES_MAX:
            replies = self._applier.apply_batch(raw)
        else:
            replies = await self._threads.run("apply", self._applier.apply_batch, raw)
        self._done(batch, replies)


def _raw(entries: Sequence[raft.Entry]) -> list[Raw]:
    return [(entry.index, entry.term, entry.data) for entry in entries]


def _is_short(entries: Sequence[raft.Entry]) -> bool:
    """Whether applying them is a matter of a few milliseconds, and none changes the membership."""
    if len(entries) > APPLY_BATCH_ENTRIES_MAX:
        return False
    if any(entry.type is not raft.EntryType.NORMAL for entry in entries):
        return False
    return sum([len(entry.data) for entry in entries]) <= APPLY_INLINE_BYTES_MAX
