"""What SHOW and the HTTP door tell of keeping and forgetting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from everwhen.apply.erasing import DONE, ENTITIES, GATHERING, SEGMENTS, SETTLING, UNCOVERING
from everwhen.apply.vacuum import PHASES
from everwhen.codec.retention import FOR_EVER, Entity
from everwhen.model.moments import micros_text
from everwhen.mvcc.erased import found_by
from everwhen.mvcc.state import RecordState

if TYPE_CHECKING:
    from everwhen.runtime.vacuum import Vacuuming

Row = Mapping[str, Any]
_UNITS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_STATES: Final = {
    DONE: "done",
    GATHERING: "erasing",
    ENTITIES: "erasing",
    SEGMENTS: "erasing",
    SETTLING: "waiting for readers",
    UNCOVERING: "waiting for readers",
}


def keep_text(keep: int) -> str:
    """How long a rule keeps versions, in words."""
    if keep == FOR_EVER:
        return "forever"
    for seconds, unit in _UNITS:
        count, rest = divmod(keep, seconds * 1_000_000)
        if not rest:
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{keep / 1e6:g} seconds"


def keep_seconds(keep: int) -> float | None:
    """How long a rule keeps versions; None: for ever."""
    return None if keep == FOR_EVER else keep / 1e6


def retention_rows(state: RecordState) -> Sequence[Row]:
    """The database's rule and those of labels and types, with what can be read."""
    now = state.current
    rules: list[tuple[Entity, str, int]] = [("", "", now.retention.keep)]
    rules += [(rule.entity, rule.name, rule.keep) for rule in now.retention.rules]
    rows = []
    for entity, name, keep in rules:
        horizon = now.horizons.of(entity, name)
        rows.append(
            {
                "entityType": entity or "DATABASE",
                "labelOrType": name or None,
                "keep": keep_text(keep),
                "keepSeconds": keep_seconds(keep),
                "oldestVersion": horizon.version,
                "oldestTime": micros_text(horizon.time) if horizon.version else None,
            }
        )
    return rows


def restore_point_rows(state: RecordState) -> Sequence[Row]:
    """Restore points, by version."""
    return [
        {
            "name": point.name,
            "version": point.version,
            "time": micros_text(point.time),
            "createdBy": point.by,
        }
        for point in state.current.retention.points
    ]


def vacuum_rows(state: RecordState, vacuuming: Vacuuming | None) -> Sequence[Row]:
    """Vacuum as far as it is; one row."""
    vacuum = state.current.vacuum
    phase = PHASES[vacuum.phase - 1].name.lower() if vacuum.phase else ""
    return [
        {
            "round": vacuum.round,
            "state": f"looking at {phase} keys" if phase else "idle",
            "percentOfPhases": round(100 * max(vacuum.phase - 1, 0) / len(PHASES), 1),
            "keys": vacuum.keys,
            "bytes": vacuum.size,
            "keysEver": vacuum.keys_before + vacuum.keys,
            "bytesEver": vacuum.size_before + vacuum.size,
            "waitingFor": (vacuuming.waiting if vacuuming is not None else "") or None,
        }
    ]


def erasure_rows(state: RecordState, vacuuming: Vacuuming | None) -> Sequence[Row]:
    """Erasures, oldest first: never what was erased, only its ids."""
    clean = vacuuming.clean if vacuuming is not None else None
    rows = []
    for number, one in sorted(state.erased.all.items()):
        said = _STATES[one.phase]
        if not one.phase and clean is not None:
            said = clean(one)
        rows.append(
            {
                "erasure": number,
                "time": micros_text(one.time),
                "by": one.origin.principal,
                "version": one.version,
                "nodes": len(one.nodes),
                "relationships": len(one.relationships) + one.found,
                "nodeIds": list(one.nodes),
                "relationshipIds": [*one.relationships, *found_by(state.store, number)],
                "keys": one.keys,
                "state": said,
                "logIndex": one.log_index or None,
            }
        )
    return rows
