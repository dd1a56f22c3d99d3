"""What the database has already, as columns that can be compared with those of files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from everwhen.cli.loading.wire import Wire

Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Present:
    """Elements of one label or type: ids, ends of relationships, properties by name."""

    ids: Ids
    starts: Ids
    ends: Ids
    columns: Mapping[str, pa.Array]


def quoted(name: str) -> str:
    """A name as NGQL writes it."""
    return "`" + name.replace("`", "``") + "`"


def present(wire: Wire, pattern: str, fields: Mapping[str, pa.Field], version: int) -> Present:
    """Elements ``x`` of a pattern at a version; relationships go from ``a`` to ``b``."""
    empty = np.zeros(0, np.int64)
    if not version:
        none = {name: pa.nulls(0, field.type) for name, field in fields.items()}
        return Present(empty, empty, empty, none)
    wanted = ["id(x)", *(("id(a)", "id(b)") if "(a)" in pattern else ())]
    names = list(fields)
    for name in names:
        text = f"x.{quoted(name)}"
        wanted.append(f"toString({text})" if _travels_as_text(fields[name]) else text)
    returned = ", ".join(f"{text} AS c{at}" for at, text in enumerate(wanted))
    table = wire.table(f"MATCH {pattern} RETURN {returned}", at=version).combine_chunks()
    own = len(wanted) - len(names)
    found = [_joined(table.column(at)) for at in range(len(wanted))]
    ids = [_ids(one) for one in found[:own]]
    columns = {
        name: _as(found[own + at], table.field(own + at), fields[name].type)
        for at, name in enumerate(names)
    }
    return Present(ids[0], ids[1] if own > 1 else empty, ids[2] if own > 1 else empty, columns)


def _travels_as_text(field: pa.Field) -> bool:
    """Whether a property's values are written out to be compared (temporal ones)."""
    return bool(field.metadata) and not pa.types.is_list(field.type)


def _joined(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _ids(values: pa.Array) -> Ids:
    if not len(values):
        return np.zeros(0, np.int64)
    found: Ids = values.to_numpy(zero_copy_only=False)
    return found


def _as(values: pa.Array, field: pa.Field, type_: pa.DataType) -> pa.Array:
    """In the type of the file's column where it is of that type; else as it is."""
    if values.type == type_:
        return values
    if field.metadata and b"everwhen.json" in field.metadata:
        found = [None if one is None else json.loads(one) for one in values.to_pylist()]
        try:
            return pa.array(found, type_)
        except (pa.ArrowException, TypeError, OverflowError):
            return values
    return values


def differ(new: pa.Array, old: pa.Array) -> Mask:
    """Which rows of two columns are not the same; null is the same as null."""
    if new.type != old.type:
        both = np.array([a is None and b is None for a, b in zip(new, old, strict=True)], np.bool_)
        return ~both if len(new) else np.zeros(0, np.bool_)
    here = new.is_valid().to_numpy(zero_copy_only=False)
    there = old.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_nested(new.type):
        pairs = zip(new.to_pylist(), old.to_pylist(), strict=True)
        return np.fromiter((a != b for a, b in pairs), np.bool_, len(new))
    unequal = pc.fill_null(pc.not_equal(new, old), False).to_numpy(zero_copy_only=False)
    found: Mask = unequal | (here != there)
    return found


def codes(columns: Sequence[tuple[pa.Array, pa.Array]], rows: int) -> npt.NDArray[np.int64]:
    """One number for each row of two tables laid end to end; equal rows have equal numbers."""
    found = np.zeros(rows, np.int64)
    for one, other in columns:
        if one.type == other.type and not pa.types.is_nested(one.type):
            coded = pa.concat_arrays([one, other]).dictionary_encode()
            fresh = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        else:
            known: dict[str, int] = {}
            texts = [repr(value) for value in [*one.to_pylist(), *other.to_pylist()]]
            fresh = np.array([known.setdefault(text, len(known)) for text in texts], np.int64)
        found = _packed(found, fresh + 1)
    return found


def _packed(one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """A number for each pair of numbers, as small as may be."""
    if not len(one):
        return one
    wide = one * (int(other.max()) + 1) + other
    packed: npt.NDArray[np.int64] = np.unique(wide, return_inverse=True)[1].astype(np.int64)
    return packed


def pack_ids(*columns: Ids) -> npt.NDArray[np.int64]:
    """One number for each row of columns of ids."""
    found = np.zeros(len(columns[0]), np.int64)
    for one in columns:
        if len(one):
            found = _packed(found, np.unique(one, return_inverse=True)[1].astype(np.int64))
    return found


def matched(new: npt.NDArray[np.int64], old: npt.NDArray[np.int64]) -> tuple[Ids, Ids]:
    """Rows of both sides paired by equal numbers, each row at most once."""
    one, other = _numbered(new, old)
    _, places, partners = np.intersect1d(one, other, assume_unique=True, return_indices=True)
    return places.astype(np.int64), partners.astype(np.int64)


def _numbered(new: Ids, old: Ids) -> tuple[Ids, Ids]:
    """Numbers made distinct within each side: the n-th of equal ones meets the n-th over there."""
    most = len(new) + len(old) + 1
    sides = []
    for one in (new, old):
        order = np.argsort(one, kind="stable")
        ordered = one[order]
        begins = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(one) else order
        lengths = np.diff(np.r_[begins, len(one)])
        nth = np.arange(len(one)) - np.repeat(begins, lengths)
        made = np.empty(len(one), np.int64)
        made[order] = ordered * most + nth
        sides.append(made)
    return sides[0], sides[1]
