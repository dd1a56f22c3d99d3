"""``CALL audit.log(from, to, filters)`` and ``CALL audit.verify(from, to)``: who committed what, and
whether history is still what was committed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from everwhen.errors import ProcedureCallFailed
from everwhen.exec.context import ExecutionContext
from everwhen.exec.procedures.definition import ProcedureDefinition, ProcedureField
from everwhen.model import values as v
from everwhen.model.audit import Asked
from everwhen.model.graph import GraphView
from everwhen.model.moments import moment_micros
from everwhen.model.temporal import DateTime

Row = tuple[Any, ...]

_TEXTS: Final = {
    "principal": "principal",
    "client": "client",
    "tag": "tag",
    "statementHash": "statement_hash",
}
_VERSIONS: Final = {"fromVersion": "first", "toVersion": "last"}
_HASH: Final = re.compile("[0-9a-f]{64}")


def _log(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Iterator[Row]:
    since, until, filters = arguments
    asked = Asked(
        since=None if since is None else moment_micros(since),
        until=None if until is None else moment_micros(until),
        **_filters(filters or {}),
    )
    for line in ctx.environment.audit().lines(asked, view.version):
        ctx.tick()
        yield (
            line.version,
            DateTime.of_micros(line.time),
            line.principal,
            line.client,
            line.tag,
            line.statement_hash,
            line.statements,
            dict(line.metadata),
            dict(line.counts),
            line.chain,
        )


def _filters(given: Mapping[str, Any]) -> dict[str, Any]:
    """:raises ProcedureCallFailed: a filter nobody knows, or of the wrong type."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name not in _TEXTS and name not in _VERSIONS:
            raise _refused(f"there is no filter `{name}`: {', '.join((*_TEXTS, *_VERSIONS))}")
        if value is None:
            continue
        wanted = str if name in _TEXTS else int
        if type(value) is not wanted:
            what = "a string" if wanted is str else "an integer"
            raise _refused(f"the filter `{name}` must be {what}, got {v.to_text(value)}")
        if name == "statementHash" and _HASH.fullmatch(str(value)) is None:
            raise _refused("`statementHash` must be 64 hexadecimal digits in lower case")
        found[{**_TEXTS, **_VERSIONS}[name]] = value
    return found


def _refused(what: str) -> ProcedureCallFailed:
    return ProcedureCallFailed(f"audit: {what}", detail="InvalidArgumentType")


def _verify(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Iterator[Row]:
    first, last = arguments
    if first is not None and first < 1:
        raise _refused(f"the first commit is 1, got {first}")
    if last is not None and last > view.version:
        raise _refused(f"the last commit is {view.version}, got {last}")
    lowest, highest = first or 1, view.version if last is None else last
    for finding in ctx.environment.audit().verify(lowest, highest):
        ctx.tick()
        yield (finding.event, finding.first, finding.last, finding.detail)


AUDIT: Final = (
    ProcedureDefinition(
        "audit.log",
        (
            ProcedureField("from", "ANY", None),
            ProcedureField("to", "ANY", None),
            ProcedureField("filters", "MAP", None),
        ),
        (
            ProcedureField("version", "INTEGER"),
            ProcedureField("time", "ZONED DATETIME"),
            ProcedureField("principal", "STRING"),
            ProcedureField("client", "STRING"),
            ProcedureField("tag", "STRING"),
            ProcedureField("statementHash", "STRING"),
            ProcedureField("statements", "LIST<STRING>"),
            ProcedureField("metadata", "MAP"),
            ProcedureField("counts", "MAP"),
            ProcedureField("chain", "STRING"),
        ),
        "Who committed what and when, oldest first, between two moments.",
        _log,
    ),
    ProcedureDefinition(
        "audit.verify",
        (
            ProcedureField("fromVersion", "INTEGER", None),
            ProcedureField("toVersion", "INTEGER", None),
        ),
        (
            ProcedureField("event", "STRING"),
            ProcedureField("fromVersion", "INTEGER"),
            ProcedureField("toVersion", "INTEGER"),
            ProcedureField("detail", "STRING"),
        ),
        "Whether history is what was committed: a row for each problem, the last one sums up.",
        _verify,
    ),
)
