"""Rough sizes of rows and values, for the memory a statement may use.

An estimate that is cheap and never wildly low is enough: shared values (a node bound in a
thousand rows) are counted each time, which errs on the safe side.
"""

from __future__ import annotations

from typing import Any


def value_bytes(value: Any) -> int:
    """About how many bytes a value takes."""
    kind = type(value)
    if kind is str or kind is bytes:
        return 56 + len(value)
    if kind is list:
        return 64 + sum(value_bytes(item) for item in value[:32]) * max(1, len(value) // 32)
    if kind is dict:
        return 128 + sum(56 + len(key) + value_bytes(item) for key, item in value.items())
    return 40


def row_bytes(row: list[Any]) -> int:
    """About how many bytes a row takes."""
    total = 72 + 8 * len(row)
    for value in row:
        if value is not None:
            total += value_bytes(value)
    return total
