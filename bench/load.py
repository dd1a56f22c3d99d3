"""A load generator on raw sockets: N keep-alive connections, one request under way on each.

It does as little as etcdbench does: the request is bytes with a value put in, of the answer the
head is looked at for status and length. Its CPU share is measured and printed with each figure.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, Final

from bench.common import cpu_seconds

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)

Body = Callable[[int, int], Mapping[str, Any] | bytes]
"""Client number and request number to the JSON body, or to the bytes of a request made before."""


@dataclass
class Load:
    """What a measurement saw."""

    latencies_ms: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cpu_share: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.latencies_ms) / self.seconds if self.seconds else 0.0


class Client(asyncio.Protocol):
    """One connection: sends the next request when the answer to the last one is whole."""

    def __init__(
        self, number: int, body: Body, load: Load, clock: tuple[float, float], count: int | None
    ) -> None:
        self.number = number
        self.body = body
        self.load = load
        self.warm, self.end = clock
        self.count = count
        self.sent = 0
        self.started = 0.0
        self.buffer = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.next()

    def next(self) -> None:
        """Send one request, or end."""
        assert self.transport is not None
        self.started = time.perf_counter()
        if self.sent == self.count or (self.count is None and self.started >= self.end):
            self.transport.close()
            if not self.done.done():
                self.done.set_result(None)
            return
        body = self.body(self.number, self.sent)
        self.transport.write(body if isinstance(body, bytes) else request(body))
        self.sent += 1

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head = self.buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        found = _LENGTH.search(self.buffer, 0, head)
        if found is None:
            if not self.buffer.endswith(b"0\r\n\r\n"):  # chunked: wait for the last chunk
                return
        elif len(self.buffer) < head + 4 + int(found.group(1)):
            return
        answer, self.buffer = self.buffer, b""
        if answer[9:10] != b"2" or b'"errors"' in answer[head:]:
            self.load.errors.append(answer[head + 4 : head + 400].decode("utf-8", "replace"))
        elif self.started >= self.warm:
            self.load.latencies_ms.append((time.perf_counter() - self.started) * 1e3)
        self.next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.load.errors.append(f"connection lost: {error}")
            self.done.set_result(None)


def request(body: Mapping[str, Any]) -> bytes:
    """A Query API request as bytes."""
    content = json.dumps(body, separators=(",", ":")).encode()
    return (
        b"POST /db/neo4j/query/v2 HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nAccept: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(content), content)
    )


def run(
    port: int | Sequence[int], clients: int, seconds: float, body: Body, count: int | None = None
) -> Load:
    """Drive ``clients`` connections for ``seconds`` after one second of warm-up, or for
    ``count`` requests each. They are spread over the ports."""
    ports = [port] if isinstance(port, int) else port
    return asyncio.run(_run(ports, clients, seconds, body, count))


async def _run(
    ports: Sequence[int], clients: int, seconds: float, body: Body, count: int | None
) -> Load:
    load = Load()
    loop = asyncio.get_running_loop()
    cpu, started = cpu_seconds(), time.perf_counter()
    warm = started if count is not None else started + 1.0
    clock = (warm, warm + seconds)
    protocols = [
        (await loop.create_connection(_maker(i, body, load, clock, count), "127.0.0.1", port))[1]
        for i, port in zip(range(clients), cycle(ports), strict=False)
    ]
    await asyncio.gather(*(protocol.done for protocol in protocols))
    elapsed = time.perf_counter() - started
    load.seconds = seconds if count is None else elapsed
    load.cpu_share = (cpu_seconds() - cpu) / elapsed
    return load


def _maker(
    number: int, body: Body, load: Load, clock: tuple[float, float], count: int | None
) -> Callable[[], Client]:
    return lambda: Client(number, body, load, clock, count)
