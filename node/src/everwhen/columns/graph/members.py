"""Which node rows belong to a set (all nodes, or those with a label), through versions.

Ascending by id as of a base version, and a log of what came and went. The base moves forward in
the background; the log stays for readers of older versions.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from everwhen.columns.arena import Arena
from everwhen.columns.graph.ids import NodeRows
from everwhen.columns.graph.log import SET, Log, decisive
from everwhen.columns.graph.recent import Recent
from everwhen.model.columns import Mask, Rows

KIND: Final = "labels"


class Members:
    """See the module. One writer of the log, any readers."""

    __slots__ = ("_arena", "_masks", "_nodes", "_rows", "at", "base", "log")

    def __init__(
        self, arena: Arena, nodes: NodeRows, base: Rows, at: int, log: Log | None = None
    ) -> None:
        """``at``: the version (less the epoch) at which ``base``, ascending by id, is right."""
        self._arena = arena
        self._nodes = nodes
        self.base = base
        self.at = at
        self.log = Log(arena, SET) if log is None else log
        #: by position in the log
        self._rows: Recent[Rows] = Recent()
        self._masks: Recent[Mask] = Recent()

    def rows(self, version: int) -> Rows:
        """Its rows at a version, ascending by id."""
        place = self.log.between(self.at, version)
        if place[0] == place[1]:
            return self.base
        found = self._rows.get(place)
        if found is None:
            found = self._patched(*place)
            self._rows.put(place, found)
        return found

    def _patched(self, here: int, there: int) -> Rows:
        low, high = min(here, there), max(here, there)
        _, rows, present = self.log.slice(low, high)
        forward = here < there
        touched, at = decisive(rows, forward)
        there_now = present[at] if forward else ~present[at]
        keys = self._nodes.ids
        base, gained = self.base, touched[there_now]
        touched, gained = self._nodes.by_id(touched), self._nodes.by_id(gained)
        base_ids = keys[base]
        kept = base
        if len(base):
            places = base_ids.searchsorted(keys[touched])
            places[places == len(base)] = 0
            gone = places[base[places] == touched]
            kept, base_ids = np.delete(base, gone), np.delete(base_ids, gone)
        found: Rows = np.insert(kept, base_ids.searchsorted(keys[gained]), gained)
        return found

    def mask(self, version: int, size: int) -> Mask:
        """By row, for so many rows at least, whether it belongs to the set."""
        place = self.log.between(self.at, version)
        if place[0] == place[1]:
            place = (0, 0)
        found = self._masks.get(place)
        if found is None or len(found) < size:
            found = np.zeros(size, np.bool_)
            found[self.rows(version)] = True
            self._masks.put(place, found)
        return found

    def merged(self, version: int) -> Members:
        """The same set with its base at a version."""
        rows = self.rows(version)
        base = self._arena.empty(len(rows), np.int32, KIND)
        base[:] = rows
        return Members(self._arena, self._nodes, base, version, self.log)

    def with_log(self, log: Log) -> Members:
        """The same set with a longer past."""
        return Members(self._arena, self._nodes, self.base, self.at, log)

    def behind(self, version: int) -> int:
        """Changes between the base and a version."""
        here, there = self.log.between(self.at, version)
        return there - here

    def __len__(self) -> int:
        return len(self.base)
