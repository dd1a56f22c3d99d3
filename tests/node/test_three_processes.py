"""Three real processes: admitted, elected, killed, brought back; nothing acknowledged is lost."""

from __future__ import annotations

import http.client
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.process import Server
from tests.support.query_api import Failed, Lost, QueryApi
from tests.support.waiting import until

SECONDS: Final = 60.0


class Group:
    """Servers n1, n2, …; the first one founded the cluster."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        self.servers: list[Server] = []
        for number in range(1, count + 1):
            join = self.servers[0].port if self.servers else None
            self.servers.append(Server(folder / f"n{number}", name=f"n{number}", join=join))

    def start(self) -> None:
        for server in self.servers:
            server.start()
        self.until(lambda: len(self.status(0)["config"]["voters"]) == len(self.servers))

    def stop(self) -> None:
        for server in self.servers:
            if server.alive:
                server.kill()

    def status(self, at: int) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.servers[at].port, timeout=5)
        try:
            connection.request("GET", "/v1/status")
            found: dict[str, Any] = json.loads(connection.getresponse().read())
            return found
        finally:
            connection.close()

    def leader(self) -> int:
        """Which server leads; waits until one does."""
        found: list[int] = []

        def one_leads() -> bool:
            found[:] = [
                at
                for at, server in enumerate(self.servers)
                if server.alive and self.status(at)["role"] == "leader"
            ]
            return len(found) == 1

        self.until(one_leads)
        return found[0]

    def until(self, condition: Callable[[], bool]) -> None:
        until(
            condition,
            SECONDS,
            ignoring=(OSError, http.client.HTTPException, KeyError),
            more=lambda: "\n".join(s.tail()[-800:] for s in self.servers),
        )

    def settle(self) -> None:
        """Everyone has applied the same and says so."""

        def same() -> bool:
            states = [self.status(at) for at in range(len(self.servers))]
            return len({(s["appliedIndex"], s["digest"]) for s in states}) == 1

        self.until(same)


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    made = Group(tmp_path, 3)
    made.start()
    yield made
    made.stop()


def write(port: int, worker: int, stop: Callable[[], bool]) -> tuple[list[int], list[str]]:
    """Create numbered nodes until told to stop: those acknowledged, and what failed."""
    acknowledged: list[int] = []
    failures: list[str] = []
    number = worker * 1_000_000
    with QueryApi(port) as api:
        while not stop():
            number += 1
            try:
                api.rows("CREATE (n:Written {n: $n}) RETURN n.n", {"n": number})
            except (Failed, Lost) as failure:
                failures.append(str(failure))
                continue
            acknowledged.append(number)
    return acknowledged, failures


def test_every_node_writes_and_reads_what_any_wrote(group: Group) -> None:
    for at, server in enumerate(group.servers):
        with QueryApi(server.port) as api:
            api.rows("CREATE (n:A {at: $at}) RETURN n.at", {"at": at})
        reader = group.servers[(at + 1) % 3]
        with QueryApi(reader.port) as api:
            assert api.rows("MATCH (n:A) RETURN count(n)") == [[at + 1]]
    group.settle()


def test_the_leader_dies_and_sessions_elsewhere_do_not_notice(group: Group) -> None:
    leader = group.leader()
    others = [at for at in range(3) if at != leader]
    stopping: list[bool] = []
    with ThreadPoolExecutor(4) as pool:
        workers = [
            pool.submit(write, group.servers[others[k % 2]].port, k, lambda: bool(stopping))
            for k in range(4)
        ]
        with QueryApi(group.servers[others[0]].port) as api:
            group.until(lambda: api.rows("MATCH (n:Written) RETURN count(n)")[0][0] > 100)
            group.servers[leader].kill()
            before = api.rows("MATCH (n:Written) RETURN count(n)")[0][0]
            group.until(lambda: api.rows("MATCH (n:Written) RETURN count(n)")[0][0] > before + 100)
        stopping.append(True)
        results = [worker.result() for worker in workers]
    assert [failure for _, failures in results for failure in failures] == []
    wanted = sorted(number for numbers, _ in results for number in numbers)
    group.servers[leader].start()
    group.settle()
    for server in group.servers:
        with QueryApi(server.port) as api:
            assert [
                row[0] for row in api.rows("MATCH (n:Written) RETURN n.n ORDER BY n.n")
            ] == wanted


def test_a_node_that_lost_its_disk_is_not_taken_for_the_old_one(group: Group) -> None:
    lost = next(at for at in range(3) if at != group.leader() and at != 0)
    group.servers[lost].kill()
    shutil.rmtree(group.servers[lost].directory)
    group.servers[lost].start(wait=False)
    group.until(lambda: "not_admitted_yet" in group.servers[lost].tail())
    assert group.status(lost)["role"] == "joining"
    assert "belongs to member" in group.servers[lost].tail()
    with QueryApi(group.servers[0].port) as api:
        assert api.rows("CREATE (n:Still) RETURN 1") == [[1]]
