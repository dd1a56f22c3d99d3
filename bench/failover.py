"""``python -m bench.failover``: how long writes stand still when the leader dies, or is moved.

Three processes under load: for each node one client over HTTP that stays there, and clients with
Neo4j's driver that route and retry as programs do. The leader is killed with -9 again and again; the
gap is the longest time between two acknowledged writes, of any client, around the kill. Then planned
changes: transfer, stop by SIGTERM, join, leave; of those nobody may notice more than a short wait.
"""

from __future__ import annotations

import argparse
import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, Final

from neo4j import GraphDatabase, ManagedTransaction
from neo4j.exceptions import DriverError, Neo4jError

from bench.common import Report, quantile, scratch
from tests.cluster.chaos.group import Group
from tests.support.process import Server
from tests.support.query_api import Failed, Lost, QueryApi

_CREATE: Final = "CREATE (:W {client: $client, n: $n})"
_DRIVERS: Final = 3
_RETRY_SECONDS: Final = 5.0
_PAUSE: Final = threading.Event()


class Seen:
    """What all clients were told."""

    def __init__(self) -> None:
        self.acknowledged: list[float] = []
        #: (when, client, what) of everything that was not success
        self.trouble: list[tuple[float, str, str]] = []
        #: what those that failed said
        self.reasons: list[str] = []
        self.stop = threading.Event()

    def gap(self, since: float) -> float:
        """The longest time without an acknowledged write since then."""
        times = [since, *(each for each in self.acknowledged if each > since)]
        return max((b - a for a, b in pairwise(times)), default=0.0)

    def count(self, since: float, what: str, clients: str = "") -> int:
        return sum(
            when > since and said == what and client.startswith(clients)
            for when, client, said in self.trouble
        )


class OverHttp(threading.Thread):
    """Stays on one node. While that is down it waits; a request it lost it sends again under the
    same id, and counts it as unknown if its node died."""

    def __init__(self, seen: Seen, server: Server, name: str) -> None:
        super().__init__(daemon=True)
        self.seen = seen
        self.server = server
        self.client = f"http {name}"

    def run(self) -> None:
        number = 0
        with QueryApi(self.server.port, timeout=30) as api:
            while not self.seen.stop.is_set():
                number += 1
                self._write(api, number)

    def _write(self, api: QueryApi, number: int) -> None:
        body = {
            "statement": _CREATE,
            "parameters": {"client": self.client, "n": number},
            "requestId": {"client": self.client, "sequence": number},
        }
        while not self.seen.stop.is_set():
            try:
                api.post("/db/neo4j/query/v2", body)
            except Lost as lost:
                if not isinstance(lost.__cause__, ConnectionRefusedError):
                    self._trouble("lost")
                _PAUSE.wait(0.02)
            except Failed as failed:
                if not failed.retryable:
                    self._trouble("failed")
                    return
                self._trouble("retried")
                _PAUSE.wait(0.02)
            else:
                self.seen.acknowledged.append(time.monotonic())
                return

    def _trouble(self, what: str) -> None:
        self.seen.trouble.append((time.monotonic(), self.client, what))


class OverBolt(threading.Thread):
    """Routes, and lets the driver retry."""

    def __init__(self, seen: Seen, port: int, number: int) -> None:
        super().__init__(daemon=True)
        self.seen = seen
        self.port = port
        self.client = f"driver {number}"

    def run(self) -> None:
        uri = f"neo4j://127.0.0.1:{self.port}"
        with GraphDatabase.driver(
            uri, auth=None, max_transaction_retry_time=_RETRY_SECONDS, connection_timeout=2
        ) as driver:
            number = 0
            while not self.seen.stop.is_set():
                number += 1
                try:
                    with driver.session() as session:
                        session.execute_write(_create, self.client, number)
                except (Neo4jError, DriverError, OSError) as broken:
                    incomplete = type(broken).__name__ == "IncompleteCommit"
                    what = "unknown" if incomplete else "failed"
                    self.seen.trouble.append((time.monotonic(), self.client, what))
                    self.seen.reasons.append(f"{type(broken).__name__}: {broken}"[:200])
                else:
                    self.seen.acknowledged.append(time.monotonic())


def _create(transaction: ManagedTransaction, client: str, number: int) -> None:
    transaction.run(_CREATE, {"client": client, "n": number}).consume()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.failover", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--planned", type=int, default=5, help="of each planned change")
    options = parser.parse_args(arguments)
    logging.getLogger("neo4j").setLevel(logging.CRITICAL)
    report = Report()
    with scratch("failover") as folder:
        group = Group(folder, None)
        try:
            measure(report, group, options.kills, options.planned)
        finally:
            for server in group.members.values():
                server.kill()
    return report.end()


