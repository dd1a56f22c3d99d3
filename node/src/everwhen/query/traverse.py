"""Generic walks over syntax trees, bound expressions and plans: all are dataclasses.

Children are found by field, so a new node class needs no code here. Fields per class are cached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from everwhen.query import bound as b
from everwhen.query import physical as p

_FIELDS: dict[type, tuple[str, ...]] = {}


def _fields(kind: type) -> tuple[str, ...]:
    found = _FIELDS.get(kind)
    if found is None:
        found = tuple(f.name for f in fields(kind)) if is_dataclass(kind) else ()
        _FIELDS[kind] = found
    return found


def children(node: Any) -> Iterator[Any]:
    """Dataclass children of a node, through tuples and lists."""
    for name in _fields(type(node)):
        yield from _flat(getattr(node, name))


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, (tuple, list)):
        for item in value:
            yield from _flat(item)
    elif _fields(type(value)):
        yield value


def walk(node: Any, into: Callable[[Any], bool] = lambda _: True) -> Iterator[Any]:
    """The node and everything below it; ``into`` says whether to go below a node.

    A loop and not a recursion: a chain of operators may be longer than the interpreter's stack.
    """
    waiting = [node]
    while waiting:
        here = waiting.pop()
        yield here
        if into(here):
            waiting.extend([*children(here)][::-1])


def operators_below(op: p.Operator) -> list[p.Operator]:
    """Operators directly below: the child, inner plans, then plans of subquery expressions."""
    found: list[p.Operator] = []
    for name in _fields(type(op)):
        found += _operators_in(getattr(op, name))
    return found


def _operators_in(value: Any) -> list[p.Operator]:
    if isinstance(value, p.Operator):
        return [value]
    if isinstance(value, (tuple, list)):
        return [op for item in value for op in _operators_in(item)]
    if _fields(type(value)):
        inside = walk(value, into=lambda node: not isinstance(node, p.Operator))
        return [node for node in inside if isinstance(node, p.Operator)]
    return []


def slots_of(node: Any) -> frozenset[int]:
    """Every slot an expression (subquery plans included) reads or writes."""
    found: set[int] = set()
    for item in walk(node):
        kind = type(item)
        if kind is b.Slot:
            found.add(item.index)
        elif kind is b.PathValue:
            found.update(item.slots)
        else:
            for name in _SLOT_FIELDS:
                value = getattr(item, name, None)
                if type(value) is int:
                    found.add(value)
                elif type(value) is tuple:
                    found.update(v for v in value if type(v) is int)
    return frozenset(found)


#: fields of operators and expressions that hold slots
_SLOT_FIELDS = (
    "slot",
    "source",
    "relationship",
    "target",
    "start",
    "end",
    "left",
    "right",
    "view",
    "slots",
    "nodes",
    "unique_with",
    "accumulator",
)


def volatile(*nodes: Any) -> bool:
    """Whether one of these expressions (subquery plans included) may come to something else each
    time."""
    return any(
        isinstance(part, b.FunctionCall) and part.volatile for node in nodes for part in walk(node)
    )


def rewrite(node: Any, change: Callable[[Any], Any]) -> Any:
    """A copy with ``change`` applied to every dataclass node, children first.

    A node none of whose children changed is handed on as it is, not copied.
    """
    updates: dict[str, Any] = {}
    for name in _fields(type(node)):
        before = getattr(node, name)
        after = _rewrite_value(before, change)
        if after is not before:
            updates[name] = after
    return change(replace(node, **updates) if updates else node)


def _rewrite_value(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, tuple):
        items = [_rewrite_value(item, change) for item in value]
        same = all(new is old for new, old in zip(items, value, strict=True))
        return value if same else tuple(items)
    return rewrite(value, change) if _fields(type(value)) else value


def conjuncts(predicate: b.Expression) -> list[b.Expression]:
    """The operands of a conjunction, nested ones too."""
    if isinstance(predicate, b.And):
        return [part for operand in predicate.operands for part in conjuncts(operand)]
    return [predicate]


def conjunction(predicates: list[b.Expression]) -> b.Expression:
    """One predicate out of several (at least one)."""
    return predicates[0] if len(predicates) == 1 else b.And(tuple(predicates))
