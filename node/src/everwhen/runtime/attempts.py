"""Statements on their way from the service to a transaction: the calls that run in a worker
thread, or at once on the event loop where that is known to be short."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from everwhen.limits import WRITE_AT_ONCE_SECONDS
from everwhen.query.compile import CachedPlan, Compiled
from everwhen.runtime.cursor import Cursor
from everwhen.runtime.database import Database
from everwhen.runtime.requests import Caller, TransactionOptions
from everwhen.runtime.transaction import OpenTransaction
from everwhen.txn.commands import Command

Tried = tuple[OpenTransaction, Cursor, Command | None]
"""A statement that ran, and what is to be proposed for it."""


def expected_long(plan: CachedPlan) -> bool:
    """Whether this run of it is better done in a thread; counts the runs."""
    if plan.long_runs == 0:
        return False
    plan.long_runs -= 1
    return True


def execute(
    transaction: OpenTransaction, text: str, parameters: Mapping[str, Any], unread: list[Cursor]
) -> Cursor:
    """Runs in a worker thread: a statement, and before it what it must not change."""
    if unread and not transaction.only_reads(text, parameters):
        for cursor in unread:
            cursor.run_to_end()
    return transaction.execute(text, parameters)


def attempt(
    database: Database,
    version: int,
    options: TransactionOptions,
    caller: Caller,
    text: str,
    parameters: Mapping[str, Any],
    *,
    known: Compiled | None = None,
) -> Tried:
    """The statement, up to the command to propose; in a worker thread, or if its plan is
    ``known`` at once on the event loop, where it ends with ``TakesLong`` before anything would
    have to wait."""
    transaction = database.begin(version, options, caller, writes_first=known is not None)
    if known is not None:
        transaction.deadline.at_once(WRITE_AT_ONCE_SECONDS)
    try:
        cursor = transaction.execute(text, parameters, known)
        command = transaction.prepare_commit() if cursor.writes else None
    except BaseException:
        transaction.rollback()
        raise
    transaction.deadline.in_thread()
    return transaction, cursor, command
