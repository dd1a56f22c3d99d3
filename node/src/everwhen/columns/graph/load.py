"""The image of one version, read from the record: segments by the array, all else in chunks.

What keys tell of an element of a segment is only its properties that were set since, as a rule:
then it is taken from the segment with the others, and they are put over it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from everwhen.codec.keys import SUB_PROPERTY, Kind
from everwhen.codec.segments import NodeSegment, RelationshipSegment
from everwhen.columns.arena import Arena
from everwhen.columns.graph.content import Content
from everwhen.columns.graph.gather import Changed, Gathered
from everwhen.model.columns import Ids, Mask
from everwhen.mvcc.entities import Entities
from everwhen.mvcc.images import Part

Array = npt.NDArray[Any]
_T = TypeVar("_T")

#: entities looked at together
_CHUNK: Final = 4_096

Check = Callable[[], None]
_Told = tuple[int, list[Part]]


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
        self._gathered = Gathered(content)
        self._changed = Changed(content)
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
        ids, rows = gathered.ranked()
        content.place_nodes(ids)
        for label, places in self._labels.items():
            content.labels[label] = content.members_of(np.sort(rows[np.concatenate(places)]))
        at = content.base - content.epoch
        gathered.fill(content.properties, ids, rows, at, self._changed)

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
        for chunk in _chunks(self._entities.written(Kind.NODE)):
            self._check()
            told = _told(chunk, self._changed)
            seen.append(np.array([node for node, _ in told], np.int64))
            images = ((node, self._entities.node_of(node, parts)) for node, parts in told)
            there = [(node, image) for node, image in images if image is not None]
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
    gathered: Gathered
    starts: list[Ids]
    ends: list[Ids]


class _Relationships:
    def __init__(self, content: Content, entities: Entities, check: Check) -> None:
        self._content = content
        self._entities = entities
        self._check = check
        self._types: dict[int, _Ends] = {}
        self._changed = Changed(content)

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
            found = self._types[type_] = _Ends(Gathered(self._content), [], [])
        return found

    def _table(self, type_: int, found: _Ends) -> None:
        content = self._content
        ids, rows = found.gathered.ranked()
        starts, ends = np.empty(len(rows), np.int32), np.empty(len(rows), np.int32)
        starts[rows] = content.nodes.rows(np.concatenate(found.starts))
        ends[rows] = content.nodes.rows(np.concatenate(found.ends))
        table = content.table(type_, len(ids))
        table.load(ids, starts, ends)
        at = content.base - content.epoch
        found.gathered.fill(table.properties, ids, rows, at, self._changed)

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
        for chunk in _chunks(self._entities.written(Kind.REL)):
            self._check()
            told = _told(chunk, self._changed)
            seen.append(np.array([one for one, _ in told], np.int64))
            by_type: dict[int, list[tuple[int, Any]]] = {}
            for one, parts in told:
                image = self._entities.relationship_of(one, parts)
                if image is not None:
                    by_type.setdefault(image.ends[0], []).append((one, image))
            for type_, there in by_type.items():
                found = self._of(type_)
                found.gathered.add_properties((image.properties() for _, image in there), keys)
                found.gathered.add_ids(np.array([one for one, _ in there], np.int64))
                found.starts.append(np.array([image.ends[1] for _, image in there], np.int64))
                found.ends.append(np.array([image.ends[2] for _, image in there], np.int64))
        return np.concatenate(seen) if seen else np.zeros(0, np.int64)


def _told(chunk: list[_Told], changed: Changed) -> list[_Told]:
    """Those of which keys tell more than properties that were ``changed``."""
    changed.add(one for one in chunk if one[1][0].sub >= SUB_PROPERTY)
    return [one for one in chunk if one[1][0].sub < SUB_PROPERTY]


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
