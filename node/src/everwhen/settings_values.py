"""One setting: how it is declared, and its texts and numbers as the type that it declares."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from everwhen.errors import SettingsInvalid

_SIZE: Final = re.compile(r"(\d+)\s*([KMGT]i?)?B?", re.IGNORECASE)
_SIZE_POWER: Final = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def setting(
    default: object,
    text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    secret: bool = False,
    hot: bool = False,
) -> Any:
    """A field with what a person needs to know about it."""
    about = {"text": text, "low": low, "high": high, "secret": secret, "hot": hot}
    return field(default=default, metadata=about, repr=not secret)


#: one that a running node takes over
hot = partial(setting, hot=True)


def unknown(source: str, shown: str, name: str, known: list[str]) -> SettingsInvalid:
    """The error for a name that nobody knows, with the nearest one that is known."""
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean `{near[0]}`?" if near else "known: " + ", ".join(known)
    return SettingsInvalid(f"{source}: unknown setting `{shown}`", hint=hint)


def as_kind(kind: Any, raw: object, *, size: bool) -> Any:
    """``raw`` (of a TOML file, the environment or a flag) as ``kind``, or ValueError."""
    if get_origin(kind) is Literal:
        if raw not in get_args(kind):
            raise ValueError("must be one of " + ", ".join(get_args(kind)))
        return raw
    if kind is bool and (isinstance(raw, bool) or str(raw).lower() in ("true", "false")):
        return raw if isinstance(raw, bool) else str(raw).lower() == "true"
    if kind is Path and isinstance(raw, str | Path) and str(raw):
        return Path(raw)
    if kind is str and isinstance(raw, str) and raw:
        return raw
    if kind is int and not isinstance(raw, bool) and isinstance(raw, int | str):
        return _size(raw) if size else _whole(raw)
    if kind is float and not isinstance(raw, bool) and isinstance(raw, int | float | str):
        return _number(raw)
    raise ValueError(f"must be {_KINDS[kind]}")


_KINDS: Final[Mapping[Any, str]] = {
    bool: "true or false",
    Path: "a path",
    str: "a text",
    int: "a whole number",
    float: "a number",
}


def _whole(raw: int | str) -> int:
    try:
        return int(raw)
    except ValueError:
        raise ValueError("must be a whole number") from None


def _number(raw: float | str) -> float:
    try:
        value = float(raw)
    except ValueError:
        raise ValueError("must be a number") from None
    if value != value:  # noqa: PLR0124 - NaN passes every bound
        raise ValueError("must be a number")
    return value


def _size(raw: int | str) -> int:
    """Bytes: 1048576, "1MiB" or "1M" (powers of 1024), "1MB" (of 1000)."""
    if isinstance(raw, int):
        return raw
    match = _SIZE.fullmatch(raw.strip())
    if match is None:
        raise ValueError('must be a number of bytes, or a text such as "512MiB"')
    unit = (match[2] or "").upper()
    base = 1000 if raw.strip().upper().endswith("B") and not unit.endswith("I") else 1024
    return int(match[1]) * int(base ** _SIZE_POWER[unit[:1]])


def as_toml_value(value: object) -> str:
    """As it stands in a TOML file."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | Path):
        escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
