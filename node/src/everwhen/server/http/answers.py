"""Answers of the Query API: data, errors, counters, plans, notifications."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from everwhen.errors import EverwhenError, Unauthorized
from everwhen.query.explain import PlanDescription
from everwhen.query.physical import Notification
from everwhen.runtime.cursor import Summary
from everwhen.server.http.media import (
    Asked,
    Form,
    NotAcceptable,
    answer_form,
    content_type,
    without_rows,
)
from everwhen.server.remarks import classification

#: what Neo4j answers a statement that was run with
ACCEPTED = 202
_ENCODER = msgspec.json.Encoder()


def json_bytes(content: Any) -> bytes:
    """Compact JSON in UTF-8; lone surrogates, which JSON cannot carry, are escaped away."""
    try:
        return _ENCODER.encode(content)
    except UnicodeEncodeError:
        return _ENCODER.encode(_clean(content))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value


def json_response(content: Any, *, status: int = 200, form: Form = Form.PLAIN) -> web.Response:
    """A JSON answer."""
    response = web.Response(body=json_bytes(content), status=status)
    response.headers["Content-Type"] = content_type(without_rows(form))
    return response


def error_body(error: EverwhenError) -> dict[str, Any]:
    """One error of the ``errors`` list. ``message`` holds the caret lines of a syntax error."""
    body: dict[str, Any] = {"code": error.code, "message": str(error)}
    if error.hint is not None:
        body["hint"] = error.hint
    if error.detail is not None:
        body["detail"] = error.detail
    if error.position is not None:
        body["position"] = {
            "offset": error.position.offset,
            "line": error.position.line,
            "column": error.position.column,
        }
    body["retryable"] = error.retryable
    return body


def error_response(request: Asked, error: EverwhenError, status: int | None = None) -> web.Response:
    """The answer to a request that failed; JSON whatever was asked for."""
    try:
        form = answer_form(request)
    except NotAcceptable:
        form = Form.PLAIN
    response = json_response(
        {"errors": [error_body(error)]}, status=status or error.http_status, form=form
    )
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = 'Basic realm="everwhen", charset="UTF-8"'
    if error.retryable:
        response.headers["Retry-After"] = "1"
    return response


# --- parts ---------------------------------------------------------------------------------

_COUNTERS = {
    "nodes_created": "nodesCreated",
    "nodes_deleted": "nodesDeleted",
    "properties_set": "propertiesSet",
    "relationships_created": "relationshipsCreated",
    "relationships_deleted": "relationshipsDeleted",
    "labels_added": "labelsAdded",
    "labels_removed": "labelsRemoved",
    "indexes_added": "indexesAdded",
    "indexes_removed": "indexesRemoved",
    "constraints_added": "constraintsAdded",
    "constraints_removed": "constraintsRemoved",
}


def counters_body(summary: Summary) -> dict[str, Any]:
    """Counters as the Query API names them."""
    counts = summary.counters.as_dict()
    return {
        "containsUpdates": summary.counters.contains_updates,
        **{wire: counts[name] for name, wire in _COUNTERS.items()},
        "containsSystemUpdates": counts["system_updates"] > 0,
        "systemUpdates": counts["system_updates"],
    }


def notification_body(notification: Notification) -> dict[str, Any]:
    """One notification."""
    return {
        "code": notification.code,
        "title": notification.title,
        "description": notification.description,
        "severity": notification.severity,
        "category": classification(notification.code),
    }


def plan_body(plan: PlanDescription) -> dict[str, Any]:
    """A plan or profile as drivers expect it."""
    arguments: dict[str, Any] = {"Details": plan.details, "EstimatedRows": plan.estimated_rows}
    body: dict[str, Any] = {
        "operatorType": plan.operator,
        "arguments": arguments,
        "identifiers": list(plan.identifiers),
        "children": [plan_body(child) for child in plan.children],
    }
    if plan.rows is not None:
        arguments["Rows"] = plan.rows
        arguments["Time"] = plan.nanoseconds
        if plan.batches is not None:
            arguments |= {"Batches": plan.batches, "Bytes": plan.bytes}
        body["records"] = body["rows"] = plan.rows  # Neo4j's name for them, and ours
        body["dbHits"] = 0
        body["time"] = plan.nanoseconds
    return body


def tail_of(summary: Summary, bookmark: str | None, *, counters: bool) -> dict[str, Any]:
    """Everything of an answer behind its data."""
    tail: dict[str, Any] = {"queryType": summary.kind}
    if counters:
        tail["counters"] = counters_body(summary)
    if summary.notifications:
        tail["notifications"] = [notification_body(item) for item in summary.notifications]
    if summary.plan is not None:
        name = "profiledQueryPlan" if summary.profiled else "queryPlan"
        tail[name] = plan_body(summary.plan)
    if bookmark is not None:
        tail["bookmarks"] = [bookmark]
    return tail
