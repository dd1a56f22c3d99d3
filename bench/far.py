"""``python -m bench.far``: a question about a time before much has changed, at first and again.

On the graph of ``bench.query``, of whose relationships every one gets another property so many times
after the load; then the same question is asked about now and about then: over rows, and over columns
that are walked back from the present or (as a node does) read as of then. Each time the present is
in memory at first, and nothing else.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bench.common import Report, quantile, scratch
from bench.query import prepare
from everwhen import limits
from everwhen.columns.graph import far
from everwhen.columns.graph.image import GraphImage
from everwhen.runtime.database import DatabaseOptions
from everwhen.runtime.embedded import Embedded
from everwhen.storage.rocks import RocksStore

QUESTION = "MATCH (p:Person)-[k:KNOWS]->(q:Person) WHERE q.age < $age RETURN count(k) AS n, sum(k.since) AS s"
CHANGE = (
    "MATCH (p:Person)-[k:KNOWS]->() WHERE p.id >= $low AND p.id < $high SET k.since = k.since + 1"
)
_MEMORY = 8 << 30
_AGAIN = 7


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.far", description=__doc__)
    parser.add_argument("--nodes", type=int, default=200_000)
    parser.add_argument("--edges", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2, help="changes of each relationship")
    parser.add_argument("--commits", type=int, default=40, help="of a round")
    parser.add_argument("--rows", action="store_true", help="over rows too, which takes long")
    parser.add_argument("--folder", type=Path, help="kept, with what was loaded and changed")
    options = parser.parse_args(arguments)
    report = Report()
    with scratch("far") as temporary:
        folder = (options.folder or temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        prepare(folder, options.nodes, options.edges)
        (record,) = [path.parent for path in (folder / "data").rglob("CURRENT")]
        database = Embedded(
            RocksStore(record, create=False), options=DatabaseOptions(image_memory=_MEMORY)
        )
        then = changed(database, folder / "then", options)
        compared(report, database, then, options)
        database.close()
    return report.end()


def changed(database: Embedded, told: Path, options: argparse.Namespace) -> int:
    """The version before the changes, which are made if ``told`` does not say that they were."""
    if told.exists():
        return int(told.read_text())
    then = database.version
    started = time.monotonic()
    step = -(-options.nodes // options.commits)
    for _ in range(options.rounds):
        for low in range(0, options.nodes, step):
            database.execute(CHANGE, {"low": low, "high": low + step})
    told.write_text(str(then))
    print(
        json.dumps({"changed": options.rounds, "seconds": time.monotonic() - started}), flush=True
    )
    return then


def compared(report: Report, database: Embedded, then: int, options: argparse.Namespace) -> None:
    ways = {"walked": math.inf, "read": float(limits.IMAGE_FAR_CHANGES_MIN)}
    answers = []
    for way, least in ways.items():
        with patch.object(far, "IMAGE_FAR_CHANGES_MIN", least):
            answers.append(_first_and_again(report, database, way, then))
    if options.rows:
        database.run_plans("rows")
        took, answer = _asked(database, f"{QUESTION} AT VERSION {then}", 40)
        answers.append(answer)
        report.add("far_over_rows", "ms", took)
    assert all(answer == answers[0] for answer in answers), answers


def _first_and_again(report: Report, database: Embedded, way: str, then: int) -> Any:
    """The answer."""
    core = database.service.database
    core.graph = core.state.graph = GraphImage(core.state, _MEMORY)
    now = _median(database, QUESTION)
    before = core.graph.bytes
    past = f"{QUESTION} AT VERSION {then}"
    cold, answer = _asked(database, past, 40)
    warm = _median(database, past)
    neighbour, _ = _asked(database, f"{QUESTION} AT VERSION {then + 1}", 40)
    report.add(
        f"far_first_{way}", "ms", cold, again_ms=warm, one_version_on_ms=neighbour, present_ms=now,
        present_bytes=before, bytes=core.graph.bytes, commits=core.version - then,
    )  # fmt: skip
    return answer


def _median(database: Embedded, text: str) -> float:
    """Milliseconds, without the first time."""
    chance = random.Random(1)
    return quantile(
        [_asked(database, text, chance.randint(20, 60))[0] for _ in range(_AGAIN)][1:], 0.5
    )


def _asked(database: Embedded, text: str, age: int) -> tuple[float, Any]:
    """Milliseconds of this process, so that others on the machine matter less, and the answer."""
    started = time.process_time_ns()
    rows = database.execute(text, {"age": age}).rows
    return (time.process_time_ns() - started) / 1e6, rows


if __name__ == "__main__":
    sys.exit(main())
