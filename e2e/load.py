"""The load inside the cluster: a program with a stock Neo4j driver and managed transactions, as users
write them. Everything it does is written to a file, one JSON object a line, to be judged later.

    python load.py neo4j://graph.default.svc.cluster.local:7687 PASSWORD_FILE HISTORY_FILE

It stops on SIGTERM, or when HISTORY_FILE.stop exists; then HISTORY_FILE.end holds what the database
says at the end.
"""

from __future__ import annotations

import json
import logging
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import neo4j
from neo4j.exceptions import DriverError, IncompleteCommit, Neo4jError

CLIENTS = 6
ACCOUNTS = 24
MONEY = 100
#: longest that the driver tries a transaction again
RETRY_SECONDS = 5.0
#: longest that it waits for a new connection, as docs/bolt.md advises: its own 30 seconds are spent
#: with a lock held when a machine that is cut off is asked for a routing table, and everybody waits
CONNECT_SECONDS = 3.0
#: and for its first word: a process that stands still has its connections accepted all the same
ACQUIRE_SECONDS = 5.0
#: operations after which fresh keys are used, so that judging stays cheap
KEYS_LAST = 150
#: what a server answers when it cannot say whether a commit happened
UNKNOWN_CODES = (
    "Neo.TransientError.Transaction.Terminated",
    "Neo.ClientError.Transaction.Terminated",
)

SETUP = (
    "CREATE CONSTRAINT reg IF NOT EXISTS FOR (n:Reg) REQUIRE n.key IS UNIQUE",
    "CREATE CONSTRAINT lst IF NOT EXISTS FOR (n:Lst) REQUIRE n.key IS UNIQUE",
    "CREATE CONSTRAINT acc IF NOT EXISTS FOR (n:Acc) REQUIRE n.id IS UNIQUE",
    f"UNWIND range(1, {ACCOUNTS}) AS i MERGE (a:Acc {{id: i}}) ON CREATE SET a.v = {MONEY}",
)
APPEND = "MERGE (l:Lst {key: $key}) SET l.items = coalesce(l.items, []) + $value"
READ_LIST = "OPTIONAL MATCH (l:Lst {key: $key}) RETURN coalesce(l.items, [])"
TRANSFER = (
    "MATCH (a:Acc {id: $a}), (b:Acc {id: $b}) WHERE a.v >= $n SET a.v = a.v - $n, b.v = b.v + $n"
)
TOTAL = "MATCH (a:Acc) WITH a ORDER BY a.id RETURN collect(a.v)"
READ = "OPTIONAL MATCH (r:Reg {key: $key}) RETURN r.value"
WRITE = "MERGE (r:Reg {key: $key}) SET r.value = $value"
INSERT = "CREATE (:El {v: $value})"


class Load:
    """What all clients share."""

    def __init__(self, driver: neo4j.Driver, history: Path) -> None:
        self.driver = driver
        self.stop = threading.Event()
        self._file = history.open("w", encoding="utf-8")
        self._lock = threading.Lock()
        self._number = 0
        self.operations = 0
        self.retries = Retries()
        self.lookups = Lookups()

    def number(self) -> int:
        """One that nobody had before."""
        with self._lock:
            self._number += 1
            return self._number

    def note(self, line: dict[str, Any]) -> None:
        """Keep an operation."""
        with self._lock:
            self.operations += 1
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()


