"""Functions about null and chance."""

from __future__ import annotations

from typing import Any, Final

from everwhen.exec.functions.context import FunctionContext
from everwhen.exec.functions.definition import Registry, register
from everwhen.model.relations import equals

FUNCTIONS: Final[Registry] = {}


@register(
    FUNCTIONS,
    "Scalar",
    "coalesce(input :: ANY, more = :: ANY...) :: ANY",
    "The first argument that is not null.",
    nulls=True,
)
def _coalesce(ctx: FunctionContext, *values: Any) -> Any:
    for value in values:
        if value is not None:
            return value
    return None


@register(
    FUNCTIONS,
    "Scalar",
    "nullIf(v1 :: ANY, v2 :: ANY) :: ANY",
    "Null if both arguments are equal, else the first.",
    nulls=True,
)
def _null_if(ctx: FunctionContext, value: Any, other: Any) -> Any:
    return None if equals(value, other) else value


@register(
    FUNCTIONS,
    "Predicate",
    "exists(input :: ANY) :: BOOLEAN",
    "Whether a property exists, that is, is not null.",
    nulls=True,
)
def _exists(ctx: FunctionContext, value: Any) -> bool:
    return value is not None


@register(FUNCTIONS, "Scalar", "randomUUID() :: STRING", "A random UUID.", volatile=True)
def _random_uuid(ctx: FunctionContext) -> str:
    return ctx.uuid()


@register(
    FUNCTIONS,
    "Scalar",
    "timestamp() :: INTEGER",
    "Milliseconds since 1970 UTC when the statement began.",
)
def _timestamp(ctx: FunctionContext) -> int:
    return ctx.now_statement // 1_000
