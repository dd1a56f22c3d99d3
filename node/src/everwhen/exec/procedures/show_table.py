"""What a table behind ``SHOW`` is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from everwhen.exec.context import ExecutionContext

TableRows = Iterator[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ShowTable:
    """``brief``: the columns shown without YIELD; ``columns``: all of them (``YIELD *``). ``act``
    does something to what was named and tells how it went."""

    brief: tuple[str, ...]
    columns: tuple[str, ...]
    rows: Callable[[ExecutionContext, str], TableRows]
    act: Callable[[ExecutionContext, Sequence[str]], TableRows] | None = None
