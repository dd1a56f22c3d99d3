"""The OpenAPI document of the HTTP door, from one table of its routes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from everwhen.server.http.media import ARROW, JSON, LINES, TYPED
from everwhen.server.http.openapi_schemas import SCHEMAS, ref
from everwhen.version import VERSION


@dataclass(frozen=True, slots=True)
class Operation:
    """One route: what it does, its bodies, and the errors it is known for besides 400."""

    method: str
    path: str
    summary: str
    answer: str | None = None
    body: str | None = None
    status: int = 200
    errors: tuple[int, ...] = ()
    #: rows: every media type of rows is offered
    rows: bool = False
    arrow_body: bool = False
    query: tuple[tuple[str, str], ...] = ()
    #: of ``query``, those that may be left out
    optional: frozenset[str] = frozenset()
    #: also given as server-sent events
    events: bool = False
    #: answered without credentials
    is_open: bool = False
    #: asks for the cluster's secret instead
    secret: bool = False


_STATEMENT_ERRORS: Final = (401, 403, 404, 408, 409, 413, 429, 503)
_ADMIN_ERRORS: Final = (401, 404, 409, 412, 503)
_BULK_ERRORS: Final = (401, 404, 409, 413, 503)
_TX: Final = "/db/{database}/query/v2/tx"
_BULK: Final = "/v1/bulk/{load}"


_CHANGES: Final = (
    ("from", "the position to go on from; 0: all that is kept; now; Last-Event-ID comes first"),
    ("wait", "seconds to wait for the first change"),
    ("limit", "records of one answer"),
    ("label", "only nodes with it; may be repeated"),
    ("type", "only relationships of it; may be repeated"),
    ("values", "plain, or typed as in the Query API"),
)  # fmt: skip


def _part(name: str, summary: str, parameter: tuple[str, str]) -> Operation:
    path = f"{_BULK}/{name}"
    return Operation("POST", path, summary, "BulkPart", errors=_BULK_ERRORS, arrow_body=True,
                     query=(parameter,), optional=frozenset({"label"}))  # fmt: skip


def _change(method: str, path: str, summary: str, body: str, answer: str = "Changed") -> Operation:
    return Operation(method, path, summary, answer, body, errors=_ADMIN_ERRORS, secret=True)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation("GET", "/", "Versions, and where things are", "Discovery", is_open=True),
    Operation("GET", "/livez", "The loop and the disk are well", is_open=True),
    Operation(
        "GET", "/readyz", "Requests should be sent here", errors=(503,), is_open=True
    ),
    Operation("GET", "/metrics", "Metrics in the text format of Prometheus", is_open=True),
    Operation("GET", "/openapi.json", "This document", is_open=True),
    Operation("GET", "/v1/status", "What this node is and does", "Status", errors=(401,)),
    Operation(
        "POST", "/db/{database}/query/v2", "One statement in a transaction of its own",
        "Answer", "Query", 202, _STATEMENT_ERRORS, rows=True,
    ),
    Operation(
        "POST", _TX, "Begin a transaction, with or without a first statement",
        "Answer", "Query", 202, _STATEMENT_ERRORS, rows=True,
    ),
    Operation(
        "POST", _TX + "/{transaction}", "One statement inside; none keeps it alive",
        "Answer", "Query", 202, _STATEMENT_ERRORS, rows=True,
    ),
    Operation(
        "POST", _TX + "/{transaction}/commit", "Commit, after a last statement if there is one",
        "Answer", "Query", 202, (*_STATEMENT_ERRORS, 504), rows=True,
    ),
    Operation("DELETE", _TX + "/{transaction}", "Roll back", "Answer", errors=(401, 404, 409)),
    Operation("POST", "/v1/bulk", "Begin a bulk load", "Bulk", "BulkBegin", 202, _BULK_ERRORS),
    _part("nodes", "Fresh nodes", ("label", "a label of all of them; may be repeated")),
    _part("relationships", "Fresh relationships", ("type", "their type")),
    _part("changes", "New values of properties", ("entity", "node or relationship")),
    _part("deletes", "Deletes", ("entity", "node or relationship")),
    Operation("POST", _BULK + "/commit", "Publish the load", "BulkDone", None, 202, _BULK_ERRORS),
    Operation("DELETE", _BULK, "Forget the load", "Answer", errors=(401, 404, 409)),
    Operation(
        "GET", "/v1/changes", "What commits changed, as soon as it is there", "Changes",
        errors=(401, 410, 429, 503), events=True, query=_CHANGES,
        optional=frozenset(name for name, _ in _CHANGES) - {"from"},
    ),
    Operation("GET", "/v1/diagnose", "What may be wrong with this node", "Diagnosis",
              errors=(401,), secret=True),
    Operation("GET", "/v1/verify", "Whether the image in memory is what the record says",
              "Verified", errors=(401, 429), secret=True),
    Operation("GET", "/v1/audit/head", "What to keep so that history can be checked later",
              "AuditHead", errors=(401,)),
    Operation("GET", "/v1/config", "The settings of this node", "Config", errors=(401,)),
    Operation("GET", "/v1/members", "Who belongs to the group", "Members", errors=(401,)),
    _change("POST", "/v1/members", "Admit a node as a learner", "Join"),
    _change("POST", "/v1/members/{node}/promote", "A learner becomes a voter", "Checked"),
    _change("POST", "/v1/members/{node}/demote", "A voter becomes a learner", "Checked"),
    _change("DELETE", "/v1/members/{node}", "Remove a member", "Checked"),
    _change("POST", "/v1/leader", "Hand leadership to a voter", "Transfer"),
    _change("POST", "/v1/feature-level", "Use what every member supports", "Level"),
    _change("POST", "/v1/snapshot", "Copy this node's record now", "Checked", "Snapshot"),
    _change("POST", "/v1/retention", "How long the database keeps versions", "Retention", "Vacuum"),
    Operation("GET", "/v1/vacuum", "What is kept, and how far vacuum is", "Vacuum", errors=(401,)),
    _change("POST", "/v1/vacuum", "Vacuum now, or say what it would take away", "VacuumNow",
            "Vacuum"),
    _change("POST", "/v1/fence", "Take this node out of service, or back", "Fence"),
    _change("POST", "/v1/recover", "Go on without a majority that is lost for ever", "Recover",
            "Recovered"),
    _change("POST", "/v1/bootstrap", "Found a cluster; an empty node takes it once", "Bootstrap"),
)  # fmt: skip

_MEANINGS: Final = {
    400: "the request or statement is wrong",
    401: "credentials or the cluster's secret are wrong or missing",
    403: "a write where only reads are allowed",
    404: "no such database, transaction, load or member",
    408: "the deadline passed",
    409: "a conflict, a constraint, or a state that does not allow it",
    410: "older than what is kept, or of another history",
    412: "expectedConfigIndex or operatorEpoch is not the present one",
    413: "larger than the limit, which the message names",
    429: "too much is under way; try again shortly",
    503: "cannot be answered now; try again",
    504: "the outcome is unknown; send it again with the same request id",
}


def _content(media: Iterable[str], schema: str) -> dict[str, Any]:
    return {kind: {"schema": ref(schema)} for kind in media}


def _answers(operation: Operation) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "done"}
    if operation.answer is not None:
        media = [JSON, TYPED] if operation.rows else [JSON]
        good["content"] = _content(media, operation.answer)
        if operation.events:
            good["content"]["text/event-stream"] = {"schema": {"type": "string"}}
        if operation.rows:
            good["content"][LINES] = {"schema": {"type": "string"}}
            good["content"][f"{TYPED}.v1.0+jsonl"] = {"schema": {"type": "string"}}
            if operation.path.endswith("/v2"):
                good["content"][ARROW] = {"schema": {"type": "string", "format": "binary"}}
    elif operation.path == "/openapi.json":
        good["content"] = {JSON: {"schema": {"type": "object"}}}
    else:
        good["content"] = {"text/plain": {"schema": {"type": "string"}}}
    answers = {str(operation.status): good}
    plain = operation.is_open and operation.answer is None
    if plain and operation.path == "/readyz":
        answers["503"] = {"description": "starting or stopping", "content": good["content"]}
    elif not plain:
        for code in sorted({400, *operation.errors}):
            answers[str(code)] = {
                "description": _MEANINGS[code],
                "content": _content([JSON], "Errors"),
            }
    return answers


def _operation(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {"summary": operation.summary}
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", operation.path)
    ]
    parameters += [
        {
            "name": name,
            "in": "query",
            "required": name not in operation.optional,
            "description": text,
            "schema": {"type": "string"},
        }
        for name, text in operation.query
    ]
    if parameters:
        found["parameters"] = parameters
    if operation.arrow_body:
        schema = {"schema": {"type": "string", "format": "binary"}}
        found["requestBody"] = {"required": True, "content": {ARROW: schema}}
    elif operation.body is not None:
        media = [JSON, TYPED] if operation.rows else [JSON]
        found["requestBody"] = {"content": _content(media, operation.body)}
    found["responses"] = _answers(operation)
    if operation.secret:
        found["security"] = [{"secret": []}]
    elif operation.is_open:
        found["security"] = []
    return found


def document() -> dict[str, Any]:
    """The whole document, OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Everwhen",
            "version": VERSION,
            "description": "A graph database that never forgets. docs/http.md tells it in prose.",
        },
        "security": [{"basic": []}, {}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "secret": {"type": "apiKey", "in": "header", "name": "X-Everwhen-Secret"},
            },
        },
    }
