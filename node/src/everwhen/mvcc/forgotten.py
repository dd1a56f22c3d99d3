"""What is missing from the record by right: because vacuum or an erasure took it away."""

from __future__ import annotations

from everwhen.mvcc.horizons import Horizons
from everwhen.mvcc.state import RecordState


def in_time_table(horizons: Horizons, version: int) -> bool:
    """Whether vacuum leaves a version in the time table: readable ones, restore points, and the
    version after each of these, which says where its time ends."""
    return version >= horizons.lowest or not horizons.pinned.isdisjoint((version, version - 1))


def taken_away(state: RecordState, version: int, erasure: int) -> bool:
    """Whether the content of a commit may be missing; ``erasure`` is what its record says."""
    if version <= state.current.retention.journal_floor:
        return True
    found = state.erased.all.get(erasure)
    return found is not None and found.version > version
