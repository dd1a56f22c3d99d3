"""Rows of ids: a table in pages, since ids are leased in blocks but may be spread over time."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from everwhen.columns.arena import Arena
from everwhen.model.columns import Ids, Rows

Array = npt.NDArray[Any]

_KIND: Final = "ids"
_BITS: Final = 8
_WITHIN: Final = (1 << _BITS) - 1


class IdMap:
    """The row of an id, -1 for those that have none. One writer, any readers: pages and table are
    replaced together, so that a page never points behind the table that a reader holds."""

    __slots__ = ("_arena", "_slots", "_state")

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        #: slot in the table by page; rows by slot and place in the page
        self._state: tuple[Array, Array] = (
            arena.empty(0, np.int32, _KIND),
            arena.empty(0, np.int32, _KIND),
        )
        self._slots = 0

    def one(self, identity: int) -> int:
        """The row of one id."""
        pages, table = self._state
        page = identity >> _BITS
        if not 0 <= page < len(pages):
            return -1
        slot: int = pages.item(page)
        return -1 if slot < 0 else int(table[(slot << _BITS) | (identity & _WITHIN)])

    def some(self, ids: Ids) -> Rows:
        """The rows of ids."""
        from everwhen.kernels.layout import located

        pages, table = self._state
        rows = np.empty(len(ids), np.int32)
        located(pages, table, _BITS, np.ascontiguousarray(ids, np.int64), rows)
        return rows

    def put(self, ids: Ids, rows: Rows) -> None:
        """Give ids their rows."""
        if not len(ids):
            return
        from everwhen.kernels.layout import settled, unpaged

        ids = np.ascontiguousarray(ids, np.int64)
        top = int(ids.max()) >> _BITS
        if top >= len(self._state[0]):
            self._more_pages(top + 1)
        missing = np.empty(len(ids), np.int64)
        missing = np.unique(missing[: unpaged(self._state[0], _BITS, ids, missing)])
        if len(missing):
            self._more_slots(len(missing))
            self._state[0][missing] = np.arange(self._slots, self._slots + len(missing))
            self._slots += len(missing)
        pages, table = self._state
        settled(pages, table, _BITS, ids, np.ascontiguousarray(rows, np.int32))

    def _more_pages(self, wanted: int) -> None:
        pages, table = self._state
        larger = self._arena.filled(wanted + wanted // 8, -1, np.int32, _KIND)
        larger[: len(pages)] = pages
        self._state = (larger, table)

    def _more_slots(self, count: int) -> None:
        pages, table = self._state
        wanted = (self._slots + count) << _BITS
        if wanted <= len(table):
            return
        larger = self._arena.filled(wanted + wanted // 8, -1, np.int32, _KIND)
        larger[: len(table)] = table
        self._state = (self._arena.grown(pages, len(pages), len(pages), _KIND), larger)


class NodeRows:
    """Every node that the image ever knew, by row. One writer, any readers."""

    __slots__ = ("_arena", "_map", "_order", "count", "ids", "ordered")

    def __init__(self, arena: Arena, ids: Ids) -> None:
        """``ids`` ascend."""
        self._arena = arena
        size = len(ids) + len(ids) // 8
        self.ids: Ids = arena.empty(size, np.int64, _KIND)
        self.ids[: len(ids)] = ids
        self.count = len(ids)
        #: whether ids ascend by row
        self.ordered = True
        self._map = IdMap(arena)
        self._map.put(ids, np.arange(len(ids), dtype=np.int32))

    def row(self, identity: int) -> int:
        """-1: it has none."""
        return self._map.one(identity)

    def rows(self, ids: Ids) -> Rows:
        """-1 for those that have none."""
        return self._map.some(ids)

    def give(self, identity: int) -> int:
        """The row of a node, a new one if it has none."""
        row = self._map.one(identity)
        return int(self.give_all(np.array((identity,), np.int64))[0]) if row < 0 else row

    def give_all(self, ids: Ids) -> Rows:
        """The rows of distinct nodes, new ones for those that have none."""
        rows = self._map.some(ids)
        new = rows < 0
        fresh = ids[new]
        if len(fresh):
            first, end = self.count, self.count + len(fresh)
            if end > len(self.ids):
                self.ids = self._arena.grown(self.ids, first, end + end // 8, _KIND)
            last = self.ids[first - 1] if first else -1
            if bool(fresh[0] < last) or bool((fresh[1:] < fresh[:-1]).any()):
                self.ordered = False
            self.ids[first:end] = fresh
            given = np.arange(first, end, dtype=np.int32)
            rows[new] = given
            self._map.put(fresh, given)
            self.count = end
        return rows

    def by_id(self, rows: Rows) -> Rows:
        """Rows in the order of their ids."""
        if self.ordered:
            return np.sort(rows)
        return rows[np.argsort(self.ids[rows], kind="stable")]
