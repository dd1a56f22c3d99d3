"""``python -m bench.time``: what the past costs, against the present in the same run.

Two parts, both in process on a record with files:

* the queries of ``bench.query`` at a fresh random past time every run, after 1, 10 and 50 % of the
  relationships have changed since the load (half of them replaced, half given another property);
* entities with 1 and with 100 versions: the present read, reads at a point in time, over a range
  of time, before and after an update, and commits; the first two against cozo and SurrealDB, which
  keep versions too.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench.common import Report, quantile, scratch
from bench.query import prepare
from bench.query_texts import TWELVE
from bench.versioned_peers import PEERS
from everwhen.runtime.database import DatabaseOptions
from everwhen.runtime.embedded import Embedded
from everwhen.storage.rocks import RocksStore

SHARES: Final = ((0.01, 1.3), (0.10, 1.3), (0.50, 3.0))
_SOME: Final = (
    "MATCH (p:Person)-[k:KNOWS]->(q) WHERE p.id >= $low AND p.id < $high AND k.since % 2 = "
)
_REPLACE: Final = (
    f"{_SOME}0 WITH p, q, k, k.since AS since, k.weight AS weight"
    " DELETE k CREATE (p)-[:KNOWS {since: since + 1, weight: weight}]->(q)"
)
CHANGE: Final = (_REPLACE, f"{_SOME}1 SET k.since = k.since + 2")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.time", description=__doc__)
    parser.add_argument("--nodes", type=int, default=200_000)
    parser.add_argument("--edges", type=int, default=4_000_000)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--entities", type=int, default=2_000, help="of the second part")
    parser.add_argument("--commits", type=int, default=20, help="in which each share changes")
    parser.add_argument("--part", choices=("graph", "versions"))
    parser.add_argument("--only", help="queries whose names begin so")
    parser.add_argument("--share", type=float, default=1.0, help="no more changes than this")
    parser.add_argument("--folder", type=Path, help="a graph of bench.query, which is changed")
    options = parser.parse_args(arguments)
    report = Report()
    with scratch("time") as temporary:
        folder = (options.folder or temporary).resolve()
        if options.part != "versions":
            prepare(folder, options.nodes, options.edges)
            changed(report, folder, options)
        if options.part != "graph":
            versions(report, folder, options)
    return report.end()


# --- a graph that changes ---------------------------------------------------------------------


def changed(report: Report, folder: Path, options: argparse.Namespace) -> None:
    """Each query now and then, after each share of changes."""
    (record,) = [path.parent for path in (folder / "data").rglob("CURRENT")]
    database = Embedded(
        RocksStore(record, create=False), options=DatabaseOptions(image_memory=6 << 30)
    )
    chance = random.Random(1)
    database.execute("MATCH (p:Person)-[:KNOWS]->(q) RETURN count(q)")  # loads the columns
    began = _now()
    low = 0
    for share, bar in SHARES:
        if share > options.share:
            break
        until = int(options.nodes * share)
        step = max(1, (until - low) // options.commits)
        started = time.monotonic()
        while low < until:
            for text in CHANGE:
                database.execute(text, {"low": low, "high": min(low + step, until)})
            low += step
        print(json.dumps({"changed": share, "seconds": time.monotonic() - started}), flush=True)
        low = until
        _compare(report, database, chance, began, share, bar, options)
    database.close()


def _compare(
    report: Report,
    database: Embedded,
    chance: random.Random,
    began: int,
    share: float,
    bar: float,
    options: argparse.Namespace,
) -> None:
    ended = _now()
    ratios = []
    for query in TWELVE:
        if options.only and not query.name.startswith(options.only):
            continue
        now, then = list[float](), list[float]()
        for _ in range(options.runs + 1):  # in turns, so that both meet what else the machine does
            given = query.draw(chance, options.nodes)
            now.append(_took(database, query.text, given))
            past = {**given, "t": chance.randint(began, ended)}
            then.append(_took(database, f"{query.text} AT TIME $t", past))
        ratio = quantile(then[1:], 0.5) / quantile(now[1:], 0.5)
        ratios.append(ratio)
        report.add(
            f"past_{query.name}_{share:.0%}", "times the present", ratio, bar=bar, at_most=True,
            now_ms=quantile(now[1:], 0.5), then_ms=quantile(then[1:], 0.5), cold_ms=then[0],
        )  # fmt: skip
    report.add(
        f"past_median_{share:.0%}", "times the present", quantile(ratios, 0.5), bar=bar,
        at_most=True, image_bytes=_image_bytes(database),
    )  # fmt: skip


def _took(database: Embedded, text: str, given: dict[str, Any]) -> float:
    """Milliseconds."""
    started = time.perf_counter_ns()
    database.execute(text, given)
    return (time.perf_counter_ns() - started) / 1e6


def _image_bytes(database: Embedded) -> int:
    return database.service.database.graph.bytes


def _now() -> int:
    """Epoch milliseconds; the next commit is later."""
    time.sleep(0.005)
    return int(time.time() * 1000)


# --- entities with many versions --------------------------------------------------------------

#: of each kind of statement, and how many of it a turn has
TURNS: Final = 8
RUNS_A_TURN: Final = 250
COMMIT: Final = "MATCH (c:Counter {id: $id}) SET c.touched = coalesce(c.touched, 0) + 1"
POINT: Final = "MATCH (c:Counter {id: $id}) RETURN c.value AS value"
READS: Final[dict[str, str]] = {
    "point_in_time": f"{POINT.replace(' RETURN', ' AT TIME $t RETURN')}",
    "before_and_after": "MATCH (c:Counter {id: $id}) AT TIME $t WITH c.value AS before"
    " MATCH (d:Counter {id: $id}) RETURN before, d.value AS after",
    "range": "MATCH (c:Counter {id: $id}) BETWEEN TIME $t AND $u RETURN count(c) AS versions",
}


def versions(report: Report, folder: Path, options: argparse.Namespace) -> None:
    """The same reads and commits with one version an entity and with a hundred, and reads of other
    databases, in turns: what else the machine does meets all of them."""
    one, hundred = (_counters(folder / name, options.entities) for name in ("one", "hundred"))
    began = _now()
    for _ in range(99):
        hundred.execute("MATCH (c:Counter) SET c.value = c.value + 1")
    ended = _now()
    peers = {name: make(folder, options.entities) for name, make in PEERS.items()}
    chance = random.Random(2)
    took: dict[tuple[str, str], list[float]] = {}

    def turn(name: str, text: str, database: Embedded, whose: str) -> None:
        for _ in range(RUNS_A_TURN):
            given = {
                "id": chance.randrange(options.entities),
                "t": chance.randint(began, ended),
                "u": ended,
            }
            ask = partial(database.execute, text, given)
            took.setdefault((name, whose), []).append(_milliseconds(ask))

    for _ in range(TURNS):
        turn("commit", COMMIT, one, "one")
        turn("commit", COMMIT, hundred, "hundred")
    for _ in range(TURNS):
        turn("present", POINT, one, "one")
        turn("present", POINT, hundred, "hundred")
        for name, text in READS.items():
            turn(name, text, hundred, "hundred")
        for whose, peer in peers.items():
            for _ in range(RUNS_A_TURN):
                entity, share = chance.randrange(options.entities), chance.random()
                present, past = partial(peer.present, entity), partial(peer.past, entity, share)
                took.setdefault(("present", whose), []).append(_milliseconds(present))
                took.setdefault(("point_in_time", whose), []).append(_milliseconds(past))
    _told(report, {what: quantile(each, 0.5) for what, each in took.items()})
    for each in (one, hundred, *peers.values()):
        each.close()


def _told(report: Report, ms: dict[tuple[str, str], float]) -> None:
    """The medians, in milliseconds by kind of statement and database, as figures."""
    present = ms["present", "hundred"]
    report.add(
        "present_after_100_versions", "times after one", present / ms["present", "one"], bar=1.1,
        at_most=True, ms=present,
    )  # fmt: skip
    commits = ms["commit", "one"] / ms["commit", "hundred"]
    report.add(
        "commits_after_100_versions", "times at one", commits, bar=0.9,
        per_second=1e3 / ms["commit", "hundred"],
    )  # fmt: skip
    for name in READS:
        mine = ms[name, "hundred"]
        bar = 1.3 if name == "point_in_time" else None
        report.add(
            f"{name}_100_versions", "times the present", mine / present, bar=bar, at_most=True,
            ms=mine,
        )  # fmt: skip
    for what in ("present", "point_in_time"):
        theirs = {whose: ms[what, whose] for whose in PEERS}
        report.add(f"{what}_against_peers", "ms", ms[what, "hundred"], theirs)


def _counters(path: Path, entities: int) -> Embedded:
    database = Embedded(RocksStore(path, create=True))
    database.execute("CREATE CONSTRAINT FOR (c:Counter) REQUIRE c.id IS UNIQUE")
    database.execute(
        "UNWIND range(0, $last) AS id CREATE (:Counter {id: id, value: 0, name: 'counter ' + id})",
        {"last": entities - 1},
    )
    return database


def _milliseconds(ask: Callable[[], object]) -> float:
    started = time.perf_counter_ns()
    ask()
    return (time.perf_counter_ns() - started) / 1e6


if __name__ == "__main__":
    sys.exit(main())
