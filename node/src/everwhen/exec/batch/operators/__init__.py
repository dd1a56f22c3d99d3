"""Operators over batches, each registered with ``batch_builds``."""

from everwhen.exec.batch.operators import aggregate, rows  # noqa: F401 - they register
