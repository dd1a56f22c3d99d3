"""Clients of a simulated cluster: one request after another, on whatever machine, all written down.

The requests are judged by ``tests.checkers``: registers by linearizability, lists by cycles,
accounts by their sum, counters and a set by what was acknowledged, the past by being repeatable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from everwhen.errors import EverwhenError, Fault, OutcomeUnknown
from everwhen.runtime.node import Node
from everwhen.runtime.requests import Caller, TransactionOptions
from everwhen.runtime.session import Session
from everwhen.runtime.steps import Execution
from everwhen.runtime.twins.time_and_chance import SeededRandom, VirtualClock
from everwhen.txn.transaction import Isolation
from tests.checkers import hubs, undoing
from tests.checkers.history import Operation, Outcome
from tests.sim.machine import Lost, Machine
from tests.sim.profile import Profile

ACCOUNTS: Final = 4
MONEY: Final = 100
COUNTERS: Final = 2
#: requests after which clients move on to fresh keys, so that judging stays cheap
_KEYS_LAST: Final = 100
#: a client that hears nothing for so long goes elsewhere, not knowing what became of its request
_PATIENCE_SECONDS: Final = 4.0
_TRIES: Final = 30

SETUP: Final = (
    "CREATE CONSTRAINT reg IF NOT EXISTS FOR (n:Reg) REQUIRE n.key IS UNIQUE",
    "CREATE CONSTRAINT lst IF NOT EXISTS FOR (n:Lst) REQUIRE n.key IS UNIQUE",
    f"UNWIND range(1, {ACCOUNTS}) AS i MERGE (a:Acc {{id: i}}) ON CREATE SET a.v = {MONEY}",
    f"UNWIND range(1, {COUNTERS}) AS i MERGE (c:Cnt {{id: i}}) ON CREATE SET c.v = 0",
)
#: versions are kept for a moment, except those of accounts
FORGETTING: Final = (
    "ALTER DATABASE neo4j SET RETENTION '1 second'",
    "ALTER DATABASE neo4j SET RETENTION '2 seconds' FOR (a:Acc)",
)
REMEMBERING: Final = (
    "ALTER DATABASE neo4j SET RETENTION KEEP FOREVER",
    "ALTER DATABASE neo4j SET RETENTION KEEP FOREVER FOR (a:Acc)",
)
_TOTAL: Final = "MATCH (a:Acc) WITH a ORDER BY a.id RETURN collect(a.v)"


async def rows(
    node: Node,
    text: str,
    parameters: Mapping[str, Any] | None = None,
    options: TransactionOptions | None = None,
) -> list[Any]:
    """The rows of an auto-commit statement."""
    service = node.parts.service
    execution = await Session(service, Caller("sim", "sim"), options).run(text, parameters or {})
    if execution is None:
        return []
    try:
        return await _rows_of(node, execution)
    finally:
        # as every door does when its client is gone
        await service.finish(execution)


async def _rows_of(node: Node, execution: Execution) -> list[Any]:
    found: list[Any] = []
    while not execution.cursor.done:
        found += await node.parts.service.fetch(execution, 100)
    return found


async def _transact(
    node: Node, statements: Sequence[tuple[str, dict[str, Any]]], isolation: Isolation
) -> list[list[Any]]:
    """The rows of statements in one transaction."""
    session = Session(node.parts.service, Caller("sim", "sim"))
    await session.run(f"BEGIN {isolation.name}", {})
    try:
        answers = []
        for text, given in statements:
            execution = await session.run(text, given)
            assert execution is not None
            answers.append(await _rows_of(node, execution))
        await session.run("COMMIT", {})
    finally:
        await session.close()
    return answers


class Shared:
    """What all clients know."""

    def __init__(self, machines: dict[str, Machine], clock: VirtualClock) -> None:
        self.machines = machines
        self.clock = clock
        self.history: list[Operation] = []
        self.stopping = False
        self.moments: list[int] = []
        self._number = 0

    def number(self) -> int:
        """One that nobody had before."""
        self._number += 1
        return self._number


class Client:
    """See the module."""

    def __init__(self, shared: Shared, number: int, random: SeededRandom, profile: Profile) -> None:
        self._shared = shared
        self._number = number
        self._random = random
        self._machine: Machine | None = None
        self._sequence = 0
        self._works: list[Callable[[Operation], Awaitable[None]]] = [
            *[self._register] * 6, *[self._lists] * 4, *[self._transfer] * 3, *[self._total] * 3,
            *[self._add] * 3, *[self._insert] * 3, *[self._past] * 2,
        ]  # fmt: skip
        if profile.heaps:
            self._works += [*[self._heap] * 3, *[self._look] * 2]
        if profile.forgets:
            self._works += [*[self._erase] * 2, self._point, *[self._undo] * 2]

    async def run(self) -> None:
        """Until told to stop."""
        while not self._shared.stopping:
            await self._one(self._works[self._random.below(len(self._works))])
            await asyncio.sleep(self._random.float() * 0.05)

    async def _one(self, work: Callable[[Operation], Awaitable[None]]) -> None:
        clock = self._shared.clock
        each = Operation(self._number, clock.monotonic(), "")
        try:
            await work(each)
            each.outcome = Outcome.OK
        except (OutcomeUnknown, Fault, Lost, TimeoutError) as unknown:
            each.error = f"{type(unknown).__name__}: {unknown}"
            self._machine = None
        except EverwhenError as refused:
            each.outcome, each.error = Outcome.FAILED, f"{type(refused).__name__}: {refused}"
        if each.outcome is not Outcome.UNKNOWN:
            each.end = clock.monotonic()
        if each.kind:
            self._shared.history.append(each)
        if each.outcome is not Outcome.OK:
            self._machine = None
            await asyncio.sleep(0.05 + self._random.float() * 0.1)

    async def _ask(self, work: Callable[[Node], Any], each: Operation | None = None) -> Any:
        """Have a machine do something for this client."""
        machine = self._machine
        if machine is None or machine.node is None or self._random.below(8) == 0:
            able = [m for m in self._shared.machines.values() if m.node is not None]
            if not able:
                raise NoMachine("no machine takes connections")
            machine = self._machine = able[self._random.below(len(able))]
        if each is not None:
            each.arguments.setdefault("node", machine.name)
        assert machine.node is not None
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await machine.call(work(machine.node))

    async def _run(
        self, text: str, given: dict[str, Any], options: TransactionOptions | None = None
    ) -> list[Any]:
        found: list[Any] = await self._ask(lambda node: rows(node, text, given, options))
        return found

    def _key(self, kinds: int) -> str:
        return f"{len(self._shared.history) // _KEYS_LAST}-{self._random.below(kinds)}"

    # --- works ---

    async def _register(self, each: Operation) -> None:
        key = self._key(2)
        each.kind = ("read", "write", "cas")[self._random.below(3)]
        each.arguments = {"key": key}
        if each.kind == "read":
            text = "OPTIONAL MATCH (r:Reg {key: $key}) RETURN r.value"
            each.result = (await self._run(text, {"key": key}))[0][0]
            return
        each.arguments["value"] = self._random.below(5)
        if each.kind == "write":
            await self._run("MERGE (r:Reg {key: $key}) SET r.value = $value", each.arguments)
            return
        each.arguments["expected"] = self._random.below(5)
        text = (
            "MATCH (r:Reg {key: $key}) WHERE r.value = $expected SET r.value = $value "
            "RETURN count(r)"
        )
        each.result = (await self._run(text, each.arguments))[0][0] == 1

    async def _lists(self, each: Operation) -> None:
        serializable = self._random.below(2) == 0
        prefix = "s" if serializable else "i"
        steps: list[tuple[str, str, Any]] = []
        for _ in range(2 + self._random.below(2)):
            key = prefix + self._key(2)
            if self._random.below(2):
                steps.append(("append", key, self._shared.number()))
            else:
                steps.append(("read", key, None))
        each.kind = "append-txn"
        each.arguments = {"steps": steps, "serializable": serializable}
        append = "MERGE (l:Lst {key: $key}) SET l.items = coalesce(l.items, []) + $value"
        read = "OPTIONAL MATCH (l:Lst {key: $key}) RETURN coalesce(l.items, [])"
        statements = [
            (append if kind == "append" else read, {"key": key, "value": value})
            for kind, key, value in steps
        ]
        isolation = Isolation.SERIALIZABLE if serializable else Isolation.SNAPSHOT
        answers = await self._ask(lambda node: _transact(node, statements, isolation))
        each.result = [
            (kind, key, value if kind == "append" else (found[0][0] or []))
            for (kind, key, value), found in zip(steps, answers, strict=True)
        ]

    async def _transfer(self, each: Operation) -> None:
        each.kind = "transfer"
        a = 1 + self._random.below(ACCOUNTS)
        b = 1 + (a + self._random.below(ACCOUNTS - 1)) % ACCOUNTS
        each.arguments = {"a": a, "b": b, "n": 1 + self._random.below(30)}
        text = (
            "MATCH (a:Acc {id: $a}), (b:Acc {id: $b}) WHERE a.v >= $n "
            "SET a.v = a.v - $n, b.v = b.v + $n"
        )
        await self._run(text, each.arguments)

    async def _total(self, each: Operation) -> None:
        each.kind = "total"
        each.result = (await self._run(_TOTAL, {}))[0][0]

    async def _add(self, each: Operation) -> None:
        """Sent again under its request id, on whatever machine, until somebody knows."""
        each.kind = "add"
        self._sequence += 1
        each.arguments = {"key": 1 + self._random.below(COUNTERS)}
        options = TransactionOptions(request_id=(f"sim-{self._number}", self._sequence))
        sent = False
        for _ in range(_TRIES):
            try:
                await self._run(
                    "MATCH (c:Cnt {id: $key}) SET c.v = c.v + 1", each.arguments, options
                )
            except (OutcomeUnknown, Fault, Lost, TimeoutError):
                sent = True
            except EverwhenError:
                # once an attempt may have happened, a later refusal says nothing of it
                if not sent:
                    raise
            else:
                return
            self._machine = None
            await asyncio.sleep(0.2)
        raise TimeoutError("nobody knew")

    async def _insert(self, each: Operation) -> None:
        each.kind = "insert"
        each.arguments = {"value": self._shared.number()}
        await self._run("CREATE (:El {v: $value})-[:OF]->(:Pair {v: $value})", each.arguments)

    async def _past(self, each: Operation) -> None:
        each.kind = "past"
        moments = self._shared.moments
        if not moments or self._random.below(5) == 0:
            moments.append(self._shared.clock.now_micros() - 1_000_000)
        moment = moments[max(0, len(moments) - 10) + self._random.below(min(10, len(moments)))]
        each.arguments = {"moment": moment, "question": "accounts"}
        text = (
            "MATCH (a:Acc) AT TIME datetime({epochMillis: $ms}) WITH a ORDER BY a.id "
            "RETURN collect(a.v)"
        )
        each.result = (await self._run(text, {"ms": moment // 1000}))[0][0]

    async def _erase(self, each: Operation) -> None:
        """Something of its own, which nobody judges, comes and goes with its history."""
        value = self._shared.number()
        await self._run("CREATE (:Tmp {v: $value})-[:OF]->(:Tmp {v: $value})", {"value": value})
        await self._run("MATCH (t:Tmp {v: $value}) ERASE t FORCE", {"value": value})
        found = await self._run("MATCH (t:Tmp {v: $value}) RETURN count(t)", {"value": value})
        if found != [[0]]:
            raise AssertionError(f"the erased thing {value} is there: {found}")

    async def _undo(self, each: Operation) -> None:
        """Something of its own is changed or deleted, and comes back as it was."""
        each.kind = "undo"
        k = self._shared.number()
        await self._run(undoing.MAKE, {"k": k})
        [[version]] = await self._run(undoing.VERSION, {"k": k})
        await self._run(undoing.SPOIL[self._random.below(len(undoing.SPOIL))], {"k": k})
        await self._run(f"{undoing.UNDO} {version}", {"k": k})
        problem = undoing.problem(k, await self._run(undoing.LOOK, {"k": k}))
        if problem is not None:
            raise AssertionError(problem)

    async def _heap(self, each: Operation) -> None:
        each.kind = "heap"
        k = self._random.below(hubs.HUBS)
        await self._run(hubs.CHANGES[self._random.below(len(hubs.CHANGES))], {"k": k})

    async def _look(self, each: Operation) -> None:
        each.kind = "look"
        k = self._random.below(hubs.HUBS)
        problem = hubs.problem(k, await self._run(hubs.LOOK, {"k": k}))
        if problem is not None:
            raise AssertionError(problem)

    async def _point(self, each: Operation) -> None:
        name = f"p{self._random.below(2)}"
        await self._run(f"DROP RESTORE POINT {name} IF EXISTS", {})
        await self._run(f"CREATE RESTORE POINT {name}", {})


class NoMachine(EverwhenError):
    """Nobody to ask; nothing was sent."""

    code = "Neo.TransientError.General.DatabaseUnavailable"
