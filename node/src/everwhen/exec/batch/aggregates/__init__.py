"""What aggregations keep for each group, fed with vectors instead of values."""

from everwhen.exec.batch.aggregates.core import Accumulator, accumulator

__all__ = ["Accumulator", "accumulator"]
