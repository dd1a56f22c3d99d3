"""A transaction pinned to a past moment, through every door."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest

from everwhen_client import Client, EverwhenError
from tests.support import bolt
from tests.support.bolt import Bolt
from tests.support.process import Server, program
from tests.support.query_api import Failed, QueryApi

READ = "MATCH (n:Pinned) RETURN n.x AS x"
WRITE = "MATCH (n:Pinned) SET n.x = 9"


@pytest.fixture(scope="module")
def past(server: Server) -> Iterator[tuple[int, str]]:
    """A version, and a time at which it is what is read."""
    with QueryApi(server.port) as api:
        api.rows("CREATE (:Pinned {x: 1})")
        [[version]] = api.rows("MATCH (n:Pinned) RETURN version(n)")
        [[time]] = api.rows("RETURN toString(datetime.realtime())")
        api.rows("MATCH (n:Pinned) SET n.x = 2")
        yield version, time


def test_http(server: Server, past: tuple[int, str]) -> None:
    version, time = past
    with QueryApi(server.port) as api:
        for body in ({"atVersion": version}, {"atTime": time}):
            begun = api.post("/db/neo4j/query/v2/tx", body)["transaction"]["id"]
            assert api.run_in(begun, READ)["data"]["values"] == [[1]]
            api.rows("MATCH (n:Pinned) SET n.y = 1")
            assert api.run_in(begun, READ)["data"]["values"] == [[1]]
            with pytest.raises(Failed) as refused:
                api.run_in(begun, WRITE)
            assert refused.value.code == "Neo.ClientError.Statement.AccessMode"


def test_bolt(server: Server, past: tuple[int, str]) -> None:
    version, time = past
    for metadata in ({"at_version": version}, {"at_time": time}):
        with closing(Bolt(server.bolt_port)) as connection:
            connection.ask(bolt.BEGIN, {"tx_metadata": metadata})
            assert connection.run(READ)[1] == [[1]]
            with pytest.raises(bolt.Failed) as refused:
                connection.run(WRITE)
            assert refused.value.code == "Neo.ClientError.Statement.AccessMode"


def test_the_client(server: Server, past: tuple[int, str]) -> None:
    with Client(f"http://127.0.0.1:{server.port}") as client:
        for at in past:
            with client.transaction(at=at, access="read") as transaction:
                assert transaction.run(READ).value() == 1


def shell(server: Server, *statements: str) -> tuple[int, list[object], str]:
    """Exit code, rows and complaints of ``everwhen sh``."""
    done = subprocess.run(
        [*program(), "sh", f"http://127.0.0.1:{server.port}", "-c", ";\n".join(statements)],
        capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return done.returncode, rows, done.stderr + done.stdout


def test_the_shell(server: Server, past: tuple[int, str]) -> None:
    version, time = past
    for begin in (
        f"BEGIN AT VERSION {version}",
        f"begin transaction snapshot read only at version {version - 1} + 1",
        f"BEGIN AT TIME datetime('{time}')",
        f"BEGIN AS OF '{time}'",
    ):
        code, rows, said = shell(server, begin, READ, "COMMIT", READ)
        assert (code, rows) == (0, [{"x": 1}, {"x": 2}]), said
    code, _, said = shell(server, f"BEGIN AT VERSION {version}", WRITE)
    assert code != 0
    assert "only reads at a past time" in said, said
    for begin, part in (
        ("BEGIN AT VERSION 'x'", "needs an integer"),
        ("BEGIN AT VERSION 999999", "no readable version"),
        ("BEGIN AT TIME '2999-01-01'", "future"),
        ("BEGIN AT TIME true", "needs a datetime"),
        ("COMMIT AT VERSION 1", "stands alone"),
    ):
        code, _, said = shell(server, begin, READ)
        assert (code != 0, part in said) == (True, True), (begin, said)


def test_a_range_is_no_moment(server: Server) -> None:
    with (
        Client(f"http://127.0.0.1:{server.port}") as client,
        pytest.raises(EverwhenError, match="one moment"),
    ):
        client.run("BEGIN BETWEEN TIME '2020-01-01' AND '2021-01-01'")
