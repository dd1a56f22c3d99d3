"""What a door asks for: options of a transaction, and who asks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final

from everwhen.errors import RequestInvalid
from everwhen.limits import STALENESS_S_DEFAULT
from everwhen.txn.transaction import Isolation


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, for the audit record and for what they may do."""

    principal: str = ""
    client: str = ""
    tag: str = ""
    #: may do nothing but change the password
    must_change_password: bool = False


def staleness_of(consistency: object, limit: object) -> float:
    """The staleness that the words ``consistency`` and ``max_staleness`` (seconds) ask for.

    :raises RequestInvalid: a word or a number that makes no sense.
    """
    if consistency in (None, "linearizable", "bookmark"):
        return 0.0
    if consistency == "stale":
        return math.inf
    if consistency != "bounded":
        raise RequestInvalid("consistency must be linearizable, bookmark, bounded or stale")
    if limit is None:
        return STALENESS_S_DEFAULT
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not limit > 0:
        raise RequestInvalid("the greatest staleness must be a number of seconds above 0")
    return float(limit)


#: why a statement stops for which nobody waits any more
CLIENT_GONE: Final = "the connection is gone"


@dataclass(slots=True)
class Stop:
    """Lets whoever holds it stop the transactions it was given to."""

    #: why they must stop, set from any thread
    asked: str | None = None

    def client_gone(self) -> None:
        """Nobody waits for them any more."""
        self.asked = CLIENT_GONE


@dataclass(slots=True)
class TransactionOptions:
    """How a transaction is to run; made anew for each (a frozen one takes three times as long).

    ``at`` pins it to a past moment: ``("time", µs)`` or ``("version", n)``; it is then read-only.
    ``own_time`` dates the commit (historical load). ``request_id`` (client, sequence) makes a
    repeated commit have one effect. ``timeout`` in seconds, None: the server's default.
    """

    isolation: Isolation = Isolation.SNAPSHOT
    read_only: bool = False
    at: tuple[str, int] | None = None
    own_time: int | None = None
    request_id: tuple[str, int] = ("", 0)
    timeout: float | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    #: read at least this version (bookmarks); 0: linearizable
    after_version: int = 0
    #: seconds that what is read may be behind; infinite: whatever this node has
    staleness: float = 0.0
    #: CALL { } IN TRANSACTIONS is allowed in auto-commit transactions only
    auto_commit: bool = False
    stop: Stop | None = field(default=None, compare=False)
