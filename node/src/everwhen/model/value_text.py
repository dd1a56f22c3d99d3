"""Values as NGQL text: for errors, the shell, canonical keys; and the names of their types.

Floats are printed as Java prints them (``1.0``, ``1.0E10``), which is what ``toString`` of
openCypher's reference implementation shows and drivers expect.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from everwhen.model.elements import Node, Path, Relationship
from everwhen.model.spatial import Point
from everwhen.model.temporal import Date, DateTime, Duration, LocalDateTime, LocalTime, Time
from everwhen.model.vector import Vector

#: class -> name of the type, as GQL spells it
TYPE_NAMES: Final[dict[type, str]] = {
    type(None): "NULL",
    bool: "BOOLEAN",
    int: "INTEGER",
    float: "FLOAT",
    str: "STRING",
    bytes: "BYTES",
    list: "LIST",
    dict: "MAP",
    Node: "NODE",
    Relationship: "RELATIONSHIP",
    Path: "PATH",
    Date: "DATE",
    LocalTime: "LOCAL TIME",
    Time: "ZONED TIME",
    LocalDateTime: "LOCAL DATETIME",
    DateTime: "ZONED DATETIME",
    Duration: "DURATION",
    Point: "POINT",
    Vector: "VECTOR",
}
_CALLS: Final[dict[type, str]] = {
    Date: "date",
    LocalTime: "localtime",
    Time: "time",
    LocalDateTime: "localdatetime",
    DateTime: "datetime",
    Duration: "duration",
}
_ESCAPES: Final = str.maketrans(
    {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
)


def type_name(value: Any) -> str:
    """The name of a value's type: ``INTEGER``, ``ZONED DATETIME``, ``NULL``."""
    return TYPE_NAMES.get(type(value), type(value).__name__)


def float_text(value: float) -> str:
    """``1.0``, ``1.0E10``, ``1.5E-7``, ``NaN``, ``Infinity``: the shortest that reads back, and of
    those with two digits the nearest (Java's ``Double.toString``)."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    magnitude = abs(value)
    if magnitude == 0 or 1e-3 <= magnitude < 1e7:
        return repr(value)
    shortest, nearest = repr(value), f"{value:.1e}"
    # they differ where a number has few bits left: 5e-324 is 4.9E-324
    text = nearest if len(shortest) < len(nearest) and float(nearest) == value else shortest
    mantissa, _, exponent = text.partition("e")
    sign = "-" if mantissa[0] == "-" else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    power = int(exponent or 0) + len(whole) - 1 - (len(whole + fraction) - len(digits))
    return f"{sign}{digits[0]}.{digits[1:].rstrip('0') or '0'}E{power}"


def quoted(name: str) -> str:
    """A name as it may stand in a query: in backticks unless it is a plain identifier."""
    return name if name.isidentifier() else "`" + name.replace("`", "``") + "`"


def to_text(value: Any) -> str:
    """A value as the literal or the call that makes it."""
    kind = type(value)
    if kind is int:
        return str(value)
    if kind is str:
        return f"'{value.translate(_ESCAPES)}'"
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if kind is float:
        return float_text(value)
    if kind is list:
        return f"[{', '.join([to_text(item) for item in value])}]"
    if kind is dict:
        return _map_text(value)
    if kind is Node:
        labels = "".join([f":{quoted(label)}" for label in value.labels])
        return f"({_spaced(labels, value.properties)})"
    if kind is Relationship:
        return f"[{_spaced(':' + quoted(value.type), value.properties)}]"
    if kind is Path:
        return _path_text(value)
    if kind in _CALLS:
        return f"{_CALLS[kind]}('{value}')"
    if kind is bytes:
        return f"bytes('{value.hex()}')"
    return str(value)


def _map_text(value: Mapping[str, Any]) -> str:
    return f"{{{', '.join([f'{quoted(key)}: {to_text(item)}' for key, item in value.items()])}}}"


def _spaced(head: str, properties: Mapping[str, Any]) -> str:
    if not properties:
        return head
    return f"{head} {_map_text(properties)}" if head else _map_text(properties)


def _path_text(path: Path) -> str:
    out = [to_text(path.nodes[0])]
    for position, relationship in enumerate(path.relationships):
        forward = relationship.start == path.nodes[position].id
        out.append(f"-{to_text(relationship)}->" if forward else f"<-{to_text(relationship)}-")
        out.append(to_text(path.nodes[position + 1]))
    return f"<{''.join(out)}>"
