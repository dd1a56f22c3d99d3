"""A Bolt client with nothing clever in it, and a PackStream of its own.

Judges and measurements use it, so that the door is not judged by its own codec.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

MAGIC: Final = bytes.fromhex("6060b017")
HELLO, GOODBYE, RESET, RUN, BEGIN, COMMIT, ROLLBACK = 0x01, 0x02, 0x0F, 0x10, 0x11, 0x12, 0x13
DISCARD, PULL, TELEMETRY, ROUTE, LOGON, LOGOFF = 0x2F, 0x3F, 0x54, 0x66, 0x6A, 0x6B
SUCCESS, RECORD, IGNORED, FAILURE = 0x70, 0x71, 0x7E, 0x7F


class Lost(ConnectionError):
    """The server closed the connection."""


class Failed(RuntimeError):
    """The server answered FAILURE."""

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        self.metadata = metadata
        self.code: str = metadata.get("neo4j_code") or metadata["code"]
        self.message: str = metadata["message"]
        super().__init__(f"{self.code}: {self.message}")


@dataclass(frozen=True)
class Structure:
    """A PackStream structure as it came."""

    tag: int
    fields: tuple[Any, ...]


def pack(value: Any) -> bytes:
    """A value; integers and sizes in the shortest form."""
    match value:
        case None:
            return b"\xc0"
        case bool():
            return b"\xc3" if value else b"\xc2"
        case int():
            return _pack_integer(value)
        case float():
            return b"\xc1" + struct.pack(">d", value)
        case str():
            data = value.encode()
            return _head(len(data), 0x80, 0xD0) + data
        case bytes():
            return _head(len(value), None, 0xCC) + value
        case list() | tuple():
            return _head(len(value), 0x90, 0xD4) + b"".join(map(pack, value))
        case dict():
            parts = [pack(key) + pack(item) for key, item in value.items()]
            return _head(len(value), 0xA0, 0xD8) + b"".join(parts)
        case Structure():
            head = bytes((0xB0 + len(value.fields), value.tag))
            return head + b"".join(map(pack, value.fields))
    raise TypeError(f"cannot pack {value!r}")


def _pack_integer(value: int) -> bytes:
    if -16 <= value < 128:
        return struct.pack(">b", value)
    for marker, code, bits in ((0xC8, "b", 8), (0xC9, "h", 16), (0xCA, "i", 32), (0xCB, "q", 64)):
        if -(1 << bits - 1) <= value < 1 << bits - 1:
            return bytes((marker,)) + struct.pack(">" + code, value)
    raise OverflowError(value)


def _head(size: int, tiny: int | None, first: int) -> bytes:
    if tiny is not None and size < 16:
        return bytes((tiny + size,))
    for step, code in enumerate("BHI"):
        if size < 1 << 8 * (1 << step):
            return bytes((first + step,)) + struct.pack(">" + code, size)
    raise OverflowError(size)


class Unpacker:
    """Reads values one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        part = self.data[self.at : self.at + size]
        assert len(part) == size, "the message is too short"
        self.at += size
        return part

    def value(self) -> Any:
        marker = self.take(1)[0]
        if marker < 0x80 or marker >= 0xF0:
            return marker if marker < 0x80 else marker - 256
        match marker >> 4:
            case 0x8:
                return self.take(marker & 15).decode()
            case 0x9:
                return [self.value() for _ in range(marker & 15)]
            case 0xA:
                return {self.value(): self.value() for _ in range(marker & 15)}
            case 0xB:
                tag = self.take(1)[0]
                return Structure(tag, tuple(self.value() for _ in range(marker & 15)))
        if marker in (0xC0, 0xC2, 0xC3):
            return {0xC0: None, 0xC2: False, 0xC3: True}[marker]
        if marker == 0xC1:
            return struct.unpack(">d", self.take(8))[0]
        if 0xC8 <= marker <= 0xCB:
            return int.from_bytes(self.take(1 << marker - 0xC8), "big", signed=True)
        size = int.from_bytes(self.take(1 << (marker & 3)), "big")
        match marker & 0xFC:
            case 0xCC:
                return self.take(size)
            case 0xD0:
                return self.take(size).decode()
            case 0xD4:
                return [self.value() for _ in range(size)]
            case 0xD8:
                return {self.value(): self.value() for _ in range(size)}
        raise AssertionError(f"{marker:#04x} begins no value")


