"""A transaction that is known to write nothing: the snapshot itself, without anything on top."""

from __future__ import annotations

from typing import Final

from everwhen.mvcc.graph import GraphSnapshot


class Reading:
    """What a :class:`~everwhen.txn.transaction.Transaction` is to those who only read."""

    __slots__ = ("snapshot",)

    read_only: Final = True
    has_writes: Final = False
    bytes_estimated: Final = 0

    def __init__(self, snapshot: GraphSnapshot) -> None:
        self.snapshot = snapshot

    @property
    def version(self) -> int:
        """The committed version it shows."""
        return self.snapshot.version

    def close(self) -> None:
        """Nothing was written, so there is nothing to let go of."""
