"""Graph elements, temporal values, points and vectors as PackStream structures, by dialect.

What differs: element ids came with 5.0; a datetime counts from 1970 UTC since 5.0 (and in 4.4
where the client asks for the patch ``utc``), from 1970 in local time before; vectors are native
since 6.0 and lists of numbers before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import Any, Final

from everwhen.errors import QueryArgumentError, QueryTypeError, RequestInvalid
from everwhen.model.calendar import NANOS_PER_DAY, NANOS_PER_SECOND, SECONDS_PER_DAY, check_days
from everwhen.model.elements import Node, Path, Relationship
from everwhen.model.spatial import Point, point_from
from everwhen.model.temporal import Date, DateTime, Duration, LocalDateTime, LocalTime, Time
from everwhen.model.vector import DIMENSIONS_MAX, ELEMENT_TYPES, Vector
from everwhen.server.bolt.handshake import Version
from everwhen.server.bolt.packstream import (
    Encoder,
    Maker,
    integer,
    list_head,
    octets,
    string,
    structure,
)

#: the greatest offset from UTC, in seconds
_OFFSET_MAX: Final = 18 * 3_600
_F64: Final = Struct(">Bd").pack

_VECTOR_MARKERS: Final = {
    "INTEGER8": b"\xc8",
    "INTEGER16": b"\xc9",
    "INTEGER32": b"\xca",
    "INTEGER64": b"\xcb",
    "FLOAT32": b"\xc6",
    "FLOAT64": b"\xc1",
}
_VECTOR_ELEMENTS: Final = {marker: element for element, marker in _VECTOR_MARKERS.items()}


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a connection agreed on."""

    version: Version = (5, 8)
    #: only asked of 4.4
    utc_patch: bool = False

    @property
    def utc(self) -> bool:
        """Datetimes count from 1970 UTC."""
        return self.utc_patch or self.version >= (5, 0)

    @property
    def element_ids(self) -> bool:
        return self.version >= (5, 0)

    @property
    def vectors(self) -> bool:
        return self.version >= (6, 0)


def encoder(dialect: Dialect) -> Encoder:
    """An encoder for one connection."""
    makers: dict[type, Maker] = {**_PLAIN}
    if dialect.element_ids:
        makers |= {Node: _node5, Relationship: _relationship5, Path: _path(_node5, _unbound5)}
    else:
        makers |= {Node: _node4, Relationship: _relationship4, Path: _path(_node4, _unbound4)}
    makers[DateTime] = _plain(_datetime_utc if dialect.utc else _datetime_local)
    makers[Vector] = _plain(_vector) if dialect.vectors else _vector_list
    return Encoder(makers)


# --- elements ------------------------------------------------------------------------------

One = Callable[[Any], bytes]


def _node4(encode: Encoder) -> One:
    labels, properties = encode.labels, encode.map
    return lambda n: b"\xb3N" + integer(n.id) + labels[n.labels] + properties(n.properties)


def _node5(encode: Encoder) -> One:
    labels, properties = encode.labels, encode.map

    def node(value: Node) -> bytes:
        view = value.view
        return b"".join(
            (
                b"\xb4N",
                integer(value.id),
                labels[view.node_labels(value.id)],
                properties(view.node_properties(value.id)),
                string(value.element_id),
            )
        )

    return node


def _node_name(number: int) -> bytes:
    return string(f"4:neo4j:{number}")


def _relationship4(encode: Encoder) -> One:
    def relationship(value: Relationship) -> bytes:
        ends = (integer(value.id), integer(value.start), integer(value.end))
        return structure(0x52, *ends, encode.keys[value.type], encode.map(value.properties))

    return relationship


def _relationship5(encode: Encoder) -> One:
    def relationship(value: Relationship) -> bytes:
        return b"".join(
            (
                b"\xb8R",
                integer(value.id),
                integer(value.start),
                integer(value.end),
                encode.keys[value.type],
                encode.map(value.properties),
                string(value.element_id),
                _node_name(value.start),
                _node_name(value.end),
            )
        )

    return relationship


