"""Logging on over both doors, for those who test who may."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from tests.support import bolt
from tests.support.bolt import Bolt
from tests.support.process import Server
from tests.support.query_api import Failed, QueryApi


def basic(user: str, password: str) -> dict[str, Any]:
    return {"scheme": "basic", "principal": user, "credentials": password}


def http_code(server: Server, user: str, password: str, text: str = "RETURN 1") -> str:
    """The error of a statement over HTTP, empty for none."""
    with QueryApi(server.port, auth=(user, password)) as api:
        try:
            api.run(text)
        except Failed as failed:
            return failed.code
        return ""


@contextmanager
def connected(server: Server, user: str, password: str, **more: Any) -> Iterator[Bolt]:
    """A Bolt connection that is closed whatever happens."""
    with closing(Bolt(server.bolt_port, auth=basic(user, password), **more)) as client:
        yield client


def bolt_code(
    server: Server,
    user: str,
    password: str,
    text: str = "RETURN 1",
    version: tuple[int, int] = (5, 8),
) -> str:
    """The error of logging on and a statement over Bolt, empty for none."""
    try:
        with connected(server, user, password, version=version) as client:
            client.run(text)
    except bolt.Failed as failed:
        return failed.code
    return ""
