"""``python -m bench.arcadedb_peer FOLDER PORT``: ArcadeDB with its Bolt server, until stdin ends."""

from __future__ import annotations

import sys
from pathlib import Path

import arcadedb_embedded
from arcadedb_embedded.server import ArcadeDBServer

PASSWORD = "measured-here"
DATABASE = "bench"


def main(folder: str, port: str) -> None:
    config = {
        "http_port": int(port) + 1,
        "server_plugins": "Bolt:com.arcadedb.bolt.BoltProtocolPlugin",
        "bolt_port": int(port),
    }
    server = ArcadeDBServer(
        str(Path(folder) / "arcadedb"), root_password=PASSWORD, config=config,
        jvm_kwargs={"heap_size": "4g"},
    )  # fmt: skip
    server.start()
    database = server.create_database(DATABASE)
    database.command("sql", "CREATE VERTEX TYPE Person")
    database.command("sql", "CREATE PROPERTY Person.id LONG")
    database.command("sql", "CREATE INDEX ON Person (id) UNIQUE")
    print("ready", arcadedb_embedded.__version__, flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
