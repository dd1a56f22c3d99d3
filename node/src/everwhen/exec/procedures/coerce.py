"""Checks a procedure's arguments against its signature.

An integer given for a FLOAT is converted; null fits every type (a test of the TCK). Anything
else that does not fit is an error of its own detail.
"""

from __future__ import annotations

from typing import Any

from everwhen.errors import QueryTypeError
from everwhen.exec.procedures.definition import ProcedureField
from everwhen.model import values as v

_CHECKS: dict[str, tuple[type, ...]] = {
    "STRING": (str,),
    "INTEGER": (int,),
    "FLOAT": (float, int),
    "NUMBER": (float, int),
    "BOOLEAN": (bool,),
    "MAP": (dict,),
}


def coerce_argument(value: Any, field: ProcedureField, procedure: str) -> Any:
    """The value as the procedure takes it.

    :raises QueryTypeError: detail ``InvalidArgumentType``.
    """
    kind = field.type.rstrip("?").upper()
    wanted = _CHECKS.get(kind)
    if value is None or wanted is None:
        return value
    if type(value) not in wanted:
        raise QueryTypeError(
            f"{procedure}: the argument {field.name} must be {kind}, "
            f"got {v.type_name(value)}: {v.to_text(value)}",
            detail="InvalidArgumentType",
        )
    return float(value) if kind == "FLOAT" else value
