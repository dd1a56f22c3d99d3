"""``python -m bench.audit``: how long it takes to verify a million commits.

The log is applied as a node applies it, over RocksDB; then the record is closed, opened again and
audited. A third of the commits create a node, a third change a property, a third relate two nodes.
"""

from __future__ import annotations

import argparse
import sys
import time

from bench.common import Report, scratch
from everwhen.apply.machine import Machine
from everwhen.codec.journal import statement_hash
from everwhen.codec.values import encode_value
from everwhen.model.audit import PROBLEM
from everwhen.mvcc.audit import Auditor
from everwhen.mvcc.state import RecordState
from everwhen.storage.rocks import RocksStore
from everwhen.txn import commands as c

BATCH = 256


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.audit", description=__doc__)
    parser.add_argument("--commits", type=int, default=1_000_000)
    parser.add_argument("--profile", action="store_true", help="say where the time went")
    options = parser.parse_args(arguments)
    report = Report()
    with scratch("audit") as folder:
        store = RocksStore(folder / "db", create=True)
        fill(store, options.commits)
        store.flush()
        store.close()
        store = RocksStore(folder / "db", read_only=True)
        seconds, processor = verify(store, options.profile)
        store.close()
    report.add(
        "verify_a_million_commits",
        "s",
        seconds / options.commits * 1e6,
        bar=30,
        at_most=True,
        commits=options.commits,
        seconds=seconds,
        core_seconds=processor,
    )
    return report.end()


def fill(store: RocksStore, commits: int) -> None:
    """So many commits."""
    machine = Machine(store, RecordState.load(store))
    origin = c.Origin(
        "neo4j", "127.0.0.1:40000", "bench", {"app": "bench"}, statement_hash(["x"]), bytes(16)
    )
    payloads = []
    for number in range(1, commits + 1):
        kind, node = number % 3, number // 3
        names, change = _change(kind, node, number)
        command = c.Commit(c.FORMAT, number * 10, number - 1, names, [change], c.Checks(), origin)
        payloads.append((number, 1, c.encode(command)))
        if len(payloads) == BATCH or number == commits:
            for outcome in machine.apply_batch(payloads):
                if not isinstance(outcome, c.Committed):
                    raise TypeError(f"a commit was answered with {outcome!r}")
            payloads = []


def _change(kind: int, node: int, number: int) -> tuple[list[str], c.AnyMutation]:
    if kind == 1:
        values = {1: encode_value(f"node {node}"), 2: encode_value(number)}
        return ["Thing", "name", "n"], c.CreateNode(node, [0], values)
    if kind == 2:
        return ["n"], c.ChangeNode(node, {0: encode_value(number)})
    return ["AFTER"], c.CreateRelationship(node, 0, node - 1, max(node - 2, 0), {})


def verify(store: RocksStore, profiled: bool) -> tuple[float, float]:
    """Seconds for all of it, and those of a core; there must be no problem."""
    state = RecordState.load(store)
    auditor = Auditor(state, b"a key of a bench", lambda: None)
    profile = None
    if profiled:
        import cProfile

        profile = cProfile.Profile()
        profile.enable()
    began, processor = time.perf_counter(), time.process_time()
    findings = list(auditor.run(1, state.current.head.version))
    seconds = time.perf_counter() - began
    if profile is not None:
        profile.disable()
        profile.print_stats("tottime")
    wrong = [finding for finding in findings if finding.event == PROBLEM]
    if wrong:
        raise AssertionError(f"{len(wrong)} problems: {wrong[:3]}")
    processor = time.process_time() - processor
    print(findings[-1].detail, file=sys.stderr)
    return seconds, processor


if __name__ == "__main__":
    sys.exit(main())
