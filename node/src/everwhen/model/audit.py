"""What the audit answers: lines of who did what, and findings of a verification."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, Protocol

PROBLEM: Final = "problem"
ERASED: Final = "erased"
VERIFIED: Final = "verified"
UNDER_WAY: Final = "under way"


class Finding(NamedTuple):
    """One line of a verification, about the commits from ``first`` to ``last``."""

    #: PROBLEM, ERASED (chained, but its content is gone), UNDER_WAY (an erasure takes things away,
    #: which are passed over) or VERIFIED (the sum at the end)
    event: str
    first: int
    last: int
    detail: str


class AuditLine(NamedTuple):
    """One commit."""

    version: int
    #: µs since 1970 UTC
    time: int
    principal: str
    client: str
    tag: str
    metadata: Mapping[str, str]
    #: hexadecimal
    statement_hash: str
    #: the statements in order; None where they were not kept or are erased
    statements: list[str] | None
    #: "nodesCreated", ... -> number
    counts: Mapping[str, int]
    #: the chain hash, hexadecimal
    chain: str


class Asked(NamedTuple):
    """Which lines; None is no bound."""

    #: µs since 1970 UTC, both ends included
    since: int | None = None
    until: int | None = None
    principal: str | None = None
    client: str | None = None
    tag: str | None = None
    statement_hash: str | None = None
    first: int | None = None
    last: int | None = None


class Audit(Protocol):
    """The audit as execution asks for it."""

    def lines(self, asked: Asked, version: int) -> Iterator[AuditLine]:
        """Commits up to a version, oldest first."""

    def verify(self, first: int, last: int) -> Iterator[Finding]:
        """Problems of the commits in a range, then what is erased or being erased, then the
        sum."""
