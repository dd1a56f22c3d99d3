"""Writers that keep a server busy until it dies, each noting every answer in the ledger."""

from __future__ import annotations

import random
import threading
from typing import Final

from tests.crash.ledger import Ledger, Unit
from tests.support.query_api import Failed, Lost, QueryApi

COUNTERS: Final = 4
#: one transaction above this many changes goes to the log in chunks (limits.MUTATIONS_PER_CHUNK)
LARGE: Final = 4_000
#: units of so many nodes are keys, and together enough for a segment (limits.COMPACTION_ROWS_MIN)
FILLING: Final = 3
FILLED: Final = 1_500

CREATE: Final = (
    "MATCH (c:Counter {id: $c}) SET c.v = c.v + 1 WITH c "
    "UNWIND range(1, $n) AS i CREATE (w:W {op: $op, i: i, pad: $pad}) "
    "WITH w ORDER BY w.i WITH collect(w) AS ws "
    "FOREACH (k IN range(0, size(ws) - 2) | "
    "FOREACH (a IN [ws[k]] | FOREACH (b IN [ws[k + 1]] | CREATE (a)-[:NEXT {op: $op}]->(b))))"
)
DELETE: Final = "MATCH (w:W {op: $op}) DETACH DELETE w"
SETUP: Final = (
    "CREATE INDEX w_op IF NOT EXISTS FOR (n:W) ON (n.op)",
    "CREATE CONSTRAINT c_id IF NOT EXISTS FOR (n:Counter) REQUIRE n.id IS UNIQUE",
    f"UNWIND range(0, {COUNTERS - 1}) AS i MERGE (c:Counter {{id: i}}) ON CREATE SET c.v = 0",
)


class Writer(threading.Thread):
    """One client; ends when the connection is lost or when told to."""

    def __init__(self, port: int, ledger: Ledger, chance: random.Random, kind: str) -> None:
        super().__init__(daemon=True)
        self.api = QueryApi(port)
        self.ledger = ledger
        self.chance = chance
        self.kind = kind
        self.told = threading.Event()
        self.surprises: list[str] = []

    def run(self) -> None:
        try:
            while not self.told.is_set():
                try:
                    getattr(self, "_send_" + self.kind)()
                except Failed as failed:
                    if not failed.retryable:
                        self.surprises.append(f"{self.kind}: {failed}")
        except Lost:
            return
        finally:
            self.api.close()

    def _unit(self, size: int) -> tuple[Unit, dict[str, object]]:
        unit = self.ledger.open(size, self.chance.randrange(COUNTERS))
        pad = "x" * self.chance.choice((0, 10, 300))
        return unit, {"op": unit.op, "n": size, "c": unit.counter, "pad": pad}

    def _send_auto(self) -> None:
        """A small auto-commit."""
        unit, parameters = self._unit(self.chance.randint(1, 5))
        self._settle(unit, lambda: self.api.run(CREATE, parameters))

    def fill(self) -> None:
        """What column segments can be made of, before the others begin."""
        for _ in range(FILLING):
            unit, parameters = self._unit(FILLED)
            self._settle(unit, lambda given=parameters: self.api.run(CREATE, given))

    def _send_large(self) -> None:
        """One statement too large for one log entry."""
        unit, parameters = self._unit(LARGE + self.chance.randrange(LARGE))
        self._settle(unit, lambda: self.api.run(CREATE, parameters))

    def _send_explicit(self) -> None:
        """A transaction of several statements; a tenth is rolled back."""
        unit, parameters = self._unit(self.chance.randint(2, 6))
        try:
            transaction = self.api.begin()
            self.api.run_in(transaction, CREATE, parameters)
            self.api.run_in(transaction, "MATCH (w:W {op: $op}) SET w.seen = true", parameters)
            if self.chance.random() < 0.1:
                self.api.rollback(transaction)
                unit.state = "refused"
                return
        except Failed:
            unit.state = "refused"
            raise
        except Lost:
            unit.state = "refused"  # COMMIT was never sent
            raise
        self._settle(unit, lambda: self.api.commit(transaction))

    def _send_delete(self) -> None:
        """Delete some acknowledged unit."""
        unit = self.ledger.deletable(self.chance.randrange(1 << 20))
        if unit is None:
            return self._send_auto()
        try:
            self.api.run(DELETE, {"op": unit.op})
        except Failed as failed:
            unit.deletion = "unknown" if _unknown(failed) else "refused"
            if unit.deletion == "refused":
                unit.deletion = None
            raise
        unit.deletion = "acked"
        return None

    def _settle(self, unit: Unit, send: object) -> None:
        assert callable(send)
        try:
            send()
        except Failed as failed:
            if not _unknown(failed):
                unit.state = "refused"
            raise
        unit.state = "acked"


def _unknown(failed: Failed) -> bool:
    """Whether the error leaves open if the commit happened."""
    return failed.code == "Neo.TransientError.Transaction.Terminated" or failed.status >= 500


KINDS: Final = ("auto", "auto", "explicit", "explicit", "large", "delete")
