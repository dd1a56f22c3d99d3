"""Answers as bytes of HTTP/1.1, for requests that ``front`` read itself."""

from __future__ import annotations

import time
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from aiohttp import web

LAST_CHUNK: Final = b"0\r\n\r\n"


class _Clock:
    """The Date header, made once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._line = b""

    def line(self) -> bytes:
        """``Date: …`` and the end of the line."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._line = b"Date: " + formatdate(second, usegmt=True).encode() + b"\r\n"
        return self._line


_CLOCK: Final = _Clock()


def answer_head(status: int, media: str, length: int | None) -> bytes:
    """The head of an answer; without a length it comes in chunks."""
    size = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
    return b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\n%b%b\r\n\r\n" % (
        status,
        HTTPStatus(status).phrase.encode(),
        media.encode(),
        _CLOCK.line(),
        size,
    )


def response_bytes(response: web.Response) -> bytes:
    """A whole answer that was made for aiohttp."""
    body = response.body
    assert isinstance(body, bytes)  # how ``answers.json_response`` makes it
    lines = [b"HTTP/1.1 %d %b" % (response.status, HTTPStatus(response.status).phrase.encode())]
    lines += [f"{name}: {value}".encode() for name, value in response.headers.items()]
    date = _CLOCK.line().rstrip()
    return b"\r\n".join([*lines, date, b"Content-Length: %d" % len(body), b"", body])
