"""Syntax tree, its roots and small vocabularies. See :mod:`everwhen.query.syntax`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Direction = Literal["out", "in", "both"]
CompareOp = Literal["=", "<>", "<", "<=", ">", ">="]
ArithmeticOp = Literal["+", "-", "*", "/", "%", "^", "||"]
StringOp = Literal["STARTS WITH", "ENDS WITH", "CONTAINS", "=~"]
QuantifierKind = Literal["all", "any", "none", "single"]


@dataclass(frozen=True, slots=True)
class Syntax:
    """Root of all tree classes."""

    at: int = field(default=-1, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Expression(Syntax):
    """Anything with a value."""
