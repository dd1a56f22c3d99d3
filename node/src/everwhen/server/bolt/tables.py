"""The answer to ROUTE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from everwhen.server.bolt import summary

Table = Sequence[tuple[str, Sequence[str]]]
"""Role -> addresses."""


class Tables:
    """The answers of one connection.

    Drivers keep tables by the name of the database. With all of them under it, those in Python look
    up the home database at the address they began with and nowhere else, and fail while that is
    down, although they know other routers. A table without a name is one that they then use; one with
    it spares later sessions the question. So who asks without a name is given them in turns.
    """

    def __init__(self) -> None:
        self._named = True

    def answer(self, asked: object, seconds: int, table: Table) -> dict[str, Any]:
        """``asked``: the database asked for, None for whichever is at home."""
        servers = [{"role": role, "addresses": list(addresses)} for role, addresses in table]
        made: dict[str, Any] = {"ttl": seconds, "servers": servers}
        if asked is None and any(len(addresses) > 1 for _, addresses in table):
            self._named = not self._named
            if not self._named:
                return made
        made["db"] = summary.DATABASE
        return made
