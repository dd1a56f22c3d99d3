"""Typed JSON of the Query API, both ways: ``{"$type": "Integer", "_value": "1"}``."""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from everwhen_client.errors import ClientMisuse, ProtocolError
from everwhen_client.values import Duration, Node, Path, Point, Relationship, Temporal

_INT_MIN: Final = -(2**63)
_INT_MAX: Final = 2**63 - 1
#: nesting of a parameter that the server takes
_DEPTH_MAX: Final = 100

# --- to the server -------------------------------------------------------------------------


def encode(value: Any, depth: int = 0) -> dict[str, Any]:
    """A parameter as typed JSON.

    :raises ClientMisuse: of a type that the server does not know, or nested too deep.
    """
    if depth > _DEPTH_MAX:
        raise ClientMisuse(f"a parameter nests deeper than {_DEPTH_MAX}")
    if isinstance(value, Mapping):
        return _tagged("Map", _encoded_map(value, depth))
    if isinstance(value, (list, tuple)):
        return _tagged("List", [encode(item, depth + 1) for item in value])
    # bool before int, datetime before date: the former are the latter
    for kind, encoder in _ENCODERS.items():
        if isinstance(value, kind):
            return encoder(value)
    raise ClientMisuse(f"a {type(value).__name__} cannot be a parameter: {value!r:.100}")


def _encoded_map(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    for key in value:
        if not isinstance(key, str):
            raise ClientMisuse(f"the keys of a map must be texts, got {key!r:.100}")
    return {key: encode(item, depth + 1) for key, item in value.items()}


def _tagged(kind: str, value: Any) -> dict[str, Any]:
    return {"$type": kind, "_value": value}


def _integer(value: int) -> dict[str, Any]:
    if not _INT_MIN <= value <= _INT_MAX:
        raise ClientMisuse(f"the integer {value} does not fit into 64 bits")
    return _tagged("Integer", str(int(value)))


def _float(value: float) -> dict[str, Any]:
    words = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}
    text = repr(float(value))
    return _tagged("Float", words.get(text, text))


def _datetime(value: dt.datetime) -> dict[str, Any]:
    if value.tzinfo is None:
        return _tagged("LocalDateTime", value.isoformat())
    key = getattr(value.tzinfo, "key", None)
    if key is None:
        return _tagged("OffsetDateTime", value.isoformat())
    return _tagged("ZonedDateTime", f"{value.isoformat()}[{key}]")


def _time(value: dt.time) -> dict[str, Any]:
    if value.tzinfo is not None and value.utcoffset() is None:
        raise ClientMisuse(f"the offset of {value!r} depends on the day: send an offset")
    return _tagged("LocalTime" if value.tzinfo is None else "Time", value.isoformat())


def _timedelta(value: dt.timedelta) -> dict[str, Any]:
    return _duration(Duration(0, value.days, value.seconds, value.microseconds * 1_000))


def _duration(value: Duration) -> dict[str, Any]:
    nanos = value.seconds * 1_000_000_000 + value.nanoseconds
    sign = "-" if nanos < 0 else ""
    seconds, rest = divmod(abs(nanos), 1_000_000_000)
    return _tagged("Duration", f"P{value.months}M{value.days}DT{sign}{seconds}.{rest:09}S")


def _point(value: Point) -> dict[str, Any]:
    kind = "POINT" if len(value.coordinates) == 2 else "POINT Z"
    coordinates = " ".join(repr(float(number)) for number in value.coordinates)
    return _tagged("Point", f"SRID={value.srid};{kind} ({coordinates})")


def _bytes(value: bytes | bytearray | memoryview) -> dict[str, Any]:
    return _tagged("Base64", base64.b64encode(value).decode())


_ENCODERS: Final[dict[Any, Callable[[Any], dict[str, Any]]]] = {
    type(None): lambda value: _tagged("Null", None),
    bool: lambda value: _tagged("Boolean", value),
    int: _integer,
    float: _float,
    str: lambda value: _tagged("String", str(value)),
    (bytes, bytearray, memoryview): _bytes,
    dt.datetime: _datetime,
    dt.date: lambda value: _tagged("Date", value.isoformat()),
    dt.time: _time,
    dt.timedelta: _timedelta,
    Duration: _duration,
    Point: _point,
    Temporal: lambda value: _tagged(value.kind, value.text),
}

