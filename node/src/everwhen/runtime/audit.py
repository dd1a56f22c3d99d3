"""The audit of one database, for its statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from everwhen.model.audit import Asked, AuditLine, Finding
from everwhen.mvcc.audit import Auditor
from everwhen.mvcc.audit_lines import lines
from everwhen.mvcc.state import RecordState
from everwhen.ports import Random

#: bytes of the key of a verification's sums
_SECRET_BYTES = 16


class RecordAudit:
    """``model.audit.Audit``; ``tick`` raises when the statement must stop."""

    def __init__(self, state: RecordState, random: Random, tick: Callable[[], None]) -> None:
        self._state = state
        self._random = random
        self._tick = tick

    def lines(self, asked: Asked, version: int) -> Iterator[AuditLine]:
        return lines(self._state.store, asked, version)

    def verify(self, first: int, last: int) -> Iterator[Finding]:
        auditor = Auditor(self._state, self._random.bytes(_SECRET_BYTES), self._tick)
        return auditor.run(first, last)