def _unbound4(encode: Encoder) -> One:
    return lambda r: structure(0x72, integer(r.id), encode.keys[r.type], encode.map(r.properties))


def _unbound5(encode: Encoder) -> One:
    return lambda r: structure(
        0x72, integer(r.id), encode.keys[r.type], encode.map(r.properties), string(r.element_id)
    )


def _path(make_node: Maker, make_unbound: Maker) -> Maker:
    """Distinct nodes, distinct relationships, and steps: a relationship's place from 1 on,
    negative where it is walked against its arrow, then a node's place from 0 on."""

    def maker(encode: Encoder) -> One:
        node, unbound = make_node(encode), make_unbound(encode)

        def path(value: Path) -> bytes:
            nodes: dict[int, tuple[int, Node]] = {}
            for each in value.nodes:
                nodes.setdefault(each.id, (len(nodes), each))
            links: dict[int, tuple[int, Relationship]] = {}
            steps: list[bytes] = []
            at = value.nodes[0].id
            for link, following in zip(value.relationships, value.nodes[1:], strict=True):
                place = links.setdefault(link.id, (len(links) + 1, link))[0]
                steps.append(integer(place if link.start == at else -place))
                steps.append(integer(nodes[following.id][0]))
                at = following.id
            return structure(
                0x50,
                list_head(len(nodes)) + b"".join([node(each) for _, each in nodes.values()]),
                list_head(len(links)) + b"".join([unbound(each) for _, each in links.values()]),
                list_head(len(steps)) + b"".join(steps),
            )

        return path

    return maker


# --- temporal values, points, vectors ------------------------------------------------------


def _plain(encode: One) -> Maker:
    return lambda _: encode


def _datetime_utc(value: DateTime) -> bytes:
    seconds, nanos = integer(value.epoch_seconds), integer(value.nanos % NANOS_PER_SECOND)
    if value.zone is None:
        return structure(0x49, seconds, nanos, integer(value.offset))
    return structure(0x69, seconds, nanos, string(value.zone))


def _datetime_local(value: DateTime) -> bytes:
    seconds = integer(value.epoch_seconds + value.offset)
    nanos = integer(value.nanos % NANOS_PER_SECOND)
    if value.zone is None:
        return structure(0x46, seconds, nanos, integer(value.offset))
    return structure(0x66, seconds, nanos, string(value.zone))


def _local_datetime(value: LocalDateTime) -> bytes:
    seconds, nanos = divmod(value.nanos, NANOS_PER_SECOND)
    return structure(0x64, integer(value.days * SECONDS_PER_DAY + seconds), integer(nanos))


def _duration(value: Duration) -> bytes:
    parts = (value.months, value.days, value.seconds, value.nanoseconds)
    return structure(0x45, *map(integer, parts))


def _point(value: Point) -> bytes:
    parts = [_F64(0xC1, each) for each in value.coordinates]
    return structure(0x58 if len(parts) == 2 else 0x59, integer(value.srid), *parts)


def _vector(value: Vector) -> bytes:
    return structure(0x56, octets(_VECTOR_MARKERS[value.element]), octets(value.data))


def _vector_list(encode: Encoder) -> One:
    return lambda value: list_head(len(value)) + b"".join(encode.column(value.values()))


_PLAIN: Final[Mapping[type, Maker]] = {
    Date: _plain(lambda v: structure(0x44, integer(v.days))),
    Time: _plain(lambda v: structure(0x54, integer(v.nanos), integer(v.offset))),
    LocalTime: _plain(lambda v: structure(0x74, integer(v.nanos))),
    LocalDateTime: _plain(_local_datetime),
    Duration: _plain(_duration),
    Point: _plain(_point),
}

# --- what clients send ---------------------------------------------------------------------


def hydrator(dialect: Dialect) -> Callable[[int, list[Any]], Any]:
    """Makes values of the structures in requests.

    :raises ClientError: (when called) no such structure, or its fields make no sense.
    """
    return _hydrators(dialect.utc, dialect.vectors)


