"""What ``db.info`` says of the database."""

from __future__ import annotations

from everwhen.runtime.embedded import Embedded


def test_info_names_the_database_by_its_id() -> None:
    with Embedded() as database:
        rows = database.execute("CALL db.info() YIELD id, name RETURN id, name").rows
    assert rows == [["embedded", "neo4j"]]
