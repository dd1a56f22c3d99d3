"""Operators over batches, each registered with ``batch_builds``."""

from everwhen.exec.batch import subquery  # noqa: F401 - they register
from everwhen.exec.batch.operators import (  # noqa: F401 - they register
    aggregate,
    bridged,
    combine,
    distinct,
    expand,
    inner,
    join,
    rows,
    scan,
    shortest,
    sort,
    varlength,
)
