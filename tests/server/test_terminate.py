"""TERMINATE TRANSACTIONS ends what others run, and what they left open."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import neo4j
import pytest
from neo4j.exceptions import Neo4jError

from tests.support.process import Server
from tests.support.query_api import QueryApi
from tests.support.waiting import until

LONG = "UNWIND range(1, 1000000) AS a UNWIND range(1, 1000000) AS b RETURN count(*)"
SECONDS = 30.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path / "n1")
    started.start()
    yield started
    started.kill()


def named(api: QueryApi, text: str) -> str:
    """The id of the transaction that runs this text; waits for it."""
    show = "SHOW TRANSACTIONS YIELD transactionId, currentQuery WHERE currentQuery STARTS WITH $t"
    asked = f"{show} RETURN transactionId"
    rows = until(lambda: api.rows(asked, {"t": text}), SECONDS, f"nobody runs {text}")
    return str(rows[0][0])


def test_a_statement_that_runs_stops(server: Server) -> None:
    uri = f"bolt://127.0.0.1:{server.bolt_port}"
    with (
        neo4j.GraphDatabase.driver(uri) as driver,
        driver.session() as session,
        QueryApi(server.port) as api,
        ThreadPoolExecutor(1) as pool,
    ):
        running = pool.submit(lambda: session.run(LONG).consume())
        name = named(api, "UNWIND range(1, 1000000)")
        ended = api.rows(f"TERMINATE TRANSACTION '{name}'")
        assert [row[2] for row in ended] == ["Transaction terminated."]
        with pytest.raises(Neo4jError) as failure:
            running.result(SECONDS)
        assert failure.value.code == "Neo.ClientError.Transaction.Terminated"
        assert session.run("RETURN 1 AS one").single(strict=True)["one"] == 1


def test_one_that_is_open_cannot_commit_and_lets_go_of_its_locks(server: Server) -> None:
    uri = f"bolt://127.0.0.1:{server.bolt_port}"
    with (
        neo4j.GraphDatabase.driver(uri) as driver,
        driver.session() as session,
        QueryApi(server.port) as api,
    ):
        api.rows("CREATE (:A {k: 1}) RETURN 1")
        transaction = session.begin_transaction(metadata={"isolation": "pessimistic"})
        transaction.run("MATCH (a:A) SET a.k = 2").consume()
        [[name]] = api.rows(
            "SHOW TRANSACTIONS YIELD transactionId, isolation WHERE isolation = 'PESSIMISTIC' "
            "RETURN transactionId"
        )
        api.rows("TERMINATE TRANSACTIONS $names", {"names": [name]})
        body = {"statement": "MATCH (a:A) SET a.k = 3", "isolation": "pessimistic"}
        api.post("/db/neo4j/query/v2", body)
        with pytest.raises(Neo4jError):
            transaction.commit()
        assert api.rows("MATCH (a:A) RETURN a.k") == [[3]]
