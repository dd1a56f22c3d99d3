"""Heads of requests as clients usually send them for ``POST /db/neo4j/query/v2``.

A client sends the same head over and over, so what was read in one is kept by its bytes. Whatever
is not of the usual shape is not judged here: it is the HTTP library's (``front``). Nothing is
accepted that the library would read differently: no repeated header, no folded line, nothing that
says how the body is sent other than its length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from multidict import CIMultiDict

from everwhen.errors import RequestInvalid
from everwhen.limits import HTTP_HEAD_BYTES_MAX, HTTP_HEADS_KEPT
from everwhen.server.http.media import Form, NotAcceptable, answer_form, request_is_typed

END: Final = b"\r\n\r\n"
PATH: Final = "/db/neo4j/query/v2"
_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_HEAD: Final = re.compile(
    # one way to read each byte: anybody may send a head, and one that fits nearly would take years
    rb"POST /db/neo4j/query/v2 HTTP/1\.1((?:\r\n" + _TOKEN + rb":[\t\x20-\x7e]*)+)"
)
_LENGTH: Final = re.compile(rb"\r\nContent-Length: ?([0-9]{1,9})(?=\r|$)", re.IGNORECASE)
#: headers that change how the request is read, or what is done with the connection
_UNUSUAL: Final = frozenset(
    {"transfer-encoding", "content-encoding", "expect", "upgrade", "trailer", "te"}
)
#: forms of an answer that are one JSON object
_FORMS: Final = (Form.PLAIN, Form.TYPED)


@dataclass(slots=True)
class Head:
    """A request without its body; also what doors ask of a request (``media.Asked``)."""

    headers: CIMultiDict[str]
    content_type: str
    form: Form = Form.PLAIN
    is_typed: bool = False
    remote: str | None = None
    path: str = PATH


class Heads:
    """The heads of one connection."""

    def __init__(self, remote: str | None) -> None:
        self._remote = remote
        self._known: dict[bytes, Head] = {}

    def read(self, data: bytes) -> tuple[Head, int] | None:
        """The head in these bytes (without the empty line) and the length of the body; None if it
        is not of the usual shape."""
        found = _LENGTH.search(data)
        if found is None:
            return None
        rest = data[: found.start(1)] + data[found.end(1) :]
        head = self._known.get(rest)
        if head is None:
            head = parse(rest, self._remote)
            if head is None:
                return None
            if len(self._known) >= HTTP_HEADS_KEPT:
                self._known.clear()
            self._known[rest] = head
        return head, int(found[1])


def parse(data: bytes, remote: str | None) -> Head | None:
    """A head whose Content-Length was taken out; see ``Heads.read``."""
    found = _HEAD.fullmatch(data) if len(data) <= HTTP_HEAD_BYTES_MAX else None
    if found is None:
        return None
    headers: CIMultiDict[str] = CIMultiDict()
    for line in found[1].decode("ascii").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        if name in headers or name.lower() in _UNUSUAL:
            return None
        headers[name] = value.strip(" \t")
    alive = headers.get("Connection", "keep-alive").lower() == "keep-alive"
    if "Host" not in headers or not alive or headers.get("Content-Length") != "":
        return None
    media = headers.get("Content-Type", "application/octet-stream").partition(";")[0]
    head = Head(headers, media.strip().lower(), remote=remote)
    try:
        head.form, head.is_typed = answer_form(head), request_is_typed(head)
    except (NotAcceptable, RequestInvalid):
        return None
    return head if head.form in _FORMS else None
