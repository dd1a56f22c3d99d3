"""Users in three real processes: made anywhere, known everywhere, kept over deaths and restarts."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support import bolt, waiting
from tests.support.bolt import Bolt
from tests.support.process import Server
from tests.support.query_api import Failed, Lost, QueryApi

FIRST: Final = "the-first-password"
SECRET: Final = "what members know"
CHANGED: Final = "Neo.ClientError.Security.AuthorizationExpired"


def until(condition: Callable[[], bool], servers: list[Server]) -> None:
    waiting.until(
        condition,
        ignoring=(OSError, http.client.HTTPException, Failed, Lost, bolt.Failed, bolt.Lost),
        more=lambda: "\n".join(s.tail()[-800:] for s in servers),
    )


def status(server: Server) -> dict[str, Any]:
    """Asked with the cluster's secret instead of a password."""
    with QueryApi(server.port, timeout=5) as api:
        answer = api.request("GET", "/v1/status", headers={"X-Everwhen-Secret": SECRET})
    assert answer[0] == 200, answer
    found: dict[str, Any] = json.loads(answer[2])
    return found


@pytest.fixture
def group(tmp_path: Path) -> Iterator[list[Server]]:
    """Three members, of which only the founder knows the first password."""
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "password").write_text(FIRST)
    servers: list[Server] = []
    for number in (1, 2, 3):
        join = servers[0].port if servers else None
        options = ["--auth", "basic", "--set", f"cluster.secret_file={tmp_path / 'secret'}"]
        if join is None:
            options += ["--set", f"auth.initial_password_file={tmp_path / 'password'}"]
        servers.append(Server(tmp_path / f"n{number}", *options, name=f"n{number}", join=join))
    for server in servers:
        server.start()
    until(lambda: len(status(servers[0])["config"]["voters"]) == 3, servers)
    yield servers
    for server in servers:
        if server.alive:
            server.kill()


def logs_on(server: Server, user: str, password: str) -> bool:
    """Over both doors alike."""
    with QueryApi(server.port, auth=(user, password)) as api:
        try:
            over_http = api.rows("RETURN 1") == [[1]]
        except Failed as failed:
            if failed.status != 401:
                raise
            over_http = False
    try:
        client = Bolt(
            server.bolt_port,
            auth={"scheme": "basic", "principal": user, "credentials": password},
        )
    except bolt.Failed:
        return False
    client.close()
    return over_http


def test_a_user_made_anywhere_is_known_everywhere(group: list[Server]) -> None:
    for server in group:
        assert logs_on(server, "neo4j", FIRST)
        assert not logs_on(server, "neo4j", "wrong-password")
        output = server.output.read_text(encoding="utf-8")
        assert "The first user is" not in output  # nothing was generated
    for at, server in enumerate(group):
        with QueryApi(server.port, auth=("neo4j", FIRST)) as api:
            api.run(f"CREATE USER u{at} SET PASSWORD 'first-password' CHANGE NOT REQUIRED")
    for server in group:
        for at in range(3):
            until(lambda: logs_on(server, f"u{at}", "first-password"), group)  # noqa: B023


def test_users_outlive_the_leader_and_a_restart_of_all(group: list[Server]) -> None:
    with QueryApi(group[1].port, auth=("neo4j", FIRST)) as api:
        api.run("CREATE USER kept SET PASSWORD 'first-password' CHANGE NOT REQUIRED")
    [leader] = [server for server in group if status(server)["role"] == "leader"]
    others = [server for server in group if server is not leader]
    leader.kill()
    for server in others:
        until(lambda: logs_on(server, "kept", "first-password"), group)  # noqa: B023
    for server in others:
        assert server.stop() == 0
    for server in group:
        server.start(wait=False)
    for server in group:
        server.wait_ready()
        until(lambda: logs_on(server, "kept", "first-password"), group)  # noqa: B023


def test_a_change_on_one_node_ends_connections_to_another(group: list[Server]) -> None:
    with QueryApi(group[0].port, auth=("neo4j", FIRST)) as api:
        api.run("CREATE USER moved SET PASSWORD 'first-password' CHANGE NOT REQUIRED")
        until(lambda: logs_on(group[2], "moved", "first-password"), group)
        auth = {"scheme": "basic", "principal": "moved", "credentials": "first-password"}
        there = Bolt(group[2].bolt_port, auth=auth)
        mine = Bolt(group[1].bolt_port, auth=auth)
        there.run("RETURN 1")
        mine.run(
            "ALTER CURRENT USER SET PASSWORD FROM $old TO $new",
            {"old": "first-password", "new": "second-password"},
        )
        assert mine.run("RETURN 1")[1] == [[1]]

    def gone() -> bool:
        try:
            there.run("RETURN 1")
        except bolt.Failed as failed:
            return failed.code == CHANGED
        return False

    until(gone, group)
    for server in group:
        until(lambda: logs_on(server, "moved", "second-password"), group)  # noqa: B023
        assert not logs_on(server, "moved", "first-password")
    mine.close()
    there.close()
