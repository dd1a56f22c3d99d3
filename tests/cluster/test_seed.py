"""A driver whose first address is down goes on by the others that it was told of."""

from __future__ import annotations

import time
from pathlib import Path

import neo4j
import pytest

from tests.node.test_three_processes import Group


@pytest.mark.timeout(300)
@pytest.mark.parametrize("leads", [True, False], ids=["leader", "follower"])
def test_the_first_address_of_a_driver_dies(tmp_path: Path, leads: bool) -> None:
    """Sessions without a database's name look up the home database, which the first address alone
    was asked for."""
    group = Group(tmp_path, 3)
    try:
        group.start()
        leader = group.leader()
        seed = group.servers[leader if leads else (leader + 1) % 3]
        uri = f"neo4j://127.0.0.1:{seed.bolt_port}"
        with neo4j.GraphDatabase.driver(uri) as driver:

            def written() -> int:
                with driver.session() as session:
                    text = "MERGE (n:N) SET n.i = coalesce(n.i, 0) + 1 RETURN n.i AS i"
                    return int(
                        session.execute_write(lambda tx: tx.run(text).single(strict=True)["i"])
                    )

            assert [written() for _ in range(5)] == [1, 2, 3, 4, 5]
            seed.kill()
            started = time.monotonic()
            # one that failed with its outcome unknown is run again
            assert written() in (6, 7)
            for _ in range(20):
                written()
            # the driver waits one, two, four seconds between its attempts, and gives up after thirty
            assert time.monotonic() - started < 30
    finally:
        group.stop()
