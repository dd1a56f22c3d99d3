"""Bulk loads: columns of thousands of elements, as Arrow streams, in one transaction.

``begin`` opens a load, its parts are sent, ``commit`` publishes all of it at one version; nothing
is visible before, and a load that fails leaves nothing. Parts may be sent side by side; the nodes
that relationships end at must have been answered before.

>>> async with BulkClient("http://127.0.0.1:7474") as client:
...     load = await client.begin()
...     first = await load.nodes(["Person"], stream)
...     await load.commit()
"""

from __future__ import annotations

import io
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import aiohttp
import msgspec

Entity = Literal["node", "relationship"]

ARROW: Final = "application/vnd.apache.arrow.stream"
#: seconds without a byte after which a request counts as lost
_SILENCE_SECONDS: Final = 600.0


class BulkError(Exception):
    """The server refused a request, or could not be reached."""

    def __init__(self, message: str, code: str = "", *, retryable: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Committed:
    """A commit: its version and time, and whether an earlier attempt had done it already."""

    version: int
    time: str
    bookmark: str
    repeated: bool = False
    counts: Mapping[str, int] | None = None


class BulkClient:
    """One server; a few connections."""

    def __init__(
        self,
        uri: str,
        auth: tuple[str, str] | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        at_once: int = 4,
    ) -> None:
        parts = urlsplit(uri)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BulkError(f"the address must be http://HOST:PORT, got {uri!r}")
        self._base = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._auth = None if auth is None else aiohttp.encode_basic_auth(*auth)
        self._tls = tls
        self._at_once = at_once
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> BulkClient:
        headers = {"User-Agent": "everwhen-client"}
        if self._auth is not None:
            headers["Authorization"] = self._auth
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._at_once, ssl=True if self._tls is None else self._tls
            ),
            timeout=aiohttp.ClientTimeout(sock_connect=10, sock_read=_SILENCE_SECONDS),
            headers=headers,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise BulkError("the client is not open; use it with `async with`")
        return self._session

    async def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        content_type: str = "application/json",
        query: Sequence[tuple[str, str]] = (),
    ) -> dict[str, Any]:
        """One request; the JSON object it is answered with.

        :raises BulkError: an error was answered, or nothing.
        """
        try:
            async with self._open().request(
                method,
                self._base + path,
                data=None if body is None else io.BytesIO(body),
                params=list(query),
                headers={"Content-Type": content_type, "Accept": "application/json"},
            ) as answer:
                content = await answer.read()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            said = str(error) or type(error).__name__
            raise BulkError(f"{self._base}: {said}", retryable=True) from error
        return _decoded(status, content)

    async def begin(
        self,
        *,
        commit_time: str | None = None,
        request_id: tuple[str, int] | None = None,
        metadata: Mapping[str, str] | None = None,
        at_version: int | None = None,
    ) -> Load:
        """A new load. With a request id that was committed before, its outcome is in
        ``committed`` and nothing needs to be sent. ``at_version``: the version that changes and
        deletes were made against; what was changed since makes the load fail."""
        wanted: dict[str, Any] = {}
        if at_version is not None:
            wanted["atVersion"] = at_version
        if commit_time is not None:
            wanted["commitTime"] = commit_time
        if request_id is not None:
            wanted["requestId"] = {"client": request_id[0], "sequence": request_id[1]}
        if metadata:
            wanted["txMetadata"] = dict(metadata)
        answer = await self.request("POST", "/v1/bulk", msgspec.json.encode(wanted))
        known = answer.get("committed")
        return Load(self, answer.get("bulk", ""), None if known is None else _committed(known, {}))

    async def version(self) -> int:
        """The newest version of the database."""
        answer = await self.request("GET", "/v1/status")
        return int(answer["appliedVersion"])

    async def run(
        self, statement: str, parameters: Mapping[str, Any] | None = None
    ) -> list[list[Any]]:
        """The rows of a small statement in a transaction of its own."""
        body = msgspec.json.encode({"statement": statement, "parameters": dict(parameters or {})})
        answer = await self.request("POST", "/db/neo4j/query/v2", body)
        rows: list[list[Any]] = answer["data"]["values"]
        return rows

    async def stream(
        self,
        statement: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        at: str | int | None = None,
    ) -> AsyncIterator[bytes]:
        """The Arrow stream of a read, piece by piece; at a past time (text) or version if ``at``
        says one."""
        wanted: dict[str, Any] = {"statement": statement, "parameters": dict(parameters or {})}
        if at is not None:
            wanted["atVersion" if isinstance(at, int) else "atTime"] = at
        try:
            async with self._open().post(
                f"{self._base}/db/neo4j/query/v2",
                data=msgspec.json.encode(wanted),
                headers={"Content-Type": "application/json", "Accept": ARROW},
            ) as answer:
                if answer.content_type != ARROW:
                    _decoded(answer.status, await answer.read())
                    raise BulkError(f"the answer has type {answer.content_type}, not Arrow")
                async for piece in answer.content.iter_chunked(1 << 20):
                    yield piece
        except (aiohttp.ClientError, TimeoutError) as error:
            said = str(error) or type(error).__name__
            raise BulkError(f"{self._base}: {said}", retryable=True) from error


def _decoded(status: int, content: bytes) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise BulkError(f"status {status}, and no JSON: {content[:200]!r}") from error
    if not isinstance(answer, dict):
        raise BulkError(f"status {status}, and no JSON object: {content[:200]!r}")
    if errors := answer.get("errors"):
        first = errors[0]
        message = str(first.get("message", ""))
        code = str(first.get("code", ""))
        raise BulkError(message, code, retryable=bool(first.get("retryable")))
    return answer


def _committed(said: Mapping[str, Any], counts: Mapping[str, int]) -> Committed:
    return Committed(said["version"], said["time"], said["bookmarks"][0], said["repeated"], counts)


class Load:
    """An open load; ``committed`` is set once it has been published."""

    def __init__(self, client: BulkClient, token: str, committed: Committed | None) -> None:
        self._client = client
        self._path = f"/v1/bulk/{token}"
        self.committed = committed

    async def _part(
        self, what: str, stream: bytes, query: Sequence[tuple[str, str]]
    ) -> dict[str, Any]:
        path = f"{self._path}/{what}"
        return await self._client.request("POST", path, stream, content_type=ARROW, query=query)

    async def nodes(self, labels: Sequence[str], stream: bytes) -> int:
        """Fresh nodes; the first of their consecutive ids."""
        answer = await self._part("nodes", stream, [("label", label) for label in labels])
        return int(answer["firstId"])

    async def relationships(self, type_: str, stream: bytes) -> int:
        """Fresh relationships, columns ``:start`` and ``:end``; the first of their ids. Rows are
        numbered in ascending order of (start, end)."""
        answer = await self._part("relationships", stream, [("type", type_)])
        return int(answer["firstId"])

    async def change(self, entity: Entity, stream: bytes) -> None:
        """Set properties of the elements in column ``:id``; null removes one."""
        await self._part("changes", stream, [("entity", entity)])

    async def delete(self, entity: Entity, stream: bytes) -> None:
        """Delete the elements in column ``:id``."""
        await self._part("deletes", stream, [("entity", entity)])

    async def commit(self) -> Committed:
        """Publish everything at one version."""
        answer = await self._client.request("POST", f"{self._path}/commit")
        self.committed = _committed(answer["committed"], answer["counts"])
        return self.committed

    async def abort(self) -> None:
        """Forget everything."""
        await self._client.request("DELETE", self._path)
