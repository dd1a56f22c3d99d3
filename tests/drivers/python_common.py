"""What the cases for Neo4j's Python drivers share; see ``python_suite``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import neo4j
from neo4j import GraphDatabase

MAJOR = int(neo4j.__version__.split(".")[0])
PASSWORD = "correct horse"
#: how many nodes stand behind the address
MEMBERS = int(os.environ.get("DRIVER_MEMBERS", "1"))
CASES: dict[str, Callable[[int, int], None]] = {}


def case(call: Callable[[int, int], None]) -> Callable[[int, int], None]:
    CASES[call.__name__] = call
    return call


@contextmanager
def driver(port: int, scheme: str = "bolt", **config: Any) -> Iterator[Any]:
    made = GraphDatabase.driver(f"{scheme}://127.0.0.1:{port}", auth=None, **config)
    try:
        yield made
    finally:
        made.close()


def write(session: Any, work: Callable[..., Any]) -> Any:
    return (session.execute_write if MAJOR >= 5 else session.write_transaction)(work)


def read(session: Any, work: Callable[..., Any]) -> Any:
    return (session.execute_read if MAJOR >= 5 else session.read_transaction)(work)


def bookmarks(session: Any) -> Any:
    return session.last_bookmarks() if MAJOR >= 5 else [session.last_bookmark()]


def raises(kind: type[BaseException], call: Callable[[], Any]) -> Any:
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} did not come")
