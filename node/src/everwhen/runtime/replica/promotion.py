"""A node that asked to be admitted asks for its vote too, as soon as it keeps up.

A note in the data directory says so until it votes: a learner that was killed before asks again. One
that an operator admitted has no such note and waits to be told, and so does one whose vote was taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from everwhen.codec.cluster import Configuration
from everwhen.errors import EverwhenError
from everwhen.ports import Disk, Threads
from everwhen.storage.identity import asks_for_vote, forget_to_ask

#: between two looks at whether it is a learner, and between attempts after one that failed
_LOOK_SECONDS: Final = 0.1
_AGAIN_SECONDS: Final = 1.0

Report = Callable[[str, dict[str, object]], None]


class Promotion:
    """Of one node. Made before the loop runs; event loop only from then on."""

    def __init__(self, disk: Disk, root: Path, threads: Threads, node_id: int) -> None:
        self._disk = disk
        self._root = root
        self._threads = threads
        self._node_id = node_id
        self._asks = asks_for_vote(disk, root)

    async def run(
        self,
        configuration: Callable[[], Configuration],
        promote: Callable[[], Awaitable[object]],
        report: Report,
    ) -> None:
        """Ask until this node votes; nothing if it is not to ask.

        :raises DiskFailed: the note could not be removed.
        """
        if not self._asks:
            return
        pause = _LOOK_SECONDS
        while self._node_id not in configuration().voters:
            await asyncio.sleep(pause)
            if self._node_id not in configuration().learners:
                continue
            try:
                await promote()
            except EverwhenError as error:
                report("not_promoted_yet", {"message": str(error)})
                pause = _AGAIN_SECONDS
        await self._threads.run("background", forget_to_ask, self._disk, self._root)
