"""List functions, and those that take lists beside strings or maps."""

from __future__ import annotations

from typing import Any, Final

from everwhen.exec.functions.context import FunctionContext
from everwhen.exec.functions.definition import (
    Registry,
    bad_value,
    got,
    need_list,
    register,
    wrong_type,
)
from everwhen.limits import LIST_ELEMENTS_MAX
from everwhen.model.vector import Vector

FUNCTIONS: Final[Registry] = {}
_LIST: Final = "List"


@register(
    FUNCTIONS,
    _LIST,
    "range(start :: INTEGER, end :: INTEGER, step = :: INTEGER) :: LIST<INTEGER>",
    "The integers from start to end, both included.",
)
def _range(ctx: FunctionContext, start: Any, end: Any, step: Any = 1) -> list[int]:
    for argument in (start, end, step):
        if type(argument) is not int:  # an ArgumentError, as a step of 0 is (openCypher)
            raise bad_value(got("range", "an integer", argument), detail="InvalidArgumentType")
    if step == 0:
        raise bad_value("range() takes a step that is not 0", detail="NumberOutOfRange")
    numbers = range(start, end + (1 if step > 0 else -1), step)
    # len() of a range beyond the C size overflows
    if (end - start) // step >= LIST_ELEMENTS_MAX:
        raise bad_value(f"range() would make a list of more than {LIST_ELEMENTS_MAX:,} elements")
    return list(numbers)


@register(FUNCTIONS, _LIST, "head(list :: LIST<ANY>) :: ANY", "The first element, or null.")
def _head(ctx: FunctionContext, values: Any) -> Any:
    return values[0] if need_list("head", values) else None


@register(FUNCTIONS, _LIST, "last(list :: LIST<ANY>) :: ANY", "The last element, or null.")
def _last(ctx: FunctionContext, values: Any) -> Any:
    return values[-1] if need_list("last", values) else None


@register(FUNCTIONS, _LIST, "tail(list :: LIST<ANY>) :: LIST<ANY>", "All but the first element.")
def _tail(ctx: FunctionContext, values: Any) -> list[Any]:
    return need_list("tail", values)[1:]


@register(
    FUNCTIONS,
    _LIST,
    "reverse(input :: STRING | LIST<ANY>) :: STRING | LIST<ANY>",
    "The characters or elements in reverse order.",
)
def _reverse(ctx: FunctionContext, value: Any) -> Any:
    if type(value) is list or type(value) is str:
        return value[::-1]
    raise wrong_type("reverse", "a string or a list", value)


@register(
    FUNCTIONS,
    "Scalar",
    "size(input :: STRING | LIST<ANY>) :: INTEGER",
    "The number of characters or elements.",
)
def _size(ctx: FunctionContext, value: Any) -> int:
    if type(value) is list or type(value) is str or type(value) is Vector:
        return len(value)
    raise wrong_type("size", "a string or a list", value)


@register(
    FUNCTIONS,
    "Predicate",
    "isEmpty(input :: STRING | LIST<ANY> | MAP) :: BOOLEAN",
    "Whether it has no characters, elements or entries.",
)
def _is_empty(ctx: FunctionContext, value: Any) -> bool:
    if type(value) is list or type(value) is str or type(value) is dict:
        return not value
    raise wrong_type("isEmpty", "a string, a list or a map", value)
