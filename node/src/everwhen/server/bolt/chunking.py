"""Messages in chunks: two bytes of length before each, a chunk of length 0 behind the last.

A chunk of length 0 where no message has begun says "I am still here" and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Final

from everwhen.errors import RequestTooLarge

CHUNK_BYTES_MAX: Final = 0xFFFF
NOOP: Final = b"\x00\x00"
_LENGTH: Final = Struct(">H").pack


def frame(message: bytes) -> bytes:
    """A message as chunks."""
    size = len(message)
    if size <= CHUNK_BYTES_MAX:
        return _LENGTH(size) + message + NOOP
    parts: list[bytes] = []
    for start in range(0, size, CHUNK_BYTES_MAX):
        part = message[start : start + CHUNK_BYTES_MAX]
        parts += (_LENGTH(len(part)), part)
    return b"".join((*parts, NOOP))


def frames(messages: Iterable[bytes]) -> bytes:
    """Many messages, one after the other."""
    return b"".join(
        [_LENGTH(len(m)) + m + NOOP if len(m) <= CHUNK_BYTES_MAX else frame(m) for m in messages]
    )


class Dechunker:
    """Takes bytes as they come and gives whole messages."""

    def __init__(self, message_bytes_max: int) -> None:
        self.message_bytes_max = message_bytes_max
        self._received = bytearray()
        self._message = bytearray()

    @property
    def pending(self) -> int:
        """Bytes kept for a message that is not whole yet."""
        return len(self._received) + len(self._message)

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are whole now.

        :raises RequestTooLarge: a message above its limit; nothing after it is read.
        """
        received = self._received
        received += data
        found: list[bytes] = []
        at, end = 0, len(received)
        while end - at >= 2:
            size = received[at] << 8 | received[at + 1]
            if size == 0:
                at += 2
                if self._message:
                    found.append(bytes(self._message))
                    self._message = bytearray()
                continue
            if len(self._message) + size > self.message_bytes_max:
                raise RequestTooLarge(
                    f"a message is larger than {self.message_bytes_max:,} bytes",
                    hint="send less at a time, or raise bolt.message_bytes_max",
                )
            if end - at - 2 < size:
                break
            self._message += received[at + 2 : at + 2 + size]
            at += 2 + size
        if at:
            del received[:at]
        return found
