"""The image of one version, read from the record: segments by the array, all else in chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

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
from everwhen.codec.segments import NodeSegment, RelationshipSegment
from everwhen.columns.arena import Arena
from everwhen.columns.graph.coding import (
    BOOL_TAG,
    FLOAT_TAG,
    INT_TAG,
    NULL_TAG,
    OTHER_TAG,
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
from everwhen.mvcc.entities import Entities

Array = npt.NDArray[Any]
_T = TypeVar("_T")

#: entities looked at together
_CHUNK: Final = 4_096
_TAGS: Final = {IntColumn: INT_TAG, FloatColumn: FLOAT_TAG, BoolColumn: BOOL_TAG}

Check = Callable[[], None]


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

    __slots__ = ("_coder", "_parts", "_tags")

    def __init__(self, coder: Coder) -> None:
        self._coder = coder
        self._parts: list[_Typed | _Coded] = []
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
        return tidied(made)


class _Gathered:
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

    def ids(self) -> Ids:
        return np.concatenate(self._ids) if self._ids else np.zeros(0, np.int64)

    def fill(self, held: dict[int, Property], rows: Rows, at: int) -> None:
        """Make the columns of all properties; ``rows`` by place."""
        arena = self._content.arena
        for key, values in self._values.items():
            base = values.base(arena, rows)
            held[key] = Property(arena, self._content.coder(key), base, at)


def load(arena: Arena, entities: Entities, generation: int, epoch: int, check: Check) -> Content:
    """The image of the version of ``entities``. ``check`` is called now and then, and may raise."""
    version = entities.version
    content = Content(arena, generation, epoch, version)
    _Nodes(content, entities, check).load()
    _Relationships(content, entities, check).load()
    return content


class _Nodes:
    def __init__(self, content: Content, entities: Entities, check: Check) -> None:
        self._content = content
        self._entities = entities
        self._check = check
        self._gathered = _Gathered(content)
        #: places by label
        self._labels: dict[int, list[Array]] = {}

    def load(self) -> None:
        tokens = self._entities.tokens
        written = self._written()
        for segment in self._entities.node_segments():
            self._check()
            labels = [tokens.labels.ids[name] for name in segment.labels]
            self._segment(segment, labels, written)
        content, gathered = self._content, self._gathered
        ids, rows = _ranked(gathered.ids())
        content.place_nodes(ids)
        for label, places in self._labels.items():
            content.labels[label] = content.members_of(np.sort(rows[np.concatenate(places)]))
        gathered.fill(content.properties, rows, content.base - content.epoch)

    def _segment(self, segment: NodeSegment, labels: list[int], written: Ids) -> None:
        gathered = self._gathered
        ids, kept = _without(segment.ids.whole(), written)
        places = np.arange(gathered.count, gathered.count + len(ids))
        for label in labels:
            self._labels.setdefault(label, []).append(places)
        gathered.add_segment(ids, segment.columns, self._entities.tokens.keys.ids, kept)

    def _written(self) -> Ids:
        """Gather what keys tell; the ids of everything they say anything about, ascending."""
        keys, gathered = self._entities.tokens.keys.ids, self._gathered
        seen = []
        for chunk in _chunks(self._entities.written_nodes()):
            self._check()
            seen.append(np.array([node for node, _ in chunk], np.int64))
            there = [(node, image) for node, image in chunk if image is not None]
            by_label: dict[int, list[int]] = {}
            for place, (_, image) in enumerate(there, gathered.count):
                for label in image.label_tokens:
                    by_label.setdefault(label, []).append(place)
            for label, places in by_label.items():
                self._labels.setdefault(label, []).append(np.array(places, np.int64))
            gathered.add_properties((image.properties() for _, image in there), keys)
            gathered.add_ids(np.array([node for node, _ in there], np.int64))
        return np.concatenate(seen) if seen else np.zeros(0, np.int64)


class _Ends(NamedTuple):
    gathered: _Gathered
    starts: list[Ids]
    ends: list[Ids]


class _Relationships:
    def __init__(self, content: Content, entities: Entities, check: Check) -> None:
        self._content = content
        self._entities = entities
        self._check = check
        self._types: dict[int, _Ends] = {}

    def load(self) -> None:
        types = self._entities.tokens.types.ids
        written = self._written()
        for segment in self._entities.relationship_segments():
            self._check()
            self._segment(segment, types[segment.type], written)
        for type_ in sorted(self._types):
            self._check()
            self._table(type_, self._types.pop(type_))

    def _of(self, type_: int) -> _Ends:
        found = self._types.get(type_)
        if found is None:
            found = self._types[type_] = _Ends(_Gathered(self._content), [], [])
        return found

    def _table(self, type_: int, found: _Ends) -> None:
        content = self._content
        ids, rows = _ranked(found.gathered.ids())
        starts, ends = np.empty(len(rows), np.int32), np.empty(len(rows), np.int32)
        starts[rows] = content.nodes.rows(np.concatenate(found.starts))
        ends[rows] = content.nodes.rows(np.concatenate(found.ends))
        table = content.table(type_, len(ids))
        table.load(ids, starts, ends)
        found.gathered.fill(table.properties, rows, content.base - content.epoch)

    def _segment(self, segment: RelationshipSegment, type_: int, written: Ids) -> None:
        found = self._of(type_)
        ids, kept = _without(segment.ids.whole(), written)
        starts, ends = segment.starts.whole(), segment.ends.whole()
        if kept is not None:
            starts, ends = starts[kept], ends[kept]
        found.starts.append(starts)
        found.ends.append(ends)
        keys = self._entities.tokens.keys.ids
        found.gathered.add_segment(ids, segment.columns, keys, kept)

    def _written(self) -> Ids:
        keys = self._entities.tokens.keys.ids
        seen = []
        for chunk in _chunks(self._entities.written_relationships()):
            self._check()
            seen.append(np.array([one for one, _ in chunk], np.int64))
            by_type: dict[int, list[tuple[int, Any]]] = {}
            for one, image in chunk:
                if image is not None:
                    by_type.setdefault(image.ends[0], []).append((one, image))
            for type_, there in by_type.items():
                found = self._of(type_)
                found.gathered.add_properties((image.properties() for _, image in there), keys)
                found.gathered.add_ids(np.array([one for one, _ in there], np.int64))
                found.starts.append(np.array([image.ends[1] for _, image in there], np.int64))
                found.ends.append(np.array([image.ends[2] for _, image in there], np.int64))
        return np.concatenate(seen) if seen else np.zeros(0, np.int64)


def _ranked(ids: Ids) -> tuple[Ids, Rows]:
    """Ids ascending, and the rank of each in the order given."""
    if len(ids) < 2 or bool((ids[1:] > ids[:-1]).all()):
        return ids, np.arange(len(ids), dtype=np.int32)
    order = np.argsort(ids, kind="stable")
    ranks = np.empty(len(ids), np.int32)
    ranks[order] = np.arange(len(ids), dtype=np.int32)
    return ids[order], ranks


def _without(ids: Ids, written: Ids) -> tuple[Ids, Mask | None]:
    """Ids that are not among others (ascending), and which those are; None: all."""
    if not len(written) or not len(ids) or written[-1] < ids.min() or written[0] > ids.max():
        return ids, None
    at = written.searchsorted(ids)
    at[at == len(written)] = 0
    kept = written[at] != ids
    return (ids, None) if bool(kept.all()) else (ids[kept], kept)


def _chunks(items: Iterator[_T]) -> Iterator[list[_T]]:
    while chunk := list(islice(items, _CHUNK)):
        yield chunk
