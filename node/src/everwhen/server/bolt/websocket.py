"""WebSocket on the same port (RFC 6455): what drivers in browsers speak. Bytes in, bytes out.

Bolt's bytes travel as binary frames; where frames begin and end means nothing to Bolt.
"""

from __future__ import annotations

import base64
import hashlib
from struct import Struct
from typing import Final

#: what a request to upgrade begins with, where Bolt begins with its magic
START: Final = b"GET "
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_HEADER_BYTES_MAX: Final = 8_192
_U16: Final = Struct(">BBH").pack
_U64: Final = Struct(">BBQ").pack
_CONTROL_BYTES_MAX: Final = 125
_CONTINUATION, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x2, 0x8, 0x9, 0xA


class WebSocketError(Exception):
    """The peer breaks the protocol; ``reply`` is the last thing to send."""

    def __init__(self, message: str, reply: bytes = b"") -> None:
        super().__init__(message)
        self.reply = reply


class WebSocket:
    """The server's side of one connection."""

    def __init__(self, *, local_origins_only: bool) -> None:
        self._local_only = local_origins_only
        self._buffer = bytearray()
        self.open = False
        #: the peer said it is done
        self.closed = False
        self._left = 0
        self._mask = b""

    def receive(self, data: bytes) -> tuple[bytes, bytes]:
        """(payload, what to send back).

        :raises WebSocketError: not a WebSocket; to be closed.
        """
        self._buffer += data
        reply = b""
        if not self.open:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > _HEADER_BYTES_MAX:
                    raise WebSocketError("headers too long", _refusal("431 Too Long"))
                return b"", b""
            reply = self._upgrade(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
            self.open = True
        payload = bytearray()
        answers = bytearray(reply)
        while not self.closed and self._frame(payload, answers):
            pass
        return bytes(payload), bytes(answers)

    def send(self, data: bytes) -> bytes:
        """A binary frame."""
        return _frame(_BINARY, data)

    def _upgrade(self, head: bytes) -> bytes:
        lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:])
        }
        key = headers.get("sec-websocket-key", "")
        if "websocket" not in headers.get("upgrade", "").lower() or not key:
            raise WebSocketError("no upgrade", _refusal("426 Upgrade Required"))
        if headers.get("sec-websocket-version") != "13":
            raise WebSocketError("version", _refusal("426 Upgrade Required"))
        if self._local_only and not _is_local(headers.get("origin", "")):
            raise WebSocketError("origin", _refusal("403 Forbidden"))
        digest = hashlib.sha1(key.encode("latin-1") + _GUID).digest()  # noqa: S324 - RFC 6455
        return (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )

    def _frame(self, payload: bytearray, answers: bytearray) -> bool:
        """Takes a frame, or as much of its payload as is there; False if nothing can be done."""
        buffer = self._buffer
        if self._left:
            if not buffer:
                return False
            part = bytes(buffer[: self._left])
            del buffer[: len(part)]
            payload += _unmasked(part, self._mask)
            turn = len(part) % 4
            self._mask = self._mask[turn:] + self._mask[:turn]
            self._left -= len(part)
            return True
        head = self._head()
        if head is None:
            return False
        opcode, size, at = head
        mask = bytes(buffer[at - 4 : at])
        if opcode in (_CONTINUATION, _BINARY):
            del buffer[:at]
            self._left, self._mask = size, mask
            return True
        if len(buffer) < at + size:
            return False
        content = _unmasked(bytes(buffer[at : at + size]), mask)
        del buffer[: at + size]
        if opcode == _PING:
            answers += _frame(_PONG, content)
        elif opcode == _CLOSE:
            answers += _frame(_CLOSE, content[:2])
            self.closed = True
        return True

    def _head(self) -> tuple[int, int, int] | None:
        """Opcode, size of the payload and where it begins; None while the head is not whole."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        opcode, size = buffer[0] & 0x0F, buffer[1] & 0x7F
        if buffer[0] & 0x70 or not buffer[1] & 0x80:
            raise WebSocketError("reserved bits, or no mask", _closing(1002))
        if opcode not in (_CONTINUATION, _BINARY, _CLOSE, _PING, _PONG):
            raise WebSocketError("only binary frames", _closing(1003))
        if opcode >= _CLOSE and (size > _CONTROL_BYTES_MAX or not buffer[0] & 0x80):
            raise WebSocketError("a control frame is too long or in parts", _closing(1002))
        extra = {126: 2, 127: 8}.get(size, 0)
        if len(buffer) < 2 + extra + 4:
            return None
        if extra:
            size = int.from_bytes(buffer[2 : 2 + extra], "big")
        return opcode, size, 2 + extra + 4


def _unmasked(data: bytes, mask: bytes) -> bytes:
    size = len(data)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")


def _frame(opcode: int, data: bytes) -> bytes:
    size = len(data)
    if size < 126:
        return bytes((0x80 | opcode, size)) + data
    head = _U16(0x80 | opcode, 126, size) if size < 65_536 else _U64(0x80 | opcode, 127, size)
    return head + data


def _closing(code: int) -> bytes:
    return _frame(_CLOSE, code.to_bytes(2, "big"))


def _refusal(status: str) -> bytes:
    text = b"This port speaks Bolt: neo4j:// or bolt:// with a driver, or WebSocket.\n"
    return (
        f"HTTP/1.1 {status}\r\nConnection: close\r\nUpgrade: websocket\r\n"
        f"Content-Type: text/plain\r\nContent-Length: {len(text)}\r\n\r\n"
    ).encode() + text


def _is_local(origin: str) -> bool:
    """Whether a page of this machine asks; programs that are no browsers send no origin."""
    if not origin:
        return True
    host = origin.partition("://")[2]
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return name in ("localhost", "127.0.0.1", "[::1]")
