"""One scalar function: how it is called, what it is said to do, what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from everwhen.errors import QueryArgumentError, QueryTypeError
from everwhen.model.value_text import to_text, type_name

Fn = Callable[..., Any]
"""``fn(ctx, *arguments)``."""


@dataclass(frozen=True, slots=True)
class FunctionDef:
    """``name`` as it is shown; found by its lower-case form.

    ``max_args`` None: any number. ``null_in_null_out``: the caller answers null if an argument
    is null, without calling. ``deterministic``: equal arguments give equal results within one
    statement, so that a call with constants may be made once for all rows.
    """

    name: str
    min_args: int
    max_args: int | None
    signature: str
    description: str
    category: str
    fn: Fn
    null_in_null_out: bool = True
    deterministic: bool = True
    aggregate: bool = False


Registry = dict[str, FunctionDef]


def register(
    registry: Registry,
    category: str,
    signature: str,
    description: str,
    *,
    nulls: bool = False,
    volatile: bool = False,
) -> Callable[[Fn], Fn]:
    """Adds a function; its name and numbers of arguments are read from the signature.

    ``signature``: ``left(original :: STRING, length :: INTEGER) :: STRING``; an argument with
    `` = `` may be left out, one that ends with ``...`` repeats. ``nulls``: the function looks at
    null arguments itself.
    """
    name, _, rest = signature.partition("(")
    inside = rest.rpartition(") ::")[0]
    arguments = _split(inside)
    repeats = bool(arguments) and arguments[-1].endswith("...")
    optional = sum(1 for argument in arguments if " = " in argument)

    def add(fn: Fn) -> Fn:
        registry[name.lower()] = FunctionDef(
            name=name,
            min_args=len(arguments) - optional,
            max_args=None if repeats else len(arguments),
            signature=signature,
            description=description,
            category=category,
            fn=fn,
            null_in_null_out=not nulls,
            deterministic=not volatile,
        )
        return fn

    return add


def _split(arguments: str) -> list[str]:
    """At commas outside of ``< >``."""
    found, depth, start = [], 0, 0
    for at, character in enumerate(arguments):
        if character == "<":
            depth += 1
        elif character == ">":
            depth -= 1
        elif character == "," and depth == 0:
            found.append(arguments[start:at])
            start = at + 1
    found.append(arguments[start:])
    return [argument.strip() for argument in found if argument.strip()]


# --- errors about arguments ----------------------------------------------------------------

_SHOWN_CHARS: Final = 80


def wrong_type(
    function: str, wanted: str, value: Any, detail: str = "InvalidArgumentType"
) -> QueryTypeError:
    """An argument of a type the function does not take."""
    return QueryTypeError(got(function, wanted, value), detail=detail)


def got(function: str, wanted: str, value: Any) -> str:
    """The message about an argument that is not what the function takes."""
    text = to_text(value)
    shown = text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"
    return f"{function}() takes {wanted}, got {type_name(value)}: {shown}"


def bad_value(message: str, detail: str = "InvalidArgumentValue") -> QueryArgumentError:
    """An argument of the right type that is not acceptable."""
    return QueryArgumentError(message, detail=detail)


def need_string(function: str, value: Any) -> str:
    """:raises QueryTypeError: not a string."""
    if type(value) is str:
        return value
    raise wrong_type(function, "a string", value)


def need_integer(function: str, value: Any) -> int:
    """:raises QueryTypeError: not an integer."""
    if type(value) is int:
        return value
    raise wrong_type(function, "an integer", value)


def need_list(function: str, value: Any) -> list[Any]:
    """:raises QueryTypeError: not a list."""
    if type(value) is list:
        return value
    raise wrong_type(function, "a list", value)


def need_number(function: str, value: Any) -> float:
    """:raises QueryTypeError: neither integer nor float."""
    if type(value) is int or type(value) is float:
        return value
    raise wrong_type(function, "a number", value)
