"""Who may come in, as Neo4j's Python drivers see it; see ``python_suite``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from neo4j import GraphDatabase
from neo4j import exceptions as e

from tests.drivers.python_common import MAJOR, MEMBERS, PASSWORD, case, raises, write

FIRST = "first-password"
SECOND = "second-password"


def named(name: str) -> str:
    """Every version of the driver has its own users of the one server."""
    return f"{name}{MAJOR}"


@contextmanager
def user(port: int, name: str, password: str) -> Iterator[Any]:
    made = GraphDatabase.driver(f"bolt://127.0.0.1:{port}", auth=(name, password))
    try:
        yield made
    finally:
        made.close()


def run(driver: Any, text: str, **parameters: Any) -> list[Any]:
    with driver.session(database="system") as session:
        values: list[Any] = session.run(text, parameters).value()
        return values


def code(driver: Any, text: str = "RETURN 1") -> str:
    """The code of the error that comes."""
    return str(raises(e.Neo4jError, lambda: run(driver, text)).code).rpartition(".")[2]


def add(port: int, name: str, more: str = "CHANGE NOT REQUIRED") -> None:
    with user(port, "neo4j", PASSWORD) as root:
        run(root, f"CREATE USER {name} SET PASSWORD $first {more}", first=FIRST)


@case
def right_and_wrong_password(_: int, secured: int) -> None:
    uri = f"neo4j://127.0.0.1:{secured}"
    with GraphDatabase.driver(uri, auth=("neo4j", PASSWORD)) as opened:
        opened.verify_connectivity()
        with opened.session() as session:
            assert session.run("RETURN 1").value() == [1]
    for auth in (("neo4j", "wrong"), ("nobody", PASSWORD), None):
        uri = f"bolt://127.0.0.1:{secured}"
        with GraphDatabase.driver(uri, auth=auth) as opened, opened.session() as session:
            error = raises(e.AuthError, lambda: session.run("RETURN 1"))
            assert error.code == "Neo.ClientError.Security.Unauthorized", error.code


@case
def a_password_that_must_be_changed(_: int, secured: int) -> None:
    add(secured, named("beginner"), "CHANGE REQUIRED")
    change = "ALTER CURRENT USER SET PASSWORD FROM $old TO $new"
    with user(secured, named("beginner"), FIRST) as opened:
        assert code(opened) == "CredentialsExpired"
        run(opened, change, old=FIRST, new=SECOND)
        assert run(opened, "SHOW CURRENT USER YIELD user, passwordChangeRequired") == [
            named("beginner")
        ]
    with user(secured, named("beginner"), FIRST) as opened:
        assert code(opened) == "Unauthorized"
    with user(secured, named("beginner"), SECOND) as opened:
        assert run(opened, "RETURN 1") == [1]


@case
def users_are_listed_with_counters(_: int, secured: int) -> None:
    add(secured, named("listed"))
    with user(secured, "neo4j", PASSWORD) as root, root.session() as session:
        names = session.run("SHOW USERS YIELD user").value()
        assert {"neo4j", named("listed")} <= set(names), names
        counters = (
            session.run(f"ALTER USER {named('listed')} SET STATUS SUSPENDED").consume().counters
        )
        if MAJOR >= 5:
            assert counters.contains_system_updates
            assert not counters.contains_updates
        assert counters.system_updates == 1
    with user(secured, named("listed"), FIRST) as opened:
        assert code(opened) == "Unauthorized"


@case
def who_is_dropped_while_connected(_: int, secured: int) -> None:
    add(secured, named("leaver"))
    with user(secured, named("leaver"), FIRST) as opened, opened.session() as session:
        assert session.run("RETURN 1").value() == [1]
        with user(secured, "neo4j", PASSWORD) as root:
            run(root, f"DROP USER {named('leaver')}")
        # the driver meets the end of the open connection, then of the attempt at a new one
        codes = {code(opened), code(opened), code(opened)}
        assert codes <= {"AuthorizationExpired", "Unauthorized"}, codes
        assert code(opened) == "Unauthorized"


@case
def a_managed_transaction_goes_on_after_a_new_logon(_: int, secured: int) -> None:
    add(secured, named("worker"))
    with user(secured, named("worker"), FIRST) as opened, opened.session() as session:
        assert session.run("RETURN 1").value() == [1]
        with user(secured, "neo4j", PASSWORD) as root:
            text = "CREATE OR REPLACE USER $name SET PASSWORD $first CHANGE NOT REQUIRED"
            run(root, text, name=named("worker"), first=FIRST)
        assert write(session, lambda tx: tx.run("RETURN 2").value()) == [2]


@case
def too_many_wrong_passwords(_: int, secured: int) -> None:
    add(secured, named("guessed"))
    # every member counts what it sees: one of them has seen five by then
    for number in range(5 * MEMBERS):
        with user(secured, named("guessed"), f"wrong-{number}") as opened:
            error = outcome(opened)
            assert "Unauthorized" in error or (MEMBERS > 1 and "too many" in error)
    for _ in range(60 if MEMBERS > 1 else 1):
        with user(secured, named("guessed"), FIRST) as opened:
            if "too many times in a row" in outcome(opened):
                return
    raise AssertionError("no member refused the right password")


def outcome(driver: Any) -> str:
    """What became of asking something, as text; empty if it was answered."""
    try:
        run(driver, "RETURN 1")
    except (e.Neo4jError, e.ServiceUnavailable) as error:
        # driver 4.4 takes some failures to log on for a server that is away
        return str(error)
    return ""
