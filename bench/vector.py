"""``python -m bench.vector``: the nearest of many vectors, against bare ``hnswlib``.

Ours is the whole index (stamps, graphs, exact tail) of a database in process, and the statement
that calls it; the peer is one graph of the same library with the same parameters over the same
vectors, searched in the same run, in turns. Queries are not among the vectors. A tenth comes after
the rest was sealed; the past is asked; then half are deleted or moved, and the past is asked again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import hnswlib
import numpy as np
import numpy.typing as npt

from bench.common import Report, scratch
from bench.vector_peers import ArcadeVectors
from everwhen.model.graph import Wanted
from everwhen.runtime.database import Database
from everwhen.runtime.embedded import Embedded
from everwhen.storage.rocks import RocksStore

Floats = npt.NDArray[np.float32]
Search = Callable[[Floats], Sequence[int]]

TEXT = "CALL db.index.vector.queryNodes('v', 10, $q) YIELD node, score RETURN id(node) AS id, score"
NEAREST = 10
LATENT = 24
ROWS_PER_STATEMENT = 1_000
TURNS = 5
SEAL_SECONDS = 1_800


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.vector", description=__doc__)
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=128)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--m", type=int, default=16)
    parser.add_argument("--construction", type=int, default=100)
    parser.add_argument("--ef", type=int, default=128)
    parser.add_argument(
        "--peers", action="store_true", help="ArcadeDB's index instead, once merged"
    )
    options = parser.parse_args(arguments)
    report = Report()
    everything = embeddings(options.vectors + options.queries, options.dimensions)
    data, queries = everything[: options.vectors], everything[options.vectors :]
    with scratch("vector") as folder, Embedded(RocksStore(folder / "db", create=True)) as database:
        if options.peers:
            beside_arcadedb(report, database, data, queries, options)
        else:
            measure(report, database, data, queries, options)
    return report.end()


def beside_arcadedb(
    report: Report, database: Embedded, data: Floats, queries: Floats, options: argparse.Namespace
) -> None:
    """A statement of ours against a call of ArcadeDB's own interface, all vectors merged."""
    ids = made(database, data, options)
    settle(database.service.database, 0)
    with scratch("arcadedb") as folder:
        peer = ArcadeVectors(
            folder, data, m=options.m, construction=options.construction, ef=options.ef
        )
        ours, there = statement(database), np.ones(len(data), bool)
        mine, theirs = turns(ours, peer.search, queries)
        rows = {number: row for row, number in enumerate(ids)}
        report.add(
            "vector_statement_against_arcadedb", "queries/s", mine, {"arcadedb": theirs},
            recall=recall(ours, queries, data, there, rows),
            peer_recall=recall(peer.search, queries, data, there, None),
        )  # fmt: skip
        peer.close()


def made(database: Embedded, data: Floats, options: argparse.Namespace) -> list[int]:
    """The index, and a node for each vector; their ids."""
    config = {
        "vector.dimensions": options.dimensions,
        "vector.hnsw.m": options.m,
        "vector.hnsw.ef_construction": options.construction,
        "vector.hnsw.ef_search": options.ef,
    }
    database.execute(
        "CREATE VECTOR INDEX v FOR (n:V) ON (n.e) OPTIONS {indexConfig: $c}", {"c": config}
    )
    ids = load(database, data)
    ours_at(database, None)(data[0])
    return ids


def embeddings(rows: int, dimensions: int) -> Floats:
    """Vectors that vary in about as many ways as embeddings do, less than their dimensions."""
    chance = np.random.default_rng(1)
    ways = min(LATENT, dimensions)
    directions = chance.normal(size=(ways, dimensions)) / ways**0.5
    found = chance.normal(size=(rows, ways)) @ directions
    return (found + 0.2 * chance.normal(size=found.shape)).astype(np.float32)


