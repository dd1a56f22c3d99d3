"""The one error tree: every error a user, a driver or an operator can meet.

Each class declares four facts that the doors and the apply loop rely on:

``code``           the Neo4j status code drivers act on (``Neo.TransientError.*`` is retried by
                   managed transactions, ``Neo.ClientError.*`` is not);
``http_status``    the status the HTTP door answers with;
``retryable``      whether the same request may succeed if sent again;
``deterministic``  whether every replica computes the same error for the same log entry. An apply
                   step may only answer with deterministic errors; any other one is a local fault
                   and must stop the process (toydb's rule, research/style.md 1.2).

Messages say what is wrong, where, and what to do. ``hint`` is the "what to do" part when it is
worth a line of its own; ``position`` points into the query text (see :class:`Position`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from everwhen.limits import ERROR_TEXT_CHARS_MAX


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a query text: ``offset`` counts characters from 0, line and column from 1."""

    offset: int
    line: int
    column: int


class EverwhenError(Exception):
    """Root of the tree; never raised itself."""

    code: ClassVar[str] = "Neo.DatabaseError.General.UnknownError"
    http_status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    deterministic: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        position: Position | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.position = position
        #: machine-readable reason within a class, e.g. the openCypher error detail
        #: ``UndefinedVariable`` of a ``SyntaxError`` (TCK, "error details").
        self.detail = detail

    def __str__(self) -> str:
        message = _shortened(self.message)
        return message if self.hint is None else f"{message} ({_shortened(self.hint)})"


def _shortened(text: str) -> str:
    return text if len(text) <= ERROR_TEXT_CHARS_MAX else text[:ERROR_TEXT_CHARS_MAX] + "…"


# --- what the client sent -----------------------------------------------------------------


class ClientError(EverwhenError):
    """The request is wrong; sending it again unchanged will fail again."""

    code = "Neo.ClientError.General.InvalidArguments"
    http_status = 400
    deterministic = True


class QuerySyntaxError(ClientError):
    """The text does not parse, or breaks a rule that can be checked before running it."""

    code = "Neo.ClientError.Statement.SyntaxError"


class SemanticError(QuerySyntaxError):
    """The text parses but means nothing (undefined variable, wrong use of a clause)."""


class QueryTypeError(ClientError):
    """A value has a type the operation does not take."""

    code = "Neo.ClientError.Statement.TypeError"


class QueryArgumentError(ClientError):
    """A value has the right type but is not acceptable (out of range, malformed)."""

    code = "Neo.ClientError.Statement.ArgumentError"


class RegularExpressionTooSlow(ClientError):
    """A regular expression took too long for a text and was given up (by the clock, so not the same
    everywhere: statements meet it, what is replicated never does)."""

    code = "Neo.ClientError.Statement.ExecutionFailed"
    http_status = 408
    deterministic = False


class ArithmeticFailure(ClientError):
    """Integer overflow, division by zero."""

    code = "Neo.ClientError.Statement.ArithmeticError"


class ParameterMissing(ClientError):
    """The statement uses a parameter that the request does not carry."""

    code = "Neo.ClientError.Statement.ParameterMissing"


class EntityNotFound(ClientError):
    """A node or relationship does not exist (any more) at the version asked for."""

    code = "Neo.ClientError.Statement.EntityNotFound"


class ExternalResourceFailed(ClientError):
    """``LOAD CSV`` could not read its file."""

    code = "Neo.ClientError.Statement.ExternalResourceFailed"


class ProcedureNotFound(ClientError):
    """No procedure of that name."""

    code = "Neo.ClientError.Procedure.ProcedureNotFound"


class ProcedureCallFailed(ClientError):
    """A procedure was called with wrong arguments or failed."""

    code = "Neo.ClientError.Procedure.ProcedureCallFailed"


class NotSupported(ClientError):
    """Understood, but not something this server does; says so instead of pretending."""

    code = "Neo.ClientError.Statement.NotSystemDatabaseError"


class DatabaseNotFound(ClientError):
    """There is one database, ``neo4j``."""

    code = "Neo.ClientError.Database.DatabaseNotFound"
    http_status = 404


class RequestInvalid(ClientError):
    """An HTTP or protocol request that is malformed (bad JSON, wrong media type)."""

    code = "Neo.ClientError.Request.Invalid"


class RequestTooLarge(ClientError):
    """A request, statement or value above its limit; names the limit."""

    code = "Neo.ClientError.Request.Invalid"
    http_status = 413


