"""What a snapshot finds in indexes, as far as it can still be read at its version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

from everwhen.model.elements import Value
from everwhen.model.graph import Bound, Matching, TextWanted, Wanted
from everwhen.mvcc import lookup, matching, nearest
from everwhen.mvcc.counted import Counted
from everwhen.mvcc.text_search import Own

if TYPE_CHECKING:
    from everwhen.mvcc.graph import GraphSnapshot


class Indexed(Counted):
    """Part of ``mvcc.graph.GraphSnapshot``."""

    __slots__ = ()

    def index_seek(self, index_name: str, values: Sequence[Value]) -> Iterator[int]:
        self._need_index(index_name)
        return lookup.seek(cast("GraphSnapshot", self), index_name, values)

    def index_range(
        self,
        index_name: str,
        prefix: Sequence[Value],
        lower: Bound | None,
        upper: Bound | None,
    ) -> Iterator[int]:
        self._need_index(index_name)
        return lookup.between(cast("GraphSnapshot", self), index_name, prefix, lower, upper)

    def index_prefix(self, index_name: str, prefix: Sequence[Value], text: str) -> Iterator[int]:
        self._need_index(index_name)
        return lookup.starting(cast("GraphSnapshot", self), index_name, prefix, text)

    def index_scan(self, index_name: str) -> Iterator[int]:
        self._need_index(index_name)
        return lookup.everything(cast("GraphSnapshot", self), index_name)

    def nearest(
        self, index_name: str, query: Sequence[float], wanted: Wanted
    ) -> list[tuple[int, float]]:
        self._need_index(index_name)
        return nearest.search(cast("GraphSnapshot", self), index_name, query, wanted)

    def matching(self, index_name: str, wanted: TextWanted, own: Own | None = None) -> Matching:
        self._need_index(index_name)
        return matching.search(cast("GraphSnapshot", self), index_name, wanted, own)
