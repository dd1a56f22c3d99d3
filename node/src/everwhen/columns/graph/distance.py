"""How far away an older version is: along the journal, and by reading the record as of then.

Both are guesses, in changes followed: a change takes about 6 µs. The journal is looked at in some
places only, so that asking costs little; whoever walks asks again on the way.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from everwhen.codec.journal import Counts, decode_record
from everwhen.codec.keys import Counter, journal_key
from everwhen.mvcc.state import RecordState

#: commits looked at
_LOOKS: Final = 64
#: an element that keys tell of, one that is taken from a segment, and a change that is passed over
#: because it is newer, as changes followed
_KEYED: Final = 2.0
_SEGMENTED: Final = 1 / 12
_PASSED: Final = 0.1


class Stretch(NamedTuple):
    """What the commits between two versions did, about."""

    changes: float
    #: created less deleted
    nodes: float
    relationships: float
    #: as far as it was looked at, the journal has all of it
    whole: bool

    def before(self, state: RecordState) -> Elements:
        """What was there before them, if the newest of them is the newest of all."""
        counters = state.counters
        return Elements(
            max(0, round(counters.get(Counter.NODES) - self.nodes)),
            max(0, round(counters.get(Counter.RELATIONSHIPS) - self.relationships)),
        )


class Elements(NamedTuple):
    """How many there are."""

    nodes: int
    relationships: int


def between(state: RecordState, low: int, high: int) -> Stretch:
    """The commits after one version up to another."""
    step = max(1, (high - low) // _LOOKS)
    changes = nodes = relationships = looks = 0
    whole = True
    for version in range(high, low, -step):
        raw = state.store.get(journal_key(version))
        record = None if raw is None else decode_record(raw)
        looks += 1
        if record is None:
            whole = False
            continue
        whole = whole and bool(record.content)
        counts = record.header.counts
        changes += changes_in(counts)
        nodes += counts.nodes_created - counts.nodes_deleted
        relationships += counts.relationships_created - counts.relationships_deleted
    share = (high - low) / max(looks, 1)
    return Stretch(changes * share, nodes * share, relationships * share, whole)


def changes_in(counts: Counts) -> int:
    """Roughly how much a commit did."""
    made = counts.nodes_created + counts.relationships_created + counts.properties_set
    return 1 + made + counts.nodes_deleted + counts.relationships_deleted


def reading(state: RecordState, version: int, elements: Elements, since: Stretch) -> float:
    """What it takes to read a version from the record; ``since``: what came after it."""
    refs = state.current.segments.refs
    loaded = min(sum(ref.entry.count for ref in refs if ref.last_version <= version), sum(elements))
    keyed = sum(elements) - loaded
    return keyed * _KEYED + loaded * _SEGMENTED + since.changes * _PASSED
