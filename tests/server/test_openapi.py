"""The OpenAPI document and the routes name each other."""

from __future__ import annotations

import json
import re
from typing import Any

from everwhen.server.http.app import routes
from everwhen.server.http.openapi import document
from tests.support.process import Server
from tests.support.query_api import QueryApi


def test_every_route_is_in_the_document_and_the_other_way_round():
    served = {(route.method, route.path) for route in routes()}
    described = {
        (method.upper(), path)
        for path, operations in document()["paths"].items()
        for method in operations
    }
    assert served == described


def _references(part: Any) -> list[str]:
    if isinstance(part, dict):
        found = [part["$ref"]] if "$ref" in part else []
        return found + [name for item in part.values() for name in _references(item)]
    if isinstance(part, list):
        return [name for item in part for name in _references(item)]
    return []


def test_references_resolve_and_every_schema_is_used():
    found = document()
    known = {f"#/components/schemas/{name}" for name in found["components"]["schemas"]}
    used = set(_references(found))
    assert used <= known
    assert known - used <= {"#/components/schemas/TypedValue"}


def test_parameters_of_a_path_are_declared():
    for path, operations in document()["paths"].items():
        for operation in operations.values():
            declared = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert declared == set(re.findall(r"\{(\w+)\}", path))


def test_it_is_served(server: Server):
    with QueryApi(server.port) as api:
        status, headers, content = api.request("GET", "/openapi.json")
    assert status == 200
    assert headers["content-type"].startswith("application/json")
    assert json.loads(content) == document()
