"""What is read of many entities, in any order, until their columns are made of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from everwhen.codec.columns import (
    BoolColumn,
    Column,
    DictionaryColumn,
    FloatColumn,
    IntColumn,
    TextColumn,
)
from everwhen.codec.keys import SUB_PROPERTY
from everwhen.columns.arena import Arena
from everwhen.columns.graph.coding import (
    BOOL_TAG,
    FLOAT_TAG,
    INT_TAG,
    NULL_TAG,
    OTHER_TAG,
    Coded,
    Coder,
    Payloads,
    Tags,
)
from everwhen.columns.graph.content import Content
from everwhen.columns.graph.properties import (
    Base,
    Property,
    fill_coded,
    fill_typed,
    make_base,
    tidied,
)
from everwhen.model.columns import Ids, Mask, Rows
from everwhen.mvcc.images import Part

Array = npt.NDArray[Any]

_TAGS: Final = {IntColumn: INT_TAG, FloatColumn: FLOAT_TAG, BoolColumn: BOOL_TAG}


class _Typed(NamedTuple):
    """Values of one kind: where they go, and what they are (texts: their codes)."""

    places: slice
    tag: int
    column: Column | Array
    valid: Mask | None
    #: of the column's rows, which
    kept: Mask | None


class _Coded(NamedTuple):
    places: Array
    tags: Tags
    payloads: Payloads


class _Values:
    """Values of one property, gathered by the place of their entity in order of reading."""

    __slots__ = ("_coder", "_later", "_parts", "_tags")

    def __init__(self, coder: Coder) -> None:
        self._coder = coder
        self._parts: list[_Typed | _Coded] = []
        #: by row, over the others
        self._later: list[_Coded] = []
        self._tags: set[int] = set()

    def add_column(self, first: int, column: Column, kept: Mask | None) -> None:
        """Of a segment, for the entities from a place on."""
        size = len(column) if kept is None else int(np.count_nonzero(kept))
        places = slice(first, first + size)
        valid = getattr(column, "valid", None)
        tag = _TAGS.get(type(column), OTHER_TAG)
        if tag != OTHER_TAG:
            self._parts.append(_Typed(places, tag, column, valid, kept))
        elif isinstance(column, TextColumn | DictionaryColumn):
            tag, codes, valid = self._coder.coded_column(column)
            self._parts.append(_Typed(places, tag, codes, valid, kept))
        else:
            tags, payloads = self._coder.coded_values(column)
            if kept is not None:
                tags, payloads = tags[kept], payloads[kept]
            self._parts.append(_Coded(np.arange(first, first + size), tags, payloads))
            self._tags.update(np.unique(tags).tolist())
            return
        self._tags.add(tag)

    def add(self, places: list[int], values: list[Any]) -> None:
        """Some values."""
        coded = [self._coder.coded(value) for value in values]
        tags = np.array([tag for tag, _ in coded], np.uint8)
        payloads = np.array([payload for _, payload in coded], np.int64)
        self._parts.append(_Coded(np.array(places, np.int64), tags, payloads))
        self._tags.update(np.unique(tags).tolist())

    def change(self, rows: Rows, tags: Tags, payloads: Payloads) -> None:
        """Other values, or none, in place of what else is there."""
        self._later.append(_Coded(rows, tags, payloads))
        self._tags.update(np.unique(tags).tolist())

    def base(self, arena: Arena, rows: Rows) -> Base:
        """``rows``: by place."""
        tags = self._tags - {NULL_TAG}
        made = make_base(arena, len(rows), tags.pop() if len(tags) == 1 else OTHER_TAG)
        while self._parts:
            part = self._parts.pop()
            at = rows[part.places]
            if isinstance(part, _Coded):
                fill_coded(made, at, part.tags, part.payloads)
                continue
            data, valid = part.column, part.valid
            if not isinstance(data, np.ndarray):
                _, data, valid = self._coder.coded_column(data)
            if part.kept is not None:
                data, valid = data[part.kept], None if valid is None else valid[part.kept]
            if made.tags is None:
                fill_typed(made, at, data, valid)
            else:
                tags_, payloads = self._coder.coded_data(part.tag, data, valid)
                fill_coded(made, at, tags_, payloads)
        for later in self._later:
            fill_coded(made, later.places, later.tags, later.payloads)
        return tidied(made)


class Gathered:
    """Ids and properties of entities, in order of reading."""

    __slots__ = ("_content", "_ids", "_values", "count")

    def __init__(self, content: Content) -> None:
        self._content = content
        self._ids: list[Ids] = []
        self._values: dict[int, _Values] = {}
        self.count = 0

    def values(self, key: int) -> _Values:
        found = self._values.get(key)
        if found is None:
            found = self._values[key] = _Values(self._content.coder(key))
        return found

    def add_segment(
        self, ids: Ids, columns: Mapping[str, Column], keys: Mapping[str, int], kept: Mask | None
    ) -> None:
        for name, column in columns.items():
            self.values(keys[name]).add_column(self.count, column, kept)
        self.add_ids(ids)

    def add_ids(self, ids: Ids) -> None:
        self._ids.append(ids)
        self.count += len(ids)

    def add_properties(self, many: Iterable[Mapping[str, Any]], keys: Mapping[str, int]) -> None:
        """Of the entities that are added next."""
        by_key: dict[str, tuple[list[int], list[Any]]] = {}
        for place, properties in enumerate(many, self.count):
            for name, value in properties.items():
                places, values = by_key.setdefault(name, ([], []))
                places.append(place)
                values.append(value)
        for name, (places, values) in by_key.items():
            self.values(keys[name]).add(places, values)

    def ranked(self) -> tuple[Ids, Rows]:
        """Ids ascending, which makes them rows, and the row of each by its place."""
        ids = np.concatenate(self._ids) if self._ids else np.zeros(0, np.int64)
        if len(ids) < 2 or bool((ids[1:] > ids[:-1]).all()):
            return ids, np.arange(len(ids), dtype=np.int32)
        order = np.argsort(ids, kind="stable")
        ranks = np.empty(len(ids), np.int32)
        ranks[order] = np.arange(len(ids), dtype=np.int32)
        return ids[order], ranks

    def fill(
        self, held: dict[int, Property], ids: Ids, rows: Rows, at: int, changed: Changed
    ) -> None:
        """Make the columns of all properties, as ``changed``; ``ids`` and ``rows`` as they are
        ``ranked``."""
        arena = self._content.arena
        for key, at_rows, tags, payloads in changed.of(ids):
            self.values(key).change(at_rows, tags, payloads)
        for key, values in self._values.items():
            base = values.base(arena, rows)
            held[key] = Property(arena, self._content.coder(key), base, at)


class Changed:
    """What keys tell of properties of entities that are in segments: only that is read of them."""

    __slots__ = ("_content", "_parts")

    def __init__(self, content: Content) -> None:
        self._content = content
        #: by key: ids, tags, payloads
        self._parts: dict[int, list[tuple[Ids, Tags, Payloads]]] = {}

    def add(self, many: Iterable[tuple[int, list[Part]]]) -> None:
        """Entities and what is told of them, properties only."""
        by_key: dict[int, tuple[list[int], list[Coded]]] = {}
        for one, parts in many:
            for sub, _, value in parts:
                key = sub - SUB_PROPERTY
                ids, coded = by_key.setdefault(key, ([], []))
                ids.append(one)
                coded.append(self._content.coder(key).coded_bytes(value or None))
        for key, (ids, coded) in by_key.items():
            tags = np.array([tag for tag, _ in coded], np.uint8)
            payloads = np.array([payload for _, payload in coded], np.int64)
            found = np.array(ids, np.int64), tags, payloads
            self._parts.setdefault(key, []).append(found)

    def of(self, ids: Ids) -> Iterator[tuple[int, Rows, Tags, Payloads]]:
        """The changes of some entities (ascending): key, their places among them, and the values."""
        for key, parts in self._parts.items():
            for changed, tags, payloads in parts:
                at = ids.searchsorted(changed)
                at[at == len(ids)] = 0
                here = ids[at] == changed if len(ids) else np.zeros(len(at), np.bool_)
                if bool(here.any()):
                    yield key, at[here].astype(np.int32), tags[here], payloads[here]
