"""The network between members: every connection goes through here and can be cut, one way or both.

Each member advertises a port of this proxy. The headers of a connection say who dials whom; bytes
from one node to another are held while that direction is cut, as if packets were lost: nobody is
told. Healing lets held bytes go on, or breaks the connections they were on. One thread, no root.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future
from typing import Final, TypeVar

_PIECE: Final = 64 << 10
_ADDRESS: Final = b"x-everwhen-from-address:"

Link = tuple[str, str]
_T = TypeVar("_T")


class Network:
    """Ports in front of members, and which directions are cut."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._names: dict[int, str] = {}
        self._cut: frozenset[Link] = frozenset()
        self._moved = asyncio.Event()
        self._open: dict[asyncio.StreamWriter, Link] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def in_front_of(self, name: str, port: int) -> int:
        """A port whose connections go on to ``port`` of node ``name``."""

        async def start() -> int:
            server = await asyncio.start_server(
                lambda reader, writer: self._serve(name, port, reader, writer), "127.0.0.1", 0
            )
            found: int = server.sockets[0].getsockname()[1]
            self._names[found] = name
            return found

        return self._run(start())

    def cut(self, links: Iterable[Link]) -> None:
        """Hold everything that goes from the first to the second of each pair."""

        async def change() -> None:
            self._cut = self._cut | frozenset(links)
            self._tell()

        self._run(change())

    def heal(self, *, breaking: bool = False) -> None:
        """Everything flows again; ``breaking``: what was held is lost with its connection."""

        async def change() -> None:
            if breaking:
                for writer, (one, other) in list(self._open.items()):
                    if (one, other) in self._cut or (other, one) in self._cut:
                        writer.transport.abort()
            self._cut = frozenset()
            self._tell()

        self._run(change())

    def close(self) -> None:
        """End the thread."""

        async def stop() -> None:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        self._run(stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, work: Coroutine[None, None, _T]) -> _T:
        future: Future[_T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(30)

    def _tell(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    # --- connections ---

    async def _serve(
        self, target: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            dialler = self._dialler(head)
            await self._passable((dialler, target))
            onward_reader, onward = await asyncio.open_connection("127.0.0.1", port)
            onward.write(head)
            self._open[writer] = self._open[onward] = (dialler, target)
            try:
                async with asyncio.TaskGroup() as group:
                    there = group.create_task(self._pump(reader, onward, (dialler, target)))
                    back = group.create_task(self._pump(onward_reader, writer, (target, dialler)))
                    await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
                    there.cancel()
                    back.cancel()
            finally:
                for each in (writer, onward):
                    self._open.pop(each, None)
                    each.close()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            # the other side is down: so is this connection
            writer.close()
        finally:
            self._tasks.discard(task)

    def _dialler(self, head: bytes) -> str:
        for line in head.split(b"\r\n"):
            if line.lower().startswith(_ADDRESS):
                port = int(line.rpartition(b":")[2])
                return self._names.get(port, "?")
        return "?"

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: Link
    ) -> None:
        try:
            while piece := await reader.read(_PIECE):
                await self._passable(link)
                writer.write(piece)
                await writer.drain()
            # an end is a packet too
            await self._passable(link)
        except OSError:
            return

    async def _passable(self, link: Link) -> None:
        while link in self._cut:
            await self._moved.wait()
