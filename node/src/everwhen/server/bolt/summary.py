"""What the last SUCCESS of a result says: kind, counters, plan, notifications, times, bookmark."""

from __future__ import annotations

from typing import Any, Final

from everwhen.query.explain import PlanDescription
from everwhen.query.physical import Notification
from everwhen.runtime.cursor import Summary
from everwhen.server.bolt.failures import DIAGNOSTIC
from everwhen.server.bolt.handshake import Version
from everwhen.server.bolt.packstream import Encoder, integer, map_head, string
from everwhen.server.remarks import classification

#: the only database there is
DATABASE: Final = "neo4j"

_STATUS: Final = {
    "WARNING": ("01N00", "warn: feature deprecated or query of doubtful meaning"),
    "INFORMATION": ("03N00", "info: remark on the query"),
}


def metadata(
    summary: Summary,
    version: Version,
    *,
    milliseconds: int,
    bookmark: str | None,
    had_rows: bool,
    columns: int,
    remarks: tuple[Notification, ...],
) -> dict[str, Any]:
    """The content of the SUCCESS behind the last row."""
    found: dict[str, Any] = {"type": summary.kind, "t_last": milliseconds, "db": DATABASE}
    if bookmark is not None:
        found["bookmark"] = bookmark
    counters = summary.counters
    if counters.contains_updates:
        changed = {name.replace("_", "-"): n for name, n in counters.as_dict().items() if n}
        found["stats"] = {**changed, "contains-updates": True}
    elif counters.system_updates:
        found["stats"] = {
            "system-updates": counters.system_updates,
            "contains-system-updates": True,
        }
    if summary.plan is not None:
        found["profile" if summary.profiled else "plan"] = plan(summary.plan)
    if version >= (5, 5):
        found["statuses"] = statuses(remarks, had_rows, columns)
    elif remarks:
        found["notifications"] = [notification(each) for each in remarks]
    return found


def plain_read(
    version: Version, *, milliseconds: int, bookmark: str | None, had_rows: bool, columns: int
) -> bytes:
    """The whole SUCCESS of a read with nothing to remark: the same as of ``metadata``, made of
    parts that are encoded already."""
    known = _ENDED.get((had_rows, columns > 0)) if version >= (5, 5) else b""
    if known is None:
        known = _ENDED[had_rows, columns > 0] = string("statuses") + _PLAIN.value(
            statuses((), had_rows, columns)
        )
    size = 3 + (bookmark is not None) + bool(known)
    parts = [_READ_HEADS[size], integer(milliseconds), _DATABASE]
    if bookmark is not None:
        parts += (_BOOKMARK, string(bookmark))
    return b"".join((*parts, known))


_PLAIN: Final = Encoder({})
_ENDED: Final[dict[tuple[bool, bool], bytes]] = {}
_READ_HEADS: Final = {
    size: b"\xb1\x70" + map_head(size) + string("type") + string("r") + string("t_last")
    for size in (3, 4, 5)
}
_DATABASE: Final = string("db") + string(DATABASE)
_BOOKMARK: Final = string("bookmark")


def plan(described: PlanDescription) -> dict[str, Any]:
    """A plan or profile as drivers expect it."""
    arguments: dict[str, Any] = {
        "Details": described.details,
        "EstimatedRows": float(described.estimated_rows),
    }
    found: dict[str, Any] = {
        "operatorType": described.operator,
        "args": arguments,
        "identifiers": list(described.identifiers),
        "children": [plan(child) for child in described.children],
    }
    if described.rows is not None:
        arguments |= {"Rows": described.rows, "Time": described.nanoseconds, "DbHits": 0}
        if described.batches is not None:
            arguments |= {"Batches": described.batches, "Bytes": described.bytes}
        found |= {"rows": described.rows, "dbHits": 0, "time": described.nanoseconds}
    return found


def notification(each: Notification) -> dict[str, Any]:
    """A remark, as versions before 5.5 carry it."""
    return {
        "code": each.code,
        "title": each.title,
        "description": each.description,
        "severity": each.severity,
    }


def statuses(
    remarks: tuple[Notification, ...], had_rows: bool, columns: int
) -> list[dict[str, Any]]:
    """GQL status objects: remarks, and how the statement ended. "No data" stands before remarks,
    success behind warnings and before information."""
    if had_rows:
        own = ("00000", "note: successful completion")
    elif columns:
        own = ("02000", "note: no data")
    else:
        own = ("00001", "note: successful completion - omitted result")
    ended = {
        "gql_status": own[0],
        "status_description": own[1],
        "diagnostic_record": DIAGNOSTIC,
    }
    found = [*(_status(each) for each in remarks), ended]
    return sorted(found, key=lambda each: _RANK[each["gql_status"][:2]])


_RANK: Final = {"02": 0, "01": 1, "00": 2, "03": 3}


def _status(each: Notification) -> dict[str, Any]:
    status, name = _STATUS.get(each.severity, _STATUS["INFORMATION"])
    return {
        "gql_status": status,
        "status_description": f"{name}. {each.description}",
        "neo4j_code": each.code,
        "title": each.title,
        "description": each.description,
        "diagnostic_record": {
            **DIAGNOSTIC,
            "_severity": each.severity,
            "_classification": classification(each.code),
        },
    }
