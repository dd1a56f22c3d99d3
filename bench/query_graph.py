"""The graph that queries are measured on: people who know each other, from a fixed seed.

200,000 nodes ``Person {id, age, city, score}`` and 4,000,000 relationships ``KNOWS {since, weight}``
by default. Out-degrees are even, in-degrees skewed; nobody knows themselves or the same person twice,
so that engines that let a relationship be walked twice can be told not to by comparing nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

SEED: Final = 20_261
CITIES: Final = 100
AGES: Final = 80

Array = npt.NDArray[Any]


@dataclass
class Social:
    """Columns; starts and ends are ids, which are row numbers too."""

    ages: Array
    cities: list[str]
    scores: Array
    starts: Array
    ends: Array
    since: Array
    weights: Array

    @property
    def nodes(self) -> int:
        return len(self.ages)

    @property
    def edges(self) -> int:
        return len(self.starts)


def social(nodes: int = 200_000, edges: int = 4_000_000, seed: int = SEED) -> Social:
    """The graph; the same arguments give the same."""
    chance = np.random.default_rng(seed)
    drawn = int(edges * 1.05)
    starts = chance.integers(0, nodes, drawn)
    ends = (nodes * chance.random(drawn) ** 2).astype(np.int64)
    pairs = np.unique(np.stack((starts, ends), axis=1)[starts != ends], axis=0)
    pairs = chance.permutation(pairs)[:edges]
    count = len(pairs)
    return Social(
        ages=chance.integers(0, AGES, nodes),
        cities=[f"city {number}" for number in chance.integers(0, CITIES, nodes).tolist()],
        scores=np.round(chance.random(nodes) * 1000, 3),
        starts=pairs[:, 0].copy(),
        ends=pairs[:, 1].copy(),
        since=chance.integers(1990, 2026, count),
        weights=np.round(chance.random(count), 4),
    )


def write_parquet(graph: Social, folder: Path) -> tuple[Path, Path]:
    """Files that the importers of ours and of ladybug read."""
    people, knows = folder / "people.parquet", folder / "knows.parquet"
    columns = {
        "id:ID": pa.array(np.arange(graph.nodes)),
        "age": pa.array(graph.ages),
        "city": pa.array(graph.cities),
        "score": pa.array(graph.scores),
    }
    pq.write_table(pa.table(columns), people)
    columns = {
        ":START_ID": pa.array(graph.starts),
        ":END_ID": pa.array(graph.ends),
        "since": pa.array(graph.since),
        "weight": pa.array(graph.weights),
    }
    pq.write_table(pa.table(columns), knows)
    return people, knows
