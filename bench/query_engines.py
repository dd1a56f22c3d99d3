"""Engines behind one interface, each in a process of its own: ``python -m bench.query_engines``.

Reads a JSON line a question from standard input, answers with one: the answers to each set of
parameters and the milliseconds each took. The first set only warms up.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

Rows = list[list[Any]]


class Engine(Protocol):
    """``about`` says which build and how many threads."""

    about: dict[str, Any]

    def ask(self, text: str, parameters: dict[str, Any]) -> Rows: ...


class Everwhen:
    """The database of this checkout, in this process, on a record that a node was loaded with."""

    def __init__(self, folder: Path) -> None:
        from everwhen.runtime.database import DatabaseOptions
        from everwhen.runtime.embedded import Embedded
        from everwhen.storage.rocks import RocksStore
        from everwhen.version import VERSION

        (record,) = [path.parent for path in folder.rglob("CURRENT")]
        options = DatabaseOptions(image_memory=4 << 30)
        self._database = Embedded(RocksStore(record, create=False), options=options)
        # a node that starts takes its columns up again
        self._database.execute("MATCH (a:Person)-[:KNOWS]->(b:Person) RETURN count(DISTINCT b.age)")
        self.about = {"version": VERSION, "threads": 1}

    def ask(self, text: str, parameters: dict[str, Any]) -> Rows:
        return self._database.execute(text, parameters).rows


class Ladybug:
    """ladybug, all cores, statements prepared once."""

    def __init__(self, folder: Path) -> None:
        import ladybug

        fresh = not (folder / "ladybug").exists()
        threads = os.cpu_count() or 1
        database = ladybug.Database(str(folder / "ladybug"))
        self._connection: Any = ladybug.Connection(database, num_threads=threads)
        self._prepared: dict[str, Any] = {}
        self.about = {"version": ladybug.__version__, "threads": threads}
        if fresh:
            self._load(folder)

    def _load(self, folder: Path) -> None:
        run = self._connection.execute
        run(
            "CREATE NODE TABLE Person(id INT64, age INT64, city STRING, score DOUBLE,"
            " PRIMARY KEY(id))"
        )
        run("CREATE REL TABLE KNOWS(FROM Person TO Person, since INT64, weight DOUBLE)")
        run(f"COPY Person FROM '{folder / 'people.parquet'}'")
        run(f"COPY KNOWS FROM '{folder / 'knows.parquet'}'")

    def ask(self, text: str, parameters: dict[str, Any]) -> Rows:
        statement = self._prepared.get(text)
        if statement is None:
            statement = self._prepared[text] = self._connection.prepare(text)
        found = self._connection.execute(statement, parameters)
        rows = []
        while found.has_next():
            rows.append(found.get_next())
        return rows


class ArcadeDb:
    """ArcadeDB in this process, its openCypher engine, an index on what is looked up."""

    def __init__(self, folder: Path) -> None:
        import arcadedb_embedded

        place = folder / "arcadedb"
        given = {"jvm_kwargs": {"heap_size": "5g"}}
        self.about = {"version": arcadedb_embedded.__version__, "threads": os.cpu_count()}
        if place.exists():
            self._database = arcadedb_embedded.open_database(str(place), **given)
        else:
            self._database = arcadedb_embedded.create_database(str(place), **given)
            self._load(folder)

    def _load(self, folder: Path) -> None:
        import pyarrow.parquet as pq

        for command in (
            "CREATE VERTEX TYPE Person",
            "CREATE PROPERTY Person.id LONG",
            "CREATE PROPERTY Person.age LONG",
            "CREATE PROPERTY Person.city STRING",
            "CREATE PROPERTY Person.score DOUBLE",
            "CREATE INDEX ON Person (id) UNIQUE",
            "CREATE INDEX ON Person (city) NOTUNIQUE",
            "CREATE EDGE TYPE KNOWS",
        ):
            self._database.command("sql", command)
        people = (
            pq.read_table(folder / "people.parquet")
            .rename_columns(["id", "age", "city", "score"])
            .to_pylist()
        )
        with self._database.graph_batch(expected_edge_count=4_000_000) as batch:
            names = []
            for low in range(0, len(people), 20_000):
                names += batch.create_vertices("Person", people[low : low + 20_000])
            source = pq.ParquetFile(folder / "knows.parquet")
            for part in source.iter_batches(50_000):
                columns = part.to_pydict()
                properties = [
                    {"since": since, "weight": weight}
                    for since, weight in zip(columns["since"], columns["weight"], strict=True)
                ]
                starts = [names[number] for number in columns[":START_ID"]]
                ends = [names[number] for number in columns[":END_ID"]]
                batch.new_edges(starts, "KNOWS", ends, properties)

    def ask(self, text: str, parameters: dict[str, Any]) -> Rows:
        return [
            list(row.values())
            for row in self._database.query("opencypher", text, parameters).to_list()
        ]


ENGINES: dict[str, Callable[[Path], Engine]] = {
    "everwhen": Everwhen,
    "ladybug": Ladybug,
    "arcadedb": ArcadeDb,
}


def answer(engine: Engine, question: dict[str, Any]) -> dict[str, Any]:
    """Times and answers of one question; it ends early when its seconds are used up."""
    text, seconds = question["text"], question["seconds"]
    answers: list[Rows] = []
    times: list[float] = []
    started = time.monotonic()
    try:
        for parameters in question["parameters"]:
            begun = time.perf_counter_ns()
            rows = engine.ask(text, parameters)
            times.append((time.perf_counter_ns() - begun) / 1e6)
            answers.append(rows)
            if time.monotonic() - started > seconds:
                break
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:500], "answers": answers}
    # the first run warms up, unless there was time for no other
    return {"times": times[1:] or times, "answers": answers}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.query_engines", description=__doc__)
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    out = os.fdopen(os.dup(1), "w")  # what engines print must not be taken for answers
    os.dup2(2, 1)
    begun = time.monotonic()
    engine = ENGINES[options.engine](options.folder)
    gc.collect()
    gc.freeze()
    with contextlib.suppress(BrokenPipeError):
        print(
            json.dumps({**engine.about, "seconds": time.monotonic() - begun}), file=out, flush=True
        )
        for line in sys.stdin:
            print(json.dumps(answer(engine, json.loads(line)), default=str), file=out, flush=True)
    os._exit(0)  # nothing of the engines' own threads is waited for


if __name__ == "__main__":
    main()
