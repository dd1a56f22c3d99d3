"""Facts about the server for SHOW and ``dbms.*``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from everwhen.model.moments import micros_text
from everwhen.runtime.keeping_tables import (
    erasure_rows,
    restore_point_rows,
    retention_rows,
    vacuum_rows,
)
from everwhen.version import COMPATIBLE

if TYPE_CHECKING:
    from everwhen.runtime.database import Database
    from everwhen.runtime.transaction import OpenTransaction


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What does not change while the process runs, but for settings that it takes over.
    ``settings``: name, value (secrets already hidden), description, whether it is such a one."""

    version: str
    node_id: str
    name: str
    address: str
    cluster_id: str
    started_micros: int = 0
    settings: tuple[tuple[str, str, str, bool], ...] = field(default_factory=tuple)


class TransactionAdministration:
    """``exec.context.Administration`` for one caller."""

    def __init__(self, database: Database, transaction: OpenTransaction) -> None:
        self._database = database
        self._transaction = transaction

    def settings(self) -> Sequence[tuple[str, str, str, bool]]:
        return self._database.facts.settings

    def components(self) -> Sequence[tuple[str, list[str], str]]:
        return [
            ("Neo4j Kernel", [COMPATIBLE], "community"),
            ("Everwhen", [self._database.facts.version], "community"),
        ]

    def principal(self) -> str:
        return self._transaction.caller.principal

    def users(self) -> Sequence[Mapping[str, Any]]:
        """Everybody who may log on, by name."""
        users = self._database.state.current.users
        return [
            {
                "user": name,
                "roles": None,
                "passwordChangeRequired": users[name].must_change,
                "suspended": users[name].suspended,
                "home": None,
            }
            for name in sorted(users)
        ]

    def retention(self) -> Sequence[Mapping[str, Any]]:
        return retention_rows(self._database.state)

    def restore_points(self) -> Sequence[Mapping[str, Any]]:
        return restore_point_rows(self._database.state)

    def vacuum(self) -> Sequence[Mapping[str, Any]]:
        return vacuum_rows(self._database.state, self._database.vacuuming)

    def erasures(self) -> Sequence[Mapping[str, Any]]:
        return erasure_rows(self._database.state, self._database.vacuuming)

    def databases(self) -> Sequence[Mapping[str, Any]]:
        facts = self._database.facts
        return [
            {
                "name": "neo4j",
                "type": "standard",
                "aliases": [],
                "access": "read-write",
                "databaseID": facts.cluster_id,
                "serverID": facts.node_id,
                "address": facts.address,
                "role": "primary",
                "writer": True,
                "requestedStatus": "online",
                "currentStatus": "online",
                "statusMessage": "",
                "default": True,
                "home": True,
                "currentPrimariesCount": 1,
                "currentSecondariesCount": 0,
                "creationTime": None,
                "lastStartTime": micros_text(facts.started_micros),
                "lastStopTime": None,
                "store": "record-aligned-1",
                "lastCommittedTxn": self._database.version,
                "replicationLag": 0,
                "constituents": [],
            }
        ]

    def transactions(self) -> Sequence[Mapping[str, Any]]:
        now = self._database.clock.now_micros()
        return [
            {
                "database": "neo4j",
                "transactionId": transaction_name(each.number),
                "currentQueryId": f"query-{each.number}" if each.text else "",
                "connectionId": "",
                "clientAddress": each.caller.client,
                "username": each.caller.principal,
                "currentQuery": each.text,
                "startTime": micros_text(each.started_micros),
                "status": "Running" if each.failed is None else "Failed",
                "elapsedTime": f"PT{max(now - each.started_micros, 0) / 1e6:.3f}S",
                "metaData": {str(k): str(v) for k, v in each.options.metadata.items()},
                "isolation": each.options.isolation.value,
                "readVersion": each.version,
                "estimatedUsedHeapMemory": each.transaction.bytes_estimated,
            }
            for each in self._database.open_transactions()
        ]

    def terminate(self, names: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """Make open transactions end: what they run stops soon, and they cannot commit."""
        known = {transaction_name(each.number): each for each in self._database.open_transactions()}
        rows = []
        for name in dict.fromkeys(names):
            each = known.get(name)
            if each is not None:
                by = self._transaction.caller.principal
                each.deadline.cancelled = "the transaction was terminated" + (by and f" by {by}")
            rows.append(
                {
                    "transactionId": name,
                    "username": None if each is None else each.caller.principal,
                    "message": f"Transaction {'not found' if each is None else 'terminated'}.",
                }
            )
        return rows


def transaction_name(number: int) -> str:
    """How SHOW and TERMINATE TRANSACTIONS name an open transaction."""
    return f"neo4j-transaction-{number}"
