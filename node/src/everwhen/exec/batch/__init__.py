"""Execution over batches of typed columns; see :mod:`everwhen.exec.batch.core`."""
