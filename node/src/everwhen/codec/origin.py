"""Who and what a commit came from: part of every commit command and of every journal record."""

from __future__ import annotations

import msgspec


class Origin(msgspec.Struct, frozen=True, array_like=True):
    """Who and what a commit came from; made before it is proposed, kept for ever (audit)."""

    principal: str
    client: str
    tag: str
    metadata: dict[str, str]
    statement_hash: bytes
    salt: bytes
    #: request id: a client's own id and its running number; ("", 0) asks for no deduplication
    request_client: str = ""
    request_sequence: int = 0
