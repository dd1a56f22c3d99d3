"""Reads and checks the body of a Query API request; unknown fields are refused, not ignored."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from aiohttp import web

from everwhen.errors import DatabaseNotFound, NotSupported, RequestInvalid, RequestTooLarge
from everwhen.limits import QUERY_TEXT_CHARS_MAX
from everwhen.model.moments import moment_micros
from everwhen.runtime.requests import TransactionOptions, staleness_of
from everwhen.runtime.service import Service
from everwhen.server.http import door_of
from everwhen.server.http.front import HALF_SECONDS
from everwhen.server.http.media import Form, request_is_typed
from everwhen.server.http.values import parameters_from
from everwhen.txn.transaction import Isolation

_FIELDS: Final = frozenset(
    {
        "statement",
        "parameters",
        "includeCounters",
        "accessMode",
        "bookmarks",
        "maxExecutionTime",
        "impersonatedUser",
        "isolation",
        "consistency",
        "maxStaleness",
        "atTime",
        "atVersion",
        "commitTime",
        "requestId",
        "txMetadata",
    }
)
_DECODER = msgspec.json.Decoder()
#: what a body must come at, behind its first minute
BODY_BYTES_PER_SECOND: Final = 4_000


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """A checked request."""

    statement: str | None
    parameters: dict[str, Any]
    counters: bool
    options: TransactionOptions
    form: Form
    #: when it was read, by the clock that only goes forward
    started: float


def check_database(request: web.Request) -> None:
    """There is one database; ``system`` is another name for it.

    :raises DatabaseNotFound: another name.
    """
    name = request.match_info["database"]
    if name.lower() not in ("neo4j", "system"):
        raise DatabaseNotFound(
            f"there is no database {name!r}", hint="this server has one database: neo4j"
        )


async def read_json(request: web.Request) -> dict[str, Any]:
    """The body as a JSON object; an empty one is {}.

    :raises RequestInvalid: not JSON, not an object, not UTF-8, or not compressed as it says.
    :raises RequestTooLarge: see ``read_body``.
    """
    most = door_of(request).options.body_bytes_max
    return json_object(await read_body(request, most, "raise http.body_bytes_max"))


async def read_body(request: web.Request, most: int, hint: str) -> bytes:
    """The body. Whoever sends it slower than a modem is not waited for.

    :raises RequestTooLarge: it has more bytes.
    :raises RequestInvalid: it stopped coming, or is not compressed as it says.
    """
    pieces: list[bytes] = []
    size = 0
    begun = asyncio.get_running_loop().time()
    too_large = RequestTooLarge(
        f"the request body is larger than {most:,} bytes",
        hint=f"send smaller requests, or {hint}" if hint else "send several requests",
    )
    if (request.content_length or 0) > most:
        raise too_large
    try:
        while size <= most:
            async with asyncio.timeout_at(begun + HALF_SECONDS + size / BODY_BYTES_PER_SECOND):
                piece = await request.content.readany()
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
            size += len(piece)
    except web.RequestPayloadError as error:
        raise RequestInvalid("the body does not decode as its Content-Encoding says") from error
    except TimeoutError as error:
        raise RequestInvalid("the body of the request did not come") from error
    raise too_large


def json_object(raw: bytes) -> dict[str, Any]:
    """Bytes as a JSON object; see ``read_json``."""
    if not raw.strip():
        return {}
    try:
        content = _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestInvalid(f"the body is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise RequestInvalid("the body must be a JSON object")
    return content


async def read_query(request: web.Request, service: Service, form: Form) -> QueryRequest:
    """The request, checked.

    :raises RequestInvalid: a field that is unknown or of the wrong type; names it.
    """
    is_typed = request_is_typed(request)
    return query_of(await read_json(request), service, form, is_typed=is_typed)


def query_of(
    content: dict[str, Any], service: Service, form: Form, *, is_typed: bool
) -> QueryRequest:
    """The same for a body that was read."""
    for name in content:
        if name not in _FIELDS:
            raise RequestInvalid(
                f"the request has an unknown field {name!r}",
                hint="known are " + ", ".join(sorted(_FIELDS)),
            )
    if content.get("impersonatedUser") is not None:
        raise NotSupported("impersonation is not available in this version")
    statement = content.get("statement")
    if statement is not None and not isinstance(statement, str):
        raise RequestInvalid("statement must be a string")
    if statement is not None and len(statement) > QUERY_TEXT_CHARS_MAX:
        raise RequestInvalid(
            f"the statement has {len(statement):,} characters, the limit is "
            f"{QUERY_TEXT_CHARS_MAX:,}"
        )
    return QueryRequest(
        statement,
        parameters_from(content.get("parameters"), is_typed=is_typed),
        _flag(content, "includeCounters"),
        options_of(content, service),
        form,
        service.database.clock.monotonic(),
    )


def _flag(content: dict[str, Any], name: str) -> bool:
    value = content.get(name, False)
    if not isinstance(value, bool):
        raise RequestInvalid(f"{name} must be true or false")
    return value


def options_of(content: dict[str, Any], service: Service) -> TransactionOptions:
    """The options of a transaction."""
    mode = str(content.get("accessMode", "Write")).lower()
    if mode not in ("read", "write"):
        raise RequestInvalid("accessMode must be Read or Write")
    isolation = str(content.get("isolation", "snapshot")).upper()
    if isolation not in Isolation.__members__:
        raise RequestInvalid("isolation must be snapshot, serializable or pessimistic")
    return TransactionOptions(
        isolation=Isolation[isolation],
        read_only=mode == "read",
        at=_moment(content),
        own_time=_time(content, "commitTime"),
        request_id=_request_id(content),
        timeout=_seconds(content),
        metadata=_metadata(content),
        after_version=service.bookmark_version(_bookmarks(content)),
        staleness=staleness_of(content.get("consistency"), content.get("maxStaleness")),
    )


def _moment(content: dict[str, Any]) -> tuple[str, int] | None:
    time = _time(content, "atTime")
    version = content.get("atVersion")
    if time is not None and version is not None:
        raise RequestInvalid("atTime and atVersion cannot be combined")
    if version is None:
        return None if time is None else ("time", time)
    if type(version) is not int or version < 0:
        raise RequestInvalid("atVersion must be a version number")
    return "version", version


def _time(content: dict[str, Any], name: str) -> int | None:
    value = content.get(name)
    return None if value is None else moment_micros(value)


def _request_id(content: dict[str, Any]) -> tuple[str, int]:
    value = content.get("requestId")
    if value is None:
        return "", 0
    if (
        not isinstance(value, dict)
        or not isinstance(value.get("client"), str)
        or not 0 < len(value["client"]) <= 200
        or type(value.get("sequence")) is not int
        or not 0 <= value["sequence"] < 2**63
    ):
        raise RequestInvalid("requestId must be {client: text, sequence: number}")
    return value["client"], value["sequence"]


def _seconds(content: dict[str, Any]) -> float | None:
    value = content.get("maxExecutionTime")
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 < value < 1e6:
        raise RequestInvalid("maxExecutionTime must be a number of seconds above 0")
    return float(value)


def _metadata(content: dict[str, Any]) -> dict[str, Any]:
    value = content.get("txMetadata", {})
    if not isinstance(value, dict):
        raise RequestInvalid("txMetadata must be an object")
    return value


def _bookmarks(content: dict[str, Any]) -> list[str]:
    value = content.get("bookmarks") or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise RequestInvalid("bookmarks must be a list of strings")
    if len(value) > 1_000:
        raise RequestInvalid("at most 1,000 bookmarks")
    return value
