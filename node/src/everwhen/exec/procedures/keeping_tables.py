"""``SHOW RETENTION``, ``SHOW RESTORE POINTS``, ``SHOW VACUUM``, ``SHOW ERASURES``."""

from __future__ import annotations

from everwhen.exec.context import ExecutionContext
from everwhen.exec.procedures.show_table import ShowTable, TableRows


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _retention(ctx: ExecutionContext, detail: str) -> TableRows:
    yield from ctx.environment.administration().retention()


def _restore_points(ctx: ExecutionContext, detail: str) -> TableRows:
    yield from ctx.environment.administration().restore_points()


def _vacuum(ctx: ExecutionContext, detail: str) -> TableRows:
    yield from ctx.environment.administration().vacuum()


def _erasures(ctx: ExecutionContext, detail: str) -> TableRows:
    yield from ctx.environment.administration().erasures()


KEEPING_TABLES: dict[str, ShowTable] = {
    "RETENTION": ShowTable(
        _split("entityType labelOrType keep oldestVersion oldestTime"),
        _split("entityType labelOrType keep keepSeconds oldestVersion oldestTime"),
        _retention,
    ),
    "RESTORE POINTS": ShowTable(
        _split("name version time"), _split("name version time createdBy"), _restore_points
    ),
    "VACUUM": ShowTable(
        _split("round state percentOfPhases keys bytes waitingFor"),
        _split("round state percentOfPhases keys bytes keysEver bytesEver waitingFor"),
        _vacuum,
    ),
    "ERASURES": ShowTable(
        _split("erasure time by nodes relationships state"),
        _split(
            "erasure time by version nodes relationships nodeIds relationshipIds keys state logIndex"
        ),
        _erasures,
    ),
}
