"""How kernels are compiled: for the types they say, without the interpreter's lock, kept on disk.

Importing a module of kernels imports numba (0.7 s) and loads or compiles what it holds; so
whoever runs them imports them when the first plan asks for one. Signatures are explicit: a call
with other types is an error and never a compilation in the middle of a query. Arrays that a
kernel only reads are declared read-only and contiguous, so that mapped ones fit as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from numba import njit, types

F = TypeVar("F", bound=Callable[..., Any])


def read(dtype: Any) -> Any:
    """A contiguous array that is only read."""
    return types.Array(dtype, 1, "C", readonly=True)


def kernel(signature: Any) -> Callable[[F], F]:
    """A function called from Python."""
    return cast("Callable[[F], F]", njit(signature, nogil=True, cache=True))


def part(function: F) -> F:
    """A function that only kernels call; compiled into them."""
    return cast("F", njit(nogil=True, cache=True)(function))


def tuple_of(*parts: Any) -> Any:
    """A tuple of arrays, given as one argument."""
    return types.Tuple(parts)  # type: ignore[no-untyped-call]


INT: Final = types.int64
BOOL: Final = types.boolean
INTS: Final = read(types.int64)
ROWS: Final = read(types.int32)
VERSIONS: Final = read(types.uint32)
MASK: Final = read(types.boolean)
INTS_OUT: Final = types.int64[::1]
ROWS_OUT: Final = types.int32[::1]
MASK_OUT: Final = types.boolean[::1]
#: one row of numbers for each of some things
MATRIX: Final = types.Array(types.int64, 2, "C", readonly=True)
ROW_MATRIX: Final = types.Array(types.int32, 2, "C", readonly=True)
#: ``model.columns.Adjacency`` as a plain tuple
ADJACENCY: Final = tuple_of(
    INT, INTS, ROWS, ROWS, VERSIONS, VERSIONS, ROWS, ROWS, ROWS, ROWS, VERSIONS, VERSIONS
)
