"""Expressions over batches: one vector in, one vector out.

``compile_vector`` gives the values of an expression, ``compile_mask`` where it is true.
"""

from everwhen.exec.batch.expressions import access, arithmetic, compare, functions, labels  # noqa: F401 - they register
from everwhen.exec.batch.expressions.core import by_rows, compile_vector, is_constant
from everwhen.exec.batch.expressions.logic import compile_mask

__all__ = ["by_rows", "compile_mask", "compile_vector", "is_constant"]
