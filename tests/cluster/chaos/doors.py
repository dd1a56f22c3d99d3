"""A client's ways in: transactions over HTTP and over Bolt (Neo4j's driver), with one vocabulary of
what can go wrong: it certainly did not happen, or nobody knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from neo4j import Driver, GraphDatabase, Session
from neo4j import Transaction as BoltTransaction
from neo4j.exceptions import DriverError, Neo4jError

from tests.support.query_api import Failed, Lost, QueryApi

#: the server's word for an outcome it does not know
_UNKNOWN: Final = "Neo.TransientError.Transaction.Terminated"
_TIMEOUT: Final = 45.0

Parameters = Mapping[str, Any]
Rows = list[list[Any]]


class NotDone(Exception):
    """It certainly did not happen."""


class Unknown(Exception):
    """It may have happened."""


class Door(Protocol):
    """One connection to one node."""

    def run(
        self, statement: str, parameters: Parameters, request: tuple[str, int] | None = None
    ) -> Rows:
        """A transaction of one statement."""

    def transact(
        self, steps: Sequence[tuple[str, Parameters]], *, serializable: bool
    ) -> list[Rows]:
        """A transaction of several."""

    def close(self) -> None:
        """Forget the connection."""


class HttpDoor:
    """The Query API."""

    def __init__(self, port: int) -> None:
        self._api = QueryApi(port, timeout=_TIMEOUT)

    def run(
        self, statement: str, parameters: Parameters, request: tuple[str, int] | None = None
    ) -> Rows:
        """See ``Door``; ``request``: the id under which repeating it has one effect."""
        body: dict[str, Any] = {"statement": statement, "parameters": dict(parameters)}
        if request is not None:
            body["requestId"] = {"client": request[0], "sequence": request[1]}
        try:
            answer = self._api.post("/db/neo4j/query/v2", body)
        except (Lost, Failed) as broken:
            raise _of_http(broken) from broken
        rows: Rows = answer["data"]["values"]
        return rows

    def transact(
        self, steps: Sequence[tuple[str, Parameters]], *, serializable: bool
    ) -> list[Rows]:
        """See ``Door``."""
        results: list[Rows] = []
        try:
            isolation = "serializable" if serializable else "snapshot"
            transaction = self._api.begin({"isolation": isolation})
            for statement, parameters in steps:
                answer = self._api.run_in(transaction, statement, parameters)
                results.append(answer["data"]["values"])
        except (Lost, Failed) as broken:
            # without a commit nothing happens
            raise NotDone(str(broken)) from broken
        try:
            self._api.commit(transaction)
        except (Lost, Failed) as broken:
            raise _of_http(broken) from broken
        return results

    def close(self) -> None:
        """See ``Door``."""
        self._api.close()


def _of_http(broken: Lost | Failed) -> Exception:
    """Certain where nobody was reached, or the server itself says so."""
    if isinstance(broken, Lost):
        refused = isinstance(broken.__cause__, ConnectionRefusedError)
        return NotDone(str(broken)) if refused else Unknown(str(broken))
    return Unknown(str(broken)) if broken.code == _UNKNOWN else NotDone(str(broken))


class BoltDoor:
    """Neo4j's driver, without its retries: they would hide what is looked for."""

    def __init__(self, port: int) -> None:
        self._driver: Driver = GraphDatabase.driver(
            f"bolt://127.0.0.1:{port}",
            auth=None,
            connection_timeout=5,
            connection_acquisition_timeout=10,
            max_transaction_retry_time=0,
            notifications_min_severity="OFF",
        )

    def run(
        self, statement: str, parameters: Parameters, request: tuple[str, int] | None = None
    ) -> Rows:
        """See ``Door``."""
        if request is not None:
            raise ValueError("request ids travel over HTTP")
        return self.transact([(statement, parameters)], serializable=False)[0]

    def transact(
        self, steps: Sequence[tuple[str, Parameters]], *, serializable: bool
    ) -> list[Rows]:
        """See ``Door``."""
        try:
            with self._driver.session() as session:
                transaction, results = self._steps(session, steps, serializable)
                try:
                    transaction.commit()
                except (Neo4jError, DriverError, OSError) as broken:
                    raise _of_bolt(broken) from broken
                return results
        except (Neo4jError, DriverError, OSError) as broken:
            raise NotDone(str(broken)) from broken

    def _steps(
        self, session: Session, steps: Sequence[tuple[str, Parameters]], serializable: bool
    ) -> tuple[BoltTransaction, list[Rows]]:
        metadata = {"isolation": "serializable"} if serializable else None
        transaction = session.begin_transaction(metadata=metadata)
        results = [
            [list(record.values()) for record in transaction.run(statement, dict(parameters))]
            for statement, parameters in steps
        ]
        return transaction, results

    def close(self) -> None:
        """See ``Door``."""
        self._driver.close()


def _of_bolt(broken: Exception) -> Exception:
    """A commit that failed: certainly only where the server itself says so."""
    if isinstance(broken, Neo4jError) and broken.code != _UNKNOWN:
        return NotDone(str(broken))
    return Unknown(f"{type(broken).__name__}: {broken}")
