"""Compiles every kernel, or loads it: what an image is built with, and a node may do when idle."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import everwhen.kernels


def warm() -> list[str]:
    """The modules of kernels, all of them ready; kernels are compiled when theirs is imported."""
    names = [found.name for found in iter_modules(everwhen.kernels.__path__)]
    for name in names:
        if name != __name__.rpartition(".")[2]:
            import_module(f"everwhen.kernels.{name}")
    return names
