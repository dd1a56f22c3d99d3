"""What execution asks of the runtime (``exec.context.Environment``), for one transaction."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from everwhen.errors import (
    ExternalResourceFailed,
    QueryCancelled,
    SnapshotExpired,
    TransactionTimedOut,
)
from everwhen.exec.context import Administration
from everwhen.ports import Clock
from everwhen.runtime.audit import RecordAudit
from everwhen.runtime.requests import CLIENT_GONE, Stop

if TYPE_CHECKING:
    from everwhen.runtime.database import Database
    from everwhen.runtime.transaction import OpenTransaction

csv.field_size_limit(64 << 20)


class TakesLong(Exception):
    """A statement that was tried on the event loop needs more than a moment, or must wait."""


class MustWait(TakesLong):
    """It only waits for something that the next run will find there."""


def expired_snapshot(why: str) -> SnapshotExpired:
    """What a transaction is told that reads what is gone."""
    return SnapshotExpired(why, hint="run the transaction again")


class Deadline:
    """When a transaction must end, and whether somebody asked it to."""

    __slots__ = ("_at_once_until", "_clock", "_ends", "_stop", "_timeout", "cancelled", "expired")

    def __init__(self, clock: Clock, timeout: float | None, stop: Stop | None = None) -> None:
        self._clock = clock
        self._timeout = timeout
        self._ends = None if not timeout else clock.monotonic() + timeout
        #: why it must stop, set from any thread
        self.cancelled: str | None = None
        #: what it reads was vacuumed; set from any thread
        self.expired: str | None = None
        self._stop = stop
        self._at_once_until: float | None = None

    def at_once(self, seconds: float) -> None:
        """The statement runs on the event loop from now on: it may not wait, and not work for
        longer than so many seconds and a stretch between two checkpoints."""
        self._at_once_until = self._clock.monotonic() + seconds

    def in_thread(self) -> None:
        """The statement runs in a thread from now on."""
        self._at_once_until = None

    def need_thread(self) -> None:
        """:raises TakesLong: what comes must not happen on the event loop, where this runs."""
        if self._at_once_until is not None:
            raise TakesLong

    def need_ids(self) -> None:
        """:raises MustWait: ids must be leased, which must not happen on the event loop."""
        if self._at_once_until is not None:
            raise MustWait

    def check_at_once(self) -> None:
        """:raises TakesLong: it has worked for long enough on the event loop."""
        if self._at_once_until is not None and self._clock.monotonic() >= self._at_once_until:
            raise TakesLong

    def client_gone(self) -> None:
        """Nobody waits for it any more."""
        self.cancelled = CLIENT_GONE

    def check_wanted(self) -> None:
        """:raises SnapshotExpired: what it reads is gone. :raises QueryCancelled: somebody asked."""
        if self.expired is not None:
            raise expired_snapshot(self.expired)
        if self.cancelled is not None:
            raise QueryCancelled(self.cancelled)

    def check(self) -> None:
        """Raises if it is over.

        :raises QueryCancelled: somebody asked.
        :raises TransactionTimedOut: its time is up.
        """
        self.check_wanted()
        if self._stop is not None and self._stop.asked is not None:
            raise QueryCancelled(self._stop.asked)
        if self._ends is not None and self._clock.monotonic() > self._ends:
            raise TransactionTimedOut(
                f"the transaction ran longer than its {self._timeout:g} s and was rolled back",
                hint="raise the timeout, or make smaller transactions",
            )


class ServerEnvironment:
    """See ``exec.context.Environment``."""

    __slots__ = ("_database", "_deadline", "_transaction")

    def __init__(self, database: Database, transaction: OpenTransaction) -> None:
        self._database = database
        self._transaction = transaction
        self._deadline = transaction.deadline

    def now_micros(self) -> int:
        return self._database.clock.now_micros()

    def random(self) -> float:
        return self._database.random.float()

    def uuid(self) -> str:
        return str(self._database.random.uuid())

    def checkpoint(self) -> None:
        self._deadline.check_at_once()
        self._deadline.check()

    def resolve_time(self, time_micros: int) -> int:
        if not self._database.is_closed(time_micros):
            self._deadline.need_thread()
        return self._database.version_closed_at(time_micros)

    def commit_batch(self) -> None:
        self._transaction.commit_batch()

    def rollback_batch(self) -> None:
        self._transaction.rollback_batch()

    def administration(self) -> Administration:
        self._deadline.need_thread()
        return self._database.administration(self._transaction)

    def audit(self) -> RecordAudit:
        self._deadline.need_thread()
        return RecordAudit(self._database.state, self._database.random, self._deadline.check)

    def await_indexes(self, name: str | None, timeout_seconds: float) -> None:
        self._deadline.need_thread()
        self._database.await_indexes(name, timeout_seconds, self._deadline)

    def open_import_file(self, url: str) -> Iterator[str]:
        """Only ``file:///name`` below the import folder; nothing may lead out of it."""
        self._deadline.need_thread()
        folder = self._database.import_folder
        if folder is None:
            raise ExternalResourceFailed(
                "LOAD CSV is off: this server has no import folder",
                hint="set import_folder (EVERWHEN_IMPORT_FOLDER)",
            )
        parts = urlsplit(url)
        if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
            raise ExternalResourceFailed(
                f"LOAD CSV reads file:/// URLs below the import folder, not {url!r}"
            )
        root = folder.resolve()
        path = (root / unquote(parts.path).lstrip("/")).resolve()
        if not path.is_relative_to(root):
            raise ExternalResourceFailed(f"{url!r} leads out of the import folder")
        return _lines(path, url)


def _lines(path: Path, url: str) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from file
    except OSError as error:
        raise ExternalResourceFailed(f"cannot read {url!r}: {error.strerror}") from error
