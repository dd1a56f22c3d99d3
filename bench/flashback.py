"""``python -m bench.flashback``: the whole graph goes back over a million changes.

1. How long EXPLAIN takes, and the flashback itself: changes a second.
2. By how much the process grows meanwhile: it must not hold what it undoes.
3. Readers and writers meanwhile: their p99, against the p99 of the same in the minute before.

The changes are of three kinds: properties set, nodes deleted, nodes created. What is undone was
loaded as column segments.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from bench.common import Report, quantile, scratch
from bench.latency import Small
from tests.support.process import Server, program
from tests.support.query_api import QueryApi

CHANGES: Final = 1_000_000
#: how long readers and writers are watched before
QUIET_SECONDS: Final = 20.0
#: what the process may grow by: chunks under way, the store's buffers, eight bytes a changed node
GROWTH_BAR_MIB: Final = 400.0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.flashback", description=__doc__)
    parser.add_argument("--changes", type=int, default=CHANGES)
    options = parser.parse_args(arguments)
    report = Report()
    with scratch("flashback") as folder:
        server = Server(folder / "data", "--set", "limits.statement_timeout_s=3600")
        server.start()
        try:
            fill(server, folder, options.changes)
            measure(report, server)
        finally:
            server.stop()
    return report.end()


def fill(server: Server, folder: Path, changes: int) -> None:
    """A third each is changed, deleted, created; the nodes are there first, in bulk."""
    third = changes // 3
    nodes = folder / "nodes.csv"
    with nodes.open("w", encoding="ascii") as file:
        file.write("id:ID,x:int,name\n")
        file.writelines(f"{i},{i},name{i}\n" for i in range(2 * third))
    done = subprocess.run(
        [*program(), "import", "--uri", f"http://127.0.0.1:{server.port}", "--quiet",
         "--nodes", f"{nodes}:P"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    api = QueryApi(server.port, timeout=3_600)
    api.run("CREATE CONSTRAINT small FOR (s:Small) REQUIRE s.id IS UNIQUE")
    api.run("CREATE (:Small {id: 0})")
    rows = "IN TRANSACTIONS OF 20000 ROWS"
    api.run(f"MATCH (p:P) WHERE p.x < {third} CALL {{ WITH p SET p.x = -p.x - 1 }} {rows}")
    api.run(f"MATCH (p:P) WHERE p.x >= {third} CALL {{ WITH p DELETE p }} {rows}")
    api.run(f"UNWIND range(1, {third}) AS i CALL {{ WITH i CREATE (:New {{i: i}}) }} {rows}")


class Memory(threading.Thread):
    """The resident bytes of a process, looked at ten times a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._status = Path(f"/proc/{pid}/status")
        self.first = self.peak = self.now()
        self.told = threading.Event()

    def now(self) -> float:
        """MiB."""
        for line in self._status.read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("the kernel tells no VmRSS")

    def run(self) -> None:
        while not self.told.wait(0.1):
            self.peak = max(self.peak, self.now())


def measure(report: Report, server: Server) -> None:
    """EXPLAIN, then the flashback, watched."""
    api = QueryApi(server.port, timeout=3_600)
    started = time.monotonic()
    answer = _row(api, "EXPLAIN FLASHBACK TO VERSION 1")
    explained = time.monotonic() - started
    readers = [Small(server.port, "MATCH (s:Small {id: 0}) RETURN s.id") for _ in range(2)]
    writers = [Small(server.port, "CREATE (:Other {x: 1})") for _ in range(2)]
    for thread in (*readers, *writers):
        thread.start()
    quiet = time.monotonic()
    time.sleep(QUIET_SECONDS)
    memory = Memory(server.pid)
    memory.start()
    started = time.monotonic()
    done = _row(api, "FLASHBACK TO VERSION 1")
    ended = time.monotonic()
    for thread in (*readers, *writers):
        thread.told.set()
    memory.told.set()
    for watcher in (*readers, *writers, memory):
        watcher.join(60)
    changes = sum(done[name] for name in ("nodesRevived", "nodesDeleted", "nodesChanged"))
    [[left]] = api.rows("MATCH (p:P) WHERE p.x < 0 RETURN count(p)")
    report.add(
        "flashback_changes_a_second", "1/s", changes / (ended - started), changes=changes,
        seconds=ended - started, explain_seconds=explained, left=left,
        explained=sum(answer[n] for n in ("nodesRevived", "nodesDeleted", "nodesChanged")),
    )  # fmt: skip
    report.add(
        "flashback_memory_growth", "MiB", memory.peak - memory.first, bar=GROWTH_BAR_MIB,
        at_most=True, before_mib=memory.first, peak_mib=memory.peak,
    )  # fmt: skip
    for name, threads, bar in (("readers", readers, 2.0), ("writers", writers, None)):
        before = [ms for thread in threads for ms in thread.between(quiet, started)]
        seen = [ms for thread in threads for ms in thread.between(started, ended)]
        errors = [error for thread in threads for error in thread.errors]
        report.add(
            f"{name}_p99_during_flashback", "ms", quantile(seen, 0.99),
            {"before": quantile(before, 0.99)}, bar=bar, at_most=True, against_peer=True,
            requests=len(seen), requests_before=len(before), p50_ms=quantile(seen, 0.5),
            p50_before_ms=quantile(before, 0.5), longest_ms=max(seen), errors=len(errors),
            first_error=errors[0][:200] if errors else None,
        )  # fmt: skip


def _row(api: QueryApi, statement: str) -> dict[str, Any]:
    data = api.run(statement)["data"]
    return dict(zip(data["fields"], data["values"][0], strict=True))


if __name__ == "__main__":
    sys.exit(main())
