"""What vacuum would take away: the same steps on a scratch pad, of which nothing is written."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from everwhen.apply.compacting import Compactions
from everwhen.apply.layered import Layered
from everwhen.apply.retention import Retentions
from everwhen.apply.vacuum import PHASES, Vacuums
from everwhen.apply.work import Work
from everwhen.codec.keys import Kind, after, meta_key
from everwhen.codec.retention import META_DEAD, Horizon, Vacuum, unpack_ids
from everwhen.limits import SEGMENT_DEAD_PERCENT, VACUUM_KEYS_PER_STEP
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.store import Batch
from everwhen.txn import commands as c


@dataclass(frozen=True, slots=True)
class Preview:
    """Keys and bytes it would take away, and the oldest version that could be read then."""

    keys: int
    size: int
    oldest_version: int
    oldest_time: int


def preview(state: RecordState, horizons: list[Horizon]) -> Preview:
    """Run a round with horizons raised. Long: for a thread. Sizes are before compression."""
    work = Work(state.store, state)
    if horizons:
        command = c.RaiseHorizon(c.FORMAT, work.retention.revision, horizons)
        Retentions(work).raise_horizon(command)
    work.vacuum = Vacuum(emptied=work.vacuum.emptied)  # what is retired may go at any moment
    vacuums = Vacuums(work, Compactions(work))
    begin = True
    rows = size = 0
    done = Kind.JOURNAL
    while vacuums.step(c.VacuumStep(c.FORMAT, VACUUM_KEYS_PER_STEP, 0, begin)).more:
        begin = False
        work.layer.batch = Batch()
        kind = PHASES[work.vacuum.phase - 1]
        if done is Kind.JOURNAL:
            _forget(work)  # only what was found dead in segments is looked at again
        done = kind
        if kind is Kind.SEGMENT:
            rows, size = _dead_rows(work)
            work.vacuum = replace(work.vacuum, phase=work.vacuum.phase + 1)
    return Preview(
        work.vacuum.keys + rows, work.vacuum.size + size, work.oldest_version, work.oldest_time
    )


def _dead_rows(work: Work) -> tuple[int, int]:
    """Rows and bytes of segments that would be rewritten."""
    found: dict[int, set[int]] = {}
    prefix = meta_key(META_DEAD)
    for key, value in work.layer.scan(prefix, after(prefix)):
        segment = int(key[len(prefix) :][:20])
        found.setdefault(segment, set()).update(unpack_ids(value))
    rows = size = 0
    for ref in work.segments.refs:
        dead = len(found.get(ref.id, ()))
        if dead and dead * 100 >= SEGMENT_DEAD_PERCENT * ref.entry.count:
            rows += dead
            size += ref.entry.bytes * dead // ref.entry.count
    return rows, size


def _forget(work: Work) -> None:
    """Drop what the journal's records would have become."""
    work.layer = Layered(work.state.store)
    work.change_runs(work.runs)
