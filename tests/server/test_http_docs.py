"""The examples of ``docs/http.md`` and ``docs/changes.md`` against real nodes, in their order.

A block ``http`` that begins with a method is a request, the one behind it its answer: status,
headers, body. ``…`` stands for any text or value, as a name for any further fields; ``{id}`` and
``{bookmark}`` are what the answers before had.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pytest

from everwhen.server.http.app import routes
from tests.support.process import Server
from tests.support.query_api import QueryApi

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGE: Final = DOCS / "http.md"
_BLOCK: Final = re.compile(r"^```http\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ANY: Final = "…"


@dataclass(frozen=True)
class Message:
    """A request or an answer as the page has it."""

    first: str
    headers: dict[str, str]
    body: str


def message(block: str) -> Message:
    head, _, body = block.partition("\n\n")
    first, *lines = head.strip().splitlines()
    headers = dict(line.split(": ", 1) for line in lines)
    return Message(first, headers, body.strip())


def examples(page: Path) -> list[tuple[Message, Message]]:
    found = [message(block) for block in _BLOCK.findall(page.read_text(encoding="utf-8"))]
    assert len(found) % 2 == 0
    return list(zip(found[::2], found[1::2], strict=True))


def assert_like(wanted: Any, got: Any, where: str) -> None:
    """:raises AssertionError: what came is not what the page says."""
    if wanted == _ANY:
        return
    if isinstance(wanted, dict):
        assert isinstance(got, dict), (where, got)
        if _ANY not in wanted:
            assert wanted.keys() == got.keys(), (where, got)
        for name in wanted.keys() - {_ANY}:
            assert_like(wanted[name], got.get(name), f"{where}.{name}")
    elif isinstance(wanted, list):
        assert len(wanted) == len(got), (where, got)
        for number, (one, other) in enumerate(zip(wanted, got, strict=True)):
            assert_like(one, other, f"{where}[{number}]")
    elif isinstance(wanted, str) and _ANY in wanted:
        parts = (re.escape(part) for part in wanted.split(_ANY))
        assert re.fullmatch(".*".join(parts), got, re.DOTALL), (where, got)
    else:
        assert wanted == got, (where, got)


def content_of(media: str, content: bytes) -> Any:
    """The body of an answer as the page shows it."""
    if media.startswith("application/vnd.apache.arrow"):
        return pa.ipc.open_stream(content).read_all().to_pylist()
    if media.startswith("text/plain"):
        return content.decode().strip()
    if "jsonl" in media:
        return [json.loads(line) for line in content.splitlines()]
    return json.loads(content)


def shown(media: str, body: str) -> Any:
    """The same for what stands on the page."""
    if media.startswith("text/plain"):
        return body
    return (
        [json.loads(line) for line in body.splitlines()] if "jsonl" in media else json.loads(body)
    )


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data")
    server.start()
    yield server
    assert server.stop() == 0


@pytest.mark.parametrize("page", ["http.md", "changes.md"])
def test_the_page_says_what_happens(node: Server, page: str) -> None:
    known = {"{id}": "", "{bookmark}": ""}
    with QueryApi(node.port) as api:
        for request, wanted in examples(DOCS / page):
            method, _, path = request.first.partition(" ")
            body = request.body
            for name, value in known.items():
                path, body = path.replace(name, value), body.replace(name, value)
            status, headers, content = api.request(
                method, path, body.encode() or None, request.headers
            )
            where = f"{request.first} {request.body}"
            assert str(status) == wanted.first, (where, content)
            for name, text in wanted.headers.items():
                assert headers[name.lower()].startswith(text), (where, headers)
            got = content_of(headers["content-type"], content)
            assert_like(shown(headers["content-type"], wanted.body), got, where)
            if isinstance(got, dict):
                known["{id}"] = got.get("transaction", {}).get("id", known["{id}"])
                known["{bookmark}"] = got.get("bookmarks", [known["{bookmark}"]])[0]


def test_the_page_names_every_route() -> None:
    page = PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"(/(?:db|v1|livez|readyz|metrics|openapi)[\w/{}.-]*|…/\w+)", page))
    short = {name.removeprefix("…/") for name in named if name.startswith("…/")}
    wanted = {
        route.path.replace("{database}", "neo4j")
        .replace("{transaction}", "{id}")
        .replace("{node}", "{id}")
        for route in routes()
    }
    missing = {
        path for path in wanted - {"/"} if path not in named and path.rsplit("/", 1)[1] not in short
    }
    assert missing <= {"/v1/bulk/{load}"}, missing
