"""What consensus asks of the record's state."""

from __future__ import annotations

from typing import Protocol

from everwhen.mvcc.state import RecordState


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
