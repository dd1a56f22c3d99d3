"""Every scalar function by its lower-case dotted name; aggregations are in ``aggregates``."""

from __future__ import annotations

from typing import Final

from everwhen.exec.functions import (
    apoc,
    conversions,
    graph,
    lists,
    maths,
    scalar,
    spatial,
    strings,
    temporal,
    vectors,
)
from everwhen.exec.functions.definition import FunctionDef

__all__ = ["FUNCTIONS", "FunctionDef"]

FUNCTIONS: Final[dict[str, FunctionDef]] = {
    name: definition
    for module in (
        scalar,
        graph,
        conversions,
        strings,
        maths,
        lists,
        temporal,
        spatial,
        vectors,
        apoc,
    )
    for name, definition in module.FUNCTIONS.items()
}
