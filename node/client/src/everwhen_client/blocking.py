"""The synchronous face: the asynchronous client on a loop of its own, in a thread of its own.

>>> with Client() as client:
...     with client.transaction() as tx:
...         tx.run("CREATE (:Person {name: 'Ada'})")

May be used from several threads, and where a loop runs already (notebooks).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from everwhen_client.changes import AsyncChanges, Change
from everwhen_client.client import AsyncClient
from everwhen_client.connection import DEFAULT_URI
from everwhen_client.requests import Access, At, Isolation
from everwhen_client.result import Record, Result, Summary
from everwhen_client.stream import AsyncStream
from everwhen_client.transaction import AsyncTransaction

if TYPE_CHECKING:
    import ssl

    from everwhen_client.arrow import PandasFrame, PolarsFrame, RecordBatch, Table

_P = ParamSpec("_P")
_T = TypeVar("_T")


class _Portal:
    """A loop in a thread; started when first called."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def call(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run it there and wait; an interrupt of the waiting thread cancels it."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_serve, args=(self._loop,), name="everwhen-client", daemon=True
                )
                self._thread.start()
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """End the thread, and give back what its loop holds."""
        with self._lock:
            loop, self._loop = self._loop, None
            thread, self._thread = self._thread, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run until stopped; what is left half-read is closed with it."""
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


class Transaction:
    """Statements between begin and commit or rollback; any failure ends it."""

    def __init__(self, portal: _Portal, inner: AsyncTransaction) -> None:
        self._portal = portal
        self._inner = inner

    @property
    def open(self) -> bool:
        """Whether more can be run in it."""
        return self._inner.open

    def run(self, statement: str, parameters: Mapping[str, Any] | None = None) -> Result:
        """One statement inside."""
        return self._portal.call(self._inner.run(statement, parameters))

    def commit(self) -> str:
        """Commit; the bookmark."""
        return self._portal.call(self._inner.commit())

    def rollback(self) -> None:
        """Forget everything it did."""
        self._portal.call(self._inner.rollback())


class Stream:
    """Rows of one statement as they come, once."""

    def __init__(self, portal: _Portal, inner: AsyncStream) -> None:
        self._portal = portal
        self._inner = inner
        self.columns = inner.columns

    @property
    def summary(self) -> Summary:
        """What follows the rows."""
        return self._inner.summary

    def __iter__(self) -> Iterator[Record]:
        batches = self._inner.batches()

        async def following() -> list[Record] | None:
            return await anext(batches, None)

        while (rows := self._portal.call(following())) is not None:
            yield from rows


class Changes:
    """What commits change, as they come: see ``AsyncChanges``."""

    def __init__(self, portal: _Portal, inner: AsyncChanges) -> None:
        self._portal = portal
        self._inner = inner

    @property
    def position(self) -> str:
        """How far it came; go on from here, on any member."""
        return self._inner.position

    def __iter__(self) -> Iterator[Change]:
        found = aiter(self._inner)

        async def following() -> Change | None:
            return await anext(found, None)

        while (change := self._portal.call(following())) is not None:
            yield change


class Admin:
    """Administration: see ``AsyncAdmin``."""

    def __init__(self, portal: _Portal, client: AsyncClient) -> None:
        self._portal = portal
        self._inner = client.admin

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Any administrative call."""
        return self._portal.call(self._inner.request(method, path, body))

    def status(self) -> dict[str, Any]:
        """What the node is and does."""
        return self._portal.call(self._inner.status())

    def server(self) -> dict[str, Any]:
        """Names and versions of the server."""
        return self._portal.call(self._inner.server())

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document of the server."""
        return self._portal.call(self._inner.openapi())

    def metrics(self) -> str:
        """Metrics in the text format of Prometheus."""
        return self._portal.call(self._inner.metrics())

    def alive(self) -> bool:
        """Whether the node's loop and disk are well."""
        return self._portal.call(self._inner.alive())

    def ready(self) -> bool:
        """Whether requests should be sent to the node."""
        return self._portal.call(self._inner.ready())


