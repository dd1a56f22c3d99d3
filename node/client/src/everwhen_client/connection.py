"""HTTP to one or more servers: addresses, credentials, the shape of answers. Knows no statements.

``aiohttp`` is imported when the first connection is made, so that importing this package is cheap.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import msgspec

from everwhen_client.errors import (
    ClientMisuse,
    ConnectionFailed,
    EverwhenError,
    ProtocolError,
    error_from,
)

if TYPE_CHECKING:
    import aiohttp

TYPED: Final = "application/vnd.neo4j.query"
JSON: Final = "application/json"
ARROW: Final = "application/vnd.apache.arrow.stream"
LINES: Final = "application/vnd.neo4j.query.v1.0+jsonl"
DEFAULT_URI: Final = "http://127.0.0.1:7474"
#: members that have no state to read, or are on their way in or out
_NO_READERS: Final = ("joining", "outside")
#: longest line of a streamed answer: one row
_LINE_BYTES_MAX: Final = 256 << 20


def split_uri(uri: str) -> tuple[str, tuple[str, str] | None]:
    """Base address and the credentials in it, if any.

    :raises ClientMisuse: no http or https address.
    """
    parts = urlsplit(uri if "://" in uri else f"http://{uri}")
    try:
        port = parts.port or 7474
    except ValueError as error:
        raise ClientMisuse(f"the port of {uri!r} is no number up to 65535") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ClientMisuse(f"the address must be http://HOST:PORT or https://, got {uri!r}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    credentials = None
    if parts.username is not None:
        credentials = (unquote(parts.username), unquote(parts.password or ""))
    return f"{parts.scheme}://{host}:{port}", credentials


class Connection:
    """A pool of keep-alive connections; any number of requests at once."""

    def __init__(
        self,
        *,
        auth: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        connections_max: int = 100,
        connect_seconds: float = 10.0,
        silence_seconds: float = 660.0,
        user_agent: str = "everwhen-client/0.1",
        cluster_secret: str = "",
    ) -> None:
        self._auth = auth
        self._tls = tls
        self._connections_max = connections_max
        self._connect_seconds = connect_seconds
        self._silence_seconds = silence_seconds
        self._user_agent = user_agent
        self._cluster_secret = cluster_secret
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise ClientMisuse("the client is closed")
        if self._session is None:
            import aiohttp

            headers = {"User-Agent": self._user_agent}
            if self._cluster_secret:
                headers["X-Everwhen-Secret"] = self._cluster_secret
            if self._auth is not None:
                headers["Authorization"] = aiohttp.encode_basic_auth(*self._auth)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._connections_max, ssl=True if self._tls is None else self._tls
                ),
                timeout=aiohttp.ClientTimeout(
                    total=None,
                    sock_connect=self._connect_seconds,
                    sock_read=self._silence_seconds,
                ),
                headers=headers,
                read_bufsize=1 << 20,
            )
        return self._session

    async def close(self) -> None:
        """Close every connection."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def request(
        self,
        base: str,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        media: str = TYPED,
    ) -> dict[str, Any]:
        """One request; the JSON object of its answer.

        :raises ConnectionFailed: no whole answer came.
        :raises EverwhenError: the answer is an error.
        """
        async with self.answer(base, method, path, body, media=media, accept=media) as answer:
            content = await answer.read()
        return decoded(answer.status, content)

    @asynccontextmanager
    async def answer(
        self,
        base: str,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        media: str = TYPED,
        accept: str = TYPED,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request; its answer as it comes."""
        session = self._open()
        import aiohttp

        data = None if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": media, "Accept": accept}
        try:
            async with session.request(method, base + path, data=data, headers=headers) as answer:
                yield answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            said = str(error) or type(error).__name__
            sent = not isinstance(error, aiohttp.ClientConnectorError)
            raise ConnectionFailed(f"{base}: {said}", sent=sent) from error

    @asynccontextmanager
    async def pieces(
        self, base: str, path: str, body: Mapping[str, Any], accept: str
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The bytes of an answer in the form that was asked for.

        :raises EverwhenError: it is an error instead.
        """
        async with self.answer(base, "POST", path, body, accept=accept) as answer:
            if answer.status >= 300 or answer.content_type != accept:
                decoded(answer.status, await answer.read())
                raise ProtocolError(
                    f"{base}: the answer has type {answer.content_type}, not {accept}"
                )
            yield answer.content.iter_any()


def decoded(status: int, content: bytes) -> dict[str, Any]:
    """The JSON object of an answer.

    :raises EverwhenError: it holds errors.
    :raises ProtocolError: it is none.
    """
    try:
        answer = msgspec.json.decode(content) if content else {}
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"status {status}, and no JSON: {content[:200]!r}") from error
    if not isinstance(answer, dict):
        raise ProtocolError(f"status {status}, and no JSON object: {content[:200]!r}")
    errors = answer.get("errors")
    if errors:
        raise error_from(errors[0], status)
    if status >= 400:
        raise ProtocolError(f"status {status} without an error: {content[:200]!r}")
    return answer


