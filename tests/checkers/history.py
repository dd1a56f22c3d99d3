"""What a history is made of: operations with a beginning, an end and a known or unknown outcome."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """What a client knows when its request is over."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Operation:
    """One request or transaction of one client. Times are of one clock, shared by all clients."""

    client: int
    start: float
    kind: str
    arguments: dict[str, Any] = field(default_factory=dict)
    end: float = math.inf
    outcome: Outcome = Outcome.UNKNOWN
    result: Any = None
    error: str = ""

    @property
    def happened(self) -> bool:
        """Whether it may have had an effect."""
        return self.outcome is not Outcome.FAILED

    @property
    def ok(self) -> bool:
        """Whether it was acknowledged."""
        return self.outcome is Outcome.OK


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing no correct database could have answered."""

    anomaly: str
    text: str

    def __str__(self) -> str:
        return f"{self.anomaly}: {self.text}"


def of_kind(history: Iterable[Operation], *kinds: str) -> list[Operation]:
    """The operations of some kinds, by start."""
    return sorted((each for each in history if each.kind in kinds), key=lambda each: each.start)
