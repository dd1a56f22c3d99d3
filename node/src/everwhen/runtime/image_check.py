"""The image of a running node against its record, at its newest version: ``verify --online``.

Every node, relationship and property of the record is looked at in a thread, beside all else that
the node does; commits and queries go on. What the image does not hold, it cannot be wrong about:
an image that was not read yet, or did not fit, is told of in a note.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from everwhen.columns.graph.check import differences
from everwhen.errors import ShuttingDown, TooManyRequests
from everwhen.mvcc.graph import GraphSnapshot
from everwhen.mvcc.report import Report
from everwhen.ports import Threads
from everwhen.runtime.database import Database
from everwhen.runtime.requests import Caller, TransactionOptions


@dataclass(slots=True)
class _Compared:
    """One comparison."""

    report: Report = field(default_factory=Report)
    #: what was compared; None: there was nothing to compare
    version: int | None = None
    ended: bool = False

    def stop(self) -> None:
        """Nobody waits for it any more; from any thread."""
        self.ended = True

    def go_on(self) -> None:
        """:raises ShuttingDown: it was stopped."""
        if self.ended:
            raise ShuttingDown("the comparison was stopped")


class ImageCheck:
    """One comparison at a time. For the event loop."""

    def __init__(self, database: Database, threads: Threads) -> None:
        self._database = database
        self._threads = threads
        self._running = False

    async def run(self) -> tuple[int | None, Report]:
        """The version that was compared (None: the image holds nothing) and what was found.

        :raises TooManyRequests: somebody else compares.
        """
        if self._running:
            raise TooManyRequests(
                "this node is being verified already", hint="try again when that has ended"
            )
        self._running = True
        compared = _Compared()
        try:
            await self._threads.run("query", self._compare, compared, stop=compared.stop)
        finally:
            self._running = False
        return compared.version, compared.report

    def _compare(self, compared: _Compared) -> None:
        database, report = self._database, compared.report
        if database.graph.held is None:
            report.note("the image holds nothing now: queries read the record")
            return
        version = database.version
        # an open transaction keeps vacuum from the version
        pin = database.begin(version, TransactionOptions(), Caller("", ""), only_reads=True)
        try:
            self._compare_at(version, compared)
        finally:
            pin.rollback()

    def _compare_at(self, version: int, compared: _Compared) -> None:
        database, report = self._database, compared.report
        snapshot = GraphSnapshot(database.state, version)
        elements = snapshot.node_count() + snapshot.relationship_count()
        view = database.graph.view(version, elements)
        if view is None:
            report.note(f"the image does not reach version {version} now: try again")
            return
        compared.version = version
        for difference in differences(view, snapshot, compared.go_on):
            report.add(difference)
        report.looked("nodes", len(view.nodes()))
        tables = [table for name in view.types() if (table := view.relationships(name))]
        report.looked("relationships", sum(table.count() for table in tables))
