"""Bindings of :class:`tests.engine.Engine` to the ways a query can reach the database."""

from __future__ import annotations

import importlib
import os
from typing import Final

from tests.engine import Engine

#: module and class of each door, imported only when asked for
DOORS: Final = {
    "inprocess": ("tests.engines.inprocess", "InProcess"),
    "http": ("tests.engines.http", "Http"),
    "bolt": ("tests.engines.bolt", "OverBolt"),
    "cluster": ("tests.engines.cluster", "Cluster"),
}


def open_engine(door: str | None = None) -> Engine:
    """A fresh database behind a door; behind ``$TEST_DOOR`` or in process where none is named."""
    door = door or os.environ.get("TEST_DOOR", "inprocess")
    module, name = DOORS[door]
    engine: Engine = getattr(importlib.import_module(module), name)()
    return engine
