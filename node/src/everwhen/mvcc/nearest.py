"""The nearest vectors of an index at a version: from what is in memory if that knows, or else by
comparing with every vector of the record.

Scores are Neo4j's: cosine as (1 + cos) / 2, Euclidean as 1 / (1 + d²), dot as (1 + product) / 2.
Vectors are compared in 32 bits; of equals the lower id comes first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from everwhen.errors import IndexNotFound, ProcedureCallFailed, QueryArgumentError
from everwhen.model.schema import ConstraintDefinition, IndexState
from everwhen.model.vector_index import VectorConfig, coordinates, parse_config

if TYPE_CHECKING:
    from everwhen.model.graph import Wanted
    from everwhen.mvcc.graph import GraphSnapshot

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

#: vectors compared at a time
_CHUNK: Final = 1_024


def definition_of(snapshot: GraphSnapshot, name: str) -> ConstraintDefinition:
    """:raises IndexNotFound: no vector index of the name.
    :raises ProcedureCallFailed: it failed, because of a vector that was there before it."""
    definition = snapshot.catalog.vector_index(name)
    if definition is None:
        raise IndexNotFound(f"there is no vector index named {name!r}")
    if definition.state is IndexState.FAILED:
        raise ProcedureCallFailed(f"the vector index {name!r} failed: {definition.failure}")
    return definition


def checked_query(definition: ConstraintDefinition, query: Sequence[float]) -> Floats:
    """The vector looked for, as it is compared.

    :raises QueryArgumentError: it does not fit the index.
    """
    config = parse_config(definition.type_text)
    problem = config.problem(list(query))
    if problem is not None:
        raise QueryArgumentError(
            f"the vector index {definition.name!r} cannot look for this vector: {problem}",
            detail="InvalidArgumentValue",
        )
    return prepared(config, query)


def prepared(config: VectorConfig, numbers: Sequence[float]) -> Floats:
    """A vector as it is compared: of length 1 for cosine."""
    row = np.asarray(numbers, np.float64)
    if config.metric == "cosine":
        row = row / np.sqrt(row @ row)
    return row.astype(np.float32)


def stored(config: VectorConfig, value: Any) -> Floats | None:
    """A property as it is compared; None if the index does not take it."""
    if value is None or config.problem(value) is not None:
        return None
    numbers = coordinates(value)
    return None if numbers is None else prepared(config, numbers)


def scores(config: VectorConfig, matrix: Floats, query: Floats) -> npt.NDArray[np.float64]:
    """How alike each row is to the vector looked for."""
    if config.metric == "euclidean":
        apart = matrix - query
        squares = np.einsum("ij,ij->i", apart, apart, dtype=np.float32).astype(np.float64)
        return np.asarray(1 / (1 + squares))
    # row by row: a product with the whole matrix starts threads, which on a busy machine wait
    # for each other a hundred times longer than the work takes
    products = np.asarray(np.vecdot(matrix, query), np.float64)
    if config.metric == "cosine":
        products = np.clip(products, -1.0, 1.0)
    return (1 + products) / 2


def best(ids: Ids, found: npt.NDArray[np.float64], count: int) -> list[tuple[int, float]]:
    """The best scored, best first."""
    if len(ids) > count:
        # everything as good as the last one stays, so that the lower id wins
        least = np.partition(found, len(found) - count)[len(found) - count]
        kept = np.flatnonzero(found >= least)
        ids, found = ids[kept], found[kept]
    order = np.lexsort((ids, -found))[:count]
    return list(zip(ids[order].tolist(), found[order].tolist(), strict=True))


def search(
    snapshot: GraphSnapshot, name: str, query: Sequence[float], wanted: Wanted
) -> list[tuple[int, float]]:
    """See ``GraphView.nearest``."""
    definition = definition_of(snapshot, name)
    vector = checked_query(definition, query)
    columns = snapshot.state.vectors
    if columns is not None:
        known = columns.nearest(definition, snapshot.version, vector, wanted)
        if known is not None:
            return known
    config = parse_config(definition.type_text)
    top: list[tuple[int, float]] = []
    rows = values_of(snapshot, definition)
    while True:
        ids, matrix = _chunk(config, rows, wanted)
        if not len(ids):
            return top
        top += best(ids, scores(config, matrix, vector), wanted.most)
        top = sorted(top, key=lambda one: (-one[1], one[0]))[: wanted.most]


def values_of(
    snapshot: GraphSnapshot, definition: ConstraintDefinition
) -> Iterator[tuple[int, Any]]:
    """(id, value) of everything with the label or type, ascending by id."""
    key = definition.properties[0]
    if definition.entity == "NODE":
        for node in snapshot.nodes_with_label(definition.label):
            yield node.id, snapshot.node_property(node.id, key)
    else:
        for relationship in snapshot.relationships([definition.label]):
            yield relationship.id, snapshot.relationship_property(relationship.id, key)


def _chunk(
    config: VectorConfig, rows: Iterator[tuple[int, Any]], wanted: Wanted
) -> tuple[Ids, Floats]:
    ids: list[int] = []
    vectors: list[Floats] = []
    for entity, value in rows:
        wanted.tick()
        row = stored(config, value)
        if row is not None:
            ids.append(entity)
            vectors.append(row)
            if len(ids) == _CHUNK:
                break
    matrix = np.array(vectors, np.float32).reshape(len(ids), config.dimensions)
    return np.array(ids, np.int64), matrix
