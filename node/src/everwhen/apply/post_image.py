"""An entity's properties as they will be: encoded new values over what is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from everwhen.codec.values import decode_value


class PostImage:
    """Properties after a change, for the constraint checks."""

    __slots__ = ("_read",)

    def __init__(self, read: Callable[[str], Any]) -> None:
        self._read = read

    def get(self, key: str) -> Any:
        return self._read(key)


def nothing(_: str) -> None:
    return None


def reader(
    values: Mapping[str, bytes | None], below: Callable[[str], Any] | None
) -> Callable[[str], Any]:
    """Reads a property from encoded new values, else from below."""

    def read(key: str) -> Any:
        if key in values:
            value = values[key]
            return None if value is None else decode_value(value)
        return None if below is None else below(key)

    return read
