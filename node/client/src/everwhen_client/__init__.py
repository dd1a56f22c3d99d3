"""Client of Everwhen over HTTP.

``Client`` is synchronous, ``AsyncClient`` asynchronous; both run statements, transactions and
streams, read the past (``at=``), and raise ``EverwhenError``. Bulk loads are in ``bulk``.
"""

from __future__ import annotations

from everwhen_client.blocking import Client, Transaction
from everwhen_client.changes import AsyncChanges, Change
from everwhen_client.client import AsyncClient
from everwhen_client.errors import (
    AuthenticationFailed,
    ChangesGone,
    ClientMisuse,
    ConnectionFailed,
    ConstraintViolation,
    EverwhenError,
    OutcomeUnknown,
    Position,
    ProtocolError,
    QuerySyntaxError,
    RowsLost,
    ServerError,
    StatementError,
    TransactionConflict,
    TransactionEnded,
    TransactionTimedOut,
    TransientError,
)
from everwhen_client.requests import At
from everwhen_client.result import Record, Result, Summary
from everwhen_client.transaction import AsyncTransaction
from everwhen_client.values import Duration, Node, Path, Point, Relationship, Temporal

__all__ = [
    "AsyncChanges",
    "AsyncClient",
    "AsyncTransaction",
    "At",
    "AuthenticationFailed",
    "Change",
    "ChangesGone",
    "Client",
    "ClientMisuse",
    "ConnectionFailed",
    "ConstraintViolation",
    "Duration",
    "EverwhenError",
    "Node",
    "OutcomeUnknown",
    "Path",
    "Point",
    "Position",
    "ProtocolError",
    "QuerySyntaxError",
    "Record",
    "Relationship",
    "Result",
    "RowsLost",
    "ServerError",
    "StatementError",
    "Summary",
    "Temporal",
    "Transaction",
    "TransactionConflict",
    "TransactionEnded",
    "TransactionTimedOut",
    "TransientError",
]
