"""The synchronous client against a served node."""

from __future__ import annotations

import pytest

from everwhen_client import Client, QuerySyntaxError
from tests.support.process import Server


def test_statements_transactions_streams_and_errors(server: Server):
    with Client(f"http://127.0.0.1:{server.port}") as client:
        client.run("CREATE (:P {a: $a})", {"a": 1})
        with client.transaction() as transaction:
            assert transaction.run("MATCH (p:P) RETURN count(p)").value() == 1
            transaction.run("CREATE (:Q)")
        assert client.run("MATCH (n) RETURN count(n)").value() == 2
        assert client.run("MATCH (n) RETURN count(n)", at=1).value() == 1
        with client.stream("UNWIND range(1, 5000) AS x RETURN x") as rows:
            assert sum(row["x"] for row in rows) == 12_502_500
        assert client.arrow("UNWIND range(1, 5) AS x RETURN x").num_rows == 5
        with pytest.raises(QuerySyntaxError) as failed:
            client.run("RETURN 1 +")
        assert failed.value.position is not None
