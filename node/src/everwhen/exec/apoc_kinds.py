"""How APOC names the types of values: ``DATE_TIME``, ``LIST OF STRING`` (its ``apoc.meta.*``)."""

from __future__ import annotations

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
    dict: "MAP",
    Date: "DATE",
    Time: "TIME",
    LocalTime: "LOCAL_TIME",
    DateTime: "DATE_TIME",
    LocalDateTime: "LOCAL_DATE_TIME",
    Duration: "DURATION",
    Point: "POINT",
    Vector: "VECTOR",
    Node: "NODE",
    Relationship: "RELATIONSHIP",
    Path: "PATH",
}


def kind_of(value: Any) -> str:
    """The name; every list is a ``LIST``."""
    return "LIST" if type(value) is list else _NAMES.get(type(value), "ANY")


def exact_kind_of(value: Any) -> str:
    """The same, lists with what is in them: ``LIST OF STRING``, ``LIST OF ANY`` if mixed."""
    if type(value) is not list:
        return kind_of(value)
    kinds = {kind_of(item) for item in value}
    return f"LIST OF {kinds.pop() if len(kinds) == 1 else 'ANY'}"
