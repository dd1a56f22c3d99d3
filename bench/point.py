"""``python -m bench.point``: reading one node by an indexed property, in process, plan cached.

Ours goes text -> plan cache -> row executor -> rows on a database held in memory through the
same code as a served one; the peer is ``ladybug`` with a prepared statement and a primary key,
on the same data in the same run, in turns.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.common import Report, quantile, scratch

QUERY = "MATCH (p:Person {id: $id}) RETURN p.name AS name"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.point", description=__doc__)
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--reads", type=int, default=4_000, help="in each of five turns")
    options = parser.parse_args(arguments)
    report = Report()
    chance = random.Random(1)
    with scratch("point") as folder:
        ours, close = everwhen(folder, options.nodes)
        theirs, reason = ladybug(folder, options.nodes)
        mine: list[float] = []
        peer: list[float] = []
        for _ in range(5):
            ids = [chance.randrange(options.nodes) for _ in range(options.reads)]
            mine += timed(ours, ids)
            if theirs is not None:
                peer += timed(theirs, ids)
        close()
    median = quantile(peer, 0.5) if peer else None
    report.add(
        "point_read", "µs (median)", quantile(mine, 0.5), {"ladybug": median}, bar=1.0,
        at_most=True, against_peer=True, reason=reason, p99=quantile(mine, 0.99),
        peer_p99=quantile(peer, 0.99) if peer else None, nodes=options.nodes,
    )  # fmt: skip
    return report.end()


Read = Callable[[int], str]


def timed(read: Read, ids: list[int]) -> list[float]:
    """Microseconds of each read; every answer is checked."""
    out: list[float] = []
    for number in ids:
        started = time.perf_counter_ns()
        name = read(number)
        out.append((time.perf_counter_ns() - started) / 1e3)
        assert name == f"person {number}", (number, name)
    return out


def everwhen(folder: Path, nodes: int) -> tuple[Read, Callable[[], None]]:
    """Load our database and hand out the read."""
    from everwhen.runtime.embedded import Embedded
    from everwhen.storage.rocks import RocksStore

    database = Embedded(RocksStore(folder / "everwhen", create=True))
    database.execute("CREATE CONSTRAINT FOR (p:Person) REQUIRE p.id IS UNIQUE")
    for low in range(0, nodes, 4_000):
        rows = [{"id": i, "name": f"person {i}"} for i in range(low, min(low + 4_000, nodes))]
        database.execute("UNWIND $rows AS row CREATE (p:Person) SET p = row", {"rows": rows})

    def read(number: int) -> str:
        result = database.execute(QUERY, {"id": number})
        name: str = result.rows[0][0]
        return name

    return read, database.close


def ladybug(folder: Path, nodes: int) -> tuple[Read | None, str | None]:
    """The peer, loaded with the same rows; None and why if it is not installed."""
    try:
        import ladybug as peer
    except ImportError:
        return None, "ladybug is not installed (make sets up the optional group `bench`)"
    rows = folder / "rows.csv"
    rows.write_text("".join(f"{i},person {i}\n" for i in range(nodes)))
    connection: Any = peer.Connection(peer.Database(str(folder / "ladybug")))
    connection.execute("CREATE NODE TABLE Person(id INT64, name STRING, PRIMARY KEY(id))")
    connection.execute(f"COPY Person FROM '{rows}' (HEADER=false)")
    statement = connection.prepare(QUERY)

    def read(number: int) -> str:
        result = connection.execute(statement, {"id": number})
        name: str = result.get_next()[0]
        return name

    return read, None


if __name__ == "__main__":
    sys.exit(main())
