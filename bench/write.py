"""``python -m bench.write``: durable small commits against one etcd on the same machine.

Each pair of figures is measured one after the other in the same run, on the same disk, with 256
bytes a value. etcd is driven by etcdbench, we by ``bench.load``: one request under way on each
connection, in both.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Mapping
from typing import Any, Final

from bench import load
from bench.common import Etcd, Report, quantile, scratch
from tests.support.process import Server
from tests.support.query_api import QueryApi

VALUE: Final = "x" * 256
CREATE: Final = "CREATE (:KV {key: $key, value: $value})"
PUT: Final = "MERGE (n:KV {key: $key}) SET n.value = $value"
BATCH: Final = "UNWIND $rows AS row CREATE (:KV {key: row.key, value: row.value})"
ADD: Final = "MATCH (c:Counter {id: 0}) SET c.v = c.v + 1"
BARS: Final = {1: 1.0, 16: 0.5, 64: 0.5}


def key() -> str:
    return f"k{random.randrange(100_000):08d}"


def create(client: int, number: int) -> Mapping[str, Any]:
    return {"statement": CREATE, "parameters": {"key": key(), "value": VALUE}}


def put(client: int, number: int) -> Mapping[str, Any]:
    return {"statement": PUT, "parameters": {"key": key(), "value": VALUE}}


def batch(client: int, number: int) -> Mapping[str, Any]:
    rows = [{"key": key(), "value": VALUE} for _ in range(100)]
    return {"statement": BATCH, "parameters": {"rows": rows}}


def add(client: int, number: int) -> Mapping[str, Any]:
    return {"statement": ADD}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.write", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--adds", type=int, default=25, help="of each of the 64 clients")
    options = parser.parse_args(arguments)
    report = Report()
    with scratch("write") as folder:
        etcd = Etcd(folder)
        server = Server(folder / "data")
        try:
            etcd.start()
            server.start()
            measure(report, server, etcd, options.seconds)
            counter(report, server, options.adds)
        finally:
            etcd.stop()
            server.stop()
    return report.end()


def measure(report: Report, server: Server, etcd: Etcd, seconds: float) -> None:
    """Single commits at each number of clients, then transactions of 100."""
    api = QueryApi(server.port)
    api.run("CREATE INDEX kv_key IF NOT EXISTS FOR (n:KV) ON (n.key)")
    for clients, bar in BARS.items():
        theirs = etcd.measure(clients, seconds)
        ours = load.run(server.port, clients, seconds, create)
        line(report, f"commits_{clients}_clients", "commits/s", ours, theirs, bar, etcd, 1)
    for clients in (1, 16):
        theirs = etcd.measure(clients, seconds, batch=100)
        ours = load.run(server.port, clients, seconds, batch)
        bar_of_16 = 0.5 if clients == 16 else None
        name = f"creates_100_a_transaction_{clients}_clients"
        line(report, name, "operations/s", ours, theirs, bar_of_16, etcd, 100)
    upserts = load.run(server.port, 16, seconds, put)
    line(report, "upserts_16_clients", "commits/s", upserts, None, None, etcd, 1)


def line(
    report: Report, name: str, unit: str, ours: load.Load, theirs: dict[str, float] | None,
    bar: float | None, etcd: Etcd, size: int,
) -> None:  # fmt: skip
    more: dict[str, Any] = {"errors": len(ours.errors), "cpu_share": ours.cpu_share}
    if ours.latencies_ms:
        more["p50_ms"] = quantile(ours.latencies_ms, 0.5)
        more["p99_ms"] = quantile(ours.latencies_ms, 0.99)
    if theirs:
        more |= {
            "etcd_p50_ms": theirs["p50_ms"],
            "etcd_p99_ms": theirs["p99_ms"],
            "etcd_cpu_share": theirs["cpu_share"],
        }
    if ours.errors:
        more["first_error"] = ours.errors[0][:300]
    peers = {"etcd": theirs["operations_per_s"] if theirs else None}
    report.add(
        name, unit, ours.rate * size, peers, bar=bar, against_peer=True, reason=etcd.reason, **more
    )


def counter(report: Report, server: Server, adds: int) -> None:
    """64 clients add one to one counter: the exact sum, no error."""
    api = QueryApi(server.port)
    api.run("CREATE (:Counter {id: 0, v: 0})")
    seen = load.run(server.port, 64, 0, add, count=adds)
    found = api.rows("MATCH (c:Counter {id: 0}) RETURN c.v")[0][0]
    wanted = 64 * adds
    exact = float(found == wanted and not seen.errors)
    report.add(
        "counter_64_clients_exact", "1 = exact sum and no error", exact, bar=1.0,
        found=found, wanted=wanted, errors=len(seen.errors), adds_per_s=seen.rate,
        cpu_share=seen.cpu_share, first_error=seen.errors[0][:300] if seen.errors else None,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
