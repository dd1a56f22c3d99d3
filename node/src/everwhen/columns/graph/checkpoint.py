"""The image as a checkpoint beside the record: a list of arrays by name, and what they mean.

It belongs to one version of one history: it names the version and the chain hash of that commit in
the journal. Whoever reads it compares, and follows the journal from there. The arrays are taken
while readers and the follower go on; what the follower writes in place meanwhile is newer than the
version (an end) or older than the versions held (a begin), and is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from everwhen.columns.arena import Arena
from everwhen.columns.graph.content import Content
from everwhen.columns.graph.log import SET, VALUES, Log
from everwhen.columns.graph.members import Members
from everwhen.columns.graph.properties import Base, Property
from everwhen.columns.graph.table import Table
from everwhen.columns.graph.texts import Heap
from everwhen.errors import CorruptData
from everwhen.model.columns import NEVER

Array = npt.NDArray[Any]
Fetch = Callable[[str], Array]

FORMAT: Final = 2
#: what stands for "all nodes" or "of nodes" where there is a token else
_NODES: Final = -1


class MembersPart(msgspec.Struct, frozen=True, array_like=True):
    """A label, or all nodes."""

    label: int
    at: int


class PropertyPart(msgspec.Struct, frozen=True, array_like=True):
    """A property of nodes, or of a type; its base may have validity, and tags."""

    type: int
    key: int
    at: int
    tag: int
    valid: bool
    tags: bool


class TablePart(msgspec.Struct, frozen=True, array_like=True):
    """A type; of both sides, the rows in the base and since when."""

    type: int
    count: int
    alive: int
    older: list[int]
    sides: list[tuple[int, int]]


class Meta(msgspec.Struct, frozen=True, array_like=True):
    """What the arrays mean."""

    format: int
    version: int
    chain: bytes
    floor: int
    base: int
    epoch: int
    lowest: int
    members: list[MembersPart]
    properties: list[PropertyPart]
    tables: list[TablePart]
    texts: list[int]


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(Meta).decode


class Shelf(Protocol):
    """Where a checkpoint lies."""

    def write(self, meta: bytes, arrays: Iterator[tuple[str, Array]], size: int) -> bool:
        """Replace what is there, in one step; ``size``: bytes of the arrays, roughly. False: there
        is no room."""

    def read(self) -> tuple[bytes, Fetch] | None:
        """What is there, if it is whole: the meaning, and each array by name, to be copied.

        ``Fetch`` raises CorruptData for an array that is damaged or missing.
        """

    def remove(self) -> None:
        """It is of no use."""


class Frozen:
    """What is to be written; made under the follower's lock, written without."""

    __slots__ = ("_arrays", "meta", "size")

    def __init__(self, content: Content, chain: bytes) -> None:
        self._arrays: list[tuple[str, Callable[[], Array]]] = []
        self.size = 0
        version, floor = content.upto - content.epoch, content.floor - content.epoch
        self._add("ids", content.nodes.ids[: content.nodes.count])
        everything = [(_NODES, content.existing), *content.labels.items()]
        for label, members in everything:
            self._add(f"members {label}", members.base)
            self._log(f"members {label} log", members.log)
        properties = [self._property(_NODES, *one) for one in content.properties.items()]
        for type_, table in content.tables.items():
            self._table(table, version, floor)
            properties += [self._property(type_, *one) for one in table.properties.items()]
        for key, coder in content.keys.items():
            self._heap(f"texts {key}", coder.texts)
        self._heap("heap", content.heap)
        self.meta = Meta(
            FORMAT,
            content.upto,
            chain,
            content.floor,
            content.base,
            content.epoch,
            content.lowest,
            [MembersPart(label, one.at) for label, one in everything],
            properties,
            [_table_part(one) for one in content.tables.values()],
            list(content.keys),
        )

    def write(self, shelf: Shelf) -> bool:
        """Put it there; False: there is no room."""
        arrays = ((name, make()) for name, make in self._arrays)
        return shelf.write(_ENCODE(self.meta), arrays, self.size)

    def _add(self, name: str, array: Array, make: Callable[[], Array] | None = None) -> None:
        self.size += array.nbytes
        self._arrays.append((name, make or (lambda: array)))

    def _log(self, name: str, log: Log) -> None:
        for number, array in enumerate(log.slice(0, log.count)):
            self._add(f"{name} {number}", array)

    def _heap(self, name: str, heap: Heap) -> None:
        data, offsets = heap.whole()
        self._add(name, data)
        self._add(f"{name} offsets", offsets)

    def _property(self, type_: int, key: int, one: Property) -> PropertyPart:
        base, name = one.base, f"property {type_} {key}"
        self._add(name, base.data)
        if base.valid is not None:
            self._add(f"{name} valid", base.valid)
        if base.tags is not None:
            self._add(f"{name} tags", base.tags)
        self._log(f"{name} log", one.log)
        parts = base.valid is not None, base.tags is not None
        return PropertyPart(type_, key, one.at, base.tag, *parts)

    def _table(self, table: Table, version: int, floor: int) -> None:
        name, count = f"table {table.number}", table.count
        begins, ends = table.begins[:count], table.ends[:count]
        self._add(f"{name} ids", table.ids[:count])
        self._add(f"{name} start", table.start[:count])
        self._add(f"{name} finish", table.finish[:count])
        self._add(f"{name} begins", begins, lambda: _up_to(begins, floor, 0, begins <= floor))
        self._add(f"{name} ends", ends, lambda: _up_to(ends, version, NEVER, ends > version))
        for side in (table.outgoing, table.incoming):
            base = side.base
            self._add(f"{name} {side.outgoing} offsets", base.offsets)
            self._add(f"{name} {side.outgoing} edges", base.edges)