@lru_cache(maxsize=4)
def _hydrators(utc: bool, vectors: bool) -> Callable[[int, list[Any]], Any]:
    known = {**_READERS, **(_READERS_UTC if utc else _READERS_LOCAL)}
    if vectors:
        known[0x56] = (_read_vector, (bytes, bytes))

    def hydrate(tag: int, fields: list[Any]) -> Any:
        if tag in _ELEMENTS:
            raise QueryTypeError(f"a {_ELEMENTS[tag]} cannot be a parameter: send its id")
        found = known.get(tag)
        if found is None:
            raise RequestInvalid(f"no value has the structure {tag:#04x} in this version")
        make, kinds = found
        if len(fields) != len(kinds) or any(
            type(each) is not kind for each, kind in zip(fields, kinds, strict=False)
        ):
            raise RequestInvalid(f"the structure {tag:#04x} has wrong fields")
        return make(*fields)

    return hydrate


_ELEMENTS: Final = {0x4E: "node", 0x52: "relationship", 0x72: "relationship", 0x50: "path"}


def _nanos(nanos: int, bound: int = NANOS_PER_SECOND) -> int:
    if not 0 <= nanos < bound:
        raise QueryArgumentError(f"{nanos} nanoseconds are more than there can be")
    return nanos


def _offset(offset: int) -> int:
    if not -_OFFSET_MAX <= offset <= _OFFSET_MAX:
        raise QueryArgumentError(f"an offset of {offset} seconds is more than 18 hours")
    return offset


def _read_local_datetime(seconds: int, nanos: int) -> LocalDateTime:
    days, rest = divmod(seconds, SECONDS_PER_DAY)
    return LocalDateTime(check_days(days), rest * NANOS_PER_SECOND + _nanos(nanos))


def _read_local(seconds: int, nanos: int, where: int | str) -> DateTime:
    local = _read_local_datetime(seconds, nanos)
    return DateTime.of_local(local.days, local.nanos, where)


def _read_utc(seconds: int, nanos: int, where: int | str) -> DateTime:
    check_days(seconds // SECONDS_PER_DAY)
    return DateTime.of_instant(seconds, _nanos(nanos), where)


def _read_point(srid: int, *coordinates: float) -> Point:
    made = point_from({**dict(zip("xyz", coordinates, strict=False)), "srid": srid})
    assert made is not None  # no coordinate is null
    return made


def _read_vector(marker: bytes, data: bytes) -> Vector:
    element = _VECTOR_ELEMENTS.get(marker)
    if element is None:
        raise RequestInvalid("a vector of an unknown element type")
    size = Struct(f">{ELEMENT_TYPES[element]}").size
    if not data or len(data) % size or len(data) // size > DIMENSIONS_MAX:
        raise QueryArgumentError(f"a vector has 1 to {DIMENSIONS_MAX} coordinates of {size} bytes")
    return Vector.of(Vector(element, data).values(), element)


_Reader = tuple[Callable[..., Any], tuple[type, ...]]

_READERS: Final[dict[int, _Reader]] = {
    0x44: (lambda days: Date(check_days(days)), (int,)),
    0x54: (
        lambda nanos, offset: Time(_nanos(nanos, NANOS_PER_DAY), _offset(offset)),
        (int, int),
    ),
    0x74: (lambda nanos: LocalTime(_nanos(nanos, NANOS_PER_DAY)), (int,)),
    0x64: (_read_local_datetime, (int, int)),
    0x45: (Duration.of, (int, int, int, int)),
    0x58: (_read_point, (int, float, float)),
    0x59: (_read_point, (int, float, float, float)),
}
_READERS_UTC: Final[dict[int, _Reader]] = {
    0x49: (lambda s, n, offset: _read_utc(s, n, _offset(offset)), (int, int, int)),
    0x69: (_read_utc, (int, int, str)),
}
_READERS_LOCAL: Final[dict[int, _Reader]] = {
    0x46: (lambda s, n, offset: _read_local(s, n, _offset(offset)), (int, int, int)),
    0x66: (_read_local, (int, int, str)),
}
