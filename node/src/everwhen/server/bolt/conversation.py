"""What each request does: the machine says what may happen, the service does it.

Knows neither sockets nor time of its own: bytes leave through ``Channel``, the clock is a port.
Requests are handled one after the other; ``interrupt`` may come at any moment.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from everwhen.errors import ClientError, EverwhenError, Fault, QueryCancelled, RequestInvalid
from everwhen.limits import BOLT_ROWS_PER_PIECE
from everwhen.ports import Clock
from everwhen.runtime.requests import Stop
from everwhen.runtime.service import Execution, Service
from everwhen.runtime.transaction import OpenTransaction
from everwhen.server.auth.port import Authenticator
from everwhen.server.bolt import failures, summary
from everwhen.server.bolt import messages as m
from everwhen.server.bolt.chunking import frame, frames
from everwhen.server.bolt.identity import Identity
from everwhen.server.bolt.machine import Machine, OutOfPlace, State, Verdict
from everwhen.server.bolt.options import Remarks, bookmarks_of, check_database, options_of
from everwhen.server.bolt.structures import Dialect, encoder
from everwhen.server.bolt.tables import Table, Tables


class Channel(Protocol):
    """Where answers go."""

    def send(self, data: bytes) -> None:
        """Soon; in order."""
        ...

    async def drained(self) -> None:
        """Returns once the client has taken most of what was sent."""
        ...


@dataclass(frozen=True, slots=True)
class Server:
    """What all conversations of a listener share."""

    service: Service
    authenticator: Authenticator
    clock: Clock
    #: how the server names itself in HELLO
    agent: str
    #: seconds after which a client that hears nothing may give the connection up
    silence_seconds: int
    message_bytes_max: int
    #: what ROUTE answers, given the address that the client used: for how many seconds, and
    #: role -> addresses
    routes: Callable[[str], Awaitable[tuple[int, Table]]]
    #: whether a driver that routes and used this address is to write elsewhere from now on
    sends_away: Callable[[str], bool]
    #: told of every answer: name of the request, its outcome, seconds
    observe: Callable[[str, str, float], None]
    #: an error that the node must not survive
    fatal: Callable[[Fault], None]
    #: an error outside the tree
    unexpected: Callable[[Exception], None]


@dataclass(slots=True)
class _Result:
    """A result that still has rows."""

    execution: Execution
    remarks: Remarks
    had_rows: bool = False


class Closed(Exception):
    """The conversation is over."""


class Conversation:
    """One client's."""

    def __init__(self, server: Server, channel: Channel, number: int, remote: str) -> None:
        self.machine = Machine(server.message_bytes_max)
        self._server = server
        self._channel = channel
        self._number = number
        self._identity = Identity(server.authenticator, remote)
        self._encode = encoder(self.machine.dialect)
        self._stop = Stop()
        self._remarks = Remarks()
        self._transaction: OpenTransaction | None = None
        self._transaction_remarks = self._remarks
        self._results: dict[int, _Result] = {}
        self._used_address = ""
        self._tables = Tables()

    @property
    def streaming(self) -> bool:
        """An auto-commit result is open, which nothing but this connection can end."""
        return bool(self._results) and self._transaction is None

    @property
    def holds(self) -> bool:
        """A transaction is open, or an auto-commit result."""
        return bool(self._results) or self._transaction is not None

    def interrupt(self, reason: str) -> None:
        """What runs is to stop as soon as it can."""
        self._stop.asked = reason

    async def handle(self, request: m.Request | ClientError) -> None:
        """Answers one request.

        :raises Closed: the connection must end, after what was sent.
        """
        machine, clock = self.machine, self._server.clock
        name = "INVALID" if isinstance(request, ClientError) else type(request).__name__.upper()
        started = clock.monotonic()
        outcome = "success"
        try:
            if machine.admit(request) is Verdict.IGNORE:
                outcome = "ignored"
                self._channel.send(frame(m.IGNORED))
            elif isinstance(request, ClientError):
                raise request
            else:
                await self._act(request)
        except OutOfPlace as error:
            outcome = "failure"
            await self._fail(request, error)
            machine.broke()
        except EverwhenError as error:
            outcome = "failure"
            await self._fail(request, error)
        except Closed:
            raise
        except Exception as error:  # noqa: BLE001 - logged with its trace, answered as a failure
            outcome = "failure"
            self._server.unexpected(error)
            text = f"internal error: {type(error).__name__}: {error}"
            await self._fail(request, EverwhenError(text))
        self._server.observe(name, outcome, clock.monotonic() - started)
        if machine.state is State.DEFUNCT:
            raise Closed

    async def _fail(self, request: m.Request | ClientError, error: EverwhenError) -> None:
        await self._forget()
        self.machine.failed(request)
        self.tell(error)
        if isinstance(error, Fault):
            self._server.fatal(error)

    def tell(self, error: EverwhenError) -> None:
        """Send a FAILURE."""
        content = failures.metadata(error, self.machine.version)
        self._channel.send(frame(m.failure(self._encode, content)))

    def _succeed(self, content: m.Extra) -> None:
        self._channel.send(frame(m.success(self._encode, content)))

    async def close(self) -> None:
        """The client is gone: forget everything."""
        self.machine.broke()
        await self._forget()

    async def _forget(self) -> None:
        """Ends what is open."""
        results, self._results = self._results, {}
        transaction, self._transaction = self._transaction, None
        for result in results.values():
            await self._end(result)
        if transaction is not None:
            await self._server.service.rollback(transaction)

    async def _end(self, result: _Result) -> None:
        """Give up what is left of a result, and the transaction of its own if it has one."""
        if result.execution.transaction.options.auto_commit:
            await self._server.service.finish(result.execution)
        else:
            result.execution.cursor.close()

    # --- requests ---

    async def _act(self, request: m.Request) -> None:
        match request:
            case m.Run():
                await self._run(request)
            case m.Pull():
                await self._pull(request)
            case m.Discard():
                await self._discard(request)
            case m.Begin():
                await self._begin(request)
            case m.Commit():
                await self._commit(request)
            case m.Rollback():
                await self._forget()
                self._done(request)
            case m.Reset():
                await self._reset(request)
            case m.Goodbye():
                raise Closed
            case m.Hello():
                await self._hello(request)
            case m.Logon():
                self._done(request, await self._identity.log_on(request.auth))
            case m.Logoff():
                self._identity.log_off()
                self._done(request)
            case m.Route():
                await self._route(request)
            case m.Telemetry():
                self._done(request)

    def _done(self, request: m.Request, content: m.Extra | None = None) -> None:
        self.machine.succeeded(request)
        self._succeed(content or {})

    async def _hello(self, request: m.Hello) -> None:
        extra, machine = request.extra, self.machine
        agent = extra.get("user_agent")
        if type(agent) is not str:
            raise RequestInvalid("HELLO needs a user_agent")
        self._identity.call(agent)
        self._remarks = self._remarks.changed(extra)
        routing = extra.get("routing")
        if type(routing) is dict and type(routing.get("address")) is str:
            self._used_address = routing["address"]
        logged_on = await self._identity.log_on(extra) if machine.version < (5, 1) else {}
        content: dict[str, Any] = {
            **logged_on,
            "server": self._server.agent,
            "connection_id": f"bolt-{self._number}",
            "hints": {
                "connection.recv_timeout_seconds": self._server.silence_seconds,
                "telemetry.enabled": False,
                # any member takes any statement: drivers need not ask for the name of the database,
                # of their first address only, before every session
                "ssr.enabled": True,
            },
        }
        patches = extra.get("patch_bolt")
        if machine.version < (5, 0) and type(patches) is list and "utc" in patches:
            content["patch_bolt"] = ["utc"]
            machine.set_dialect(Dialect(machine.version, utc_patch=True))
        self._encode = encoder(machine.dialect)
        self._done(request, content)

    async def _run(self, request: m.Run) -> None:
        service, clock = self._server.service, self._server.clock
        started = clock.monotonic()
        transaction = self._transaction
        self._identity.check()
        if transaction is not None:
            self.machine.check_room()
            unread = [each.execution for each in self._results.values()]
            execution = await service.run(transaction, request.text, request.parameters, unread)
            remarks = self._transaction_remarks
        else:
            remarks = self._remarks.changed(request.extra)
            options = options_of(request.extra, service, self._stop, auto_commit=True)
            execution = await service.auto_commit(
                request.text, request.parameters, options, self._identity.caller
            )
        self._identity.note(execution.cursor.summary.own_credential)
        qid = self.machine.ran()
        self._results[qid] = _Result(execution, remarks)
        more: dict[str, Any] = {}
        if transaction is not None:
            more["qid"] = qid
        elif self.machine.version >= (5, 8):
            more["db"] = summary.DATABASE
        first = int((clock.monotonic() - started) * 1_000)
        columns = execution.cursor.columns
        self._channel.send(frame(m.running(self._encode, columns, first, more)))

    async def _pull(self, request: m.Pull) -> None:
        started = self._server.clock.monotonic()
        qid = self.machine.result_of(request)
        result = self._results[qid]
        execution, channel = result.execution, self._channel
        left = request.n
        while left and not execution.cursor.done:
            if self._stop.asked is not None:
                raise QueryCancelled(self._stop.asked)
            count = BOLT_ROWS_PER_PIECE if left < 0 else min(left, BOLT_ROWS_PER_PIECE)
            rows = await self._server.service.take(execution, count)
            if rows:
                result.had_rows = True
                channel.send(frames(m.records(self._encode, rows)))
                if left > 0:
                    left -= len(rows)
                await channel.drained()
        await self._rows_end(qid, result, started)

    async def _discard(self, request: m.Discard) -> None:
        if self.machine.taken_away:
            self._succeed({})
            return
        started = self._server.clock.monotonic()
        qid = self.machine.result_of(request)
        result = self._results[qid]
        cursor = result.execution.cursor
        left = request.n
        if left < 0 and not cursor.summary.profiled:
            cursor.close()
        while left and not cursor.done:
            if self._stop.asked is not None:
                raise QueryCancelled(self._stop.asked)
            count = BOLT_ROWS_PER_PIECE if left < 0 else min(left, BOLT_ROWS_PER_PIECE)
            rows = await self._server.service.take(result.execution, count)
            left -= len(rows) if left > 0 else 0
        await self._rows_end(qid, result, started)

    async def _rows_end(self, qid: int, result: _Result, started: float) -> None:
        """The SUCCESS behind rows: there is more, or what the statement did."""
        execution = result.execution
        if not execution.cursor.done:
            self._succeed({"has_more": True})
            return
        del self._results[qid]
        await self._end(result)
        self.machine.ended(qid)
        found = execution.cursor.summary
        last = int((self._server.clock.monotonic() - started) * 1_000)
        if found.kind == "r" and found.plan is None and not found.notifications:
            parts = summary.plain_read(
                self.machine.version,
                milliseconds=last,
                bookmark=execution.bookmark,
                had_rows=result.had_rows,
                columns=len(execution.cursor.columns),
            )
            self._channel.send(frame(parts))
            return
        self._succeed(
            summary.metadata(
                found,
                self.machine.version,
                milliseconds=last,
                bookmark=execution.bookmark,
                had_rows=result.had_rows,
                columns=len(execution.cursor.columns),
                remarks=result.remarks.wanted(found.notifications),
            )
        )

    async def _begin(self, request: m.Begin) -> None:
        service = self._server.service
        self._identity.check()
        if request.extra.get("mode") != "r" and self._server.sends_away(self._used_address):
            # drivers take an error for one of the statement and try again here; a connection that
            # ends makes them ask for another table, and nothing has happened yet
            raise Closed
        options = options_of(request.extra, service, self._stop)
        self._transaction_remarks = self._remarks.changed(request.extra)
        self._transaction = await service.begin(options, self._identity.caller)
        known = self.machine.version >= (5, 8)
        self._done(request, {"db": summary.DATABASE} if known else None)

    async def _commit(self, request: m.Commit) -> None:
        self._identity.check()
        results, self._results = self._results, {}
        for result in results.values():
            await self._end(result)
        transaction, self._transaction = self._transaction, None
        assert transaction is not None  # the machine allows COMMIT in a transaction only
        bookmark = await self._server.service.commit(transaction)
        self._done(request, {"bookmark": bookmark})

    async def _reset(self, request: m.Reset) -> None:
        await self._forget()
        self.machine.succeeded(request)
        if not self.machine.interrupted:
            self._stop = Stop()
        self._succeed({})

    async def _route(self, request: m.Route) -> None:
        check_database(request.extra)
        bookmarks_of(list(request.bookmarks))
        address = request.context.get("address")
        used = address if type(address) is str else self._used_address
        seconds, table = await self._server.routes(used)
        found = self._tables.answer(request.extra.get("db"), seconds, table)
        self._done(request, {"rt": found})
