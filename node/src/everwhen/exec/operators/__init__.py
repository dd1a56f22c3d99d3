"""The operators, one module per family; importing this package registers them all."""

from everwhen.exec.operators import (
    aggregate,
    expand,
    merge,
    procedure,
    quantified,
    relational,
    scan,
    shortest,
    subquery,
    varlength,
    versions,
    write,
)

__all__ = [
    "aggregate",
    "expand",
    "merge",
    "procedure",
    "quantified",
    "relational",
    "scan",
    "shortest",
    "subquery",
    "varlength",
    "versions",
    "write",
]
