"""``python -m bench.cluster``: three real processes, fsync on, against an etcd of three members.

Each pair of figures is measured one after the other in the same run, on the same disk, with 256
bytes a value. Clients do what one that routes does: writes go to the member that leads (etcd's
too), linearizable reads to all members. All clients are in this process, away from the servers.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from functools import partial
from typing import Any, Final

from bench import load
from bench.common import Etcd, Report, quantile, scratch
from bench.imports import synthetic
from tests.cluster.chaos.group import Group
from tests.support.process import program
from tests.support.query_api import QueryApi

VALUE: Final = "x" * 256
KEYS: Final = 100_000
CREATE: Final = "CREATE (:KV {key: $key, value: $value})"
BATCH: Final = "UNWIND $rows AS row CREATE (:KV {key: row.key, value: row.value})"
READ: Final = "MATCH (n:Point {id: $id}) RETURN n.value"
CLIENTS: Final = (1, 16, 64)
IMPORT_BAR: Final = 150_000.0
_PREPARED: Final = 4_096
_MEMBERS: Final = ("n1", "n2", "n3")


def key() -> str:
    return f"k{random.randrange(KEYS):08d}"


def create() -> dict[str, Any]:
    return {"statement": CREATE, "parameters": {"key": key(), "value": VALUE}}


def batch() -> dict[str, Any]:
    rows = [{"key": key(), "value": VALUE} for _ in range(100)]
    return {"statement": BATCH, "parameters": {"rows": rows}}


def point(nodes: int) -> dict[str, Any]:
    return {"statement": READ, "parameters": {"id": random.randrange(nodes)}}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.cluster", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="of each measurement")
    parser.add_argument("--points", type=int, default=10_000, help="nodes that are read")
    parser.add_argument("--edges", type=int, default=2_000_000, help="that are imported; 0: none")
    options = parser.parse_args(arguments)
    report = Report()
    with scratch("cluster") as folder:
        etcd = Etcd(folder, members=3)
        group = Group(folder, None)
        try:
            etcd.start()
            for name in _MEMBERS:
                group.join(name)
            measure(report, group, etcd, options.seconds, options.points)
            if options.edges:
                load_edges(report, group, options.edges)
        finally:
            etcd.stop()
            for server in group.members.values():
                server.kill()
    return report.end()


def leading(group: Group) -> int:
    """The HTTP port of the member that leads."""
    group.until("somebody leads", lambda: group.leader() is not None)
    leader = group.leader()
    assert leader is not None
    return group.members[leader].port


def prepared(make: Any, count: int = _PREPARED) -> load.Body:
    """Requests made beforehand, so that the clients leave the CPU to the servers."""
    ready = [load.request(make()) for _ in range(count)]
    return lambda client, number: ready[(client * 997 + number) % count]


def measure(report: Report, group: Group, etcd: Etcd, seconds: float, points: int) -> None:
    """Commits, transactions of 100, then reads."""
    requests = prepared(create)
    for clients in CLIENTS:
        theirs = etcd.measure(clients, seconds)
        ours = load.run(leading(group), clients, seconds, requests)
        line(report, f"cluster_commits_{clients}_clients", "commits/s", ours, theirs, etcd)
    requests = prepared(batch, 256)
    for clients in CLIENTS:
        theirs = etcd.measure(clients, seconds, batch=100)
        ours = load.run(leading(group), clients, seconds, requests)
        name = f"cluster_creates_100_a_transaction_{clients}_clients"
        line(report, name, "operations/s", ours, theirs, etcd, 100)
    create_points(group, points)
    requests = prepared(partial(point, points))
    ports = [server.port for server in group.members.values()]
    for clients in CLIENTS:
        theirs = etcd.measure(clients, seconds, read=True)
        ours = load.run(ports, clients, seconds, requests)
        name = f"cluster_linearizable_reads_{clients}_clients"
        line(report, name, "reads/s", ours, theirs, etcd)


def create_points(group: Group, points: int) -> None:
    with QueryApi(leading(group), timeout=60) as api:
        api.run("CREATE CONSTRAINT FOR (n:Point) REQUIRE n.id IS UNIQUE")
        for low in range(0, points, 1_000):
            text = "UNWIND range($low, $high) AS id CREATE (:Point {id: id, value: $value})"
            high = min(low + 1_000, points) - 1
            api.run(text, {"low": low, "high": high, "value": VALUE})
    group.settle()


def line(
    report: Report, name: str, unit: str, ours: load.Load, theirs: dict[str, float] | None,
    etcd: Etcd, size: int = 1,
) -> None:  # fmt: skip
    more: dict[str, Any] = {"errors": len(ours.errors), "cpu_share": ours.cpu_share}
    if ours.latencies_ms:
        more["p50_ms"] = quantile(ours.latencies_ms, 0.5)
        more["p99_ms"] = quantile(ours.latencies_ms, 0.99)
    if theirs:
        more |= {f"etcd_{what}": theirs[what] for what in ("p50_ms", "p99_ms", "cpu_share")}
    if ours.errors:
        more["first_error"] = ours.errors[0][:300]
    peers = {"etcd": theirs["operations_per_s"] if theirs else None}
    report.add(
        name, unit, ours.rate * size, peers, bar=1.0, against_peer=True, reason=etcd.reason, **more
    )


def load_edges(report: Report, group: Group, count: int) -> None:
    """Import through the leader; over when all three have applied everything."""
    folder = group.members["n1"].directory.parent.parent
    nodes, edges = synthetic(folder, max(count // 20, 1), count)
    command = [*program(), "import", "--uri", f"http://127.0.0.1:{leading(group)}", "--json"]
    command += ["--nodes", f"{nodes}:Person", "--edges", f"{edges}:KNOWS"]
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    loaded = time.monotonic() - started
    group.settle()
    seconds = time.monotonic() - started
    found = [
        QueryApi(server.port).rows("MATCH (:Person)-[r:KNOWS]->() RETURN count(r)")[0][0]
        for server in group.members.values()
    ]
    good = done.returncode == 0 and found == [count] * len(_MEMBERS)
    report.add(
        "cluster_import", "relationships/s", count / seconds if good else 0.0, bar=IMPORT_BAR,
        reason=None if good else (done.stdout + done.stderr)[-800:], found=found,
        relationships=count, seconds_until_answered=loaded, seconds_until_on_three=seconds,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
