"""The one module that knows hnswlib: a sealed graph over rows of a matrix.

Rows are numbered from 0; vectors for cosine come with length 1, so the inner product serves both.
A sealed graph never changes; any number of threads may search it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from everwhen.model.vector_index import VectorConfig

#: bytes of a link, and of what a row needs beside vector and links
_LINK_BYTES = 4
_ROW_BYTES = 24
#: rows given at a time, so that other threads get their turn
_BATCH = 256


def graph_bytes(config: VectorConfig, rows: int) -> int:
    """Memory that a graph of so many rows takes."""
    return rows * (config.dimensions * 4 + 2 * config.m * _LINK_BYTES + _ROW_BYTES)


class Sealed:
    """See the module."""

    __slots__ = ("_ef", "_index", "bytes", "rows")

    def __init__(
        self,
        config: VectorConfig,
        matrix: npt.NDArray[np.float32],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Takes long; ``check`` is called now and then, and may raise."""
        import hnswlib  # a node without vector indexes never needs it

        space = "l2" if config.metric == "euclidean" else "ip"
        index: Any = hnswlib.Index(space=space, dim=config.dimensions)
        index.init_index(
            max_elements=len(matrix), ef_construction=config.ef_construction, M=config.m
        )
        index.set_num_threads(1)
        for at in range(0, len(matrix), _BATCH):
            check()
            part = matrix[at : at + _BATCH]
            index.add_items(part, np.arange(at, at + len(part)), num_threads=1)
        index.set_ef(config.ef_search)
        self._index = index
        self._ef = config.ef_search
        self.rows = len(matrix)
        #: memory held
        self.bytes = graph_bytes(config, self.rows)

    @property
    def reach(self) -> int:
        """How many neighbours a search finds at no more than its usual cost."""
        return self._ef

    def search(self, query: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.int64] | None:
        """Rows near the vector, nearest first; None if the graph does not reach so many."""
        try:
            rows, _ = self._index.knn_query(query, k=min(count, self.rows), num_threads=1)
        except RuntimeError:
            # said of a graph whose parts are not all connected
            return None
        found: npt.NDArray[np.int64] = rows[0].astype(np.int64)
        return found
