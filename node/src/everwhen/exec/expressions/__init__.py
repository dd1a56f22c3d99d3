"""Compiles bound expressions to closures ``fn(row, ctx) -> value``.

One function per expression class, found by class in a table; a closure holds its compiled
operands, so running an expression is a few Python calls and no dispatch. Semantics of values
(null, equality, order, arithmetic) are all in ``model.values``; this package only wires them.
"""

from everwhen.exec.expressions import access, calls, operators
from everwhen.exec.expressions.core import compile_expression, compile_predicate

__all__ = ["access", "calls", "compile_expression", "compile_predicate", "operators"]
