"""PackStream: values as bytes and back (PackStream specification, version 1).

Rows are encoded by column: a column whose values are all of one type is one list comprehension,
not a call for each value. Reading trusts nothing: sizes are checked against what is there before
anything is made, depth and number of values are bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from struct import Struct
from types import NoneType
from typing import Any, Final

from everwhen.errors import RequestInvalid, RequestTooLarge
from everwhen.limits import BOLT_VALUES_PER_MESSAGE_MAX, INT_MAX, INT_MIN, PARAMETER_DEPTH_MAX

_I8: Final = Struct(">Bb").pack
_I16: Final = Struct(">Bh").pack
_I32: Final = Struct(">Bi").pack
_I64: Final = Struct(">Bq").pack
_F64: Final = Struct(">Bd").pack
_U8: Final = Struct(">BB").pack
_U16: Final = Struct(">BH").pack
_U32: Final = Struct(">BI").pack

NULL: Final = b"\xc0"
TRUE: Final = b"\xc3"
FALSE: Final = b"\xc2"

#: integers of one byte; -16 to -1 are found from the end, so that the integer is the index
_TINY: Final = [bytes((n,)) for n in range(128)] + [bytes((256 + n,)) for n in range(-16, 0)]


def _heads(tiny: int, small: int) -> list[bytes]:
    """The headers of sizes up to 255."""
    return [bytes((tiny + n,)) for n in range(16)] + [_U8(small, n) for n in range(16, 256)]


_STRING: Final = _heads(0x80, 0xD0)
_LIST: Final = _heads(0x90, 0xD4)
_MAP: Final = _heads(0xA0, 0xD8)
_BYTES: Final = [_U8(0xCC, n) for n in range(256)]


def integer(value: int) -> bytes:
    """An integer in as few bytes as hold it."""
    if -16 <= value < 128:
        return _TINY[value]
    if -128 <= value < 128:
        return _I8(0xC8, value)
    if -32_768 <= value < 32_768:
        return _I16(0xC9, value)
    if -2_147_483_648 <= value < 2_147_483_648:
        return _I32(0xCA, value)
    if INT_MIN <= value <= INT_MAX:
        return _I64(0xCB, value)
    raise OverflowError(f"{value} does not fit into 64 bits")


def _head(size: int, short: list[bytes], medium: int, large: int) -> bytes:
    if size < 256:
        return short[size]
    return _U16(medium, size) if size < 65_536 else _U32(large, size)


def string(value: str) -> bytes:
    """A string; lone surrogates, which UTF-8 cannot carry, become question marks."""
    try:
        data = value.encode()
    except UnicodeEncodeError:
        data = value.encode("utf-8", "replace")
    size = len(data)
    return (_STRING[size] if size < 256 else _head(size, _STRING, 0xD1, 0xD2)) + data


def octets(value: bytes) -> bytes:
    """A byte string."""
    return _head(len(value), _BYTES, 0xCD, 0xCE) + value


def structure(tag: int, *fields: bytes) -> bytes:
    """A structure of encoded fields."""
    return bytes((0xB0 + len(fields), tag)) + b"".join(fields)


def list_head(size: int) -> bytes:
    """What stands before the elements of a list."""
    return _head(size, _LIST, 0xD5, 0xD6)


def map_head(size: int) -> bytes:
    """What stands before the entries of a map."""
    return _head(size, _MAP, 0xD9, 0xDA)


class _Known(dict[Any, bytes]):
    """Remembers how a key was encoded, up to a bound: names repeat in every row."""

    def __init__(self, encode: Callable[[Any], bytes], most: int = 4_096) -> None:
        super().__init__()
        self._encode = encode
        self._most = most

    def __missing__(self, key: Any) -> bytes:
        data = self._encode(key)
        if len(self) < self._most:
            self[key] = data
        return data


def _strings(values: Sequence[str]) -> list[bytes]:
    try:
        return [
            _STRING[len(data)] + data
            if len(data) < 256
            else _head(len(data), _STRING, 0xD1, 0xD2) + data
            for data in map(str.encode, values)
        ]
    except UnicodeEncodeError:
        return [string(value) for value in values]


def _integers(values: Sequence[int]) -> list[bytes]:
    return [_TINY[v] if -16 <= v < 128 else integer(v) for v in values]


def _floats(values: Sequence[float]) -> list[bytes]:
    return [_F64(0xC1, value) for value in values]


#: how an encoder of a class of values is made: it gets the encoder of everything
Maker = Callable[["Encoder"], Callable[[Any], bytes]]


class Encoder:
    """Encodes values of the language for one dialect, which adds its structures."""

    def __init__(self, structures: Mapping[type, Maker]) -> None:
        self.keys = _Known(string)
        self.labels = _Known(self._strings_list)
        self._by_type: dict[type, Callable[[Any], bytes]] = {
            NoneType: lambda _: NULL,
            bool: lambda value: TRUE if value else FALSE,
            int: integer,
            float: lambda value: _F64(0xC1, value),
            str: string,
            bytes: octets,
            list: self._list,
            tuple: self._list,
            dict: self.map,
        }
        self._columns: dict[type, Callable[[Any], list[bytes]]] = {
            str: _strings,
            int: _integers,
            float: _floats,
        }
        for kind, make in structures.items():
            self._by_type[kind] = make(self)

    def value(self, value: Any) -> bytes:
        """One value."""
        return self._by_type[type(value)](value)

    def _list(self, values: Sequence[Any]) -> bytes:
        return list_head(len(values)) + b"".join(self.column(values))

    def _strings_list(self, values: Sequence[str]) -> bytes:
        return list_head(len(values)) + b"".join(_strings(values))

    def map(self, value: Mapping[str, Any]) -> bytes:
        """A map; its keys are remembered."""
        keys, by_type = self.keys, self._by_type
        entries = [keys[key] + by_type[type(item)](item) for key, item in value.items()]
        return map_head(len(value)) + b"".join(entries)

    def column(self, values: Sequence[Any]) -> list[bytes]:
        """Each of many values."""
        kinds = set(map(type, values))
        if len(kinds) == 1:
            kind = kinds.pop()
            whole = self._columns.get(kind)
            if whole is not None:
                return whole(values)
            encode = self._by_type[kind]
            return [encode(value) for value in values]
        by_type = self._by_type
        return [by_type[type(value)](value) for value in values]

    def rows(self, rows: Sequence[Sequence[Any]], before: bytes) -> Iterable[bytes]:
        """Each row as a list behind ``before`` (the head of a message)."""
        if not rows:
            return []
        head = before + list_head(len(rows[0]))
        if not rows[0]:
            return [head] * len(rows)
        columns = [self.column(column) for column in zip(*rows, strict=True)]
        if len(columns) == 1:
            return [head + data for data in columns[0]]
        return [head + b"".join(parts) for parts in zip(*columns, strict=True)]


# --- reading -------------------------------------------------------------------------------


class Malformed(RequestInvalid):
    """Bytes that are no PackStream: what follows cannot be trusted either."""


Hydrate = Callable[[int, list[Any]], Any]

_SIZES: Final = {
    **dict.fromkeys((0xCC, 0xD0, 0xD4, 0xD8), 1),
    **dict.fromkeys((0xCD, 0xD1, 0xD5, 0xD9), 2),
    **dict.fromkeys((0xCE, 0xD2, 0xD6, 0xDA), 4),
}
_INTEGERS: Final = {0xC8: 1, 0xC9: 2, 0xCA: 4, 0xCB: 8}
_READ_F64: Final = Struct(">d").unpack_from


class Decoder:
    """Reads one message. ``hydrate`` makes values of structures inside it."""

    def __init__(self, data: bytes, hydrate: Hydrate) -> None:
        self._data = data
        self._at = 0
        self._end = len(data)
        self._left = BOLT_VALUES_PER_MESSAGE_MAX
        self._hydrate = hydrate

    def message(self) -> tuple[int, list[Any]]:
        """Tag and fields of the message, which must be one structure and nothing behind it.

        :raises Malformed: it is not.
        """
        size, tag = self._structure_head()
        fields = [self.value(1) for _ in range(size)]
        if self._at != self._end:
            raise Malformed(f"{self._end - self._at} bytes follow the message")
        return tag, fields

    def _structure_head(self) -> tuple[int, int]:
        data = self._take(2)
        if not 0xB0 <= data[0] <= 0xBF:
            raise Malformed(f"a message begins with a structure, not with {data[0]:#04x}")
        return data[0] - 0xB0, data[1]

    def _take(self, size: int) -> bytes:
        start = self._at
        self._at = start + size
        if self._at > self._end:
            raise Malformed("the message ends in the middle of a value")
        return self._data[start : self._at]

    def value(self, depth: int) -> Any:
        """The next value."""
        at = self._at
        if at >= self._end:
            raise Malformed("the message ends where a value should begin")
        marker = self._data[at]
        self._at = at + 1
        if marker < 0x80:
            return marker
        if marker >= 0xF0:
            return marker - 256
        if marker < 0x90:
            return self._string(marker - 0x80)
        if marker < 0xC0:
            return self._composite(marker & 0xF0, marker & 0x0F, depth)
        return self._other(marker, depth)

    def _other(self, marker: int, depth: int) -> Any:
        if marker == 0xC0:
            return None
        if marker in (0xC2, 0xC3):
            return marker == 0xC3
        if marker in _INTEGERS:
            return int.from_bytes(self._take(_INTEGERS[marker]), "big", signed=True)
        if marker == 0xC1:
            return _READ_F64(self._take(8))[0]
        if marker not in _SIZES:
            raise Malformed(f"{marker:#04x} begins no value")
        size = int.from_bytes(self._take(_SIZES[marker]), "big")
        if marker <= 0xCE:
            return self._take(size)
        if marker <= 0xD2:
            return self._string(size)
        return self._composite(0x90 if marker <= 0xD6 else 0xA0, size, depth)

    def _string(self, size: int) -> str:
        try:
            return self._take(size).decode()
        except UnicodeDecodeError as error:
            raise Malformed(f"a string is not UTF-8: {error}") from error

    def _composite(self, kind: int, size: int, depth: int) -> Any:
        if depth > PARAMETER_DEPTH_MAX:
            raise Malformed(f"values nest deeper than {PARAMETER_DEPTH_MAX}")
        if size > self._end - self._at:
            raise Malformed("a list, map or structure is longer than its message")
        self._left -= size
        if self._left < 0:
            raise RequestTooLarge(
                f"a message holds more than {BOLT_VALUES_PER_MESSAGE_MAX:,} values",
                hint="send the rows in several statements",
            )
        if kind == 0x90:
            return [self.value(depth + 1) for _ in range(size)]
        if kind == 0xA0:
            return self._map(size, depth)
        tag = self._take(1)[0]
        return self._hydrate(tag, [self.value(depth + 1) for _ in range(size)])

    def _map(self, size: int, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for _ in range(size):
            key = self.value(depth + 1)
            if type(key) is not str:
                raise Malformed(f"a key of a map is no string but {type(key).__name__}")
            found[key] = self.value(depth + 1)
        if len(found) != size:
            raise Malformed("a map has a key twice")
        return found
