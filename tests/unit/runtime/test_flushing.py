"""The log is dropped only up to what the record is known to hold after a power cut (P39)."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from everwhen.mvcc.memory import MemoryStore
from everwhen.runtime.background import Background
from everwhen.runtime.twins.threads import InlineThreads
from everwhen.runtime.twins.time_and_chance import SeededRandom
from tests.unit.apply.harness import Database


class Log:
    """Where it ends, and up to where it was dropped."""

    def __init__(self, last_index: int) -> None:
        self.last_index = last_index
        self.bytes_on_disk = 0
        self.dropped_to = 0

    def compact(self, up_to: int) -> None:
        self.dropped_to = up_to


class Alone:
    """A member whose neighbours need nothing."""

    consensus = None

    def compact_up_to(self, durable: int) -> int:
        return durable


def test_the_log_is_dropped_up_to_what_is_durable() -> None:
    database = Database()
    for _ in range(5):
        transaction = database.begin()
        transaction.create_node(["N"], {})
        database.commit(transaction)
    store = database.store
    assert isinstance(store, MemoryStore)
    applied = database.machine.applied_index
    # decided and durable in the log, not applied yet
    log = Log(applied + 7)

    async def main() -> None:
        threads = InlineThreads(SeededRandom(1), serial=frozenset())
        nothing = cast(Any, None)
        member = cast(Any, Alone())
        background = Background(
            nothing,
            nothing,
            member,
            store,
            log,
            threads,
            nothing,
            60.0,
            60.0,
            nothing,
            nothing,
            nothing,
            nothing,
        )
        await background.flush()

    asyncio.run(main())
    assert log.dropped_to == applied
    kept = store.crash()
    assert list(kept.scan(b"", b"\xff" * 8)) == list(store.scan(b"", b"\xff" * 8))
