"""A mutant: an edit of one function, put in the place of the original while a test looks.

The text of the function is edited and compiled where the function lives, and the new code takes the
place of the old in the same function object, so that everybody who holds it runs the mutant.
"""

from __future__ import annotations
import __future__

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any


@dataclass(frozen=True)
class Mutant:
    """One rule taken away."""

    name: str
    #: number in the list of what goes wrong with Raft, ``P1`` to ``P60``
    pitfall: str
    #: ``module:function`` or ``module:Class.method``
    where: str
    #: (what stands there, what takes its place), each once in the function
    edits: tuple[tuple[str, str], ...]
    #: tests that must notice, as pytest names them
    tests: tuple[str, ...] = ()
    #: whether random schedules of the core must notice too
    schedules: bool = False


class DoesNotFit(AssertionError):
    """The code is no longer what the mutant edits."""


def target(where: str) -> FunctionType:
    """The function that a mutant edits."""
    module_name, _, path = where.partition(":")
    module = importlib.import_module(module_name)
    found: Any = module
    for part in path.split("."):
        found = inspect.getattr_static(found, part)
    return _plain(found)


def _plain(found: Any) -> FunctionType:
    if isinstance(found, property):
        found = found.fget
    if isinstance(found, staticmethod | classmethod):
        found = found.__func__
    assert isinstance(found, FunctionType), found
    return found


def mutated_code(mutant: Mutant) -> CodeType:
    """:raises DoesNotFit: an edit does not apply exactly once."""
    function = target(mutant.where)
    text = textwrap.dedent(inspect.getsource(function))
    for old, new in mutant.edits:
        if text.count(old) != 1:
            raise DoesNotFit(f"{mutant.name}: {text.count(old)} times in {mutant.where}: {old!r}")
        text = text.replace(old, new)
    flags = __future__.annotations.compiler_flag
    code = compile(text, f"<{mutant.name}>", "exec", flags, dont_inherit=True)
    place: dict[str, Any] = {}
    # names of the module as they are at the time of the call, definitions apart from them
    exec(code, function.__globals__, place)
    return _plain(place[function.__name__]).__code__


@contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """The mutant runs inside the block."""
    function = target(mutant.where)
    original = function.__code__
    function.__code__ = mutated_code(mutant)
    try:
        yield
    finally:
        function.__code__ = original
