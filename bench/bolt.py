"""``python -m bench.bolt``: reads over Bolt, through raw sockets and the Python driver.

The peer is ArcadeDB's Bolt server (``arcadedb-embedded``) on the same data, in turns within one
run. Load comes from this process; servers have processes of their own.
"""

from __future__ import annotations

import argparse
import os
import random
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import neo4j

from bench.common import ROOT, Report, cpu_seconds, quantile, scratch
from tests.support.bolt import PULL, RUN, Bolt, message
from tests.support.process import Server, free_port

POINT = "MATCH (p:Person {id: $id}) RETURN p.name AS name"
HUNDRED = (
    "UNWIND range($id, $id + 99) AS i MATCH (p:Person {id: i}) "
    "RETURN p.id AS id, p.name AS name, p.age AS age, p.score AS score"
)
STREAM = "UNWIND range(1, {}) AS x RETURN x, x + 1 AS y, 'name ' + x AS s, x * 0.5 AS f"
#: (name, statement, answers to a request: RUN, the rows, PULL)
READS = (("point", POINT, 3), ("rows100", HUNDRED, 102))


@dataclass
class Target:
    """A server under load."""

    name: str
    port: int
    auth: dict[str, Any] | None = None
    database: str | None = None
    login: tuple[str, str] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def connect(self) -> Bolt:
        return Bolt(self.port, version=(5, 4), auth=self.auth)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.bolt", description=__doc__)
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the stream")
    parser.add_argument("--connections", type=int, nargs="*", default=[1, 8, 64])
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--peer-python", default=sys.executable, help="that has arcadedb-embedded")
    options = parser.parse_args(arguments)
    report = Report()
    with scratch("bolt") as folder:
        node = Server(folder / "data")
        node.start()
        ours = Target("everwhen", node.bolt_port)
        peer: Target | None = None
        process: subprocess.Popen[str] | None = None
        reason: str | None = "not asked for"
        if not options.no_peer:
            peer, process, reason = arcadedb(folder, options.peer_python)
        try:
            for target in filter(None, (ours, peer)):
                load(target, options.nodes)
            measure(report, ours, peer, reason, options)
        finally:
            node.stop()
            if process is not None:
                process.kill()
                process.wait()
    return report.end()


def arcadedb(
    folder: Path, python: str
) -> tuple[Target | None, subprocess.Popen[str] | None, str | None]:
    """The peer, or why there is none."""
    port = free_port()
    process = subprocess.Popen(
        [python, "-m", "bench.arcadedb_peer", str(folder), str(port)],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},  # it leaves its log where it runs
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("ready"):
            threading.Thread(target=process.stdout.read, daemon=True).start()
            auth: dict[str, Any] = {
                "scheme": "basic",
                "principal": "root",
                "credentials": "measured-here",
            }
            login = ("root", "measured-here")
            return Target("arcadedb", port, auth, "bench", login, {"db": "bench"}), process, None
    assert process.stderr is not None
    last = process.stderr.read().strip().splitlines()[-1:]
    return None, None, f"arcadedb-embedded does not run: {' '.join(last)}"


def load(target: Target, nodes: int) -> None:
    client = target.connect()
    if target.name == "everwhen":
        client.run("CREATE CONSTRAINT FOR (p:Person) REQUIRE p.id IS UNIQUE", **target.extra)
    for low in range(0, nodes, 5_000):
        rows = [
            {"id": i, "name": f"person {i}", "age": i % 90, "score": i / 7}
            for i in range(low, min(low + 5_000, nodes))
        ]
        text = "UNWIND $rows AS row CREATE (p:Person) SET p = row"
        client.run(text, {"rows": rows}, **target.extra)
    client.close()


def measure(
    report: Report, ours: Target, peer: Target | None, reason: str | None, options: Any
) -> None:
    runs: dict[str, Callable[..., dict[str, float]]] = {"raw": raw, "driver": through_driver}
    for how, run in runs.items():
        for name, text, answers in READS:
            for connections in options.connections:
                mine: list[dict[str, float]] = []
                theirs: list[dict[str, float]] = []
                for _ in range(2):
                    for target, results in ((ours, mine), (peer, theirs)):
                        if target is not None:
                            results.append(run(target, text, answers, connections, options))
                best = max(mine, key=lambda each: each["rate"])
                other = max(theirs, key=lambda each: each["rate"]) if theirs else None
                report.add(
                    f"bolt_{how}_{name}_{connections}", "requests/s", best["rate"],
                    {"arcadedb": other["rate"] if other else None}, bar=1.0, against_peer=True,
                    reason=reason, load_cpu=best["cpu"],
                )  # fmt: skip
                report.add(
                    f"bolt_{how}_{name}_{connections}_p99", "ms", best["p99"],
                    {"arcadedb": other["p99"] if other else None}, bar=1.0, at_most=True,
                    against_peer=True, reason=reason, p50=best["p50"],
                    peer_p50=other and other["p50"],
                )  # fmt: skip
    for how, drain in (("raw", stream_raw), ("driver", stream_driver)):
        mine_rate = drain(ours, options.rows)
        their_rate = drain(peer, options.rows) if peer is not None else None
        report.add(
            f"bolt_{how}_stream", "rows/s", mine_rate, {"arcadedb": their_rate}, reason=reason,
            rows=options.rows, columns=4,
        )  # fmt: skip