class Client:
    """One database. Cheap to make; connects when first used; close it, or use ``with``."""

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
        self._inner = AsyncClient(
            uri,
            auth=auth,
            tls=tls,
            bookmarks=bookmarks,
            retry_seconds=retry_seconds,
            user_agent=user_agent,
            cluster_secret=cluster_secret,
        )
        self._portal = _Portal()
        self.uri = self._inner.uri
        self.admin = Admin(self._portal, self._inner)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._portal.call(self._inner.close())
        self._portal.close()

    @property
    def bookmarks(self) -> frozenset[str]:
        """What this client has seen."""
        return self._inner.bookmarks

    def run(
        self,
        statement: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        at: At = None,
        access: Access = "write",
        timeout: float | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Result:
        """One statement in a transaction of its own; see ``AsyncClient.run``."""
        return self._portal.call(
            self._inner.run(
                statement, parameters, at=at, access=access, timeout=timeout, metadata=metadata
            )
        )

    @contextmanager
    def _within(self, manager: AbstractAsyncContextManager[_T]) -> Iterator[_T]:
        """An asynchronous block around a synchronous one."""

        async def enter() -> _T:
            return await manager.__aenter__()

        async def leave(error: BaseException | None) -> bool | None:
            kind = None if error is None else type(error)
            trace = None if error is None else error.__traceback__
            return await manager.__aexit__(kind, error, trace)

        value = self._portal.call(enter())
        try:
            yield value
        except BaseException as error:
            if not self._portal.call(leave(error)):
                raise
        else:
            self._portal.call(leave(None))

    def begin(
        self,
        *,
        at: At = None,
        access: Access = "write",
        isolation: Isolation = "snapshot",
        timeout: float | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Transaction:
        """A transaction to be ended by hand; ``transaction`` does it by itself."""
        inner = self._inner.begin(
            at=at, access=access, isolation=isolation, timeout=timeout, metadata=metadata
        )
        return Transaction(self._portal, self._portal.call(inner))

    @contextmanager
    def transaction(
        self,
        *,
        at: At = None,
        access: Access = "write",
        isolation: Isolation = "snapshot",
        timeout: float | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Iterator[Transaction]:
        """Several statements: committed at the end of the block, rolled back if it raises."""
        manager = self._inner.transaction(
            at=at, access=access, isolation=isolation, timeout=timeout, metadata=metadata
        )
        with self._within(manager) as inner:
            yield Transaction(self._portal, inner)

    def changes(
        self,
        start: str | int = "now",
        *,
        labels: Iterable[str] = (),
        types: Iterable[str] = (),
        limit: int = 1_000,
        wait: float = 10.0,
        idle: float | None = None,
    ) -> Changes:
        """What commits change, from a position on; see ``AsyncClient.changes``."""
        inner = self._inner.changes(
            start, labels=labels, types=types, limit=limit, wait=wait, idle=idle
        )
        return Changes(self._portal, inner)

    @contextmanager
    def stream(
        self, statement: str, parameters: Mapping[str, Any] | None = None, *, at: At = None
    ) -> Iterator[Stream]:
        """Rows as they come, of a read."""
        with self._within(self._inner.stream(statement, parameters, at=at)) as inner:
            yield Stream(self._portal, inner)

    @contextmanager
    def arrow_stream(
        self, statement: str, parameters: Mapping[str, Any] | None = None, *, at: At = None
    ) -> Iterator[Iterator[RecordBatch]]:
        """Record batches of Arrow as they come, of a read. Needs pyarrow."""
        with self._within(self._inner.arrow_stream(statement, parameters, at=at)) as inner:

            async def following() -> Any:
                return await anext(inner, None)

            yield iter(lambda: self._portal.call(following()), None)

    def arrow(
        self, statement: str, parameters: Mapping[str, Any] | None = None, *, at: At = None
    ) -> Table:
        """The rows of a read as an Arrow table."""
        return self._portal.call(self._inner.arrow(statement, parameters, at=at))

    def pandas(
        self, statement: str, parameters: Mapping[str, Any] | None = None, *, at: At = None
    ) -> PandasFrame:
        """The rows of a read as a data frame of pandas."""
        return self._portal.call(self._inner.pandas(statement, parameters, at=at))

    def polars(
        self, statement: str, parameters: Mapping[str, Any] | None = None, *, at: At = None
    ) -> PolarsFrame:
        """The rows of a read as a data frame of polars."""
        return self._portal.call(self._inner.polars(statement, parameters, at=at))

    def execute_write(
        self,
        work: Callable[Concatenate[Transaction, _P], _T],
        *arguments: _P.args,
        **keywords: _P.kwargs,
    ) -> _T:
        """Run ``work(transaction, …)`` and commit; again after a conflict."""
        return self._portal.call(
            self._inner.execute_write(self._threaded(work, *arguments, **keywords))
        )

    def execute_read(
        self,
        work: Callable[Concatenate[Transaction, _P], _T],
        *arguments: _P.args,
        **keywords: _P.kwargs,
    ) -> _T:
        """Run ``work(transaction, …)`` for reading."""
        return self._portal.call(
            self._inner.execute_read(self._threaded(work, *arguments, **keywords))
        )

    def _threaded(
        self,
        work: Callable[Concatenate[Transaction, _P], _T],
        *arguments: _P.args,
        **keywords: _P.kwargs,
    ) -> Callable[[AsyncTransaction], Coroutine[Any, Any, _T]]:
        """``work`` waits for answers, so it runs beside the loop."""

        async def run(inner: AsyncTransaction) -> _T:
            transaction = Transaction(self._portal, inner)
            return await asyncio.to_thread(work, transaction, *arguments, **keywords)

        return run
