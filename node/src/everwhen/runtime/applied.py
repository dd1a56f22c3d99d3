"""What consensus asks of the record: to take entries, and how far it has come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from everwhen.errors import EverwhenError
from everwhen.mvcc.state import RecordState
from everwhen.txn import commands as c

Replies = list[c.Reply | EverwhenError]
Raw = tuple[int, int, bytes]
"""Index, term, payload of an entry."""


class Applier(Protocol):
    """What is asked of ``apply.machine``."""

    def apply_batch(self, entries: Sequence[Raw]) -> Replies: ...


class Applied(Protocol):
    """How far the record has come."""

    @property
    def version(self) -> int:
        """Of the newest commit."""

    @property
    def closed_time(self) -> int:
        """No commit can be stamped at or before it any more, microseconds."""


class AppliedState:
    """:class:`Applied`, of a record that is there."""

    def __init__(self, state: RecordState) -> None:
        self._state = state

    @property
    def version(self) -> int:
        return self._state.current.head.version

    @property
    def closed_time(self) -> int:
        head = self._state.current.head
        return max(head.closed_time, head.time)
