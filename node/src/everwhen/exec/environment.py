"""What exists, as planning sees it: functions, procedures, SHOW tables (``query.environment``)."""

from __future__ import annotations

from typing import Final

from everwhen.exec.functions import FUNCTIONS
from everwhen.exec.functions.aggregates import AGGREGATES
from everwhen.exec.procedures import PROCEDURES, SHOW_TABLES
from everwhen.query.environment import FunctionSignature, StaticEnvironment, TableSignature


def _functions() -> dict[str, FunctionSignature]:
    found = {
        name: FunctionSignature(
            name, f.min_args, f.max_args, False, f.name, volatile=not f.deterministic
        )
        for name, f in FUNCTIONS.items()
    }
    for name, aggregate in AGGREGATES.items():
        found[name] = FunctionSignature(
            name, aggregate.min_args, aggregate.max_args, True, aggregate.name
        )
    return found


#: everything built in
ENVIRONMENT: Final = StaticEnvironment(
    _functions(),
    {name: definition.planning for name, definition in PROCEDURES.items()},
    {name: TableSignature(table.brief, table.columns) for name, table in SHOW_TABLES.items()},
)
