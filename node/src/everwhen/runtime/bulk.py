"""Bulk loads: begin, parts, commit or abort, each load one large transaction of the log.

A part arrives whole (its size is bounded by the door), is turned into segments or mutations in a
thread, and goes to the log chunk by chunk. Nothing of a load is visible before its commit; a part
that fails aborts the load. Parts of one load may overlap: while one is applied, the next is turned.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from everwhen import limits
from everwhen.codec.keys import request_key
from everwhen.codec.records import decode_outcome
from everwhen.errors import (
    CommitTimeClosed,
    EverwhenError,
    Fault,
    OutcomeUnknown,
    RequestInvalid,
    TimeOutOfRange,
    TooManyRequests,
    TransactionNotFound,
    TransientError,
)
from everwhen.model.moments import micros_text
from everwhen.model.schema import ConstraintKind
from everwhen.ports import Threads
from everwhen.runtime import bulk_parts as parts
from everwhen.runtime.consensus import Consensus, ReadMode
from everwhen.runtime.database import Database
from everwhen.runtime.large import not_committed
from everwhen.runtime.requests import Caller
from everwhen.txn import commands as c
from everwhen.txn.replies import decode_reply
from everwhen.txn.validate import check_name

Entity = Literal["node", "relationship"]
#: what the audit record has for the hash of a statement
_STATEMENT: Final = hashlib.blake2b(b"bulk load", digest_size=32).digest()
_CHANGES: Final[dict[str, parts.Change]] = {
    "node": c.ChangeNode,
    "relationship": c.ChangeRelationship,
}
_DELETES: Final[dict[str, parts.Delete]] = {
    "node": c.DeleteNode,
    "relationship": c.DeleteRelationship,
}


@dataclass(frozen=True, slots=True)
class BulkOptions:
    """What a load is begun with; see ``TransactionOptions`` for the meaning."""

    own_time: int | None = None
    request_id: tuple[str, int] = ("", 0)
    metadata: Mapping[str, str] = field(default_factory=dict)
    #: the version its changes were made against; None: the present one
    read_version: int | None = None


@dataclass(slots=True)
class BulkLoad:
    """One open load."""

    transaction: int
    options: BulkOptions
    principal: str
    last_used: float
    chunks: int = 0
    #: apply has deleted nodes to look at again
    unchecked: bool = False
    #: requests inside
    busy: int = 0
    ended: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    counts: dict[str, int] = field(default_factory=dict)


class BulkLoads:
    """The loads of one node; on its event loop."""

    def __init__(self, database: Database, consensus: Consensus, threads: Threads) -> None:
        self._database = database
        self._consensus = consensus
        self._threads = threads
        self._open: dict[str, BulkLoad] = {}
        self._parts = asyncio.Semaphore(limits.BULK_PARTS_AT_ONCE)

    # --- begin and end ---

    async def begin(self, options: BulkOptions, caller: Caller) -> tuple[str, c.Committed | None]:
        """The token of a new load; or no token and the outcome, if a load with the same request
        id was committed before.

        :raises TooManyRequests: too many are open.
        :raises TimeOutOfRange, CommitTimeClosed: the own time can never be committed.
        """
        version = await self._consensus.read_barrier(ReadMode.LINEARIZABLE)
        known = self._known(options.request_id)
        if known is not None:
            return "", known
        if len(self._open) >= limits.BULK_LOADS_OPEN_MAX:
            raise TooManyRequests(
                f"{limits.BULK_LOADS_OPEN_MAX} bulk loads are open, which is the limit",
                hint="end one, or try again when one has ended",
            )
        self._check_time(options.own_time)
        if options.read_version is not None:
            if options.read_version > version:
                raise RequestInvalid(f"version {options.read_version} is not there yet")
            version = options.read_version
        client, sequence = options.request_id
        origin = c.Origin(
            principal=caller.principal,
            client=caller.client,
            tag=caller.tag,
            metadata=dict(options.metadata),
            statement_hash=_STATEMENT,
            salt=self._database.random.bytes(16),
            request_client=client,
            request_sequence=sequence,
        )
        reply = await self._entry(c.encode(c.BeginChunks(c.FORMAT, 0, version, origin)))
        if not isinstance(reply, c.Begun):
            raise Fault(f"BeginChunks was answered with {type(reply).__name__}")
        token = self._database.random.uuid().hex
        now = self._database.clock.monotonic()
        self._open[token] = BulkLoad(reply.transaction, options, caller.principal, now)
        return token, None

    def _known(self, request_id: tuple[str, int]) -> c.Committed | None:
        client, sequence = request_id
        if not client:
            return None
        found = self._database.state.store.get(request_key(client, sequence))
        if found is None:
            return None
        version, time = decode_outcome(found)
        return c.Committed(version, time, repeated=True)

    def _check_time(self, own: int | None) -> None:
        if own is None:
            return
        now = self._database.clock.now_micros()
        if own > now:
            raise TimeOutOfRange(
                f"a commit cannot be dated {micros_text(own)}: "
                f"that is later than the clock, {micros_text(now)}"
            )
        head = self._database.state.current.head
        closed = max(head.closed_time, head.time)
        if own <= closed and closed:
            raise CommitTimeClosed(
                f"a commit cannot take the time {micros_text(own)}: "
                f"time is closed up to {micros_text(closed)}",
                hint="load states in the order of their times, the oldest first",
            )

    def find(self, token: str, caller: Caller) -> BulkLoad:
        """An open load of this caller.

        :raises TransactionNotFound: it ended, timed out, or never was.
        """
        load = self._open.get(token)
        if load is None or load.principal != caller.principal:
            raise TransactionNotFound(
                f"there is no open bulk load {token!r}",
                hint="it was committed, aborted, timed out, or never began",
            )
        return load

    async def commit(self, token: str, load: BulkLoad) -> c.Committed:
        """Publish everything at one version.

        :raises EverwhenError: nothing became visible, and the load is over.
        """
        async with load.lock:
            self._end(token, load)
            await self._check(load)
            own = load.options.own_time
            command = c.CommitChunks(
                c.FORMAT, own or 0, load.transaction, load.chunks, own is not None
            )
            reply = await self._propose(command)
            if not isinstance(reply, c.Committed):
                raise Fault(f"CommitChunks was answered with {type(reply).__name__}")
            return reply

    async def _check(self, load: BulkLoad) -> None:
        """Let apply look at deleted nodes in bounded steps, as ``Large.finish`` does."""
        try:
            while load.unchecked:
                number, limit = load.transaction, limits.DETACHED_PER_STEP
                command = c.CheckChunks(c.FORMAT, number, load.chunks, limit)
                self._take(load, await self._entry(c.encode(command)))
        except EverwhenError:
            await self._abort(load, "a check was refused")
            raise

    def _take(self, load: BulkLoad, reply: c.Reply) -> None:
        load.unchecked = isinstance(reply, c.Done) and reply.more

    async def abort(self, token: str, load: BulkLoad, reason: str) -> None:
        """Forget everything it sent; fine if it has ended."""
        async with load.lock:
            if not load.ended:
                self._end(token, load)
                await self._abort(load, reason)

    async def _abort(self, load: BulkLoad, reason: str) -> None:
        # nobody may hear of it: nothing comes any more then, and the leader forgets it
        with suppress(TransientError):
            await self._propose(c.AbortChunks(c.FORMAT, load.transaction, reason))

    def _end(self, token: str, load: BulkLoad) -> None:
        if load.ended:
            raise TransactionNotFound("the bulk load has ended")
        load.ended = True
        self._open.pop(token, None)

    async def end_idle(self, idle_seconds: float) -> int:
        """Aborts loads nobody used for so long; how many."""
        now = self._database.clock.monotonic()
        idle = [
            (token, load)
            for token, load in self._open.items()
            if not load.busy and now - load.last_used >= idle_seconds
        ]
        for token, load in idle:
            await self.abort(token, load, f"idle for more than {idle_seconds:g} s")
        return len(idle)

    # --- parts ---

    async def nodes(self, token: str, load: BulkLoad, body: bytes, labels: Sequence[str]) -> Any:
        """Fresh nodes with the same labels; the first of their consecutive ids, and how many."""
        async with self._part(token, load):
            for label in labels:
                check_name(label)
            if len(set(labels)) != len(labels):
                raise RequestInvalid("a label is named twice")
            part = await self._turn(parts.read_part, body)
            part.need()
            first, _ = await self._lease(part.rows, 0)
            rows = self._rows("NODE", labels)
            await self._send_segments(load, parts.node_segments(part, labels, first, rows))
            return self._count(load, "nodesCreated", first, part.rows)

    async def relationships(self, token: str, load: BulkLoad, body: bytes, type_: str) -> Any:
        """Fresh relationships of one type between nodes that are committed or in this load."""
        async with self._part(token, load):
            check_name(type_)
            part = await self._turn(lambda: parts.in_order(parts.read_part(body)))
            _, first = await self._lease(0, part.rows)
            rows = self._rows("RELATIONSHIP", [type_])
            await self._send_segments(load, parts.relationship_segments(part, type_, first, rows))
            return self._count(load, "relationshipsCreated", first, part.rows)

    async def change(self, token: str, load: BulkLoad, body: bytes, entity: Entity) -> Any:
        """Set properties of elements that are there; null removes one."""
        async with self._part(token, load):
            part = await self._turn(parts.read_part, body)
            await self._send_mutations(load, parts.changes(part, _CHANGES[entity]))
            return self._count(load, f"{entity}sChanged", 0, part.rows)

    async def delete(self, token: str, load: BulkLoad, body: bytes, entity: Entity) -> Any:
        """Delete elements; a node's relationships must go in the same load."""
        async with self._part(token, load):
            part = await self._turn(parts.read_part, body)
            await self._send_mutations(load, parts.deletes(part, _DELETES[entity]))
            return self._count(load, f"{entity}sDeleted", 0, part.rows)

    def _part(self, token: str, load: BulkLoad) -> _Inside:
        return _Inside(self, token, load, self._parts, self._database.clock.monotonic)

    def _count(self, load: BulkLoad, what: str, first: int, rows: int) -> dict[str, int]:
        load.counts[what] = load.counts.get(what, 0) + rows
        return {"firstId": first, "rows": rows}

    def _rows(self, entity: str, names: Sequence[str]) -> int:
        """Rows of a segment: few where apply must look at each of them."""
        catalog = self._database.snapshot(self._database.version).catalog
        indexed = any(
            one.entity == entity and one.label in names for one in catalog.indexes.values()
        )
        if indexed or any(
            one.entity == entity and one.label in names and one.kind is not ConstraintKind.FULLTEXT
            for one in catalog.constraints.values()
        ):
            return limits.BULK_ROWS_INDEXED
        return limits.BULK_ROWS

    async def _lease(self, nodes: int, relationships: int) -> tuple[int, int]:
        if not nodes and not relationships:
            return 0, 0
        return await self._consensus.lease_ids(nodes, relationships)

    async def _send_segments(self, load: BulkLoad, segments: Iterator[bytes]) -> None:
        async with load.lock:
            following = await self._turn(next, segments, None)
            while following is not None:
                chunk = self._chunk(load, [], [], [following])
                _, following = await asyncio.gather(
                    self._send(load, chunk), self._turn(next, segments, None)
                )

    async def _send_mutations(
        self, load: BulkLoad, chunks: Iterator[tuple[list[str], list[c.AnyMutation]]]
    ) -> None:
        async with load.lock:
            following = await self._turn(next, chunks, None)
            while following is not None:
                names, mutations = following
                chunk = self._chunk(load, names, mutations, [])
                _, following = await asyncio.gather(
                    self._send(load, chunk), self._turn(next, chunks, None)
                )

    def _chunk(
        self,
        load: BulkLoad,
        names: list[str],
        mutations: list[c.AnyMutation],
        segments: list[bytes],
    ) -> c.Chunk:
        if load.ended:
            raise TransactionNotFound("the bulk load has ended")
        number = load.chunks
        load.chunks = number + 1
        return c.Chunk(c.FORMAT, load.transaction, number, names, mutations, segments, c.Checks())

    async def _send(self, load: BulkLoad, chunk: c.Chunk) -> None:
        payload = await self._turn(c.encode, chunk)
        self._take(load, await self._entry(payload))

    async def _entry(self, payload: bytes) -> c.Reply:
        """The answer to any entry but the commit: without it nothing is committed."""
        try:
            return decode_reply(await self._consensus.propose(payload))
        except OutcomeUnknown as unknown:
            raise not_committed() from unknown

    async def _propose(self, command: c.Command) -> c.Reply:
        return decode_reply(await self._consensus.propose(c.encode(command)))

    async def _turn(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return await self._threads.run("background", call, *arguments)


class _Inside:
    """A part under way: bounds how many are, keeps the load from idling out, and aborts it when
    the part fails."""

    def __init__(
        self,
        loads: BulkLoads,
        token: str,
        load: BulkLoad,
        gate: asyncio.Semaphore,
        now: Callable[[], float],
    ) -> None:
        self._loads = loads
        self._token = token
        self._load = load
        self._gate = gate
        self._now = now

    async def __aenter__(self) -> None:
        self._load.busy += 1
        try:
            await self._gate.acquire()
        except BaseException:
            self._load.busy -= 1
            raise

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._gate.release()
        self._load.busy -= 1
        self._load.last_used = self._now()
        if error is not None and not self._load.ended:
            await self._loads.abort(self._token, self._load, f"a part failed: {error}"[:500])
