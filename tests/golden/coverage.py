"""``python -m tests.golden.coverage``: what of the language has no golden script.

Productions are the classes of the syntax tree, each field that may be absent or take one of
several words counted apart (``Match.optional``, ``TimeSpec.kind=version``); functions and
procedures are those of the registries; SHOW subjects are the parser's. Exit code 1 if
something is missing, so that the language cannot grow faster than its scripts.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import sys
import types
import typing
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from everwhen.errors import EverwhenError
from everwhen.exec.environment import ENVIRONMENT
from everwhen.query import syntax
from everwhen.query.parser import parse
from tests.fuzz.texts import corpus
from tests.golden.runner import Block
from tests.golden.runner import parse as parse_script

#: bases and values that never appear in a tree themselves
ABSTRACT: Final = frozenset(
    {"Syntax", "Expression", "Clause", "Body", "SetItem", "RemoveItem", "LabelExpression",
     "TypeExpression", "ProjectionEntry"}
)  # fmt: skip
#: set after parsing, from how the statement begins
LATER: Final = frozenset({"Flashback.explain", "FlashbackTransaction.explain"})


def main() -> int:
    seen: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    procedures: Counter[str] = Counter()
    for text in [*corpus(), *histories()]:
        try:
            statement = parse(text)
        except EverwhenError:
            continue  # scripts show errors too
        for node in walk(statement):
            seen.update(marks(node))
            if isinstance(node, syntax.FunctionCall):
                functions[node.name.lower()] += 1
            if isinstance(node, syntax.CallProcedure):
                procedures[node.name.lower()] += 1
    missing = [
        *(f"production {mark}" for mark in sorted(wanted_marks() - set(seen))),
        *(f"function {name}" for name in sorted(known_functions() - set(functions))),
        *(f"procedure {name}" for name in sorted(known_procedures() - set(procedures))),
    ]
    for line in missing:
        print(line)
    total = len(wanted_marks()) + len(known_functions()) + len(known_procedures())
    print(f"{total - len(missing)} passed, {len(missing)} failed, 0 skipped")
    return 1 if missing else 0


def histories() -> Iterator[str]:
    """Statements of the isolation scripts."""
    for path in sorted((Path(__file__).parents[1] / "isolation").glob("*.golden")):
        for block in parse_script(path.read_text(encoding="utf-8")):
            if isinstance(block, Block) and block.command == "history":
                level = block.arguments.get("level", "SNAPSHOT")
                for line in block.input.replace("$LEVEL", level).splitlines():
                    yield line.split(": ", 1)[1]


def classes() -> list[type]:
    """All concrete classes of the syntax tree."""
    found = [c for _, c in inspect.getmembers(syntax, inspect.isclass)]
    return [
        c
        for c in found
        if dataclasses.is_dataclass(c)
        and issubclass(c, syntax.Syntax)
        and c.__name__ not in ABSTRACT
    ]


def wanted_marks() -> set[str]:
    """Every mark some script should show."""
    out: set[str] = set()
    for cls in classes():
        out.add(cls.__name__)
        hints = typing.get_type_hints(cls, vars(syntax) | _local_names())
        for field in dataclasses.fields(cls):
            if field.compare:
                out |= set(_field_marks(cls.__name__, field.name, hints[field.name]))
    return out - LATER


def _local_names() -> dict[str, Any]:
    """Names the modules of the tree import only for type checkers."""
    names: dict[str, Any] = {}
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("everwhen.query.syntax"):
            names |= vars(module)
    return names


def _field_marks(cls: str, name: str, hint: Any) -> Iterator[str]:
    """Marks of one field: true for booleans, each word of a choice, given for an optional."""
    origin = typing.get_origin(hint)
    if hint is bool:
        if name != "value":
            yield f"{cls}.{name}"
    elif origin is typing.Literal:
        yield from (f"{cls}.{name}={word}" for word in typing.get_args(hint))
    elif isinstance(hint, type) and issubclass(hint, enum.Enum):
        yield from (f"{cls}.{name}={member.name}" for member in hint)
    elif origin in (typing.Union, types.UnionType) and type(None) in typing.get_args(hint):
        yield f"{cls}.{name}"


def marks(node: Any) -> Iterator[str]:
    """The marks one node shows."""
    cls = type(node).__name__
    yield cls
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        if isinstance(value, enum.Enum):
            yield f"{cls}.{field.name}={value.name}"
        elif isinstance(value, str):
            yield f"{cls}.{field.name}={value}"
            yield f"{cls}.{field.name}"
        elif value is not None and value is not False and value != ():
            yield f"{cls}.{field.name}"


def walk(node: Any) -> Iterator[Any]:
    """A tree's nodes."""
    if isinstance(node, tuple):
        for item in node:
            yield from walk(item)
    elif dataclasses.is_dataclass(node) and not isinstance(node, type):
        yield node
        for field in dataclasses.fields(node):
            yield from walk(getattr(node, field.name))


def known_functions() -> set[str]:
    """Names of the function registry, in lower case."""
    return set(ENVIRONMENT.functions)


def known_procedures() -> set[str]:
    """Names of the procedure registry, in lower case."""
    return set(ENVIRONMENT.procedures)


if __name__ == "__main__":
    sys.exit(main())
