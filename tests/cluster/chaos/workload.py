"""What clients do: one thread each, one operation after another, everything written down."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.checkers import undoing
from tests.checkers.history import Operation, Outcome
from tests.cluster.chaos.doors import BoltDoor, Door, HttpDoor, NotDone, Unknown

ACCOUNTS: Final = 8
MONEY: Final = 100
COUNTERS: Final = 3
#: operations of one kind after which it moves on to fresh keys, so that judging stays cheap
_KEYS_LAST: Final = 150
#: times a request of unknown outcome is sent again
_TRIES: Final = 200

SETUP: Final = (
    "CREATE CONSTRAINT reg IF NOT EXISTS FOR (n:Reg) REQUIRE n.key IS UNIQUE",
    "CREATE CONSTRAINT lst IF NOT EXISTS FOR (n:Lst) REQUIRE n.key IS UNIQUE",
    "CREATE CONSTRAINT acc IF NOT EXISTS FOR (n:Acc) REQUIRE n.id IS UNIQUE",
    "CREATE CONSTRAINT cnt IF NOT EXISTS FOR (n:Cnt) REQUIRE n.id IS UNIQUE",
    "CREATE CONSTRAINT claim IF NOT EXISTS FOR (n:Claim) REQUIRE n.v IS UNIQUE",
    "CREATE INDEX v IF NOT EXISTS FOR (n:V) ON (n.id)",
    f"UNWIND range(1, {ACCOUNTS}) AS i MERGE (a:Acc {{id: i}}) ON CREATE SET a.v = {MONEY}",
    f"UNWIND range(1, {COUNTERS}) AS i MERGE (c:Cnt {{id: i}}) ON CREATE SET c.v = 0",
    "ALTER DATABASE neo4j SET RETENTION '2 seconds' FOR (t:Tmp)",
)
_READ_REG: Final = "OPTIONAL MATCH (r:Reg {key: $key}) RETURN r.value"
_WRITE_REG: Final = "MERGE (r:Reg {key: $key}) SET r.value = $value"
_SWAP_REG: Final = (
    "MATCH (r:Reg {key: $key}) WHERE r.value = $expected SET r.value = $value RETURN count(r)"
)
_READ_LIST: Final = "OPTIONAL MATCH (l:Lst {key: $key}) RETURN coalesce(l.items, [])"
_APPEND: Final = "MERGE (l:Lst {key: $key}) SET l.items = coalesce(l.items, []) + $value"
_TRANSFER: Final = (
    "MATCH (a:Acc {id: $a}), (b:Acc {id: $b}) WHERE a.v >= $n SET a.v = a.v - $n, b.v = b.v + $n"
)
_TOTAL: Final = "MATCH (a:Acc) WITH a ORDER BY a.id RETURN collect(a.v)"
_TOTAL_THEN: Final = (
    "MATCH (a:Acc) AT TIME datetime($moment) WITH a ORDER BY a.id RETURN collect(a.v)"
)
_ADD: Final = "MATCH (c:Cnt {id: $key}) SET c.v = c.v + 1"
_GROW: Final = (
    "MERGE (a:V {id: $a}) MERGE (b:V {id: $b}) CREATE (a)-[:E {n: $n}]->(b), (b)-[:E {n: $n}]->(a)"
)
_TMP: Final = "MERGE (t:Tmp {key: $key}) SET t.v = $value"
_TMP_BACK: Final = "FLASHBACK (t:Tmp) TO TIME datetime($moment)"
_TMP_GONE: Final = "MATCH (t:Tmp) WITH t LIMIT 3 ERASE t FORCE"
_CUT: Final = "MATCH (a:V {id: $a}) DETACH DELETE a"


class Shared:
    """What all clients know."""

    def __init__(self) -> None:
        self.history: list[Operation] = []
        self.stop = threading.Event()
        #: where nodes take clients: name -> (HTTP port, Bolt port)
        self.nodes: dict[str, tuple[int, int]] = {}
        #: moments that lie in the past and whose accounts are asked for again and again
        self.moments: list[str] = []
        self.errors: list[str] = []
        self._numbers = iter(range(1, 1 << 60))
        self._lock = threading.Lock()

    def number(self) -> int:
        """One that nobody had before."""
        with self._lock:
            return next(self._numbers)


class Client(threading.Thread):
    """See the module."""

    def __init__(self, shared: Shared, number: int, seed: str) -> None:
        super().__init__(daemon=True)
        self._shared = shared
        self._number = number
        self._chance = random.Random(f"{seed} {number}")
        self._door: Door | None = None
        self._node = ""
        self._sequence = 0
        self._works: Sequence[tuple[int, Callable[[Operation], None]]] = (
            (6, self._register),
            (5, self._lists),
            (4, self._transfer),
            (3, self._total),
            (3, self._add),
            (2, self._insert),
            (1, self._claim),
            (2, self._graph),
            (2, self._past),
            (2, self._forgotten),
            (1, self._undo),
        )

    def run(self) -> None:
        weights = [weight for weight, _ in self._works]
        works = [work for _, work in self._works]
        try:
            while not self._shared.stop.is_set():
                self._one(self._chance.choices(works, weights)[0])
        except Exception as broken:
            self._shared.errors.append(f"client {self._number}: {broken!r}")
        finally:
            self._leave()

    def _one(self, work: Callable[[Operation], None]) -> None:
        each = Operation(self._number, time.monotonic(), "")
        try:
            work(each)
            each.outcome = Outcome.OK
        except NotDone as refused:
            each.outcome, each.error = Outcome.FAILED, str(refused)[:300]
        except Unknown as unknown:
            each.error = str(unknown)[:300]
            self._leave()
        if each.outcome is not Outcome.UNKNOWN:
            each.end = time.monotonic()
        each.arguments.setdefault("node", self._node)
        self._shared.history.append(each)
        if each.outcome is Outcome.FAILED and self._chance.random() < 0.3:
            self._leave()
            self._shared.stop.wait(0.05)

    def _leave(self) -> None:
        if self._door is not None:
            self._door.close()
            self._door = None

    def _enter(self, *, http: bool = False) -> Door:
        if self._door is None or (http and not isinstance(self._door, HttpDoor)):
            self._leave()
            self._node, ports = self._chance.choice(sorted(self._shared.nodes.items()))
            over_http = http or self._chance.random() < 0.5
            self._door = HttpDoor(ports[0]) if over_http else BoltDoor(ports[1])
        return self._door

    def _key(self, kinds: int) -> str:
        return f"{len(self._shared.history) // _KEYS_LAST}-{self._chance.randrange(kinds)}"

    # --- works ---

    def _register(self, each: Operation) -> None:
        key = self._key(3)
        each.kind = self._chance.choice(("read", "write", "cas"))
        each.arguments = {"key": key}
        if each.kind == "read":
            each.result = self._enter().run(_READ_REG, {"key": key})[0][0]
            return
        each.arguments["value"] = self._chance.randrange(5)
        if each.kind == "write":
            self._enter().run(_WRITE_REG, each.arguments)
            return
        each.arguments["expected"] = self._chance.randrange(5)
        each.result = self._enter().run(_SWAP_REG, each.arguments)[0][0] == 1

    def _lists(self, each: Operation) -> None:
        serializable = self._chance.random() < 0.5
        each.kind = "append-txn"
        prefix = "s" if serializable else "i"
        steps: list[tuple[str, str, Any]] = []
        for _ in range(self._chance.randint(2, 4)):
            key = prefix + self._key(3)
            write = self._chance.random() < 0.5
            steps.append(("append", key, self._shared.number()) if write else ("read", key, None))
        each.arguments = {"steps": steps, "serializable": serializable}
        statements = [
            (_APPEND if kind == "append" else _READ_LIST, {"key": key, "value": value})
            for kind, key, value in steps
        ]
        answers = self._enter().transact(statements, serializable=serializable)
        each.result = [
            (kind, key, value if kind == "append" else (rows[0][0] or []))
            for (kind, key, value), rows in zip(steps, answers, strict=True)
        ]

    def _transfer(self, each: Operation) -> None:
        each.kind = "transfer"
        a, b = self._chance.sample(range(1, ACCOUNTS + 1), 2)
        each.arguments = {"a": a, "b": b, "n": self._chance.randint(1, 30)}
        self._enter().run(_TRANSFER, each.arguments)

    def _total(self, each: Operation) -> None:
        each.kind = "total"
        each.result = self._enter().run(_TOTAL, {})[0][0]

    def _add(self, each: Operation) -> None:
        """Sent again under its id, on whatever node, until somebody knows."""
        each.kind = "add"
        self._sequence += 1
        each.arguments = {"key": self._chance.randint(1, COUNTERS)}
        request = (f"chaos-{self._number}", self._sequence)
        sent = False
        for _ in range(_TRIES):
            try:
                self._enter(http=True).run(_ADD, each.arguments, request)
            except (Unknown, NotDone) as broken:
                # once an attempt may have happened, a later refusal says nothing of it
                sent = sent or isinstance(broken, Unknown)
                if not sent:
                    raise
                self._leave()
                if self._shared.stop.wait(0.1):
                    break
            else:
                return
        raise Unknown("nobody knew")

    def _insert(self, each: Operation) -> None:
        each.kind = "insert"
        each.arguments = {"value": self._shared.number()}
        self._enter().run("CREATE (:El {v: $value})", each.arguments)

    def _claim(self, each: Operation) -> None:
        each.kind = "claim"
        each.arguments = {"value": len(self._shared.history) // 40}
        self._enter().run("CREATE (:Claim {v: $value})", each.arguments)

    def _graph(self, each: Operation) -> None:
        each.kind = "graph"
        a, b = self._chance.sample(range(30), 2)
        each.arguments = {"a": a, "b": b, "n": self._shared.number()}
        statement = _CUT if self._chance.random() < 0.2 else _GROW
        self._enter().run(statement, each.arguments)

    def _past(self, each: Operation) -> None:
        each.kind = "past"
        moments = self._shared.moments
        if not moments or self._chance.random() < 0.2:
            moments.append((datetime.now(UTC) - timedelta(seconds=1)).isoformat())
        moment = self._chance.choice(moments[-20:])
        each.arguments = {"moment": moment, "question": "accounts"}
        each.result = self._enter().run(_TOTAL_THEN, {"moment": moment})[0][0]

    def _forgotten(self, each: Operation) -> None:
        """Things whose past goes away: by vacuum, by erasure; and comes back, as far as it is
        there. Nobody judges them but the digests: what members hold must stay the same."""
        each.kind = self._chance.choice(("keep", "keep", "keep", "flashback", "erase"))
        if each.kind == "keep":
            each.arguments = {"key": self._chance.randrange(20), "value": self._shared.number()}
            self._enter().run(_TMP, each.arguments)
        elif each.kind == "flashback":
            moment = datetime.now(UTC) - timedelta(seconds=self._chance.random() * 3)
            each.arguments = {"moment": moment.isoformat()}
            self._enter(http=True).run(_TMP_BACK, each.arguments)
        else:
            self._enter(http=True).run(_TMP_GONE, {})

    def _undo(self, each: Operation) -> None:
        """Something of its own is changed or deleted, and comes back as it was."""
        each.kind = "undo"
        each.arguments = {"k": self._shared.number()}
        self._enter().run(undoing.MAKE, each.arguments)
        [[version]] = self._enter().run(undoing.VERSION, each.arguments)
        self._enter().run(self._chance.choice(undoing.SPOIL), each.arguments)
        self._enter().run(f"{undoing.UNDO} {version}", each.arguments)
        found = self._enter().run(undoing.LOOK, each.arguments)
        problem = undoing.problem(each.arguments["k"], found)
        if problem is not None:
            self._shared.errors.append(problem)
