"""The part of the replicated vocabulary that moves elements from keys into column segments."""

from __future__ import annotations

import msgspec


class CompactSegment(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=71):
    """A segment (``codec.segments``) whose rows have versions: elements as keys have them. It counts
    once steps have compared each row with its key. Refused while one is under way, or vacuum or an
    erasure."""

    format: int
    segment: bytes


class CompactStep(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=72):
    """One bounded step of the compaction under way. ``settled``: no member reads by a state older
    than this entry any more."""

    format: int
    limit: int
    settled: int