def unpack(data: bytes) -> Any:
    """One value and nothing behind it."""
    unpacker = Unpacker(data)
    value = unpacker.value()
    assert unpacker.at == len(data), "bytes are left over"
    return value


def message(tag: int, *fields: Any) -> bytes:
    """A request in chunks."""
    data = pack(Structure(tag, fields))
    parts = [data[at : at + 0xFFFF] for at in range(0, len(data), 0xFFFF)]
    return b"".join(struct.pack(">H", len(part)) + part for part in parts) + b"\0\0"


class Bolt:
    """One connection, logged on. ``send`` without ``receive`` pipelines."""

    def __init__(
        self,
        port: int,
        *,
        version: tuple[int, int] = (5, 8),
        timeout: float = 60.0,
        auth: Mapping[str, Any] | None = None,
        logon: bool = True,
        hello: Mapping[str, Any] | None = None,
    ) -> None:
        self.version = version
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb")
        self.socket.sendall(MAGIC + bytes((0, 0, version[1], version[0])) + bytes(12))
        try:
            answer = self.reader.read(4)
        except ConnectionError:
            self.close()
            raise
        if answer != bytes((0, 0, version[1], version[0])):
            self.close()
            raise Lost(f"the server answered {answer.hex()} to {version}")
        if logon:
            try:
                self._logon({"scheme": "none"} if auth is None else auth, hello or {})
            except BaseException:
                self.close()
                raise

    def _logon(self, auth: Mapping[str, Any], hello: Mapping[str, Any]) -> None:
        extra = {"user_agent": "judge/1", **hello}
        if self.version < (5, 1):
            self.hello = self.ask(HELLO, {**extra, **auth})
            return
        self.send(HELLO, extra)
        self.send(LOGON, dict(auth))
        self.hello = self.success()
        self.success()

    def send(self, tag: int, *fields: Any) -> None:
        self.socket.sendall(message(tag, *fields))

    def receive(self) -> Structure:
        """The next message."""
        parts: list[bytes] = []
        while True:
            head = self.reader.read(2)
            if len(head) < 2:
                raise Lost("the connection ended")
            size = int.from_bytes(head, "big")
            if size == 0 and parts:
                found = unpack(b"".join(parts))
                assert isinstance(found, Structure)
                return found
            if size:
                parts.append(self.reader.read(size))

    def success(self) -> dict[str, Any]:
        """The next message, which must be SUCCESS."""
        answer = self.receive()
        if answer.tag == FAILURE:
            raise Failed(answer.fields[0])
        assert answer.tag == SUCCESS, answer
        metadata: dict[str, Any] = answer.fields[0]
        return metadata

    def ask(self, tag: int, *fields: Any) -> dict[str, Any]:
        self.send(tag, *fields)
        return self.success()

    def rows(self) -> tuple[list[list[Any]], dict[str, Any]]:
        """Records up to the next SUCCESS."""
        found: list[list[Any]] = []
        while True:
            answer = self.receive()
            if answer.tag == FAILURE:
                raise Failed(answer.fields[0])
            if answer.tag == SUCCESS:
                return found, answer.fields[0]
            assert answer.tag == RECORD, answer
            found.append(answer.fields[0])

    def run(
        self, text: str, parameters: Mapping[str, Any] | None = None, **extra: Any
    ) -> tuple[list[str], list[list[Any]], dict[str, Any]]:
        """A statement whole: columns, rows, what the last SUCCESS says. Resets after a failure."""
        self.socket.sendall(
            message(RUN, text, dict(parameters or {}), extra) + message(PULL, {"n": -1})
        )
        try:
            columns: list[str] = self.success()["fields"]
        except Failed:
            assert self.receive().tag == IGNORED
            self.ask(RESET)
            raise
        try:
            rows, metadata = self.rows()
        except Failed:
            self.ask(RESET)
            raise
        return columns, rows, metadata

    def close(self) -> None:
        self.reader.close()
        self.socket.close()
