"""Values as JSON, in the two forms of the Query API: typed (``$type``/``_value``) and plain.

Typed JSON carries every type without loss and both ways; plain JSON is for people and scripts:
integers are numbers, temporal values and points their text, NaN and infinities their names.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Collection
from typing import Any, Final

from everwhen.errors import EverwhenError, RequestInvalid
from everwhen.limits import INT_MAX, INT_MIN, PARAMETER_DEPTH_MAX
from everwhen.model.elements import Node, Path, Relationship
from everwhen.model.spatial import Point
from everwhen.model.temporal import Date, DateTime, Duration, LocalDateTime, LocalTime, Time
from everwhen.model.vector import Vector
from everwhen.server.http.parse import parse_duration, parse_point, parse_temporal

Json = Any


def _float_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value)


def point_text(point: Point) -> str:
    """Well-known text with the reference system."""
    kind = "POINT" if len(point.coordinates) == 2 else "POINT Z"
    return f"SRID={point.srid};{kind} ({' '.join(map(repr, point.coordinates))})"


# --- typed ---------------------------------------------------------------------------------

_DATE_TIMES: Final[dict[type, str]] = {
    Date: "Date",
    LocalTime: "LocalTime",
    Time: "Time",
    LocalDateTime: "LocalDateTime",
    Duration: "Duration",
}


def typed(value: Any) -> Json:
    """A value as typed JSON."""
    kind = type(value)
    if value is None:
        return {"$type": "Null", "_value": None}
    if kind is str:
        return {"$type": "String", "_value": value}
    if kind is int:
        return {"$type": "Integer", "_value": str(value)}
    if kind is bool:
        return {"$type": "Boolean", "_value": value}
    if kind is float:
        return {"$type": "Float", "_value": _float_text(value)}
    if kind is list:
        return {"$type": "List", "_value": [typed(item) for item in value]}
    if kind is dict:
        return {"$type": "Map", "_value": _typed_map(value)}
    if kind is Node or kind is Relationship or kind is Path:
        return _typed_element(value)
    if kind in _DATE_TIMES:
        return {"$type": _DATE_TIMES[kind], "_value": wire_text(value)}
    if kind is DateTime:
        name = "OffsetDateTime" if value.zone is None else "ZonedDateTime"
        return {"$type": name, "_value": wire_text(value)}
    if kind is Point:
        return {"$type": "Point", "_value": point_text(value)}
    if kind is bytes:
        return {"$type": "Base64", "_value": base64.b64encode(value).decode()}
    if kind is Vector:
        return {"$type": "List", "_value": [typed(item) for item in value.values()]}
    raise TypeError(f"no JSON form for {kind.__name__}")


def wire_text(value: Any) -> str:
    """A temporal value with seconds always written, which stock clients expect."""
    text = str(value)
    if isinstance(value, (Date, Duration)):
        return text
    head, separator, rest = text.rpartition("T")
    clock = rest if separator else text
    digits = clock[:5]
    if len(clock) == 5 or clock[5] != ":":
        clock = digits + ":00" + clock[5:]
    return f"{head}{separator}{clock}"


def _typed_map(value: Any) -> Json:
    return {key: typed(item) for key, item in value.items()}


def _typed_element(value: Node | Relationship | Path) -> Json:
    if isinstance(value, Node):
        content = {
            "_element_id": value.element_id,
            "_labels": list(value.labels),
            "_properties": _typed_map(value.properties),
        }
        return {"$type": "Node", "_value": content}
    if isinstance(value, Relationship):
        return {
            "$type": "Relationship",
            "_value": {
                "_element_id": value.element_id,
                "_start_node_element_id": f"4:neo4j:{value.start}",
                "_end_node_element_id": f"4:neo4j:{value.end}",
                "_type": value.type,
                "_properties": _typed_map(value.properties),
            },
        }
    parts = [_typed_element(value.nodes[0])]
    for relationship, node in zip(value.relationships, value.nodes[1:], strict=True):
        parts += [_typed_element(relationship), _typed_element(node)]
    return {"$type": "Path", "_value": parts}


# --- plain ---------------------------------------------------------------------------------


def plain(value: Any) -> Json:
    """A value as plain JSON."""
    kind = type(value)
    if value is None or kind is str or kind is int or kind is bool:
        return value
    if kind is float:
        return value if math.isfinite(value) else _float_text(value)
    if kind is list:
        return [plain(item) for item in value]
    if kind is dict:
        return {key: plain(item) for key, item in value.items()}
    if kind is Node:
        return {
            "elementId": value.element_id,
            "labels": list(value.labels),
            "properties": {key: plain(item) for key, item in value.properties.items()},
        }
    if kind is Relationship:
        return {
            "elementId": value.element_id,
            "startNodeElementId": f"4:neo4j:{value.start}",
            "endNodeElementId": f"4:neo4j:{value.end}",
            "type": value.type,
            "properties": {key: plain(item) for key, item in value.properties.items()},
        }
    if kind is Path:
        parts = [plain(value.nodes[0])]
        for relationship, node in zip(value.relationships, value.nodes[1:], strict=True):
            parts += [plain(relationship), plain(node)]
        return parts
    if kind is Point:
        return point_text(value)
    if kind is bytes:
        return base64.b64encode(value).decode()
    if kind is Vector:
        return list(value.values())
    return wire_text(value)


# --- parameters ----------------------------------------------------------------------------


def parameters_from(given: Any, *, is_typed: bool) -> dict[str, Any]:
    """The parameters of a request.

    :raises RequestInvalid: not a map, nested too deep, an unknown or malformed ``$type``.
    """
    if given is None:
        return {}
    if is_typed and isinstance(given, dict) and given.keys() == {"$type", "_value"}:
        given = given["_value"]
    if not isinstance(given, dict):
        raise RequestInvalid("parameters must be a JSON object")
    if not is_typed and _is_plain(given.values(), 0):
        return given
    return {key: _parameter(value, key, is_typed, 0) for key, value in given.items()}


def _is_plain(values: Collection[Any], depth: int) -> bool:
    """Whether values of untyped JSON are parameters as they are: nearly always. What is wrong
    with others, and where, is found out by ``_parameter``."""
    if depth > PARAMETER_DEPTH_MAX:
        return not values
    for value in values:
        kind = type(value)
        if kind is int:
            if not INT_MIN <= value <= INT_MAX:
                return False
        elif kind is dict:
            if not _is_plain(value.values(), depth + 1):
                return False
        elif kind is list and not _is_plain(value, depth + 1):
            return False
    return True


def _parameter(value: Any, where: str, is_typed: bool, depth: int) -> Any:
    if depth > PARAMETER_DEPTH_MAX:
        raise RequestInvalid(f"parameter {where} nests deeper than {PARAMETER_DEPTH_MAX}")
    if isinstance(value, dict):
        if is_typed and "$type" in value and "_value" in value and len(value) == 2:
            return _typed_parameter(value["$type"], value["_value"], where, depth)
        return {
            key: _parameter(item, f"{where}.{key}", is_typed, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_parameter(item, where, is_typed, depth + 1) for item in value]
    if type(value) is int and not INT_MIN <= value <= INT_MAX:
        raise RequestInvalid(f"parameter {where}: the integer {value} does not fit into 64 bits")
    return value


def _integer(value: Any) -> int:
    number = int(_of(str, value)) if type(value) is not int else value
    if not INT_MIN <= number <= INT_MAX:
        raise ValueError("it does not fit into 64 bits")
    return number


def _of(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError(f"it is {type(value).__name__}, not {kind.__name__}")
    return value


_SCALARS: Final[dict[str, Callable[[Any], Any]]] = {
    "Null": lambda value: None,
    "Boolean": lambda value: _of(bool, value),
    "Integer": _integer,
    "Float": lambda value: float(value if type(value) in (int, float) else _of(str, value)),
    "String": lambda value: _of(str, value),
    "Base64": lambda value: base64.b64decode(value, validate=True),
    "Point": parse_point,
    "Duration": parse_duration,
}
#: of a wrong value so many characters are shown
_SHOWN_CHARS: Final = 80


def _typed_parameter(kind: Any, value: Any, where: str, depth: int) -> Any:
    try:
        if kind == "List":
            return [_parameter(item, where, True, depth + 1) for item in _of(list, value)]
        if kind == "Map":
            return {
                key: _parameter(item, f"{where}.{key}", True, depth + 1)
                for key, item in _of(dict, value).items()
            }
        scalar = _SCALARS.get(_of(str, kind))
        return scalar(value) if scalar is not None else parse_temporal(kind, value)
    except RequestInvalid:
        raise
    except EverwhenError as error:
        raise RequestInvalid(f"parameter {where}: {error.message}") from error
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        shown = repr(value) if isinstance(value, (str, int, float)) else type(value).__name__
        raise RequestInvalid(
            f"parameter {where}: {shown[:_SHOWN_CHARS]} is not a {kind} "
            f"({str(error)[:_SHOWN_CHARS]})"
        ) from error
