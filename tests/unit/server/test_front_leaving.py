"""A connection that a stopping node ends says so in its last answer."""

from __future__ import annotations

import asyncio
from typing import cast

from everwhen.server.http.front import Front, FrontSite, Out
from everwhen.server.http.heads import Head

_REQUEST = (
    b"POST /db/neo4j/query/v2 HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: application/json\r\nAccept: application/json\r\n"
    b"Content-Length: 2\r\n\r\n{}"
)
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
_LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"


class _Site:
    """What a connection asks of where it came in."""

    body_max = 1_000
    leaving = False

    def __init__(self) -> None:
        self.fronts: set[Front] = set()
        self.go_on = asyncio.Event()
        #: two answers were written
        self.answered = asyncio.Event()
        self._answers = 0

    def room(self) -> bool:
        return True

    def left(self, front: Front) -> None:
        self.fronts.discard(front)

    async def answer(self, head: Head, body: bytes, out: Out) -> None:
        await self.go_on.wait()
        out.write(_ANSWER[:20])
        out.write(_ANSWER[20:])
        self._answers += 1
        if self._answers == 2:
            self.answered.set()


class _Socket(asyncio.Transport):
    """What was written, and whether it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed.set()

    def resume_reading(self) -> None:
        """Nothing holds it back."""


def _connected() -> tuple[_Site, Front, _Socket]:
    site, socket = _Site(), _Socket()
    front = Front(cast("FrontSite", site))
    front.connection_made(socket)
    return site, front, socket


async def _last() -> None:
    site, front, socket = _connected()
    front.data_received(_REQUEST)
    front.leave()
    site.go_on.set()
    async with asyncio.timeout(30):
        await socket.closed.wait()
    assert socket.written == _LAST
    front.connection_lost(None)
    assert not site.fronts


async def _idle() -> None:
    site, front, socket = _connected()
    site.go_on.set()
    front.leave()
    assert not socket.closed.is_set()
    front.data_received(_REQUEST + _REQUEST)
    async with asyncio.timeout(30):
        await socket.closed.wait()
    assert socket.written == _LAST
    front.connection_lost(None)


async def _usual() -> None:
    site, front, socket = _connected()
    front.data_received(_REQUEST + _REQUEST)
    site.go_on.set()
    async with asyncio.timeout(30):
        await site.answered.wait()
    assert socket.written == 2 * _ANSWER
    assert not socket.closed.is_set()
    front.connection_lost(None)


def test_the_answer_under_way_is_the_last_and_says_so() -> None:
    asyncio.run(_last())


def test_an_idle_connection_may_ask_once_more() -> None:
    asyncio.run(_idle())


def test_without_leaving_an_answer_is_as_it_was_written() -> None:
    asyncio.run(_usual())