class Unauthorized(ClientError):
    """Wrong or missing credentials."""

    code = "Neo.ClientError.Security.Unauthorized"
    http_status = 401


class AuthorizationExpired(Unauthorized):
    """The user was changed or dropped since they logged on; drivers log on again."""

    code = "Neo.ClientError.Security.AuthorizationExpired"


class CredentialsExpired(ClientError):
    """The password is right and must be changed before anything else."""

    code = "Neo.ClientError.Security.CredentialsExpired"
    http_status = 403


class AuthenticationRateLimit(ClientError):
    """Too many wrong passwords; wait before the next attempt."""

    code = "Neo.ClientError.Security.AuthenticationRateLimit"
    http_status = 429


class AccessModeViolation(ClientError):
    """A write in a transaction that was opened for reading."""

    code = "Neo.ClientError.Statement.AccessMode"
    http_status = 403


# --- time ---------------------------------------------------------------------------------


class TimeOutOfRange(ClientError):
    """A time later than the clock, before the oldest readable one, or malformed.

    The message names the readable range.
    """

    code = "Neo.ClientError.Statement.ArgumentError"


class FlashbackConflict(ClientError):
    """What a flashback is to undo was changed by a later commit; the message lists it."""

    code = "Neo.ClientError.Statement.ConstraintVerificationFailed"
    http_status = 409


class ChangesGone(ClientError):
    """Changes asked for that are older than what is kept; the message names the oldest position."""

    code = "Neo.ClientError.ChangeDataCapture.InvalidIdentifier"
    http_status = 410


class EntityErased(ClientError):
    """A thing was erased with its whole history; its id never comes back."""

    code = "Neo.ClientError.Statement.EntityNotFound"


class EraseRefused(ClientError):
    """A restore point shows what was to be erased, or a rule says to keep it for ever."""

    code = "Neo.ClientError.Statement.ConstraintVerificationFailed"


class CommitTimeClosed(ClientError):
    """A historical commit at or before a time that is already closed."""

    code = "Neo.ClientError.Transaction.TransactionValidationFailed"
    http_status = 409


# --- schema and constraints ---------------------------------------------------------------


class ConstraintViolation(ClientError):
    """The commit would break a constraint."""

    code = "Neo.ClientError.Schema.ConstraintValidationFailed"
    http_status = 409


class ConstraintAlreadyExists(ClientError):
    """An equal constraint, or one of that name, exists."""

    code = "Neo.ClientError.Schema.ConstraintAlreadyExists"
    http_status = 409


class ConstraintNotFound(ClientError):
    """No constraint of that name."""

    code = "Neo.ClientError.Schema.ConstraintNotFound"
    http_status = 404


class IndexAlreadyExists(ClientError):
    """An equal index, or one of that name, exists."""

    code = "Neo.ClientError.Schema.IndexAlreadyExists"
    http_status = 409


class IndexNotFound(ClientError):
    """No index of that name."""

    code = "Neo.ClientError.Schema.IndexNotFound"
    http_status = 404


class ForbiddenOnConstraintIndex(ClientError):
    """The index belongs to a constraint: drop that instead."""

    code = "Neo.ClientError.Schema.ForbiddenOnConstraintIndex"
    http_status = 409


class DeleteConnectedNode(ConstraintViolation):
    """DELETE of a node that still has relationships; DETACH DELETE removes them too."""

    code = "Neo.ClientError.Schema.ConstraintValidationFailed"


# --- transactions -------------------------------------------------------------------------


class TransactionNotFound(ClientError):
    """No open transaction of that id: it ended, timed out, or never was."""

    code = "Neo.ClientError.Transaction.TransactionNotFound"
    http_status = 404


class TransactionStateError(ClientError):
    """COMMIT without BEGIN, BEGIN inside a transaction, use after an error."""

    code = "Neo.ClientError.Transaction.TransactionMarkedAsFailed"
    http_status = 409


class TransactionTimedOut(ClientError):
    """Ran longer than its deadline, or stayed idle too long; rolled back."""

    code = "Neo.ClientError.Transaction.TransactionTimedOut"
    http_status = 408


class QueryCancelled(ClientError):
    """The client (or RESET, or a closed connection) asked to stop."""

    code = "Neo.ClientError.Transaction.Terminated"
    http_status = 409


class BookmarkInvalid(ClientError):
    """A bookmark that is malformed or belongs to another history."""

    code = "Neo.ClientError.Transaction.InvalidBookmark"


