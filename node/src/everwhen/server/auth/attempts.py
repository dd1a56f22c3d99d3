"""How often somebody was wrong: wrong passwords from one address for one user, bounded.

Attempts of one user and address take turns, so that many at once are no way around the bound.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

from everwhen.errors import AuthenticationRateLimit
from everwhen.limits import AUTH_ATTEMPTS_KEPT
from everwhen.ports import Clock


@dataclass(slots=True)
class Attempts:
    """Of one user and address."""

    failures: int = 0
    #: no further attempt before this moment, if there were too many failures
    until: float = 0.0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Ledger:
    """Attempts by user and address; the ones longest ago are forgotten first."""

    def __init__(self, clock: Clock, failures_max: int, lock_seconds: float) -> None:
        self._clock = clock
        self._failures_max = failures_max
        self._lock_seconds = lock_seconds
        self._kept: OrderedDict[tuple[str, str], Attempts] = OrderedDict()

    def of(self, name: str, remote: str) -> Attempts:
        """What is known of a user and address."""
        key = (name, remote)
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = Attempts()
            while len(self._kept) > AUTH_ATTEMPTS_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return found

    def check(self, attempts: Attempts) -> None:
        """:raises AuthenticationRateLimit: it is too early for the next one."""
        if not self._failures_max or attempts.failures < self._failures_max:
            return
        left = attempts.until - self._clock.monotonic()
        if left > 0:
            raise AuthenticationRateLimit(
                "The client has provided incorrect authentication details too many times in a row.",
                hint=f"wait {left:.1f} seconds",
            )

    def failed(self, attempts: Attempts) -> None:
        """One more was wrong. Once there were too many, one attempt is allowed per lock time."""
        attempts.failures += 1
        attempts.until = self._clock.monotonic() + self._lock_seconds

    def succeeded(self, attempts: Attempts) -> None:
        """All is forgiven."""
        attempts.failures = 0
