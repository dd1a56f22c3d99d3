"""One port in front of several nodes: every connection goes to one of them by chance, as behind a
balancer of a data centre that knows nothing of leaders."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Sequence
from typing import Final

_PIECE: Final = 64 << 10


class Balancer:
    """Runs in a thread of its own until closed; ``port`` takes connections."""

    def __init__(self, targets: Sequence[int], seed: int = 1) -> None:
        self._targets = list(targets)
        self._chance = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(30)

    async def _start(self) -> int:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            target = self._chance.choice(self._targets)
            answers, onward = await asyncio.open_connection("127.0.0.1", target)
            try:
                there = asyncio.create_task(_pump(reader, onward))
                back = asyncio.create_task(_pump(answers, writer))
                await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
                # whoever closed first has said all it wanted to say
                for each in (there, back):
                    each.cancel()
                await asyncio.gather(there, back, return_exceptions=True)
            finally:
                onward.close()
        except OSError:
            # nobody there: this connection ends like any to a node that is down
            return
        finally:
            writer.close()
            self._tasks.discard(task)

    def close(self) -> None:
        """Ends every connection."""

        async def stop() -> None:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
    except OSError:
        return
