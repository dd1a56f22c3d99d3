"""``python -m bench.compacting``: what a foreground load notices of record compaction.

A node holds elements that small commits wrote. Clients create nodes, and a probe asks for ``/livez``,
while the setting is changed in its file: off, on, off, on. Ratios are of neighbouring turns.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from pathlib import Path
from statistics import median
from typing import Final

from bench import load
from bench.common import Report, quantile, scratch
from bench.latency import probe
from bench.write import create
from everwhen.limits import SETTINGS_LOOK_SECONDS
from tests.crash.run import compacted
from tests.support.process import Server
from tests.support.query_api import QueryApi
from tests.support.waiting import until

IDLE_SECONDS: Final = 10.0
#: nodes and relationships of a commit, few enough to be keys
COMMIT: Final = 1_500
FILL: Final = (
    "UNWIND range(1, $n) AS i CREATE (n:P {name: 'name ' + i, i: i}) WITH collect(n) AS ns "
    "UNWIND range(0, $n - 2) AS k WITH k, ns[k] AS a, ns[k + 1] AS b CREATE (a)-[:R {w: k}]->(b)"
)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.compacting", description=__doc__)
    parser.add_argument("--elements", type=int, default=600_000)
    parser.add_argument("--rate", type=float, default=1_000, help="compaction.rows_per_s")
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 16])
    parser.add_argument("--turns", type=int, default=6, help="of each, for each number of clients")
    parser.add_argument("--seconds", type=float, default=6)
    options = parser.parse_args(arguments)
    report = Report()
    with scratch("compacting") as folder:
        settings = folder / "settings.toml"
        turn(settings, 0)
        server = Server(folder / "data", "--config", str(settings))
        server.start()
        try:
            with QueryApi(server.port, timeout=600) as api:
                for _ in range(options.elements // (2 * COMMIT)):
                    api.run(FILL, {"n": COMMIT})
            alone(report, server, settings, options.rate)
            for clients in options.clients:
                measure(report, server, settings, clients, options)
        finally:
            server.stop()
    return report.end()


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def turn(settings: Path, rate: float) -> None:
    """On or off; the node takes it over by itself."""
    settings.write_text(f"[compaction]\nrows_per_s = {rate:.1f}\n", encoding="utf-8")


def alone(report: Report, server: Server, settings: Path, rate: float) -> None:
    """The processor time of an element, where nobody else wants any."""
    idle, started = cpu_seconds(server.pid), time.monotonic()
    time.sleep(IDLE_SECONDS)  # what it takes anyway
    before, idle_seconds = cpu_seconds(server.pid), time.monotonic() - started
    turn(settings, rate)
    until(lambda: compacted(server.port) > 0, 600, "a segment is done", every=1.0)
    seconds = time.monotonic() - started - idle_seconds
    rows, took = compacted(server.port), cpu_seconds(server.pid) - before
    took -= (before - idle) / idle_seconds * seconds
    report.add(
        "compacting_alone",
        "us of CPU an element",
        1e6 * took / rows,
        rows=rows,
        share=took * rate / rows,
    )


def measure(
    report: Report, server: Server, settings: Path, clients: int, options: argparse.Namespace
) -> None:
    rates: dict[bool, list[float]] = {False: [], True: []}
    slow: dict[bool, list[float]] = {False: [], True: []}
    lag: dict[bool, list[float]] = {False: [], True: []}
    moved = 0
    for number in range(2 * options.turns):
        on = number % 2 == 1
        turn(settings, options.rate if on else 0)
        before = compacted(server.port)
        time.sleep(2 * SETTINGS_LOOK_SECONDS)
        if on:
            until(lambda: compacted(server.port, "everwhen_compaction_running") > 0, 120, "it runs")
        else:
            until(lambda: settled(server.port), 120, "it has ended")
        told = multiprocessing.get_context("spawn").Event()
        results = multiprocessing.get_context("spawn").Queue()
        probing = multiprocessing.get_context("spawn").Process(
            target=probe, args=(server.port, told, results), daemon=True
        )
        probing.start()
        seen = load.run(server.port, clients, options.seconds, create)
        told.set()
        lag[on].append(quantile(results.get(timeout=60), 0.999))
        probing.join(60)
        rates[on].append(seen.rate)
        slow[on].append(quantile(seen.latencies_ms, 0.99))
        moved += compacted(server.port) - before
    for name, unit, found in (
        ("commits", "commits/s", rates),
        ("p99", "ms", slow),
        ("livez_p999", "ms", lag),
    ):
        report.add(
            f"compacting_{options.rate:g}_{name}_{clients}_clients",
            unit,
            median(found[True]),
            {"off": median(found[False])},
            pairs=[round(b / a, 3) for a, b in zip(found[False], found[True], strict=True)],
            moved=moved,
        )


def settled(port: int) -> bool:
    """Nothing is under way and nothing begins."""
    return compacted(port, "everwhen_compaction_running") == 0


if __name__ == "__main__":
    sys.exit(main())