async def lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[list[Any]]:
    """The JSON values of a stream of lines, as many at a time as came.

    :raises ProtocolError: a line is too long or no JSON.
    """
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        if len(rest) > _LINE_BYTES_MAX:
            raise ProtocolError(f"a row has more than {_LINE_BYTES_MAX:,} bytes")
        if whole:
            try:
                yield [msgspec.json.decode(line) for line in whole if line]
            except msgspec.DecodeError as error:
                raise ProtocolError(f"a line of the answer is no JSON: {error}") from error
    if rest.strip():
        raise ConnectionFailed("the answer ends in the middle of a row")


class Members:
    """Where to send what: the addresses given, and what the cluster says of itself.

    Writes go to the leader, reads go around the members. An address that the cluster advertises
    and this machine cannot reach is left alone for a while; the given ones always work, since any
    member passes a write on.
    """

    _REFRESH_SECONDS: Final = 10.0
    _LEFT_ALONE_SECONDS: Final = 30.0

    def __init__(self, seeds: Sequence[str], connection: Connection) -> None:
        self.seeds = list(seeds)
        self._connection = connection
        self._leader: str | None = None
        self._readers: list[str] = []
        self._learned_at = float("-inf")
        self._bad: dict[str, float] = {}
        self._turn = 0
        self._learning = asyncio.Lock()

    async def choose(self, *, write: bool) -> str:
        """The base address for the next request."""
        now = asyncio.get_running_loop().time()
        if now - self._learned_at > self._REFRESH_SECONDS and not self._learning.locked():
            async with self._learning:
                await self._learn(now)
        usable = [base for base in self._readers if self._bad.get(base, 0.0) <= now]
        if write and self._leader in usable:
            return self._leader
        self._turn += 1
        if usable and not write:
            return usable[self._turn % len(usable)]
        good = [base for base in self.seeds if self._bad.get(base, 0.0) <= now]
        return (good or self.seeds)[self._turn % len(good or self.seeds)]

    def failed(self, base: str) -> None:
        """It could not be reached, or does not lead: ask again who is who."""
        now = asyncio.get_running_loop().time()
        self._learned_at = float("-inf")
        if len(self.seeds) + len(self._readers) > 1:
            self._bad[base] = now + self._LEFT_ALONE_SECONDS

    async def _learn(self, now: float) -> None:
        """Ask the addresses in turn for the members; without an answer nothing changes."""
        self._learned_at = now
        for base in self.seeds:
            if self._bad.get(base, 0.0) > now:
                continue
            try:
                async with asyncio.timeout(5.0):
                    status = await self._connection.request(base, "GET", "/v1/status", media=JSON)
            except (EverwhenError, TimeoutError):
                continue
            self._understand(base, status)
            return

    def _understand(self, base: str, status: Mapping[str, Any]) -> None:
        """A group of one has nothing to choose from."""
        scheme = base.partition("://")[0]
        members = status.get("members") or []
        if len(members) < 2:
            self._leader, self._readers = None, []
            return
        leader = (status.get("leader") or {}).get("http")
        self._leader = _base(scheme, leader)
        self._readers = [
            found
            for member in members
            if member.get("healthy") is not False and member.get("role") not in _NO_READERS
            if (found := _base(scheme, (member.get("addresses") or {}).get("http")))
        ]


def _base(scheme: str, address: Any) -> str | None:
    """None for an address that says only where a server listens, not where it is."""
    if not isinstance(address, str) or not address:
        return None
    address = address.rpartition("://")[2].rstrip("/")
    host = address.rpartition(":")[0]
    if host in ("", "0.0.0.0", "[::]", "::"):  # noqa: S104 - compared with, not bound to
        return None
    return f"{scheme}://{address}"
