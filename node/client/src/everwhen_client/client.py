"""The client: statements, transactions, streams and administration over HTTP, asynchronously.

>>> async with AsyncClient("http://127.0.0.1:7474") as client:
...     await client.run("CREATE (:Person {name: $name})", {"name": "Ada"})
...     result = await client.run("MATCH (p:Person) RETURN p.name AS name")
...     result.values("name")
['Ada']

It reads its own writes on any member (bookmarks), and sends what it is not sure about again under
the same request id, so that a retry has one effect.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from everwhen_client import arrow
from everwhen_client.admin import AsyncAdmin
from everwhen_client.changes import AsyncChanges
from everwhen_client.connection import (
    ARROW,
    DEFAULT_URI,
    LINES,
    Connection,
    Members,
    lines,
    split_uri,
)
from everwhen_client.errors import ClientMisuse, ConnectionFailed, EverwhenError, OutcomeUnknown
from everwhen_client.requests import (
    Access,
    At,
    Isolation,
    Options,
    Patience,
    query_path,
    statement_fields,
)
from everwhen_client.result import Result
from everwhen_client.stream import AsyncStream
from everwhen_client.transaction import AsyncTransaction

if TYPE_CHECKING:
    from everwhen_client.arrow import PandasFrame, PolarsFrame, RecordBatch, Table

_P = ParamSpec("_P")
_T = TypeVar("_T")

_NOT_A_LEADER = "Neo.ClientError.Cluster.NotALeader"


class AsyncClient:
    """One database. Cheap to make; connects when first used; close it, or use ``async with``."""

    def __init__(
        self,
        uri: str | Sequence[str] = DEFAULT_URI,
        *,
        auth: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        bookmarks: Iterable[str] = (),
        retry_seconds: float = 30.0,
        user_agent: str = "everwhen-client/0.1",
        cluster_secret: str = "",
    ) -> None:
        """``uri``: an address or several of one cluster; credentials may stand in it.
        ``cluster_secret``: what administrators know; needed to change who belongs to the cluster.

        :raises ClientMisuse: an address that is none.
        """
        given = [uri] if isinstance(uri, str) else list(uri)
        if not given:
            raise ClientMisuse("the client needs an address")
        pairs = [split_uri(item) for item in given]
        credentials = auth or next((found for _, found in pairs if found), None)
        self._connection = Connection(
            auth=credentials, tls=tls, user_agent=user_agent, cluster_secret=cluster_secret
        )
        self.uri = pairs[0][0]
        self._seeds = [base for base, _ in pairs]
        self._members: Members | None = None
        self._retry_seconds = retry_seconds
        self._bookmarks: set[str] = set(bookmarks)
        self._name = secrets.token_hex(12)
        self._sequence = 0
        self.admin = AsyncAdmin(self)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection. Open transactions are rolled back by the server."""
        await self._connection.close()

    # --- bookmarks ---

    @property
    def bookmarks(self) -> frozenset[str]:
        """What this client has seen; pass it to another client that must see it too."""
        return frozenset(self._bookmarks)

    def saw(self, bookmark: str | None) -> None:
        """Remember a bookmark; a newer one of the same history replaces the older."""
        if bookmark is None:
            return
        history, _, version = bookmark.rpartition(":")
        for known in list(self._bookmarks):
            other, _, old = known.rpartition(":")
            if other == history and old.isdigit() and version.isdigit():
                if int(old) >= int(version):
                    return
                self._bookmarks.discard(known)
        self._bookmarks.add(bookmark)

    def next_request_id(self) -> tuple[str, int]:
        """Names one effect; repeated attempts carry the same one."""
        self._sequence += 1
        return self._name, self._sequence

    # --- statements ---

    async def run(
        self,
        statement: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        at: At = None,
        access: Access = "write",
        timeout: float | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Result:
        """One statement in a transaction of its own.

        ``at``: a past time or version. ``access="read"`` may be answered by any member and
        refuses writes. Sent again under the same request id if the connection breaks.
        """
        options = Options(at=at, access=access, timeout=timeout, metadata=metadata or {})
        body = statement_fields(statement, parameters)
        body.update(options.body(self._bookmarks, self.next_request_id()))
        result = Result.of(await self.send(query_path(), body, write=access == "write"))
        self.saw(result.summary.bookmark)
        return result

    async def send(
        self, path: str, body: Mapping[str, Any] | None, *, write: bool, method: str = "POST"
    ) -> dict[str, Any]:
        """A request that may be repeated, until it succeeds or the time is up."""
        loop = asyncio.get_running_loop()
        patience = Patience(self._retry_seconds, loop.time())
        lost: EverwhenError | None = None
        while True:
            base = await self.members.choose(write=write)
            try:
                return await self._connection.request(base, method, path, body)
            except EverwhenError as error:
                if not error.retryable:
                    raise
                if isinstance(error, OutcomeUnknown) or getattr(error, "sent", False):
                    lost = error
                if isinstance(error, ConnectionFailed) or error.code == _NOT_A_LEADER:
                    self.members.failed(base)
                wait = patience.wait(loop.time())
                if wait is None:
                    if lost is not None and write:
                        raise OutcomeUnknown(
                            f"the statement may or may not have been committed: {lost}",
                            code=error.code,
                            retryable=True,
                        ) from error
                    raise
                await asyncio.sleep(wait)

    def changes(
        self,
        start: str | int = "now",
        *,
        labels: Iterable[str] = (),
        types: Iterable[str] = (),
        limit: int = 1_000,
        wait: float = 10.0,
        idle: float | None = None,
    ) -> AsyncChanges:
        """What commits change, from a position on: ``"now"``, 0 for everything that is kept, or
        the ``position`` of a change.

        ``labels``, ``types``: only changes of such nodes and relationships. ``limit``: of one
        request. ``wait``: seconds that the server holds a request open. ``idle``: end after so many
        seconds without a change.
        """

        async def ask(path: str) -> dict[str, Any]:
            return await self.send(path, None, write=False, method="GET")

        return AsyncChanges(ask, start, labels, types, limit=limit, wait=wait, idle=idle)

    @property
    def members(self) -> Members:
        """Where to send what."""
        if self._members is None:
            self._members = Members(self._seeds, self._connection)
        return self._members

    @property
    def connection(self) -> Connection:
        """The pool below."""
        return self._connection

    # --- more rows than fit into memory ---

    @asynccontextmanager
    async def stream(
        self,
        statement: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        at: At = None,
        timeout: float | None = None,
    ) -> AsyncIterator[AsyncStream]:
        """Rows as they come, of a read."""
        base, body = await self._read(statement, parameters, at, timeout)
        async with self._connection.pieces(base, query_path(), body, LINES) as pieces:
            stream = AsyncStream(lines(pieces))
            await stream.begin()
            yield stream
            self.saw(stream.summary.bookmark)

    @asynccontextmanager
    async def arrow_stream(
        self,
        statement: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        at: At = None,
        timeout: float | None = None,
    ) -> AsyncIterator[AsyncIterator[RecordBatch]]:
        """Record batches of Arrow as they come, of a read. Needs pyarrow."""
        base, body = await self._read(statement, parameters, at, timeout)
        async with self._connection.pieces(base, query_path(), body, ARROW) as pieces:
            yield arrow.batches(pieces)

    async def arrow(
        self,
        statement: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        at: At = None,
        timeout: float | None = None,
    ) -> Table:
        """The rows of a read as an Arrow table. Needs pyarrow."""
        base, body = await self._read(statement, parameters, at, timeout)
        async with self._connection.pieces(base, query_path(), body, ARROW) as pieces:
            return await arrow.table(pieces)

    async def pandas(
        self, statement: str, parameters: Mapping[str, Any] | None = None, *, at: At = None
    ) -> PandasFrame:
        """The rows of a read as a data frame. Needs pandas and pyarrow."""
        return arrow.to_pandas(await self.arrow(statement, parameters, at=at))

    async def polars(
        self, statement: str, parameters: Mapping[str, Any] | None = None, *, at: At = None
    ) -> PolarsFrame:
        """The rows of a read as a data frame. Needs polars and pyarrow."""
        return arrow.to_polars(await self.arrow(statement, parameters, at=at))

    async def _read(
        self, statement: str, parameters: Mapping[str, Any] | None, at: At, timeout: float | None
    ) -> tuple[str, dict[str, Any]]:
        options = Options(at=at, access="read", timeout=timeout)
        body = {**statement_fields(statement, parameters), **options.body(self._bookmarks)}
        return await self.members.choose(write=False), body

    # --- transactions ---

    async def begin(
        self,
        *,
        at: At = None,
        access: Access = "write",
        isolation: Isolation = "snapshot",
        timeout: float | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> AsyncTransaction:
        """A transaction to be ended by hand; ``transaction`` does it by itself."""
        options = Options(at, access, isolation, timeout, metadata or {})
        return await AsyncTransaction.begin(self, options, self.next_request_id())

    @asynccontextmanager
    async def transaction(
        self,
        *,
        at: At = None,
        access: Access = "write",
        isolation: Isolation = "snapshot",
        timeout: float | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[AsyncTransaction]:
        """Several statements: committed at the end of the block, rolled back if it raises."""
        options = Options(at, access, isolation, timeout, metadata or {})
        async with self._transaction(options, self.next_request_id()) as transaction:
            yield transaction

    @asynccontextmanager
    async def _transaction(
        self, options: Options, request_id: tuple[str, int]
    ) -> AsyncIterator[AsyncTransaction]:
        transaction = await AsyncTransaction.begin(self, options, request_id)
        try:
            yield transaction
        except BaseException:
            await transaction.give_up()
            raise
        if transaction.open:
            await transaction.commit()

    async def execute_write(
        self,
        work: Callable[Concatenate[AsyncTransaction, _P], Awaitable[_T]],
        *arguments: _P.args,
        **keywords: _P.kwargs,
    ) -> _T:
        """Run ``work(transaction, …)`` and commit; again after a conflict or a lost connection.
        Only what it does in the database happens once: ``work`` itself may be called often."""
        return await self._managed(Options(), work, *arguments, **keywords)

    async def execute_read(
        self,
        work: Callable[Concatenate[AsyncTransaction, _P], Awaitable[_T]],
        *arguments: _P.args,
        **keywords: _P.kwargs,
    ) -> _T:
        """Run ``work(transaction, …)`` for reading."""
        return await self._managed(Options(access="read"), work, *arguments, **keywords)

    async def _managed(
        self,
        options: Options,
        work: Callable[Concatenate[AsyncTransaction, _P], Awaitable[_T]],
        *arguments: _P.args,
        **keywords: _P.kwargs,
    ) -> _T:
        loop = asyncio.get_running_loop()
        patience = Patience(self._retry_seconds, loop.time())
        request_id = self.next_request_id()
        while True:
            try:
                async with self._transaction(options, request_id) as transaction:
                    return await work(transaction, *arguments, **keywords)
            except EverwhenError as error:
                wait = patience.wait(loop.time()) if error.retryable else None
                if wait is None:
                    raise
            await asyncio.sleep(wait)