class MemberExists(ClientError):
    """The name belongs to another member."""

    code = "Neo.ClientError.Cluster.MemberExists"
    http_status = 409


class MemberNotFound(ClientError):
    """No member of that id."""

    code = "Neo.ClientError.Cluster.MemberNotFound"
    http_status = 404


class MembershipRefused(ClientError):
    """The change would be unsafe, or another one is under way."""

    code = "Neo.ClientError.Cluster.MembershipRefused"
    http_status = 409


class PreconditionFailed(ClientError):
    """The caller's epoch or configuration index is not the present one."""

    code = "Neo.ClientError.Cluster.PreconditionFailed"
    http_status = 412


class AuditHeadInvalid(ClientError):
    """An exported head that is not one, not signed with this key, or of another cluster."""

    code = "Neo.ClientError.General.AuditHeadInvalid"


class TransientError(EverwhenError):
    """The same request may succeed if sent again; drivers' managed transactions do so."""

    code = "Neo.TransientError.General.DatabaseUnavailable"
    http_status = 503
    retryable = True


class TransactionConflict(TransientError):
    """Another transaction committed first to something this one wrote or depended on."""

    code = "Neo.TransientError.Transaction.Outdated"
    http_status = 409
    deterministic = True


class TransactionTooOld(TransactionConflict):
    """The snapshot is older than the window over which conflicts can be decided."""


class SnapshotExpired(TransientError):
    """The version that a transaction reads was vacuumed after it had been open for too long. The
    message names the horizon; the transaction can be run again on a new snapshot."""

    code = "Neo.TransientError.Transaction.Outdated"
    http_status = 409


class DeadlockDetected(TransientError):
    """Two pessimistic transactions waited for each other; this one was chosen to end."""

    code = "Neo.TransientError.Transaction.DeadlockDetected"
    http_status = 409


class LockTimeout(TransientError):
    """A pessimistic lock was not granted in time."""

    code = "Neo.TransientError.Transaction.LockAcquisitionTimeout"
    http_status = 409


class BookmarkTimeout(TransientError):
    """This node has not applied the bookmark's version in time."""

    code = "Neo.TransientError.Transaction.BookmarkTimeout"


class MemoryLimitExceeded(TransientError):
    """The statement needs more memory than one statement may use."""

    code = "Neo.TransientError.General.MemoryPoolOutOfMemoryError"
    http_status = 503


class ResourceExhausted(TransientError):
    """Memory or disk below the low mark, or too many requests; names the resource."""

    code = "Neo.TransientError.General.OutOfMemoryError"


class TooManyRequests(TransientError):
    """More work under way than the limit; try again shortly."""

    code = "Neo.TransientError.Request.NoThreadsAvailable"
    http_status = 429


class ShuttingDown(TransientError):
    """The server is stopping."""

    code = "Neo.TransientError.General.DatabaseUnavailable"


class ImageLost(TransientError):
    """Columns in memory did not fit the journal; they were thrown away, the record answers."""


class NotTheLeader(TransientError):
    """This node does not lead (any more); nothing happened."""

    code = "Neo.ClientError.Cluster.NotALeader"
    http_status = 503


class NoLeader(TransientError):
    """No node leads at this moment; nothing happened."""

    code = "Neo.TransientError.Cluster.NoLeaderAvailable"
    http_status = 503


class NodeFenced(TransientError):
    """This node was taken out of service; other members of the cluster answer."""

    code = "Neo.TransientError.General.DatabaseUnavailable"
    http_status = 503


class OutcomeUnknown(TransientError):
    """The commit may or may not have happened; a retry with the same request id is safe."""

    code = "Neo.TransientError.Transaction.Terminated"
    http_status = 504


# --- faults of this process or its disk ---------------------------------------------------


class Fault(EverwhenError):
    """Something on this machine is broken; the process must stop rather than guess."""

    code = "Neo.DatabaseError.General.UnknownError"


class CorruptData(Fault):
    """Bytes on disk that fail their checksum or make no sense; says file and place."""


class FormatUnsupported(Fault):
    """A data directory, or a snapshot of another member, of a format this build does not know."""


class DiskFailed(Fault):
    """A write or fsync failed; nothing after it can be trusted."""


class DataDirectoryLocked(Fault):
    """Another process holds the data directory."""


class SettingsInvalid(EverwhenError):
    """A setting that is unknown, malformed or out of range; names it and its source."""

    code = "Neo.ClientError.General.InvalidArguments"
    http_status = 400