def measure(report: Report, group: Group, kills: int, planned: int) -> None:
    for name in ("n1", "n2", "n3"):
        group.join(name)
    seen = Seen()
    clients: list[threading.Thread] = [
        OverHttp(seen, server, name) for name, server in group.members.items()
    ]
    first = group.members["n1"].bolt_port
    clients += [OverBolt(seen, first, number) for number in range(_DRIVERS)]
    for client in clients:
        client.start()
    _PAUSE.wait(2)
    planned_changes(report, group, seen, planned)
    if kills:
        leader_kills(report, group, seen, kills)
    seen.stop.set()
    for client in clients:
        client.join(60)
    lost_writes(report, group, seen)


def leader_kills(report: Report, group: Group, seen: Seen, kills: int) -> None:
    gaps, elsewhere, unknown = [], 0, Counter[str]()
    for _ in range(kills):
        group.settle_roughly()
        leader = group.leader()
        assert leader is not None
        _PAUSE.wait(0.5)
        since = time.monotonic()
        group.kill(leader)
        group.until("writes go on", partial(goes_on, seen, since))
        gaps.append(seen.gap(since))
        for when, client, what in seen.trouble:
            if when > since and client != f"http {leader}":
                unknown[what] += 1
                elsewhere += client.startswith("http") and what != "retried"
        group.start(leader)
        group.members[leader].wait_ready()
    report.add(
        "leader_killed_write_gap_median", "s", quantile(gaps, 0.5), bar=1.0, at_most=True,
        kills=kills, longest=max(gaps), drivers=dict(unknown),
    )  # fmt: skip
    report.add("leader_killed_write_gap_p99", "s", quantile(gaps, 0.99), bar=3.0, at_most=True)
    report.add(
        "leader_killed_errors_on_survivors", "errors", float(elsewhere), bar=0.0, at_most=True
    )


def goes_on(seen: Seen, since: float) -> bool:
    return sum(each > since for each in seen.acknowledged[-200:]) > 50


def planned_changes(report: Report, group: Group, seen: Seen, times: int) -> None:
    changes: dict[str, Callable[[], None]] = {
        "transfer": lambda: transfer(group),
        "leader_stopped": lambda: stopped(group, group.leader()),
        "follower_stopped": lambda: stopped(group, follower(group)),
    }
    for name, change in changes.items():
        planned_change(report, group, seen, name, change, times)
    planned_change(report, group, seen, "join", lambda: group.join("n4"), 1)
    planned_change(report, group, seen, "leave", lambda: leave(group, "n4"), 1)


def planned_change(
    report: Report, group: Group, seen: Seen, name: str, change: Callable[[], None], times: int
) -> None:
    since = time.monotonic()
    seen.reasons.clear()
    for _ in range(times):
        change()
        group.settle_roughly()
        _PAUSE.wait(1)
    trouble = Counter(f"{client} {what}" for when, client, what in seen.trouble if when > since)
    failed = seen.count(since, "failed") + seen.count(since, "unknown")
    lost = seen.count(since, "lost")
    report.add(
        f"{name}_write_gap_longest", "s", seen.gap(since), bar=1.0, at_most=True,
        times=times, failed=failed, unknown=lost, trouble=dict(trouble), reasons=seen.reasons[:5],
    )  # fmt: skip
    report.add(
        f"{name}_failed_or_unknown", "transactions", float(failed + lost), bar=0.0, at_most=True
    )


def transfer(group: Group) -> None:
    leader = group.leader()
    to = group.status(follower(group))["nodeId"]
    assert leader is not None
    status, answer = group.ask(leader, "POST", "/v1/leader", {"to": to})
    assert status == 200, answer


def follower(group: Group) -> str:
    leader = group.leader()
    return next(name for name in group.members if name != leader)


def stopped(group: Group, name: str | None) -> None:
    assert name is not None
    code = group.members[name].stop()
    assert code == 0, group.members[name].tail()
    group.start(name)
    group.members[name].wait_ready()


def leave(group: Group, name: str) -> None:
    node = group.status(name)["nodeId"]
    if group.leader() == name:
        transfer(group)
    leader = group.leader()
    assert leader is not None
    status, answer = group.ask(leader, "DELETE", f"/v1/members/{node}", {})
    assert status == 200, answer
    group.members.pop(name).kill()


def lost_writes(report: Report, group: Group, seen: Seen) -> None:
    """Every acknowledged write is there, once."""
    group.settle()
    with QueryApi(next(iter(group.members.values())).port) as api:
        rows: list[list[Any]] = api.rows(
            "MATCH (w:W) RETURN count(w), count(DISTINCT w.client + ' ' + w.n)"
        )
    there, different = rows[0]
    missing = max(len(seen.acknowledged) - there, 0)
    report.add(
        "acknowledged_and_missing", "writes", float(missing + there - different), bar=0.0,
        at_most=True, acknowledged=len(seen.acknowledged), there=there,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
