"""What the settings of the data directory do: snapshots for members far behind, and a quota."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node.test_three_processes import Group
from tests.support.process import Server
from tests.support.query_api import Failed, QueryApi

SHORT_LOG = (
    *("--set", "storage.log_trailing_entries=10"),
    *("--set", "storage.log_segment_bytes=8192"),
    *("--set", "storage.flush_s=0.5"),
)
FILL = "CREATE (n:S {k: $k, text: $text}) RETURN n.k"


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    made = Group(tmp_path, 3)
    for server in made.servers:
        server.options = SHORT_LOG
    made.start()
    yield made
    made.stop()


def fill(port: int, first: int, count: int) -> None:
    with QueryApi(port) as api:
        for k in range(first, first + count):
            api.rows(FILL, {"k": k, "text": "x" * 200})


def test_a_member_that_missed_what_the_log_has_dropped_gets_a_snapshot(group: Group) -> None:
    away = next(at for at in range(3) if at != group.leader())
    group.settle()
    missed = group.status(away)["appliedIndex"]
    group.servers[away].kill()
    leader = group.servers[group.leader()]
    fill(leader.port, 0, 300)
    log = leader.directory / "log"

    def dropped() -> bool:
        """The log begins after what the member has."""
        fill(leader.port, 1_000, 1)
        return not any(int(name.name.split("-")[0], 16) <= 1 for name in log.glob("*-*"))

    group.until(dropped)
    group.servers[away].start(wait=False)
    group.settle()
    assert group.status(away)["appliedIndex"] > missed
    assert "snapshot" in group.servers[away].output.read_text(encoding="utf-8")
    with QueryApi(group.servers[away].port) as api:
        assert api.rows("MATCH (n:S) WHERE n.k < 300 RETURN count(n)") == [[300]]
        assert api.rows("CREATE (n:T) RETURN 1") == [[1]]
    # and it has a whole record of its own: it serves after a restart, with another one away
    group.servers[away].kill()
    group.servers[away].start(wait=False)
    group.settle()


def is_full(port: int, why: str = "the disk has") -> bool:
    """Whether one more write is refused, because of the disk if nothing else is said."""
    try:
        with QueryApi(port) as api:
            api.rows(FILL, {"k": 1, "text": "x" * 20_000})
    except Failed as refused:
        return why in refused.message
    return False


def test_a_graph_too_large_for_memory_grows_no_further_and_deletes_go_on(tmp_path: Path) -> None:
    server = Server(tmp_path / "n1", "--set", "limits.image_memory_bytes=20000")
    server.start()
    why = "more than limits.image_memory_bytes, 20,000"
    try:
        with QueryApi(server.port) as api:
            api.rows("UNWIND range(1, 600) AS k CREATE (:S {k: k})")
            assert any(is_full(server.port, why) for _ in range(10_000))
            assert api.rows("MATCH (n:S) WHERE n.k > 300 DELETE n RETURN count(*)") == [[300]]
            assert any(not is_full(server.port, why) for _ in range(10_000))
    finally:
        server.kill()


def test_above_the_quota_growth_is_refused_and_deletes_go_on(tmp_path: Path) -> None:
    quota = ("--set", "storage.quota_bytes=2000000", "--set", "headroom.disk_low_bytes=1000000")
    server = Server(tmp_path / "n1", *quota)
    server.start()
    try:
        assert any(is_full(server.port) for _ in range(1_000))
        with QueryApi(server.port) as api:
            assert api.rows("MATCH (n:S) WITH n LIMIT 1 DETACH DELETE n RETURN 1") == [[1]]
        server.kill()
        server.start()
        assert is_full(server.port)
        with QueryApi(server.port) as api:
            assert api.rows("MATCH (n:S) RETURN count(n) > 0") == [[True]]
    finally:
        server.kill()
