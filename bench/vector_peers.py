"""ArcadeDB's vector index, for ``bench.vector``. Ladybug's is an extension that is fetched from its
makers when it is first used, so it cannot be measured without a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import arcadedb_embedded
import numpy as np
import numpy.typing as npt

_ROWS = 5_000


class ArcadeVectors:
    """Its index over whole vectors (JVector), in this process. ``m`` counts as in HNSW, where the
    lowest layer has twice as many neighbours."""

    def __init__(
        self, folder: Path, data: npt.NDArray[np.float32], *, m: int, construction: int, ef: int
    ) -> None:
        self._ef = ef
        self._database = arcadedb_embedded.create_database(
            str(folder / "arcadedb"), jvm_kwargs={"heap_size": "4g"}
        )
        for command in (
            "CREATE VERTEX TYPE V",
            "CREATE PROPERTY V.n LONG",
            "CREATE PROPERTY V.e ARRAY_OF_FLOATS",
        ):
            self._database.command("sql", command)
        with self._database.graph_batch() as batch:
            for low in range(0, len(data), _ROWS):
                rows: list[dict[str, Any]] = [
                    {"n": low + at, "e": arcadedb_embedded.to_java_float_array(vector)}
                    for at, vector in enumerate(data[low : low + _ROWS])
                ]
                batch.create_vertices("V", rows)
        self._index = self._database.create_vector_index(
            "V", "e", data.shape[1], distance_function="cosine", max_connections=2 * m,
            beam_width=construction, quantization="NONE",
        )  # fmt: skip

    def search(self, query: npt.NDArray[np.float32]) -> Sequence[int]:
        """Rows of the ten nearest."""
        return [one.get("n") for one, _ in self._index.find_nearest(query, 10, ef_search=self._ef)]

    def close(self) -> None:
        self._database.close()
