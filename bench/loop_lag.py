"""``python -m bench.loop_lag``: the event loop of one node while queries and an import run on it.

The node holds the graph of ``bench.query``. Clients ask its queries over HTTP, one after the other,
while ``everwhen import`` loads another graph of the same size beside it. The lag is measured as in
``bench.latency``: from outside, and by the node's own histogram.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from bench.common import Report, quantile, scratch
from bench.imports import synthetic
from bench.latency import own_histogram, probe, uri
from bench.query import prepare
from bench.query_texts import TWELVE
from tests.support.process import Server, program
from tests.support.query_api import QueryApi


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.loop_lag", description=__doc__)
    parser.add_argument("--nodes", type=int, default=200_000)
    parser.add_argument("--edges", type=int, default=4_000_000)
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="a graph of bench.query, which is added to")
    options = parser.parse_args(arguments)
    report = Report()
    with scratch("lag") as temporary:
        folder = (options.folder or temporary).resolve()
        prepare(folder, options.nodes, options.edges)
        people, knows = synthetic(folder, options.nodes, options.edges)
        server = Server(folder / "data")
        server.start()
        try:
            measure(report, server, people, knows, options)
        finally:
            server.kill()
    return report.end()


def measure(
    report: Report, server: Server, people: Path, knows: Path, options: argparse.Namespace
) -> None:
    """Everything at once, until the import has ended."""
    context = multiprocessing.get_context("spawn")
    told, results = context.Event(), context.Queue()
    asked: Counter[str] = Counter()

    def ask(number: int) -> None:
        api, chance = QueryApi(server.port, timeout=600), random.Random(number)
        while not told.is_set():
            for query in TWELVE:
                api.rows(query.text, query.draw(chance, options.nodes))
                asked[query.name] += 1

    for query in TWELVE:  # columns and kernels are there when it begins
        api = QueryApi(server.port, timeout=600)
        api.rows(query.text, query.draw(random.Random(0), options.nodes))
    clients = [threading.Thread(target=ask, args=(n,)) for n in range(options.clients)]
    command = [*program(), "import", "--uri", uri(server)]
    command += ["--nodes", f"{people}:Other", "--edges", f"{knows}:LIKES"]
    context.Process(target=probe, args=(server.port, told, results), daemon=True).start()
    for client in clients:
        client.start()
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    told.set()
    for client in clients:
        client.join()
    times = results.get(timeout=60)
    report.add(
        "event_loop_p999", "ms", quantile(times, 0.999), bar=50.0, at_most=True,
        p99_ms=quantile(times, 0.99), longest_ms=max(times), probes=len(times),
        own=own_histogram(server), queries=sum(asked.values()), import_seconds=seconds,
        reason=None if done.returncode == 0 else (done.stdout + done.stderr)[-400:],
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
