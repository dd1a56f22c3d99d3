"""Loads two states of the Debian sample through a stock Neo4j driver, each dated at its own time, and
asks about both.

    python load_debian.py neo4j://graph:7687 PASSWORD_FILE FOLDER
"""

from __future__ import annotations

import csv
import gzip
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import neo4j

STATES = {"bookworm": "2023-06-10T00:00:00Z", "sid": "2026-11-22T00:00:00Z"}
BATCH = 5_000
PACKAGES = (
    "UNWIND $rows AS row MERGE (p:Package {name: row.name}) "
    "SET p.version = row.version, p.section = row.section"
)
GONE = "UNWIND $rows AS row MATCH (p:Package {name: row.name}) DETACH DELETE p"
DEPENDS = (
    "UNWIND $rows AS row MATCH (a:Package {name: row.from}), (b:Package {name: row.to}) "
    "CREATE (a)-[:DEPENDS {constraint: row.constraint}]->(b)"
)
LOOSE = (
    "UNWIND $rows AS row MATCH (:Package {name: row.from})-[r:DEPENDS]->(:Package {name: row.to}) "
    "WHERE r.constraint = row.constraint DELETE r"
)
QUESTION = (
    "MATCH (:Package {name: 'python3'})-[r:DEPENDS]->(p) "
    "RETURN p.name AS package, r.constraint AS version ORDER BY package"
)

Row = tuple[tuple[str, str], ...]


def rows(folder: Path, name: str, keep: tuple[str, ...]) -> set[Row]:
    """The lines of a file, as far as they are wanted here."""
    with gzip.open(folder / f"{name}.csv.gz", "rt", encoding="utf-8") as file:
        return {
            tuple((key, line[key]) for key in keep)
            for line in csv.DictReader(file)
            if line.get("type", "DEPENDS") == "DEPENDS"
        }


def batches(what: set[Row]) -> Iterator[list[dict[str, str]]]:
    """In an order that does not change."""
    ordered = iter(sorted(what))
    while batch := [dict(row) for row in islice(ordered, BATCH)]:
        yield batch


def main() -> None:
    """See the module."""
    uri, password_file, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    auth = ("neo4j", password_file.read_text(encoding="utf-8").strip())
    with neo4j.GraphDatabase.driver(uri, auth=auth) as driver:
        driver.execute_query(
            "CREATE CONSTRAINT package IF NOT EXISTS FOR (p:Package) REQUIRE p.name IS UNIQUE"
        )
        packages: set[Row] = set()
        depends: set[Row] = set()
        for state, moment in STATES.items():
            started = time.monotonic()
            new_packages = rows(folder, f"packages-{state}", ("name", "version", "section"))
            new_depends = rows(folder, f"depends-{state}", ("from", "to", "constraint"))
            left = {row[0] for row in packages} - {row[0] for row in new_packages}
            steps: list[tuple[str, set[Row]]] = [
                (LOOSE, depends - new_depends),
                (GONE, {(name,) for name in left}),
                (PACKAGES, new_packages - packages),
                (DEPENDS, new_depends - depends),
            ]
            with (
                driver.session(database="neo4j") as session,
                session.begin_transaction(metadata={"commit_time": moment}) as transaction,
            ):
                for text, what in steps:
                    for batch in batches(what):
                        transaction.run(text, rows=batch).consume()
                transaction.commit()
            packages, depends = new_packages, new_depends
            took = time.monotonic() - started
            changed = sum(len(what) for _, what in steps)
            print(f"{state}: {changed:,} changes as of {moment} in {took:.1f} s")
        with driver.session(database="neo4j") as session:
            for when, metadata in (("now", {}), ("in July 2023", {"at_time": "2023-07-01"})):
                with session.begin_transaction(metadata=metadata) as transaction:
                    print(f"python3 depends on, {when}:")
                    for record in transaction.run(QUESTION):
                        print(f"  {record['package']} {record['version'] or ''}")


if __name__ == "__main__":
    main()
