"""Errors as FAILURE messages: the codes drivers act on and, from 5.7 on, GQL status objects.

The codes stand at the errors themselves (``errors.py``). A GQL status says the same in five
characters of the GQL standard (ISO/IEC 39075, annex "GQLSTATUS"), as far as it has one.
"""

from __future__ import annotations

from typing import Any, Final

from everwhen.errors import EverwhenError, Position
from everwhen.server.bolt.handshake import Version

#: the code's class, or its beginning -> status and the standard's name for it; the first that fits
_STATUS: Final = (
    ("Neo.ClientError.Statement.SyntaxError", "42001", "syntax error or access rule violation - invalid syntax"),
    ("Neo.ClientError.Statement.ParameterMissing", "42N51", "syntax error or access rule violation - invalid parameter"),
    ("Neo.ClientError.Statement.ArithmeticError", "22003", "data exception - numeric value out of range"),
    ("Neo.ClientError.Statement.TypeError", "22G03", "data exception - invalid value type"),
    ("Neo.ClientError.Statement.EntityNotFound", "22N17", "data exception - entity not found"),
    ("Neo.ClientError.Statement.AccessMode", "25G03", "invalid transaction state - read-only transaction"),
    ("Neo.ClientError.Statement", "22000", "data exception"),
    ("Neo.ClientError.Procedure", "42N08", "syntax error or access rule violation - no such procedure"),
    ("Neo.ClientError.Schema", "22N65", "data exception - constraint violation"),
    ("Neo.ClientError.Security.Unauthorized", "42NFF", "syntax error or access rule violation - permission/access denied"),
    ("Neo.ClientError.Security", "42NFF", "syntax error or access rule violation - permission/access denied"),
    ("Neo.ClientError.Database", "22N51", "data exception - database not found"),
    ("Neo.ClientError.Cluster.NotALeader", "08N07", "connection exception - not the leader"),
    ("Neo.ClientError.Transaction.TransactionTimedOut", "25N14", "invalid transaction state - transaction timed out"),
    ("Neo.ClientError.Transaction", "25N02", "invalid transaction state - unable to complete transaction"),
    ("Neo.ClientError.Request", "08N06", "connection exception - protocol error"),
    ("Neo.ClientError", "22000", "data exception"),
    ("Neo.TransientError.Transaction", "40000", "transaction rollback"),
    ("Neo.TransientError", "51N00", "system configuration or operation exception"),
    ("", "50N42", "general processing exception - unexpected error"),
)  # fmt: skip

#: the parts of a diagnostic record that every status has
DIAGNOSTIC: Final = {"OPERATION": "", "OPERATION_CODE": "0", "CURRENT_SCHEMA": "/"}


def metadata(error: EverwhenError, version: Version) -> dict[str, Any]:
    """The content of a FAILURE."""
    text = str(error)
    if version < (5, 7):
        return {"code": error.code, "message": text}
    status, name = status_of(error.code)
    return {
        "neo4j_code": error.code,
        "message": text,
        "gql_status": status,
        "description": f"error: {name}. {text}",
        "diagnostic_record": {**DIAGNOSTIC, **_diagnostic(error)},
    }


def status_of(code: str) -> tuple[str, str]:
    """The GQL status of a code, and its name."""
    return next((status, name) for head, status, name in _STATUS if code.startswith(head))


def _diagnostic(error: EverwhenError) -> dict[str, Any]:
    kind = {"ClientError": "CLIENT_ERROR", "TransientError": "TRANSIENT_ERROR"}
    found: dict[str, Any] = {
        "_classification": kind.get(error.code.split(".")[1], "DATABASE_ERROR")
    }
    if error.position is not None:
        found["_position"] = position(error.position)
    return found


def position(place: Position) -> dict[str, int]:
    """A place in a text."""
    return {"offset": place.offset, "line": place.line, "column": place.column}