def _up_to(stamps: Array, bound: int, instead: int, hidden: Array) -> Array:
    return np.where(hidden, np.uint32(instead), stamps)


def _table_part(table: Table) -> TablePart:
    sides = [(side.base.rows, side.base.since) for side in (table.outgoing, table.incoming)]
    return TablePart(table.number, table.count, table.alive, list(table.older), sides)


def decode(data: bytes) -> Meta:
    """:raises CorruptData: no such checkpoint, or one of another build."""
    try:
        meta = _DECODE(data)
    except (ValueError, TypeError) as error:
        raise CorruptData(f"bytes that are no checkpoint of the image: {error}") from error
    if meta.format != FORMAT:
        raise CorruptData(f"a checkpoint of format {meta.format}; this build reads {FORMAT}")
    return meta


def thaw(arena: Arena, meta: Meta, fetch: Fetch, generation: int) -> Content:
    """The image of a checkpoint.

    :raises CorruptData: an array is damaged or missing.
    """
    content = Content(arena, generation, meta.epoch, meta.version)
    content.floor, content.base, content.lowest = meta.floor, meta.base, meta.lowest
    content.place_ids(fetch("ids"))
    for part in meta.members:
        label = None if part.label == _NODES else part.label
        name = f"members {part.label}"
        log = _log(arena, SET, f"{name} log", fetch)
        base = arena.copied(fetch(name), "labels")
        content.put_members(label, Members(arena, content.nodes, base, part.at, log))
    content.heap.fill(fetch("heap"), fetch("heap offsets"))
    for key in meta.texts:
        content.coder(key).texts.fill(fetch(f"texts {key}"), fetch(f"texts {key} offsets"))
    for one in meta.tables:
        name = f"table {one.type}"
        columns = [fetch(f"{name} {part}") for part in ("ids", "start", "finish", "begins", "ends")]
        table = content.table(one.type, one.count)
        table.restore(*columns, older=one.older, alive=one.alive)
        for outgoing, (rows, since) in zip((True, False), one.sides, strict=True):
            arrays = (fetch(f"{name} {outgoing} {part}") for part in ("offsets", "edges"))
            table.put_side(outgoing, rows, since, *arrays)
        table.tally(meta.version - meta.epoch)
    for held in meta.properties:
        _property(content, held, fetch)
    return content


def _property(content: Content, part: PropertyPart, fetch: Fetch) -> None:
    arena, name = content.arena, f"property {part.type} {part.key}"
    base = Base(
        part.tag,
        arena.copied(fetch(name), "properties"),
        arena.copied(fetch(f"{name} valid"), "properties") if part.valid else None,
        arena.copied(fetch(f"{name} tags"), "properties") if part.tags else None,
    )
    log = _log(arena, VALUES, f"{name} log", fetch)
    held = content.properties_of(None if part.type == _NODES else part.type)
    held[part.key] = Property(arena, content.coder(part.key), base, part.at, log)


def _log(arena: Arena, dtypes: tuple[Any, ...], name: str, fetch: Fetch) -> Log:
    arrays = [fetch(f"{name} {number}") for number in range(len(dtypes))]
    return Log(arena, dtypes).joined(tuple(arrays))
