"""Columns of bytes into typed columns, whole columns at a time; what does not fit is a bad row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from everwhen.cli.loading.headers import TEMPORAL, Column
from everwhen.cli.loading.problems import ImportFailed, shown
from everwhen.errors import EverwhenError
from everwhen.limits import INT_MAX, INT_MIN
from everwhen.model.duration import parse_duration
from everwhen.model.temporal_parse import (
    parse_date,
    parse_datetime,
    parse_local_datetime,
    parse_local_time,
    parse_time,
)

Mask = npt.NDArray[np.bool_]
Complain = Callable[[int, str], None]
"""Told the row of a value that does not fit, and why."""

_PARSERS: Final[dict[str, Callable[[str], Any]]] = {
    "date": parse_date,
    "time": parse_time,
    "localtime": parse_local_time,
    "datetime": parse_datetime,
    "localdatetime": parse_local_datetime,
    "duration": parse_duration,
}
_ARROW: Final = {
    "string": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
    **dict.fromkeys(TEMPORAL, pa.string()),
}


def text_of(values: pa.Array, complain: Complain) -> pa.Array:
    """Any column as text, null where it is no text."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    try:
        return values.cast(pa.string())
    except pa.ArrowException:
        pass
    if pa.types.is_nested(values.type):
        raise ImportFailed(f"a column of type {values.type} is no text")
    found: list[str | None] = []
    for row, value in enumerate(values.to_pylist()):
        try:
            text = value.decode() if isinstance(value, bytes) else value
            found.append(text if text is None else str(text))
        except UnicodeDecodeError:
            complain(row, f"{shown(value)} is not UTF-8")
            found.append(None)
    return pa.array(found, pa.string())


def typed(values: pa.Array, column: Column, separator: str, complain: Complain) -> pa.Array:
    """A property column in its type, null where a value does not fit (after a complaint)."""
    kind = column.type
    if not pa.types.is_binary(values.type):
        if not kind:
            return values
        if not pa.types.is_string(values.type):
            return _recast(values, column, complain)
    texts = text_of(values, complain)
    if column.is_list:
        return _lists(texts, kind, separator, complain)
    return _scalars(texts, kind or "string", complain)


def _recast(values: pa.Array, column: Column, complain: Complain) -> pa.Array:
    """A Parquet column that has a type, as the type the header asks for."""
    kind = column.type
    wanted = pa.list_(_ARROW[kind]) if column.is_list else _ARROW[kind]
    if pa.types.is_temporal(values.type) and kind in TEMPORAL:
        return values
    try:
        return values.cast(wanted)
    except pa.ArrowException as error:
        if column.is_list or pa.types.is_nested(values.type):
            raise ImportFailed(f"the column {column.name!r}: {error}") from error
        return _scalars(text_of(values, complain), kind, complain)


def _scalars(texts: pa.Array, kind: str, complain: Complain) -> pa.Array:
    if kind == "string":
        return texts
    texts = pc.utf8_trim_whitespace(texts)
    if kind in TEMPORAL:
        return _temporal(texts, kind, complain)
    try:
        if kind != "boolean":
            return texts.cast(_ARROW[kind])
        found = pc.index_in(pc.utf8_lower(texts), value_set=pa.array(["false", "true"]))
        if found.null_count == texts.null_count:
            return found.cast(pa.bool_())
    except pa.ArrowException:
        pass
    return _one_by_one(texts, kind, complain)


def _one_by_one(texts: pa.Array, kind: str, complain: Complain) -> pa.Array:
    found: list[Any] = []
    for row, text in enumerate(texts.to_pylist()):
        value = None if text is None or text == "" else scalar(text, kind)
        if value is None and text:
            complain(row, f"{shown(text)} is no {kind}")
        found.append(value)
    return pa.array(found, _ARROW[kind])


def scalar(text: str, kind: str) -> Any:
    """One value of its text, None if it is none."""
    try:
        if kind == "int":
            number = int(text)
            return number if INT_MIN <= number <= INT_MAX and text.isascii() else None
        if kind == "float":
            return float(text)
    except ValueError:
        return None
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower())
    if kind in TEMPORAL:
        try:
            _PARSERS[kind](text)
        except EverwhenError:
            return None
    return text


def _temporal(texts: pa.Array, kind: str, complain: Complain) -> pa.Array:
    """Texts that are values of a temporal type; each different one is looked at once."""
    coded = texts.dictionary_encode()
    wrong = [
        at
        for at, text in enumerate(coded.dictionary.to_pylist())
        if text and scalar(text, kind) is None
    ]
    empty = pc.equal(texts, "")
    if wrong:
        rows = np.flatnonzero(np.isin(pc.fill_null(coded.indices, -1).to_numpy(), wrong))
        for row in rows.tolist():
            complain(row, f"{shown(texts[row].as_py())} is no {kind}")
        mask = np.zeros(len(texts), np.bool_)
        mask[rows] = True
        empty = pc.or_kleene(empty, pa.array(mask))
    return pc.if_else(pc.fill_null(empty, False), pa.scalar(None, pa.string()), texts)


def _lists(texts: pa.Array, kind: str, separator: str, complain: Complain) -> pa.Array:
    """Lists written with a separator. Empty text is the empty list."""
    found: list[Any] = []
    for row, text in enumerate(texts.to_pylist()):
        if text is None:
            found.append(None)
            continue
        parts = [part.strip() if kind != "string" else part for part in text.split(separator)]
        values = [scalar(part, kind) for part in parts] if text else []
        if None in values:
            complain(row, f"{shown(text)} is no list of {kind}")
            found.append(None)
        else:
            found.append(values)
    return pa.array(found, pa.list_(_ARROW[kind]))


def field(name: str, values: pa.Array, column: Column | None = None) -> tuple[pa.Field, pa.Array]:
    """A property as it travels: what the wire has no type for goes as text with its type's name.

    :raises ImportFailed: a Parquet type that is no property.
    """
    kind = column.type if column is not None and column.type in TEMPORAL else ""
    type_ = values.type
    if pa.types.is_dictionary(type_):
        values = values.dictionary_decode()
        type_ = values.type
    if pa.types.is_date(type_):
        kind, values = "date", values.cast(pa.date32()).cast(pa.string())
    elif pa.types.is_timestamp(type_):
        kind = "localdatetime" if type_.tz is None else "datetime"
        values = pc.replace_substring(values.cast(pa.string()), " ", "T")
    elif pa.types.is_time(type_):
        kind, values = "localtime", values.cast(pa.string())
    elif pa.types.is_decimal(type_):
        values = values.cast(pa.float64())
    elif pa.types.is_nested(type_) and not pa.types.is_list(type_):
        raise ImportFailed(f"the column {name!r} has the type {type_}, which is no property")
    metadata = {"everwhen.type": kind} if kind else None
    return pa.field(name, values.type, metadata=metadata), values