class Retries(logging.Handler):
    """Why the driver tries transactions again, as it says in its log, each by its thread."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._mine = threading.local()
        logging.getLogger("neo4j").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """See ``Handler``."""
        if record.msg.startswith("Transaction failed and will be retried") and record.args:
            error = tuple(record.args)[-1]
            why = error.code if isinstance(error, Neo4jError) else type(error).__name__
            self.of_this_thread().append(str(why))

    def of_this_thread(self) -> list[str]:
        """Codes or kinds of errors, since it was last emptied."""
        if not hasattr(self._mine, "found"):
            self._mine.found = []
        found: list[str] = self._mine.found
        return found


class Lookups:
    """How long names took that were asked for, each by its thread. The driver asks before every new
    connection, and its ``connection_timeout`` does not count there."""

    def __init__(self) -> None:
        self._mine = threading.local()
        self._ask = socket.getaddrinfo
        socket.getaddrinfo = self._timed

    def _timed(self, *asked: Any, **options: Any) -> Any:
        started = time.time()
        try:
            return self._ask(*asked, **options)
        finally:
            self.of_this_thread().append((str(asked[0]), round(time.time() - started, 3)))

    def of_this_thread(self) -> list[tuple[str, float]]:
        """Names and seconds, since it was last emptied."""
        if not hasattr(self._mine, "found"):
            self._mine.found = []
        found: list[tuple[str, float]] = self._mine.found
        return found


class Client(threading.Thread):
    """One operation after another."""

    def __init__(self, load: Load, number: int) -> None:
        super().__init__(daemon=True)
        self._load = load
        self._number = number
        self._chance = random.Random(number)
        self._works: tuple[tuple[int, Callable[[dict[str, Any]], Any]], ...] = (
            (4, self._register),
            (4, self._lists),
            (4, self._transfer),
            (3, self._total),
            (3, self._insert),
        )

    def run(self) -> None:
        """Until the load is stopped."""
        weights = [weight for weight, _ in self._works]
        works = [work for _, work in self._works]
        while not self._load.stop.is_set():
            self._one(self._chance.choices(works, weights)[0])

    def _one(self, work: Callable[[dict[str, Any]], Any]) -> None:
        line: dict[str, Any] = {
            "client": self._number, "start": time.time(), "attempts": 0, "moments": [],
        }  # fmt: skip
        retries = self._load.retries.of_this_thread()
        lookups = self._load.lookups.of_this_thread()
        retries.clear()
        lookups.clear()
        try:
            line["result"] = work(line)
            line["outcome"] = "ok"
        except IncompleteCommit as error:
            line |= {"outcome": "unknown", "error": f"{type(error).__name__}: {error}"}
        except (Neo4jError, DriverError, OSError) as error:
            unknown = isinstance(error, Neo4jError) and error.code in UNKNOWN_CODES
            line |= {
                "outcome": "unknown" if unknown else "failed",
                "error": f"{type(error).__name__}: {error}"[:500],
            }
        line["end"] = time.time()
        line["retries"] = list(retries)
        line["lookups"] = list(lookups)
        self._load.note(line)

    def _managed(
        self, line: dict[str, Any], *, write: bool, body: Callable[[neo4j.ManagedTransaction], Any]
    ) -> Any:
        def counted(transaction: neo4j.ManagedTransaction) -> Any:
            line["attempts"] += 1
            try:
                moment("connected")
                return body(transaction)
            finally:
                moment("ran")

        def moment(name: str) -> None:
            """What of an attempt took how long: until there was a connection, its statements; the
            rest is its commit, and the wait before the next one."""
            line["moments"].append((name, round(time.time() - line["start"], 3)))

        with self._load.driver.session(database="neo4j") as session:
            return (session.execute_write if write else session.execute_read)(counted)

    def _key(self, kinds: int) -> str:
        return f"{self._load.operations // KEYS_LAST}-{self._chance.randrange(kinds)}"

    # --- works ---

    def _write(self, line: dict[str, Any], text: str) -> None:
        arguments = line["arguments"]
        self._managed(line, write=True, body=lambda tx: tx.run(text, arguments).consume())

    def _register(self, line: dict[str, Any]) -> Any:
        write = self._chance.random() < 0.5
        arguments: dict[str, Any] = {"key": self._key(6)}
        line |= {"kind": "write" if write else "read", "arguments": arguments}
        if not write:
            return self._managed(
                line, write=False, body=lambda tx: tx.run(READ, arguments).single(strict=True)[0]
            )
        arguments["value"] = self._load.number()
        self._write(line, WRITE)
        return None

    def _lists(self, line: dict[str, Any]) -> Any:
        steps: list[tuple[str, str, Any]] = []
        for _ in range(self._chance.randint(1, 3)):
            append = self._chance.random() < 0.5
            value = self._load.number() if append else None
            steps.append(("append" if append else "read", self._key(12), value))
        line |= {"kind": "append-txn", "arguments": {"steps": steps}}

        def body(transaction: neo4j.ManagedTransaction) -> Any:
            found = []
            for kind, key, value in steps:
                text = APPEND if kind == "append" else READ_LIST
                rows = transaction.run(text, key=key, value=value).values()
                found.append((kind, key, value if kind == "append" else rows[0][0]))
            return found

        return self._managed(line, write=True, body=body)

    def _transfer(self, line: dict[str, Any]) -> None:
        a, b = self._chance.sample(range(1, ACCOUNTS + 1), 2)
        arguments = {"a": a, "b": b, "n": self._chance.randint(1, 30)}
        line |= {"kind": "transfer", "arguments": arguments}
        self._write(line, TRANSFER)

    def _total(self, line: dict[str, Any]) -> Any:
        line |= {"kind": "total", "arguments": {}}
        return self._managed(
            line, write=False, body=lambda tx: tx.run(TOTAL).single(strict=True)[0]
        )

    def _insert(self, line: dict[str, Any]) -> None:
        arguments = {"value": self._load.number()}
        line |= {"kind": "insert", "arguments": arguments}
        self._write(line, INSERT)


def final(driver: neo4j.Driver) -> dict[str, Any]:
    """What the database holds when nobody writes any more."""

    def rows(text: str) -> list[list[Any]]:
        records, _, _ = driver.execute_query(text, database_="neo4j")
        return [list(record.values()) for record in records]

    return {
        "lists": dict(rows("MATCH (l:Lst) RETURN l.key, l.items")),
        "set": sorted(row[0] for row in rows("MATCH (n:El) RETURN n.v")),
        "accounts": rows("MATCH (a:Acc) RETURN a.id, a.v ORDER BY a.id"),
    }


def main() -> None:
    """See the module."""
    uri, password_file, history = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    password = password_file.read_text(encoding="utf-8").strip()
    with neo4j.GraphDatabase.driver(
        uri,
        auth=("neo4j", password),
        max_transaction_retry_time=RETRY_SECONDS,
        connection_timeout=CONNECT_SECONDS,
        connection_acquisition_timeout=ACQUIRE_SECONDS,
    ) as driver:
        load = Load(driver, history)
        signal.signal(signal.SIGTERM, lambda *_: load.stop.set())
        for text in SETUP:
            driver.execute_query(text, database_="neo4j")
        clients = [Client(load, number) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        asked = history.with_suffix(".stop")
        while not load.stop.wait(0.2):
            if asked.exists():
                load.stop.set()
        for client in clients:
            client.join()
        end = history.with_suffix(".end.new")
        end.write_text(json.dumps(final(driver)), encoding="utf-8")
        end.rename(history.with_suffix(".end"))
    # what was written is fetched from here until the pod is deleted
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