def measure(
    report: Report, database: Embedded, data: Floats, queries: Floats, options: argparse.Namespace
) -> None:
    """Load nine tenths, seal, search; the rest, search; delete and move, search; the past."""
    most = len(data) * 9 // 10
    ids = made(database, data[:most], options)
    vectors = database.service.database.vectors
    started = time.perf_counter()
    settle(database.service.database, 0)
    report.add("vector_sealed", "s", time.perf_counter() - started, vectors=most)
    graph = hnswlib.Index(space="cosine", dim=options.dimensions)
    graph.init_index(len(data), M=options.m, ef_construction=options.construction)
    graph.add_items(data[:most], np.arange(most), num_threads=1)
    graph.set_ef(options.ef)

    def bare(query: Floats) -> Sequence[int]:
        found, _ = graph.knn_query(query, k=NEAREST, num_threads=1)
        labels: list[int] = found[0].tolist()
        return labels

    bare_ids = {number: row for row, number in enumerate(ids)}
    there = np.ones(most, bool)
    state = (data[:most], there)
    merged = database.version

    def line(name: str, search: Search, truth: tuple[Floats, Any], bar: float | None) -> None:
        mine, peer = turns(search, bare, queries)
        recalled = recall(search, queries, *truth, bare_ids)
        known = recall(bare, queries, *state, None)
        report.add(
            name, "queries/s", mine, {"hnswlib": peer}, bar=bar, against_peer=True,
            recall=recalled, peer_recall=known, memory=float(vectors.bytes),
        )  # fmt: skip
        report.add(f"{name}_recall", "of 10", recalled, bar=0.95)

    line("vector_merged", ours_at(database, None), state, 0.8)
    line("vector_statement", statement(database), state, None)
    for number in load(database, data[most:]):
        bare_ids[number] = len(bare_ids)
    everything = (data, np.ones(len(data), bool))
    line("vector_tenth_unmerged", ours_at(database, None), everything, 0.4)
    line("vector_past", ours_at(database, merged), state, 0.5)
    changed = delete_and_move(database, data, list(bare_ids))
    ours_at(database, None)(queries[0])
    settle(database.service.database, len(data) // 8)
    line("vector_half_changed", ours_at(database, None), changed, None)
    line("vector_before_changes", ours_at(database, merged), state, 0.5)


def settle(database: Database, unsealed: int) -> None:
    """Wait until no more rows than these are compared one by one."""
    ends = time.perf_counter() + SEAL_SECONDS
    while database.vectors.unsealed > unsealed and time.perf_counter() < ends:
        time.sleep(0.1)


def delete_and_move(
    database: Embedded, data: Floats, ids: list[int]
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Delete a quarter of the nodes, give another quarter new vectors; what is then."""
    left, moved = np.ones(len(data), bool), data.copy()
    left[::4] = False
    moved[1::4] = data[::4][: len(moved[1::4])] + np.float32(0.1)
    gone = [ids[row] for row in range(0, len(ids), 4)]
    new = [{"i": ids[row], "e": moved[row].tolist()} for row in range(1, len(ids), 4)]
    for low in range(0, len(gone), ROWS_PER_STATEMENT):
        database.execute(
            "UNWIND $ids AS i MATCH (n) WHERE id(n) = i DETACH DELETE n",
            {"ids": gone[low : low + ROWS_PER_STATEMENT]},
        )
        database.execute(
            "UNWIND $rows AS row MATCH (n) WHERE id(n) = row.i SET n.e = row.e",
            {"rows": new[low : low + ROWS_PER_STATEMENT]},
        )
    return moved, left


def load(database: Embedded, data: Floats) -> list[int]:
    """Create a node for each vector; their ids."""
    ids: list[int] = []
    for low in range(0, len(data), ROWS_PER_STATEMENT):
        rows = data[low : low + ROWS_PER_STATEMENT].tolist()
        found = database.execute(
            "UNWIND $rows AS e CREATE (n:V {e: e}) RETURN id(n) AS id", {"rows": rows}
        )
        ids += [row[0] for row in found.rows]
    return ids


def ours_at(database: Embedded, version: int | None) -> Search:
    """The index, as a statement reaches it."""
    wanted = Wanted(NEAREST, False, lambda: None)
    core = database.service.database

    def search(query: Floats) -> Sequence[int]:
        snapshot = core.snapshot(core.version if version is None else version)
        return [entity for entity, _ in snapshot.nearest("v", query.tolist(), wanted)]

    return search


def statement(database: Embedded) -> Search:
    """The same through parser cache, executor and rows."""

    def search(query: Floats) -> Sequence[int]:
        return [row[0] for row in database.execute(TEXT, {"q": query.tolist()}).rows]

    return search


def turns(ours: Search, peer: Search, queries: Floats) -> tuple[float, float]:
    """Queries a second of both: the best of turns taken one after the other."""
    best = [0.0, 0.0]
    for _ in range(TURNS):
        for at, search in enumerate((ours, peer)):
            started = time.perf_counter()
            for query in queries:
                search(query)
            best[at] = max(best[at], len(queries) / (time.perf_counter() - started))
    return best[0], best[1]


def recall(
    search: Search,
    queries: Floats,
    data: Floats,
    there: npt.NDArray[np.bool_],
    rows: dict[int, int] | None,
) -> float:
    """The share of the ten nearest that a search finds; ``rows``: of its ids, if they differ."""
    rows_there = np.flatnonzero(there)
    unit = data[rows_there] / np.linalg.norm(data[rows_there], axis=1, keepdims=True)
    hits = 0
    for query in queries:
        near = rows_there[np.argpartition(-(unit @ query), NEAREST)[:NEAREST]]
        found = search(query)
        hits += len(set(near.tolist()) & {one if rows is None else rows[one] for one in found})
    return hits / (NEAREST * len(queries))


if __name__ == "__main__":
    sys.exit(main())
