"""``python -m bench.readers``: what a second reader on a second core adds, while a writer commits.

In process, on the graph of ``bench.query`` with its record on disk: one thread that reads against
two, each for some seconds, while another commits at a steady rate. Scans (patterns and aggregates
over columns) apart from a mix of point reads and reads of a hundred rows, which are the
interpreter's work. What they would be in processes of their own, each with the record opened to read
and with columns of its own, is measured beside it: the most that sessions in processes could give
(ADR 17).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, Final

from bench.common import Report, cpu_seconds, machine_cpu_seconds, quantile, scratch
from bench.query import prepare
from bench.query_texts import TWELVE, Query
from everwhen.runtime.database import DatabaseOptions
from everwhen.runtime.embedded import Embedded
from everwhen.storage.rocks import RocksStore

SCANS: Final = ("two_path_count", "filter_aggregate", "filter_expand_group", "relationship_filter")
HUNDRED: Final = Query(
    "hundred_rows",
    "point",
    "MATCH (p:Person) WHERE p.id >= $low AND p.id < $low + 100 RETURN p.id AS id, p.age AS age",
    lambda chance, nodes: {"low": chance.randrange(nodes - 100)},
)
POINT: Final = next(query for query in TWELVE if query.name == "point_read")
MIX: Final = (POINT, POINT, HUNDRED)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.readers", description=__doc__)
    parser.add_argument("--nodes", type=int, default=200_000)
    parser.add_argument("--edges", type=int, default=4_000_000)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--commits", type=float, default=50.0, help="of the writer, a second")
    parser.add_argument("--folder", type=Path, help="kept for the next run")
    options = parser.parse_args(arguments)
    report = Report()
    scans = [query for query in TWELVE if query.name in SCANS]
    with scratch("readers") as temporary:
        folder = (options.folder or temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        prepare(folder, options.nodes, options.edges)
        (record,) = [path.parent for path in (folder / "data").rglob("CURRENT")]
        database = Embedded(
            RocksStore(record, create=False), options=DatabaseOptions(image_memory=4 << 30)
        )
        for query in (*scans, HUNDRED, POINT):
            database.execute(query.text, query.draw(random.Random(0), options.nodes))
        compare(report, database, "scans", scans, 1.6, options)
        compare(report, database, "points_and_hundreds", MIX, None, options)
        database.close()
        processes(report, record, options)
    return report.end()


def processes(report: Report, record: Path, options: argparse.Namespace) -> None:
    """Reads of the mix a second by two processes against those by one."""
    context = multiprocessing.get_context("spawn")
    rates: list[float] = []
    for readers in (1, 2):
        ready = context.Barrier(readers)
        given = [(record, number, options.seconds, options.nodes) for number in range(readers)]
        with ProcessPoolExecutor(readers, context, _wait_here, (ready,)) as pool:
            rates.append(sum(pool.map(read_alone, *zip(*given, strict=True))))
    report.add(
        "two_processes_points_and_hundreds", "times one process", rates[1] / rates[0],
        one_per_second=rates[0], two_per_second=rates[1],
    )  # fmt: skip


_BARRIERS: list[Barrier] = []


def _wait_here(ready: Barrier) -> None:
    _BARRIERS.append(ready)


def read_alone(record: Path, seed: int, seconds: float, nodes: int) -> float:
    """Reads a second of one process, which begins when all have opened the record."""
    database = Embedded(RocksStore(record, read_only=True))
    database.execute("MATCH (p:Person)-[:KNOWS]->(q) RETURN count(q)")  # loads the columns
    chance = random.Random(seed)
    for query in MIX:
        for _ in range(100):
            database.execute(query.text, query.draw(chance, nodes))
    _BARRIERS[0].wait()
    done, started = 0, time.monotonic()
    while time.monotonic() < started + seconds:
        for query in MIX:
            database.execute(query.text, query.draw(chance, nodes))
        done += len(MIX)
    return done / (time.monotonic() - started)


def compare(
    report: Report,
    database: Embedded,
    name: str,
    queries: Sequence[Query],
    bar: float | None,
    options: argparse.Namespace,
) -> None:
    """Reads a second by two readers against those by one, three turns of each. What others of the
    machine take meanwhile is said: the second reader has no core then."""
    one: list[float] = []
    two: list[float] = []
    commits: list[float] = []
    others: list[float] = []
    for turn in range(3):
        for readers, rates in ((1, one), (2, two)):
            rate, written, taken = reading(database, queries, readers, turn, options)
            rates.append(rate)
            commits.append(written)
            others.append(taken)
    report.add(
        f"two_readers_{name}", "times one reader", quantile(two, 0.5) / quantile(one, 0.5),
        bar=bar, one_per_second=quantile(one, 0.5), two_per_second=quantile(two, 0.5),
        commits_per_second=quantile(commits, 0.5), cores_of_others=quantile(others, 0.5),
    )  # fmt: skip


def reading(
    database: Embedded, queries: Sequence[Query], readers: int, seed: int, options: Any
) -> tuple[float, float, float]:
    """(reads a second of all readers, commits a second meanwhile, cores that others took)."""
    stop = threading.Event()
    done = [0] * readers
    written = [0]

    def read(number: int) -> None:
        chance = random.Random(f"{seed} {number}")
        while not stop.is_set():
            for query in queries:
                database.execute(query.text, query.draw(chance, options.nodes))
            done[number] += len(queries)

    def write() -> None:
        session = database.session()
        chance = random.Random(seed)
        while not stop.wait(1 / options.commits):
            text = "MATCH (p:Person {id: $id}) SET p.seen = coalesce(p.seen, 0) + 1"
            session.run(text, {"id": chance.randrange(options.nodes)})
            written[0] += 1

    calls: list[Callable[[], None]] = [write, *(lambda n=n: read(n) for n in range(readers))]
    threads = [threading.Thread(target=call) for call in calls]
    started, others = time.monotonic(), machine_cpu_seconds() - cpu_seconds()
    for thread in threads:
        thread.start()
    time.sleep(options.seconds)
    stop.set()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - started
    taken = (machine_cpu_seconds() - cpu_seconds() - others) / seconds
    said = {"readers": readers, "reads": sum(done), "seconds": seconds, "cores_of_others": taken}
    print(json.dumps(said), flush=True)
    return sum(done) / seconds, written[0] / seconds, taken


if __name__ == "__main__":
    sys.exit(main())
