"""Other databases that keep versions, with the entities of ``bench.time``: so many counters, each
with a hundred values. Each in process, on files, through its own Python package.

cozo: a stored relation whose key ends with a validity. SurrealDB: its versioned store.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from cozo_embedded import CozoDbPy
from surrealdb import Surreal

VERSIONS: Final = 100
#: µs between two versions in cozo, where whoever writes says when
_STEP: Final = 1_000
_COUNTERS: Final = ":create counter {id: Int, at: Validity => value: Int, name: String}"
_PUT: Final = "?[id, at, value, name] <- $rows :put counter {id, at => value, name}"
_AT: Final = "?[value] := *counter{id: $id, value @ $t}"
_NOW: Final = "?[value] := *counter{id: $id, value @ 'NOW'}"


class Peer(Protocol):
    """``share``: which part of the history is asked, 0 its beginning, 1 its end."""

    def present(self, entity: int) -> int: ...

    def past(self, entity: int, share: float) -> int: ...

    def close(self) -> None: ...


class Cozo:
    """https://www.cozodb.org, its RocksDB storage."""

    def __init__(self, folder: Path, entities: int) -> None:
        self._database = CozoDbPy("rocksdb", str(folder / "cozo"), "{}")
        self._database.run_script(_COUNTERS, {}, False)
        self._began = int(datetime.now(UTC).timestamp() * 1e6) - _STEP * VERSIONS
        for version in range(VERSIONS):
            at = [self._began + _STEP * version, True]
            rows = [[entity, at, version, f"counter {entity}"] for entity in range(entities)]
            self._database.run_script(_PUT, {"rows": rows}, False)

    def _value(self, script: str, given: dict[str, int]) -> int:
        [[value]] = self._database.run_script(script, given, True)["rows"]
        return int(value)

    def present(self, entity: int) -> int:
        return self._value(_NOW, {"id": entity})

    def past(self, entity: int, share: float) -> int:
        return self._value(
            _AT, {"id": entity, "t": self._began + int(share * _STEP * (VERSIONS - 1))}
        )

    def close(self) -> None:
        self._database.close()


class SurrealVersioned:
    """https://surrealdb.com, its versioned store."""

    def __init__(self, folder: Path, entities: int) -> None:
        self._database: Any = Surreal(f"surrealkv+versioned://{folder / 'surrealdb'}")
        self._database.use("bench", "bench")
        rows: Any = [{"id": one, "value": 0, "name": f"counter {one}"} for one in range(entities)]
        self._database.query("INSERT INTO counter $rows RETURN NONE", {"rows": rows})
        self._began = datetime.now(UTC)
        for _ in range(VERSIONS - 1):
            self._database.query("UPDATE counter SET value += 1 RETURN NONE")
        self._took = datetime.now(UTC) - self._began

    def present(self, entity: int) -> int:
        return int(self._database.query(f"SELECT VALUE value FROM ONLY counter:{entity}"))

    def past(self, entity: int, share: float) -> int:
        moment = self._began + timedelta(seconds=share * self._took.total_seconds())
        at = moment.isoformat().replace("+00:00", "Z")
        text = f"SELECT VALUE value FROM ONLY counter:{entity} VERSION d'{at}'"
        return int(self._database.query(text))

    def close(self) -> None:
        self._database.close()


PEERS: Final[dict[str, type[Cozo | SurrealVersioned]]] = {
    "cozo": Cozo,
    "surrealdb": SurrealVersioned,
}
