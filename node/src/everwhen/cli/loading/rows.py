"""Batches of a file as nodes and relationships: columns typed, bad rows told and left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from everwhen.cli.loading import convert
from everwhen.cli.loading.headers import Column, columns, place
from everwhen.cli.loading.keys import Keys
from everwhen.cli.loading.problems import BadRows, ImportFailed, shown
from everwhen.cli.loading.progress import Meter
from everwhen.cli.loading.sources import NO_TEXT, Batch, Source

Mask = npt.NDArray[np.bool_]
Ids = npt.NDArray[np.int64]
_SEPARATOR_OF_LABELS: Final = ";"


@dataclass(frozen=True, slots=True)
class FileSpec:
    """One file of an import: labels or a type, and headers for columns that have others."""

    path: Path
    names: tuple[str, ...] = ()
    mapping: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Format:
    """How CSV files are written."""

    delimiter: str = ","
    quote: str = '"'
    array_delimiter: str = ";"
    id_type: str = "string"


@dataclass(frozen=True, slots=True)
class Rows:
    """Typed rows. ``names`` are the labels or the type of each where a column says them."""

    count: int
    keys: list[pa.Array]
    names: pa.Array | None
    fields: list[pa.Field]
    arrays: list[pa.Array]

    def filter(self, keep: Mask) -> Rows:
        """Some of them."""
        if bool(keep.all()):
            return self
        mask = pa.array(keep)
        return Rows(
            int(keep.sum()),
            [one.filter(mask) for one in self.keys],
            None if self.names is None else self.names.filter(mask),
            self.fields,
            [one.filter(mask) for one in self.arrays],
        )

    def by_name(self, given: Sequence[str]) -> Iterator[tuple[tuple[str, ...], Mask]]:
        """Labels (or the type) and the rows that have them."""
        if self.names is None:
            yield tuple(given), np.ones(self.count, np.bool_)
            return
        coded = pc.fill_null(self.names, "").dictionary_encode()
        codes = coded.indices.to_numpy(zero_copy_only=False)
        for code, text in enumerate(coded.dictionary.to_pylist()):
            own = [one.strip() for one in text.split(_SEPARATOR_OF_LABELS)]
            names = tuple(dict.fromkeys([*given, *(one for one in own if one)]))
            yield names, codes == code


class File:
    """One file, opened."""

    def __init__(self, spec: FileSpec, form: Format, nodes: bool) -> None:
        self.spec = spec
        self._form = form
        self._nodes = nodes
        self.source = Source(spec.path, form.delimiter, form.quote)
        self.header = self.source.header()
        name = self.source.name
        self.columns = columns(self.header, spec.mapping, nodes=nodes, where=name)
        roles = ("ID",) if nodes else ("START_ID", "END_ID")
        self._keys = [at for role in roles if (at := place(self.columns, role)) is not None]
        self._name = place(self.columns, "LABEL" if nodes else "TYPE")
        if not nodes and self._name is None and len(spec.names) != 1:
            raise ImportFailed(f"{name}: relationships need a type: FILE:TYPE, or a :TYPE column")

    @property
    def groups(self) -> list[str]:
        """The groups of its keys."""
        return [self.columns[at].group for at in self._keys]

    @property
    def has_names(self) -> bool:
        """Whether a column says the labels or the type."""
        return self._name is not None

    @property
    def key_property(self) -> str:
        """The property the key of a node is stored as, empty for none."""
        return self.columns[self._keys[0]].name if self._keys else ""

    @property
    def _id_type(self) -> str:
        return "int" if self._form.id_type == "integer" else ""

    def empty(self) -> Rows:
        """No rows, with its columns."""
        none = [pa.array([], pa.string()) for _ in self.columns]
        return self._typed(Batch(self.source.name, none, 0, 1, 1), lambda row, why: None)

    def read(self, bad: BadRows, meter: Meter, groups: Sequence[Keys | None]) -> Iterator[Checked]:
        """Its rows. ``groups``: for nodes, where keys must not be yet; for relationships, where
        both ends must be."""
        meter.begin(self.spec.path.name, self.source.bytes)
        for batch in self.source.read(self.header, bad):
            yield self._checked(batch, bad, groups)
            meter.at(self.source.done, batch.rows)

    def _checked(self, batch: Batch, bad: BadRows, groups: Sequence[Keys | None]) -> Checked:
        wrong: dict[int, str] = {}

        def complain(row: int, why: str) -> None:
            wrong.setdefault(row, why)

        blank = _blank(batch)
        if batch.marked:
            _refuse_marked(batch, complain)
        rows = self._typed(batch, complain)
        ids: list[Ids] = []
        for at, (keys, group) in enumerate(zip(rows.keys, groups, strict=False)):
            if group is not None:
                ids += self._look(at, keys, group, complain)
        if rows.names is not None and not self._nodes and not self.spec.names:
            for row in np.flatnonzero(~_filled(rows.names)).tolist():
                complain(row, "no relationship type")
        keep = ~blank
        for row in sorted(wrong):
            if keep[row]:
                bad.add(batch.file, batch.line_of(row), wrong[row])
        if wrong:
            keep[list(wrong)] = False
        return Checked(rows.filter(keep), [one[keep] for one in ids])

    def _look(self, at: int, keys: pa.Array, group: Keys, complain: convert.Complain) -> list[Ids]:
        """Keys against their group: of nodes they must be new, of ends known."""
        missing = ~_filled(keys)
        for row in np.flatnonzero(missing).tolist():
            complain(row, "no id" if self._nodes else f"no {('start', 'end')[at]} id")
        if self._nodes:
            for row in np.flatnonzero(~group.fresh(keys) & ~missing).tolist():
                complain(row, f"the id {shown(keys[row].as_py())} is there twice")
            return []
        found = group.find(keys)
        for row in np.flatnonzero((found < 0) & ~missing).tolist():
            complain(row, f"there is no node with the id {shown(keys[row].as_py())}")
        return [found]

    def _typed(self, batch: Batch, complain: convert.Complain) -> Rows:
        separator = self._form.array_delimiter
        keys = [convert.text_of(batch.columns[at], complain) for at in self._keys]
        names = None if self._name is None else convert.text_of(batch.columns[self._name], complain)
        fields: list[pa.Field] = []
        arrays: list[pa.Array] = []
        for one, values in zip(self.columns, batch.columns, strict=True):
            stored = one
            if one.role == "ID" and one.name:
                stored = Column(one.name, "property", self._id_type)
            elif one.role != "property":
                continue
            made = convert.typed(values, stored, separator, complain)
            found, array = convert.field(stored.name, made, stored)
            fields.append(found)
            arrays.append(array)
        return Rows(batch.rows, keys, names, fields, arrays)


@dataclass(frozen=True, slots=True)
class Checked:
    """Good rows, and for relationships the ids of their ends."""

    rows: Rows
    ends: list[Ids]

    def cut(self, low: int, high: int) -> Checked:
        """Some of them in a row."""
        rows = self.rows
        part = Rows(
            high - low,
            [one.slice(low, high - low) for one in rows.keys],
            None if rows.names is None else rows.names.slice(low, high - low),
            rows.fields,
            [one.slice(low, high - low) for one in rows.arrays],
        )
        return Checked(part, [one[low:high] for one in self.ends])


def _refuse_marked(batch: Batch, complain: convert.Complain) -> None:
    for values in batch.columns:
        found = pc.fill_null(pc.match_substring(values, NO_TEXT), False)
        for row in np.flatnonzero(found.to_numpy(zero_copy_only=False)).tolist():
            complain(row, f"{shown(values[row].as_py().replace(NO_TEXT, chr(0xFFFD)))} is no UTF-8")


def _filled(values: pa.Array) -> Mask:
    found: Mask = values.is_valid().to_numpy(zero_copy_only=False)
    return found


def _blank(batch: Batch) -> Mask:
    """Rows without any value: empty lines."""
    blank = np.ones(batch.rows, np.bool_)
    for one in batch.columns:
        if not one.null_count:
            return np.zeros(batch.rows, np.bool_)
        blank &= ~_filled(one)
    return blank
