"""What can go wrong, as types: catch ``EverwhenError`` for everything, a class for one thing.

The server names every error with a code (``Neo.ClientError.Statement.SyntaxError``); the classes
below are chosen by it. ``retryable`` is the server's word on whether the same request may succeed
when it is sent again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a statement: ``offset`` from 0, line and column from 1."""

    offset: int
    line: int
    column: int


class EverwhenError(Exception):
    """Root of what this package raises."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        hint: str | None = None,
        position: Position | None = None,
        status: int = 0,
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.position = position
        #: of the HTTP answer; 0 if there was none
        self.status = status
        self.retryable = retryable

    def caret(self, statement: str) -> str:
        """The line of the statement that is wrong with a caret below it, or an empty text."""
        if self.position is None:
            return ""
        lines = statement.splitlines() or [""]
        at = min(self.position.line, len(lines)) - 1
        return f"{lines[at]}\n{' ' * (self.position.column - 1)}^"


class ConnectionFailed(EverwhenError):
    """No server could be reached (``sent`` is false: nothing happened), or no whole answer came."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message, retryable=True)
        self.sent = sent


class OutcomeUnknown(EverwhenError):
    """The connection was lost while a commit was under way: it may have happened or not."""


class RowsLost(EverwhenError):
    """A repeated request found its first attempt committed; that attempt's rows are gone."""


class ProtocolError(EverwhenError):
    """The other side is no Everwhen server, or speaks differently."""


class ClientMisuse(EverwhenError):
    """This package was called wrongly: a closed client, a value it cannot send."""


class ServerError(EverwhenError):
    """The server answered with an error that has no class of its own."""


class StatementError(ServerError):
    """The statement is wrong or failed; sending it again unchanged fails again."""


class QuerySyntaxError(StatementError):
    """The statement does not parse or means nothing."""


class ConstraintViolation(StatementError):
    """The commit would break a constraint."""


class AuthenticationFailed(ServerError):
    """Wrong or missing credentials."""


class ChangesGone(ServerError):
    """Changes asked for are older than what is kept, or belong to another history."""


class TransactionEnded(ServerError):
    """The transaction was committed, rolled back, timed out, or never was."""


class TransactionTimedOut(ServerError):
    """Ran longer than its deadline."""


class TransientError(ServerError):
    """The same request may succeed if sent again."""


class TransactionConflict(TransientError):
    """Another transaction came first; run this one again (``execute_write`` does)."""


#: by prefix of the code, the longest that fits
_CLASSES: Final[dict[str, type[EverwhenError]]] = {
    "Neo.ClientError.Statement": StatementError,
    "Neo.ClientError.Procedure": StatementError,
    "Neo.ClientError.Statement.SyntaxError": QuerySyntaxError,
    "Neo.ClientError.Schema": StatementError,
    "Neo.ClientError.Schema.ConstraintValidationFailed": ConstraintViolation,
    "Neo.ClientError.ChangeDataCapture": ChangesGone,
    "Neo.ClientError.Security": AuthenticationFailed,
    "Neo.ClientError.Transaction.TransactionNotFound": TransactionEnded,
    "Neo.ClientError.Transaction.TransactionTimedOut": TransactionTimedOut,
    "Neo.TransientError": TransientError,
    "Neo.TransientError.Transaction.Outdated": TransactionConflict,
    "Neo.TransientError.Transaction.DeadlockDetected": TransactionConflict,
    "Neo.TransientError.Transaction.LockAcquisitionTimeout": TransactionConflict,
    "Neo.TransientError.Transaction.Terminated": OutcomeUnknown,
    "Neo.ClientError.Cluster.NotALeader": TransientError,
}


def error_from(said: Mapping[str, Any], status: int) -> EverwhenError:
    """The error that one item of an answer's ``errors`` describes."""
    code = str(said.get("code", ""))
    found: type[EverwhenError] = ServerError
    prefix = code
    while prefix:
        if prefix in _CLASSES:
            found = _CLASSES[prefix]
            break
        prefix = prefix.rpartition(".")[0]
    place = said.get("position")
    position = None
    if isinstance(place, Mapping):
        position = Position(place["offset"], place["line"], place["column"])
    transient = code.startswith("Neo.TransientError.")
    return found(
        str(said.get("message", "")),
        code=code,
        hint=said.get("hint"),
        position=position,
        status=status,
        retryable=bool(said.get("retryable", transient)),
    )
