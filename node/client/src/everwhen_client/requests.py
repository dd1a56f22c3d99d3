"""Bodies of requests, as functions of what was asked; when to try again. Knows no socket."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from everwhen_client.errors import ClientMisuse
from everwhen_client.values import Temporal
from everwhen_client.wire import encode

Access = Literal["read", "write"]
Isolation = Literal["snapshot", "serializable", "pessimistic"]
#: a past moment: a time (text, ``datetime``, ``date``), or a version number
At = str | int | dt.date | Temporal | None

_PATH: Final = "/db/neo4j/query/v2"


def query_path() -> str:
    """Where statements of their own go."""
    return _PATH


def transaction_path(token: str = "", action: str = "") -> str:
    """Where an explicit transaction lives."""
    return _PATH + "/tx" + (f"/{token}" if token else "") + (f"/{action}" if action else "")


@dataclass(frozen=True, slots=True)
class Options:
    """How a statement or transaction is to run."""

    at: At = None
    access: Access = "write"
    isolation: Isolation = "snapshot"
    timeout: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    #: date of the commit, for loading history
    commit_time: str | dt.datetime | None = None

    def body(
        self, bookmarks: Iterable[str], request_id: tuple[str, int] | None = None
    ) -> dict[str, Any]:
        """As fields of a request."""
        if self.access not in ("read", "write"):
            raise ClientMisuse(f"access must be read or write, got {self.access!r}")
        body: dict[str, Any] = {"accessMode": self.access.capitalize()}
        known = sorted(bookmarks)
        if known:
            body["bookmarks"] = known
        if self.isolation != "snapshot":
            body["isolation"] = self.isolation
        if self.timeout is not None:
            body["maxExecutionTime"] = self.timeout
        if self.metadata:
            body["txMetadata"] = dict(self.metadata)
        if self.commit_time is not None:
            body["commitTime"] = moment_text(self.commit_time)
        if isinstance(self.at, int) and not isinstance(self.at, bool):
            body["atVersion"] = self.at
        elif self.at is not None:
            body["atTime"] = moment_text(self.at)
        elif request_id is not None and self.access == "write":
            body["requestId"] = {"client": request_id[0], "sequence": request_id[1]}
        return body


def moment_text(value: Any) -> str:
    """A time as the server reads it; without an offset it is UTC."""
    if isinstance(value, (str, Temporal)):
        return str(value)
    if isinstance(value, dt.date):  # a datetime is one too
        return value.isoformat()
    raise ClientMisuse(f"a time must be a text, a datetime or a date, got {value!r:.100}")


def statement_fields(text: str, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """The statement itself, its parameters as typed JSON."""
    body: dict[str, Any] = {"statement": text, "includeCounters": True}
    if parameters:
        body["parameters"] = {name: encode(value) for name, value in parameters.items()}
    return body


class Patience:
    """Waits between attempts: doubling, with chance in them, until the time is up."""

    def __init__(self, seconds: float, started: float) -> None:
        self._until = started + seconds
        self._next = 0.01

    def wait(self, now: float) -> float | None:
        """Seconds to wait before the next attempt; None: give up."""
        if now >= self._until:
            return None
        chosen = self._next * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, no secret
        self._next = min(self._next * 2, 1.0)
        return min(chosen, self._until - now)
