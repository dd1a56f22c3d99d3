"""Requests and replies: what tags and fields mean, in each version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from everwhen.server.bolt.handshake import Version
from everwhen.server.bolt.packstream import Encoder, Malformed, integer, map_head

Extra = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Hello:
    """The first request: who the program is and, before 5.1, who the user is."""

    extra: Extra


@dataclass(frozen=True, slots=True)
class Logon:
    """Who the user is."""

    auth: Extra


@dataclass(frozen=True, slots=True)
class Logoff:
    """Somebody else will log on."""


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The client leaves."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Stop what runs, forget what is open."""


@dataclass(frozen=True, slots=True)
class Run:
    """A statement."""

    text: str
    parameters: dict[str, Any]
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin a transaction."""

    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Commit:
    """Commit it."""


@dataclass(frozen=True, slots=True)
class Rollback:
    """Roll it back."""


@dataclass(frozen=True, slots=True)
class Pull:
    """``n`` rows of the result ``qid``; -1 is all rows, and the last result."""

    n: int
    qid: int = -1


@dataclass(frozen=True, slots=True)
class Discard:
    """Like ``Pull``, without being sent the rows."""

    n: int
    qid: int = -1


@dataclass(frozen=True, slots=True)
class Route:
    """Which servers there are."""

    context: Extra
    bookmarks: Sequence[Any]
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Which interface of the driver is in use."""

    api: int


Request = (
    Hello
    | Logon
    | Logoff
    | Goodbye
    | Reset
    | Run
    | Begin
    | Commit
    | Rollback
    | Pull
    | Discard
    | Route
    | Telemetry
)

RESET_TAG: Final = 0x0F

#: tag -> request, types of its fields, first version that has it
_REQUESTS: Final[dict[int, tuple[type[Any], tuple[type, ...], Version]]] = {
    0x01: (Hello, (dict,), (4, 4)),
    0x02: (Goodbye, (), (4, 4)),
    0x0F: (Reset, (), (4, 4)),
    0x10: (Run, (str, dict, dict), (4, 4)),
    0x11: (Begin, (dict,), (4, 4)),
    0x12: (Commit, (), (4, 4)),
    0x13: (Rollback, (), (4, 4)),
    0x2F: (Discard, (dict,), (4, 4)),
    0x3F: (Pull, (dict,), (4, 4)),
    0x54: (Telemetry, (int,), (5, 4)),
    0x66: (Route, (dict, list, dict), (4, 4)),
    0x6A: (Logon, (dict,), (5, 1)),
    0x6B: (Logoff, (), (5, 1)),
}


def request(tag: int, fields: list[Any], version: Version) -> Request:
    """The request that a message is.

    :raises Malformed: none of this version.
    """
    kind, types, since = _REQUESTS.get(tag, (None, (), version))
    if kind is None or version < since:
        raise Malformed(f"no request of Bolt {version[0]}.{version[1]} has the tag {tag:#04x}")
    name = kind.__name__.upper()
    if len(fields) != len(types):
        raise Malformed(f"{name} has {len(types)} fields, not {len(fields)}")
    for value, wanted in zip(fields, types, strict=True):
        if type(value) is not wanted:
            raise Malformed(f"a field of {name} is {type(value).__name__}, not {wanted.__name__}")
    if kind is Pull or kind is Discard:
        return _rows(kind, fields[0])
    made: Request = kind(*fields)
    return made


def _rows(kind: type[Any], extra: Extra) -> Request:
    n, qid = extra.get("n"), extra.get("qid", -1)
    if type(n) is not int or n == 0 or n < -1:
        raise Malformed(f"n must be a number of rows, or -1 for all, not {n!r}")
    if type(qid) is not int or qid < -1:
        raise Malformed(f"qid must be a result's number, or -1 for the last, not {qid!r}")
    made: Request = kind(n, qid)
    return made


# --- replies -------------------------------------------------------------------------------

RECORD_HEAD: Final = b"\xb1\x71"
IGNORED: Final = b"\xb0\x7e"


def success(encode: Encoder, metadata: Extra) -> bytes:
    """Done."""
    return b"\xb1\x70" + encode.map(metadata)


def running(encode: Encoder, columns: Sequence[str], milliseconds: int, more: Extra) -> bytes:
    """The SUCCESS to RUN; the names of columns are remembered."""
    rest = [encode.keys[key] + encode.value(item) for key, item in more.items()]
    return b"".join(
        (
            b"\xb1\x70" + map_head(2 + len(rest)) + b"\x86fields",
            encode.labels[columns],
            b"\x87t_first",
            integer(milliseconds),
            *rest,
        )
    )


def failure(encode: Encoder, metadata: Extra) -> bytes:
    """Not done."""
    return b"\xb1\x7f" + encode.map(metadata)


def records(encode: Encoder, rows: Sequence[Sequence[Any]]) -> list[bytes]:
    """A message for each row."""
    return list(encode.rows(rows, RECORD_HEAD))
