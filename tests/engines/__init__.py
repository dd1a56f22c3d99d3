"""Bindings of :class:`tests.engine.Engine` to the ways a query can reach the database."""

from __future__ import annotations

import importlib
from typing import Final

from tests.engine import Engine

#: module and class of each door, imported only when asked for
DOORS: Final = {
    "inprocess": ("tests.engines.inprocess", "InProcess"),
    "http": ("tests.engines.http", "Http"),
    "bolt": ("tests.engines.bolt", "OverBolt"),
}


def open_engine(door: str) -> Engine:
    """A fresh database behind a door."""
    module, name = DOORS[door]
    engine: Engine = getattr(importlib.import_module(module), name)()
    return engine
