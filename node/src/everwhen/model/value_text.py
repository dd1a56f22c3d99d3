"""Names of types, and values as Cypher text (for errors, the shell, canonical keys)."""

from __future__ import annotations

import math
from typing import Any, Final

from everwhen.model.elements import Node, Path, Relationship
from everwhen.model.spatial import Point
from everwhen.model.temporal import Date, DateTime, Duration, LocalDateTime, LocalTime, Time
from everwhen.model.vector import Vector

_NAMES: Final[dict[type, str]] = {
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
    """The type as GQL names it."""
    return _NAMES.get(type(value), type(value).__name__.upper())


def float_text(value: float) -> str:
    """As ``toString`` prints it: ``1.0``, ``1.0E10``, ``NaN``, ``Infinity``."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    text = repr(value)
    if "e" not in text:
        if abs(value) >= 1e7 and text.endswith(".0") or 0 < abs(value) < 1e-3:
            return _scientific(text)
        return text
    return _scientific(text)


def _scientific(text: str) -> str:
    """Java's form: one digit before the point, ``E`` and the exponent."""
    sign = "-" if text.startswith("-") else ""
    mantissa, _, exponent = text.lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    power = int(exponent or 0)
    digits = whole + fraction
    power += len(whole) - 1
    stripped = digits.lstrip("0")
    power -= len(digits) - len(stripped)
    stripped = stripped.rstrip("0") or "0"
    return f"{sign}{stripped[0]}.{stripped[1:] or '0'}E{power}"


def quoted(name: str) -> str:
    """A name as it may stand in a query."""
    return name if name.isidentifier() else "`" + name.replace("`", "``") + "`"


def to_text(value: Any) -> str:
    """The value as a Cypher literal or constructor call."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    kind = type(value)
    if kind is int:
        return str(value)
    if kind is float:
        return float_text(value)
    if kind is str:
        return "'" + value.translate(_ESCAPES) + "'"
    if kind is list:
        return "[" + ", ".join([to_text(item) for item in value]) + "]"
    if kind is dict:
        return _map_text(value)
    if kind is Node:
        labels = "".join(f":{quoted(label)}" for label in value.labels)
        return f"({labels}{_tail(value.properties, bool(labels))})"
    if kind is Relationship:
        return f"[:{quoted(value.type)}{_tail(value.properties, spaced=True)}]"
    if kind is Path:
        return _path_text(value)
    if kind in _CALLS:
        return f"{_CALLS[kind]}('{value}')"
    if kind is bytes:
        return f"bytes('{value.hex()}')"
    return str(value.text())


def _map_text(value: Any) -> str:
    return "{" + ", ".join(f"{quoted(key)}: {to_text(item)}" for key, item in value.items()) + "}"


def _tail(properties: Any, spaced: bool) -> str:
    if not properties:
        return ""
    return (" " if spaced else "") + _map_text(properties)


def _path_text(path: Path) -> str:
    out = [to_text(path.nodes[0])]
    for before, relationship, node in zip(
        path.nodes, path.relationships, path.nodes[1:], strict=False
    ):
        arrow = to_text(relationship)
        forward = relationship.start == before.id
        out.append(f"-{arrow}->" if forward else f"<-{arrow}-")
        out.append(to_text(node))
    return "".join(out)
