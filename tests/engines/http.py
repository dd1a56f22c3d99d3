"""The database behind its HTTP door: Query API v2 with typed JSON, from a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tests.engine import (
    ErrorSeen,
    Neutral,
    NodeValue,
    Outcome,
    PathValue,
    RelationshipValue,
    TextValue,
    error_type,
)
from tests.engines.remote import CONTROL, Remote
from tests.support.process import Server
from tests.support.query_api import Failed, Lost, QueryApi

_KINDS: Final = {
    "Date": "date",
    "Time": "time",
    "ZonedTime": "time",
    "LocalTime": "localtime",
    "OffsetDateTime": "datetime",
    "ZonedDateTime": "datetime",
    "LocalDateTime": "localdatetime",
    "Duration": "duration",
    "Point": "point",
    "Vector": "vector",
}
#: seconds that are zero: the door writes them, the TCK leaves them out
_ZERO_SECONDS: Final = re.compile(r"(\d\d:\d\d):00(?![\d.])")


class Http(Remote):
    """A node of our own in a temporary folder, or the one ``$EVERWHEN_URI`` names."""

    def __init__(self) -> None:
        super().__init__()
        self.folder: Path | None = None
        self.server: Server | None = None
        uri = os.environ.get("EVERWHEN_URI")
        if uri:
            port = urlsplit(uri).port or 7474
        else:
            self.folder = Path(tempfile.mkdtemp(prefix="everwhen-http-"))
            self.server = Server(self.folder / "data")
            self.server.start()
            port = self.server.port
        self.port = port
        self.api = QueryApi(port, typed=True)

    def ask(self, text: str, parameters: Mapping[str, Neutral] | None) -> Outcome:
        return outcome(lambda: self.api.run(text, typed(parameters), counters=True))

    def version(self) -> int:
        """From a bookmark, whose last part is the version."""
        answer = self.api.run("RETURN 1")
        return int(re.findall(r"\d+", answer["bookmarks"][-1])[-1])

    def session(self) -> HttpSession:
        return HttpSession(self.port)

    def reopen(self) -> None:
        if self.server is None:
            raise RuntimeError("the node belongs to somebody else")
        self.api.close()
        self.server.stop()
        self.server.start()

    def close(self) -> None:
        self.api.close()
        if self.server is not None and self.folder is not None:
            self.server.stop()
            shutil.rmtree(self.folder, ignore_errors=True)


class HttpSession:
    """A further client: BEGIN, COMMIT and ROLLBACK become the transaction addresses."""

    def __init__(self, port: int) -> None:
        self.api = QueryApi(port, typed=True)
        self.transaction: str | None = None

    def run(self, query: str, parameters: Mapping[str, Neutral] | None = None) -> Outcome:
        control = CONTROL.match(query)
        if control is None:
            return outcome(lambda: self._statement(query, parameters))
        return outcome(lambda: self._control(control.group(1), control.group(2)))

    def _statement(self, query: str, parameters: Mapping[str, Neutral] | None) -> dict[str, Any]:
        if self.transaction is None:
            return self.api.run(query, typed(parameters), counters=True)
        return self.api.run_in(self.transaction, query, typed(parameters), counters=True)

    def _control(self, word: str, isolation: str) -> dict[str, Any]:
        if word == "BEGIN":
            self.transaction = self.api.begin({"isolation": isolation} if isolation else None)
            return {}
        transaction, self.transaction = self.transaction or "none", None
        if word == "COMMIT":
            self.api.commit(transaction)
        else:
            self.api.rollback(transaction)
        return {}

    def close(self) -> None:
        if self.transaction is not None:
            self.run("ROLLBACK")
        self.api.close()


def outcome(run: Callable[[], dict[str, Any]]) -> Outcome:
    """An answer of the Query API as an outcome."""
    try:
        answer = run()
    except Failed as failed:
        internal = not failed.code.startswith("Neo.") or failed.code.startswith("Neo.Database")
        error = ErrorSeen(
            error_type(failed.code), None, failed.message, failed.code, internal=internal
        )
        return Outcome(error=error)
    except Lost as lost:
        return Outcome(error=ErrorSeen("Lost", None, str(lost), internal=True))
    data = answer.get("data", {"fields": [], "values": []})
    rows = [[untyped(value) for value in row] for row in data["values"]]
    counters = {
        re.sub("[A-Z]", lambda m: "-" + m.group().lower(), name): count
        for name, count in answer.get("counters", {}).items()
        if not isinstance(count, bool)
    }
    return Outcome(list(data["fields"]), rows, counters)


def typed(value: Any) -> Any:
    """Parameters as typed JSON (the outermost map is plain)."""
    return None if value is None else {name: _typed(v) for name, v in value.items()}


def _typed(value: Neutral) -> dict[str, Any]:
    match value:
        case None:
            return {"$type": "Null", "_value": None}
        case bool():
            return {"$type": "Boolean", "_value": value}
        case int():
            return {"$type": "Integer", "_value": str(value)}
        case float():
            words = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}
            return {"$type": "Float", "_value": words.get(repr(value), repr(value))}
        case str():
            return {"$type": "String", "_value": value}
        case list() | tuple():
            return {"$type": "List", "_value": [_typed(v) for v in value]}
        case dict():
            return {"$type": "Map", "_value": {k: _typed(v) for k, v in value.items()}}
    raise TypeError(f"not a parameter of the judges: {value!r}")


def untyped(cell: Any) -> Neutral:
    """A typed JSON value as a neutral one."""
    kind, value = cell["$type"], cell["_value"]
    match kind:
        case "Null":
            return None
        case "Boolean" | "String":
            return value
        case "Integer":
            return int(value)
        case "Float":
            return float(value)
        case "List":
            return [untyped(v) for v in value]
        case "Map":
            return {k: untyped(v) for k, v in value.items()}
        case "Node":
            return _node(cell)
        case "Relationship":
            return _relationship(cell)
        case "Path":
            return _path(value)
    return TextValue(_KINDS[kind], _ZERO_SECONDS.sub(r"\1", value))


def _node(cell: Any) -> NodeValue:
    value = cell["_value"]
    properties = {k: untyped(v) for k, v in value["_properties"].items()}
    return NodeValue(frozenset(value["_labels"]), properties, value["_element_id"])


def _relationship(cell: Any) -> RelationshipValue:
    value = cell["_value"]
    return RelationshipValue(
        value["_type"],
        {k: untyped(v) for k, v in value["_properties"].items()},
        value["_element_id"],
        value["_start_node_element_id"],
        value["_end_node_element_id"],
    )


def _path(elements: list[Any]) -> PathValue:
    nodes = tuple(_node(n) for n in elements[::2])
    relationships = tuple(_relationship(r) for r in elements[1::2])
    forward = tuple(r.start == n.id for r, n in zip(relationships, nodes, strict=False))
    return PathValue(nodes, relationships, forward)