def figures(times: list[float], seconds: float, cpu: float) -> dict[str, float]:
    return {
        "rate": len(times) / seconds,
        "p50": quantile(times, 0.5) * 1e3,
        "p99": quantile(times, 0.99) * 1e3,
        "cpu": cpu / seconds,
    }


# --- raw sockets ---------------------------------------------------------------------------


class Lane:
    """One connection with one request under way."""

    def __init__(self, target: Target, text: str, answers: int, nodes: int, seed: int) -> None:
        self.client = target.connect()
        self.socket = self.client.socket
        self.text, self.answers, self.extra = text, answers, target.extra
        self.chance = random.Random(seed)
        self.nodes = nodes - 100
        self.left = 0
        self.rest = b""
        self.started = 0.0

    def send(self) -> None:
        number = self.chance.randrange(self.nodes)
        data = message(RUN, self.text, {"id": number}, self.extra) + message(PULL, {"n": -1})
        self.left, self.rest = self.answers, b""
        self.started = time.perf_counter()
        self.socket.sendall(data)

    def receive(self) -> bool:
        """Takes what came; True when the answer is whole."""
        data = self.rest + self.socket.recv(1 << 18)
        assert data, "the server closed the connection"
        at, end = 0, len(data)
        while end - at >= 2:
            size = data[at] << 8 | data[at + 1]
            if end - at - 2 < size:
                break
            if size == 0:
                self.left -= 1
            elif data[at + 3] == 0x7F:
                raise AssertionError(data[at : at + 300])
            at += 2 + size
        self.rest = data[at:]
        return self.left == 0


def raw(
    target: Target, text: str, answers: int, connections: int, options: Any
) -> dict[str, float]:
    """Requests one after the other on each connection, all from one thread."""
    lanes = [Lane(target, text, answers, options.nodes, seed) for seed in range(connections)]
    selector = selectors.DefaultSelector()
    for lane in lanes:
        selector.register(lane.socket, selectors.EVENT_READ, lane)
        lane.send()
    times: list[float] = []
    warm = time.perf_counter() + 0.5
    begin, cpu = warm, cpu_seconds()
    end = warm + options.seconds
    while (now := time.perf_counter()) < end:
        if begin == warm and now >= warm:
            times.clear()
            begin, cpu = now, cpu_seconds()
        for key, _ in selector.select(1.0):
            if key.data.receive():
                times.append(time.perf_counter() - key.data.started)
                key.data.send()
    found = figures(times, time.perf_counter() - begin, cpu_seconds() - cpu)
    for lane in lanes:
        lane.client.close()
    return found


def stream_raw(target: Target, rows: int) -> float:
    client = target.connect()
    client.socket.sendall(
        message(RUN, STREAM.format(rows), {}, target.extra) + message(PULL, {"n": -1})
    )
    client.success()
    lane = Lane(target, "", 0, 1_000, 0)
    lane.socket, lane.left, started = client.socket, rows + 1, time.perf_counter()
    buffered = client.reader.peek()
    lane.rest = client.reader.read(len(buffered))
    while not lane.receive():
        pass
    return rows / (time.perf_counter() - started)


# --- the Python driver ---------------------------------------------------------------------


def opened(target: Target) -> Any:
    return neo4j.GraphDatabase.driver(f"bolt://127.0.0.1:{target.port}", auth=target.login)


def through_driver(
    target: Target, text: str, answers: int, connections: int, options: Any
) -> dict[str, float]:
    """A thread with a session for each connection."""
    times: list[float] = []
    start = threading.Barrier(connections + 1)
    stop = threading.Event()

    def work(driver: Any, seed: int) -> None:
        chance = random.Random(seed)
        own: list[float] = []
        with driver.session(database=target.database) as session:
            try:
                list(session.run(text, id=1))
            except BaseException:
                start.abort()
                raise
            start.wait(60)
            while not stop.is_set():
                began = time.perf_counter()
                number = chance.randrange(options.nodes - 100)
                rows = list(session.run(text, id=number))
                assert len(rows) == answers - 2
                own.append(time.perf_counter() - began)
        times.extend(own)

    with opened(target) as driver:
        threads = [threading.Thread(target=work, args=(driver, n)) for n in range(connections)]
        for thread in threads:
            thread.start()
        start.wait(60)
        began, cpu = time.perf_counter(), cpu_seconds()
        stop.wait(options.seconds)
        stop.set()
        for thread in threads:
            thread.join()
        return figures(times, time.perf_counter() - began, cpu_seconds() - cpu)


def stream_driver(target: Target, rows: int) -> float:
    with opened(target) as driver, driver.session(database=target.database) as session:
        started = time.perf_counter()
        count = sum(1 for _ in session.run(STREAM.format(rows)))
        assert count == rows
        return rows / (time.perf_counter() - started)


if __name__ == "__main__":
    sys.exit(main())
