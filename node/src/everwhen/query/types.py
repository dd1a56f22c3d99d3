"""Type expressions as their normalised text, the form ``model.types`` and constraints use."""

from __future__ import annotations

from everwhen.query import syntax as s


def type_text(type_: s.TypeExpression) -> str:
    """``INTEGER NOT NULL``, ``LIST<STRING>``, ``INTEGER | STRING``."""
    if isinstance(type_, s.TypeUnion):
        return " | ".join(type_text(member) for member in type_.members)
    if not isinstance(type_, s.TypeName):
        raise TypeError(type_)
    inner = f"<{type_text(type_.inner)}>" if type_.inner is not None else ""
    return f"{type_.name}{inner}{'' if type_.nullable else ' NOT NULL'}"
