"""``python -m bench.latency``: what others feel while something large goes on.

1. While a transaction of a million changes commits, other writers keep writing: their p99.
2. While the TCK (over HTTP) and an import run on the same node, or on a group of ``--members``,
   the event loop of every member answers: the lag is measured from outside, by a request for
   ``/livez`` every few milliseconds (an upper bound: it holds the machine's own scheduling too),
   and read from the node's own histogram.
3. Readers while a writer holds a large open transaction: they never wait.
"""

from __future__ import annotations

import argparse
import http.client
import multiprocessing
import subprocess
import sys
import threading
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final

from bench.common import ROOT, Report, quantile, scratch
from bench.imports import synthetic
from tests.cluster.chaos.group import Group
from tests.support.process import Server, program
from tests.support.query_api import Failed, QueryApi

CHANGES: Final = 1_000_000
STEP: Final = 50_000


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.latency", description=__doc__)
    parser.add_argument("--changes", type=int, default=CHANGES)
    parser.add_argument("--skip-lag", action="store_true")
    parser.add_argument("--skip-large", action="store_true")
    parser.add_argument("--members", type=int, default=1, help="of the group whose loops are read")
    options = parser.parse_args(arguments)
    report = Report()
    with scratch("latency") as folder:
        if not options.skip_large:
            server = Server(folder / "data")
            server.start()
            try:
                large_commit(report, server, options.changes)
            finally:
                server.stop()
        if not options.skip_lag:
            lag(report, folder, options.members)
    return report.end()


class Small(threading.Thread):
    """A writer of small commits, or a reader, noting when each began and how long it took."""

    def __init__(self, port: int, statement: str) -> None:
        super().__init__(daemon=True)
        self.api = QueryApi(port)
        self.statement = statement
        self.times: list[tuple[float, float]] = []
        self.errors: list[str] = []
        self.told = threading.Event()

    def run(self) -> None:
        while not self.told.is_set():
            started = time.monotonic()
            try:
                self.api.run(self.statement)
            except Failed as failed:
                self.errors.append(str(failed))
            self.times.append((started, (time.monotonic() - started) * 1e3))
            time.sleep(0.005)

    def between(self, start: float, end: float) -> list[float]:
        """Latencies of what was under way in a span of time."""
        return [ms for began, ms in self.times if began < end and began + ms / 1e3 > start]


def large_commit(report: Report, server: Server, changes: int) -> None:
    """Build a large transaction in steps, commit it, watch the others."""
    api = QueryApi(server.port, timeout=600)
    api.run("CREATE (:Small {id: 0})")
    writers = [Small(server.port, "CREATE (:Other {x: 1})") for _ in range(4)]
    readers = [Small(server.port, "MATCH (s:Small) RETURN s.id") for _ in range(2)]
    for thread in (*writers, *readers):
        thread.start()
    transaction = api.begin()
    started = time.monotonic()
    for low in range(0, changes, STEP):
        api.run_in(
            transaction,
            "UNWIND range($low, $high) AS i CREATE (:Large {i: i})",
            {"low": low, "high": min(low + STEP, changes) - 1},
        )
    committing = time.monotonic()
    api.commit(transaction)
    ended = time.monotonic()
    for thread in (*writers, *readers):
        thread.told.set()
    for thread in (*writers, *readers):
        thread.join(60)
    found = api.rows("MATCH (n:Large) RETURN count(n)")[0][0]
    for name, threads, start, bar in (
        ("writers_p99_during_large_commit", writers, committing, 250.0),
        ("writers_p99_during_large_transaction", writers, started, None),
        ("readers_p99_during_large_commit", readers, committing, 250.0),
    ):
        seen = [ms for thread in threads for ms in thread.between(start, ended)]
        errors = [error for thread in threads for error in thread.errors]
        report.add(
            name, "ms", quantile(seen, 0.99) if seen else None, bar=bar, at_most=True,
            requests=len(seen), longest_ms=max(seen, default=0.0), errors=len(errors),
            first_error=errors[0][:200] if errors else None, changes=found,
            commit_seconds=ended - committing, statements_seconds=committing - started,
        )  # fmt: skip


def probe(port: int, told: Event, results: multiprocessing.Queue[list[float]]) -> None:
    """Ask for ``/livez`` every few milliseconds; each answer's time in ms."""
    seen: list[float] = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while not told.is_set():
        started = time.perf_counter()
        connection.request("GET", "/livez")
        connection.getresponse().read()
        seen.append((time.perf_counter() - started) * 1e3)
        time.sleep(0.003)
    results.put(seen)


def lag(report: Report, folder: Path, members: int) -> None:
    """The TCK and an import, each on the next member in turn, and a probe of every member."""
    nodes, edges = synthetic(folder, 200_000, 4_000_000)
    group = Group(folder, None)
    context = multiprocessing.get_context("spawn")
    told = context.Event()
    seen: dict[str, list[float]] = {}
    try:
        for number in range(1, members + 1):
            group.join(f"n{number}")
        servers = list(group.members.values())
        probes: list[tuple[Server, multiprocessing.Queue[list[float]]]] = []
        for server in servers:
            results: multiprocessing.Queue[list[float]] = context.Queue()
            given = (server.port, told, results)
            context.Process(target=probe, args=given, daemon=True).start()
            probes.append((server, results))
        importing = subprocess.Popen(
            [*program(), "import", "--uri", uri(servers[0]), "--nodes", f"{nodes}:Person",
             "--edges", f"{edges}:KNOWS"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        suites: list[str] = []
        while len(suites) < members or importing.poll() is None:
            suites.append(suite(uri(servers[len(suites) % members])))
        output, _ = importing.communicate()
        told.set()
        seen = {server.name: results.get(timeout=60) for server, results in probes}
        own = {server.name: own_histogram(server) for server in servers}
        leader = group.leader()
    finally:
        told.set()
        for server in group.members.values():
            server.kill()
    failed = importing.returncode != 0
    for name, times in seen.items():
        report.add(
            f"event_loop_p999_{name}_of_{members}", "ms", quantile(times, 0.999), bar=50.0,
            at_most=True, p99_ms=quantile(times, 0.99), longest_ms=max(times), probes=len(times),
            role="leader" if name == leader else "follower", own=own[name], tck=suites,
            reason=output.decode()[-400:] if failed else None,
        )  # fmt: skip


def uri(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"


def suite(address: str) -> str:
    """The cases of the TCK that any graph will do for; the closing line."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.tck.run", "--door", "http", "--uri", address,
         "--variant", "anywhere", "--filter", "expressions"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.splitlines()[-1] if done.stdout else done.stderr[-200:]


def own_histogram(server: Server) -> dict[str, str]:
    """Lines of the node's metrics that speak of the event loop."""
    _, _, content = QueryApi(server.port).request("GET", "/metrics")
    lines = [line for line in content.decode().splitlines() if "loop" in line and line[0] != "#"]
    return dict(line.rsplit(" ", 1) for line in lines)


if __name__ == "__main__":
    sys.exit(main())