# --- from the server -----------------------------------------------------------------------


def decode(cell: Mapping[str, Any]) -> Any:
    """A value from typed JSON.

    :raises ProtocolError: not typed JSON, or of a type this package does not know.
    """
    try:
        kind, value = cell["$type"], cell["_value"]
        decoder = _DECODERS.get(kind)
        if decoder is None:
            return _temporal(kind, value)
        return decoder(value)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ProtocolError(f"the server sent a value that is none: {cell!r:.200}") from error


def _node(value: Mapping[str, Any]) -> Node:
    return Node(value["_element_id"], frozenset(value["_labels"]), _map(value["_properties"]))


def _relationship(value: Mapping[str, Any]) -> Relationship:
    return Relationship(
        value["_element_id"],
        value["_type"],
        value["_start_node_element_id"],
        value["_end_node_element_id"],
        _map(value["_properties"]),
    )


def _path(value: list[Any]) -> Path:
    nodes = tuple(_node(part["_value"]) for part in value[::2])
    return Path(nodes, tuple(_relationship(part["_value"]) for part in value[1::2]))


def _map(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key: decode(item) for key, item in value.items()}


_POINT: Final = re.compile(r"SRID=(\d+);\s*POINT\s*Z?\s*\(([^()]*)\)")
_DURATION: Final = re.compile(
    r"P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)W)?(?:(-?\d+)D)?"
    r"(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?)(\d+)(?:\.(\d{1,9}))?S)?)?"
)


def _decoded_point(text: str) -> Point:
    match = _POINT.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return Point(int(match[1]), tuple(map(float, match[2].split())))


def _decoded_duration(text: str) -> Duration:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(text)
    years, months, weeks, days, hours, minutes = (int(match[n] or 0) for n in range(1, 7))
    nanos = int(match[8] or 0) * 1_000_000_000 + int((match[9] or "").ljust(9, "0"))
    nanos = -nanos if match[7] else nanos
    nanos += (hours * 3_600 + minutes * 60) * 1_000_000_000
    seconds, nanos = divmod(nanos, 1_000_000_000)
    return Duration(years * 12 + months, weeks * 7 + days, seconds, nanos)


_DECODERS: Final[dict[str, Callable[[Any], Any]]] = {
    "Null": lambda value: None,
    "Boolean": bool,
    "Integer": int,
    "Float": float,
    "String": str,
    "Base64": base64.b64decode,
    "List": lambda value: [decode(item) for item in value],
    "Map": _map,
    "Node": _node,
    "Relationship": _relationship,
    "Path": _path,
    "Point": _decoded_point,
    "Duration": _decoded_duration,
    "Vector": lambda value: [float(number) for number in value["coordinates"]],
}

#: digits beyond microseconds, which ``datetime`` does not have
_NANOS: Final = re.compile(r"(\.\d{6})(\d{1,3})")
_ZONED: Final = re.compile(r"(.*)\[([^\]]+)\]")
_PARSERS: Final[dict[str, Callable[[str], Any]]] = {
    "Date": dt.date.fromisoformat,
    "LocalTime": dt.time.fromisoformat,
    "Time": dt.time.fromisoformat,
    "LocalDateTime": dt.datetime.fromisoformat,
    "OffsetDateTime": dt.datetime.fromisoformat,
}


def _temporal(kind: str, text: str) -> Any:
    nanos = _NANOS.search(text)
    if nanos is not None and nanos[2].strip("0"):
        return Temporal(kind, text)
    plain = _NANOS.sub(r"\1", text)
    try:
        if kind != "ZonedDateTime":
            return _PARSERS[kind](plain)
        return _zoned(plain) or Temporal(kind, text)
    except ValueError:  # a year that datetime does not have
        return Temporal(kind, text)


def _zoned(text: str) -> dt.datetime | None:
    """None where this machine's zone data gives the moment another offset, or no such zone."""
    match = _ZONED.fullmatch(text)
    if match is None:
        raise ValueError(text)
    fixed = dt.datetime.fromisoformat(match[1])
    try:
        value = fixed.astimezone(ZoneInfo(match[2]))
    except ZoneInfoNotFoundError:
        return None
    same = value.utcoffset() == fixed.utcoffset()
    return value if same else None
