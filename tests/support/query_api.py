"""A client of the Query API v2 (Neo4j) with nothing clever in it: one keep-alive connection.

The judges do not use the project's own client, so that they judge the door and not the pair.
"""

from __future__ import annotations

import http.client
import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

TYPED: Final = "application/vnd.neo4j.query"


class Lost(ConnectionError):
    """The connection broke or timed out: the outcome of the request is unknown."""


class Failed(RuntimeError):
    """The server answered with an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message

    @property
    def retryable(self) -> bool:
        return self.code.startswith("Neo.TransientError.")


class QueryApi:
    """One connection."""

    def __init__(
        self,
        port: int,
        timeout: float = 60.0,
        typed: bool = False,
        auth: tuple[str, str] | None = None,
    ) -> None:
        self.port = port
        self.timeout = timeout
        self.typed = typed
        self.headers: dict[str, str] = {}
        if auth is not None:
            self.headers["Authorization"] = f"Basic {b64encode(':'.join(auth).encode()).decode()}"
        self.connection: http.client.HTTPConnection | None = None

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One request as it is; status, headers and body of the answer.

        :raises Lost: no whole answer came.
        """
        if self.connection is None:
            self.connection = http.client.HTTPConnection(
                "127.0.0.1", self.port, timeout=self.timeout
            )
        try:
            self.connection.request(method, path, body, {**self.headers, **headers})
            answer = self.connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as broken:
            self.close()
            raise Lost(f"{method} {path}: {broken}") from broken
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, content

    def post(self, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        """A JSON request; the JSON answer.

        :raises Failed: the answer carries errors.
        """
        media = TYPED if self.typed else "application/json"
        headers = {"Content-Type": media, "Accept": media}
        content = b"" if body is None else json.dumps(body).encode()
        return self._decode(*self.request("POST", path, content, headers))

    def _decode(self, status: int, headers: Mapping[str, str], content: bytes) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = json.loads(content) if content else {}
        except ValueError as broken:
            raise Failed(status, "not JSON", repr(content[:300])) from broken
        if errors := answer.get("errors"):
            raise Failed(status, errors[0].get("code", ""), errors[0].get("message", ""))
        if status >= 400:
            raise Failed(status, "error without errors", repr(content[:300]))
        return answer

    def run(
        self, statement: str, parameters: Mapping[str, Any] | None = None, counters: bool = False
    ) -> dict[str, Any]:
        """Auto-commit."""
        return self.post("/db/neo4j/query/v2", _body(statement, parameters, counters))

    def rows(self, statement: str, parameters: Mapping[str, Any] | None = None) -> list[list[Any]]:
        """The values of an auto-commit query."""
        values: list[list[Any]] = self.run(statement, parameters)["data"]["values"]
        return values

    def begin(self, settings: Mapping[str, Any] | None = None) -> str:
        """An explicit transaction's id."""
        answer = self.post("/db/neo4j/query/v2/tx", settings or {})
        return str(answer["transaction"]["id"])

    def run_in(
        self,
        transaction: str,
        statement: str,
        parameters: Mapping[str, Any] | None = None,
        counters: bool = False,
    ) -> dict[str, Any]:
        body = _body(statement, parameters, counters)
        return self.post(f"/db/neo4j/query/v2/tx/{transaction}", body)

    def commit(self, transaction: str) -> dict[str, Any]:
        return self.post(f"/db/neo4j/query/v2/tx/{transaction}/commit", {})

    def rollback(self, transaction: str) -> None:
        path = f"/db/neo4j/query/v2/tx/{transaction}"
        self._decode(*self.request("DELETE", path, None, {"Accept": "application/json"}))

    def __enter__(self) -> QueryApi:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def _body(
    statement: str, parameters: Mapping[str, Any] | None, counters: bool
) -> Mapping[str, Any]:
    body: dict[str, Any] = {"statement": statement}
    if parameters:
        body["parameters"] = parameters
    if counters:
        body["includeCounters"] = True
    return body
