"""Who may come in, over HTTP and over Bolt: the same users, the same answers."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Final

import pytest

from tests.support import bolt
from tests.support.bolt import Bolt
from tests.support.logon import basic, bolt_code, connected, http_code
from tests.support.process import Server
from tests.support.query_api import Failed, QueryApi

FIRST: Final = "the-first-password"
UNAUTHORIZED: Final = "Neo.ClientError.Security.Unauthorized"
EXPIRED: Final = "Neo.ClientError.Security.CredentialsExpired"
CHANGED: Final = "Neo.ClientError.Security.AuthorizationExpired"
TOO_OFTEN: Final = "Neo.ClientError.Security.AuthenticationRateLimit"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("auth")
    secret = folder / "password"
    secret.write_text(FIRST + "\n")
    node = Server(
        folder / "data",
        *("--auth", "basic"),
        *("--set", f"auth.initial_password_file={secret}"),
        *("--set", "auth.failures_max=3"),
        *("--set", "auth.lock_s=3600"),
    )
    node.start()
    yield node
    assert node.stop() == 0, node.tail()


@pytest.fixture
def root(server: Server) -> Iterator[QueryApi]:
    with QueryApi(server.port, auth=("neo4j", FIRST)) as api:
        yield api


DOORS: Final[Mapping[str, Callable[..., str]]] = {"http": http_code, "bolt": bolt_code}
each_door = pytest.mark.parametrize("door", DOORS)


@each_door
def test_the_first_user_comes_in_and_others_do_not(server: Server, door: str) -> None:
    ask = DOORS[door]
    assert ask(server, "neo4j", FIRST) == ""
    assert ask(server, "neo4j", f"wrong-{door}") == UNAUTHORIZED
    assert ask(server, f"nobody over {door}", FIRST) == UNAUTHORIZED
    assert ask(server, "NEO4J", FIRST) == UNAUTHORIZED
    assert ask(server, "neo4j", FIRST) == ""


@pytest.mark.parametrize("version", [(4, 4), (5, 0), (5, 8)])
def test_every_version_of_bolt_is_asked(server: Server, version: tuple[int, int]) -> None:
    assert bolt_code(server, "neo4j", FIRST, version=version) == ""
    assert bolt_code(server, f"nobody-{version}", "wrong", version=version) == UNAUTHORIZED


def test_nobody_comes_in_without_credentials(server: Server) -> None:
    with QueryApi(server.port) as api:
        for path in ("/db/neo4j/query/v2", "/v1/bulk"):
            status, headers, _ = api.request("POST", path, b"{}")
            assert (status, headers["www-authenticate"].split()[0]) == (401, "Basic")
        for header in ("Bearer abc", "Basic", "Basic %%%", "Basic bmVvNGo="):
            answer = api.request("GET", "/v1/status", headers={"Authorization": header})
            assert answer[0] == 401, header
        for path in ("/", "/livez", "/readyz", "/metrics", "/openapi.json"):
            assert api.request("GET", path)[0] == 200
    with pytest.raises(bolt.Failed) as failed:
        Bolt(server.bolt_port)
    assert failed.value.code == UNAUTHORIZED


@each_door
def test_a_new_user_must_change_the_password(server: Server, root: QueryApi, door: str) -> None:
    ask, name = DOORS[door], f"new-{door}"
    root.run(f"CREATE USER `{name}` SET PASSWORD 'first-password'")
    assert ask(server, name, "first-password") == EXPIRED
    change = "ALTER CURRENT USER SET PASSWORD FROM '{}' TO '{}'"
    wrong = change.format("not-this-one", "second-password")
    assert ask(server, name, "first-password", wrong).endswith("ArgumentError")
    right = change.format("first-password", "second-password")
    assert ask(server, name, "first-password", right) == ""
    assert ask(server, name, "first-password") == UNAUTHORIZED
    assert ask(server, name, "second-password") == ""


def test_bolt_says_that_the_password_has_to_be_changed_and_goes_on(
    server: Server, root: QueryApi
) -> None:
    root.run("CREATE USER goes SET PASSWORD 'first-password'")
    with closing(Bolt(server.bolt_port, logon=False)) as client:
        client.ask(bolt.HELLO, {"user_agent": "judge/1"})
        answer = client.ask(bolt.LOGON, basic("goes", "first-password"))
        assert answer["credentials_expired"] is True
        with pytest.raises(bolt.Failed, match="must be changed"):
            client.run("RETURN 1")
        with pytest.raises(bolt.Failed, match="must be changed"):
            client.run("EXPLAIN RETURN 1")
        text = "ALTER CURRENT USER SET PASSWORD FROM $old TO $new"
        client.run(text, {"old": "first-password", "new": "second-password"})
        assert client.run("SHOW CURRENT USER YIELD user")[1] == [["goes"]]


@each_door
def test_after_three_wrong_passwords_the_right_one_has_to_wait(
    server: Server, root: QueryApi, door: str
) -> None:
    ask, name = DOORS[door], f"hammered-{door}"
    root.run(f"CREATE USER `{name}` SET PASSWORD 'first-password' CHANGE NOT REQUIRED")
    codes = [ask(server, name, f"wrong-{number}") for number in range(4)]
    assert codes == [UNAUTHORIZED] * 3 + [TOO_OFTEN]
    assert ask(server, name, "first-password") == TOO_OFTEN
    assert ask(server, "neo4j", FIRST) == ""


def test_many_wrong_passwords_at_once_are_counted_all_the_same(server: Server) -> None:
    codes: list[str] = []

    def knock(number: int) -> None:
        codes.append(http_code(server, "hammered-at-once", f"wrong-{number}"))

    knocking = [threading.Thread(target=knock, args=(number,)) for number in range(12)]
    for each in knocking:
        each.start()
    for each in knocking:
        each.join()
    assert sorted(codes) == [TOO_OFTEN] * 9 + [UNAUTHORIZED] * 3


@each_door
def test_the_suspended_stay_out(server: Server, root: QueryApi, door: str) -> None:
    ask, name = DOORS[door], f"suspended-{door}"
    root.run(
        f"CREATE USER `{name}` SET PASSWORD 'first-password' CHANGE NOT REQUIRED "
        "SET STATUS SUSPENDED"
    )
    assert ask(server, name, "first-password") == UNAUTHORIZED
    root.run(f"ALTER USER `{name}` SET STATUS ACTIVE")
    assert ask(server, name, "first-password") == ""


@pytest.mark.parametrize(
    "change",
    [
        "DROP USER {}",
        "ALTER USER {} SET STATUS SUSPENDED",
        "ALTER USER {} SET PASSWORD 'second-password'",
        "CREATE OR REPLACE USER {} SET PASSWORD 'first-password'",
    ],
    ids=lambda text: "-".join(text.split()[:2]).lower(),
)
def test_who_is_changed_loses_the_next_statement(
    server: Server, root: QueryApi, change: str
) -> None:
    name = f"gone {change[:9]} {len(change)}"
    password = "first-password"
    root.run(f"CREATE USER `{name}` SET PASSWORD '{password}' CHANGE NOT REQUIRED")
    with (
        connected(server, name, password) as inside,
        connected(server, name, password) as writing,
        QueryApi(server.port, auth=(name, password)) as over_http,
    ):
        inside.run("RETURN 1")
        writing.ask(bolt.BEGIN, {})
        writing.run("CREATE (:Never)")
        transaction = over_http.begin()
        over_http.run_in(transaction, "CREATE (:Never)")
        root.run(change.format(f"`{name}`"))
        with pytest.raises(bolt.Failed) as failed:
            inside.run("RETURN 1")
        assert failed.value.code == CHANGED
        with pytest.raises(bolt.Failed) as failed:
            writing.ask(bolt.COMMIT)
        assert failed.value.code == CHANGED
        with pytest.raises(Failed) as refused:
            over_http.commit(transaction)
        assert refused.value.code in (UNAUTHORIZED, EXPIRED)
    assert root.rows("MATCH (n:Never) RETURN count(n)") == [[0]]


def test_who_changes_the_own_password_stays(server: Server, root: QueryApi) -> None:
    password = "first-password"
    root.run(f"CREATE USER stays SET PASSWORD '{password}' CHANGE NOT REQUIRED")
    with connected(server, "stays", password) as mine, connected(server, "stays", password) as same:
        mine.run(f"ALTER CURRENT USER SET PASSWORD FROM '{password}' TO 'second-password'")
        assert mine.run("RETURN 1")[1] == [[1]]
        with pytest.raises(bolt.Failed) as failed:
            same.run("RETURN 1")
        assert failed.value.code == CHANGED


def test_one_connection_serves_one_after_the_other(server: Server, root: QueryApi) -> None:
    root.run("CREATE USER second SET PASSWORD 'first-password' CHANGE NOT REQUIRED")
    with connected(server, "neo4j", FIRST) as client:
        client.ask(bolt.LOGOFF)
        client.ask(bolt.LOGON, basic("second", "first-password"))
        assert client.run("SHOW CURRENT USER YIELD user")[1] == [["second"]]


def test_a_transaction_is_its_owners(server: Server, root: QueryApi) -> None:
    root.run("CREATE USER thief SET PASSWORD 'first-password' CHANGE NOT REQUIRED")
    transaction = root.begin()
    with (
        QueryApi(server.port, auth=("thief", "first-password")) as api,
        pytest.raises(Failed, match="no open transaction"),
    ):
        api.run_in(transaction, "RETURN 1")
    root.rollback(transaction)


def test_whoever_must_change_the_password_may_do_nothing_else_over_http(
    server: Server, root: QueryApi
) -> None:
    root.run("CREATE USER fresh SET PASSWORD 'first-password'")
    with QueryApi(server.port, auth=("fresh", "first-password")) as api:
        for method, path in (("POST", "/v1/bulk"), ("GET", "/v1/status")):
            status, _, content = api.request(method, path, b"{}" if method == "POST" else None)
            assert (status, json.loads(content)["errors"][0]["code"]) == (403, EXPIRED)


def test_a_password_is_checked_once_and_then_remembered(server: Server, root: QueryApi) -> None:
    root.run("CREATE USER quick SET PASSWORD 'first-password' CHANGE NOT REQUIRED")
    with QueryApi(server.port, auth=("quick", "first-password")) as api:
        api.run("RETURN 1")
        started = time.monotonic()
        for _ in range(20):
            api.run("RETURN 1")
        assert time.monotonic() - started < 1.0  # 20 checks take more than 2 s


def test_no_password_is_shown_anywhere(server: Server, root: QueryApi) -> None:
    root.run("CREATE USER hidden SET PASSWORD 'unmistakable-1' CHANGE NOT REQUIRED")
    assert http_code(server, "hidden", "unmistakable-2") == UNAUTHORIZED
    with pytest.raises(Failed):
        root.run("CREATE USER hidden SET PASSWORD 'unmistakable-3'")
    transaction = root.begin()
    root.run_in(transaction, "ALTER USER hidden SET PASSWORD 'unmistakable-4'")
    shown = json.dumps(root.rows("SHOW TRANSACTIONS YIELD *"))
    assert "ALTER USER hidden SET PASSWORD '******'" in shown
    plan = json.dumps(root.run("EXPLAIN ALTER USER hidden SET PASSWORD 'unmistakable-5'"))
    assert "******" in plan
    root.rollback(transaction)
    listed = json.dumps(root.rows("SHOW USERS YIELD *"))
    everything = shown + plan + listed + server.output.read_text(encoding="utf-8")
    assert "unmistakable" not in everything
    assert FIRST not in everything
    failures = [line for line in everything.splitlines() if "authentication_failed" in line]
    assert any('"hidden"' in line and "127.0.0.1" in line for line in failures)


def test_failures_are_counted_for_whoever_watches(server: Server) -> None:
    def failures() -> float:
        with QueryApi(server.port) as api:
            page = api.request("GET", "/metrics")[2].decode()
        [line] = re.findall(r"^everwhen_authentication_failures_total (.*)$", page, re.MULTILINE)
        return float(line)

    before = failures()
    assert http_code(server, "watched", "wrong-password") == UNAUTHORIZED
    assert bolt_code(server, "watched", "wrong-password") == UNAUTHORIZED
    assert failures() == before + 2
