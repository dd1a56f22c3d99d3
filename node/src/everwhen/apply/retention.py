"""Rules of retention, restore points, and horizons that rise.

Rules say how long; when a version is old enough is decided by whoever leads, who has a clock. What
is applied are versions. A horizon never falls, never passes a version that an index is being built
from, and is refused when the rules moved on since it was worked out.
"""

from __future__ import annotations

from msgspec.structs import replace

from everwhen.apply.backfill import begun_at
from everwhen.apply.work import Work
from everwhen.codec.cluster import LEVEL_RETENTION, check_level
from everwhen.codec.journal import decode_record
from everwhen.codec.keys import journal_key
from everwhen.codec.retention import (
    FOR_EVER,
    Entity,
    Horizon,
    RestorePoint,
    Rule,
)
from everwhen.errors import CorruptData, PreconditionFailed, QueryArgumentError, TimeOutOfRange
from everwhen.limits import RESTORE_POINTS_MAX, RETENTION_MIN_MICROS, RETENTION_RULES_MAX
from everwhen.model.schema import ConstraintDefinition, IndexDefinition, IndexState
from everwhen.mvcc.horizons import Horizons
from everwhen.txn import commands as c


class Retentions:
    """Applies commands about retention to the work at hand."""

    __slots__ = ("_work",)

    def __init__(self, work: Work) -> None:
        self._work = work

    def _check_level(self) -> None:
        check_level(self._work.cluster, LEVEL_RETENTION, "retention and restore points")

    def _answer(self, *, changed: bool) -> c.SchemaChanged:
        return c.SchemaChanged(changed, self._work.catalog_version)

    # --- rules ---

    def set(self, command: c.SetRetention) -> c.SchemaChanged:
        """:raises QueryArgumentError: too short, too many, or no rule to take away."""
        self._check_level()
        keep = command.keep
        if keep is not None and keep != FOR_EVER and keep < RETENTION_MIN_MICROS:
            raise QueryArgumentError(
                f"versions cannot be kept for less than {RETENTION_MIN_MICROS // 1_000_000} s",
                hint="KEEP FOREVER keeps all of them",
            )
        now = self._work.retention
        if command.entity == "":
            changed = replace(now, keep=FOR_EVER if keep is None else keep)
        else:
            others = [
                rule
                for rule in now.rules
                if (rule.entity, rule.name) != (command.entity, command.name)
            ]
            if keep is None and len(others) == len(now.rules):
                raise QueryArgumentError(
                    f"there is no rule of retention for :{command.name}", hint="SHOW RETENTION"
                )
            if keep is not None:
                others.append(Rule(command.entity, command.name, keep))
            if len(others) > RETENTION_RULES_MAX:
                raise QueryArgumentError(
                    f"{RETENTION_RULES_MAX:,} labels and types have a rule of their own, which is "
                    "the limit"
                )
            changed = replace(now, rules=tuple(sorted(others, key=_name)))
            changed = replace(changed, horizons=self._horizons(command.entity, command.name, keep))
        if changed == now:
            return self._answer(changed=False)
        self._work.put_retention(replace(changed, revision=now.revision + 1))
        return self._answer(changed=True)

    def _horizons(self, entity: Entity, name: str, keep: int | None) -> tuple[Horizon, ...]:
        """With the one of a label or type: where it stood so far, even if that was the
        database's; one without a rule stays if it lies above the database's."""
        now = self._work.retention
        own = Horizons(now).of(entity, name)
        others = [one for one in now.horizons if (one.entity, one.name) != (entity, name)]
        if keep is not None or own.version > now.version:
            others.append(Horizon(entity, name, own.version, own.time))
        return tuple(sorted(others, key=_name))

    # --- restore points ---

    def create_point(self, command: c.CreateRestorePoint) -> c.SchemaChanged:
        """:raises QueryArgumentError: the name is taken, or there are too many.
        :raises TimeOutOfRange: not all of the version is there any more."""
        self._check_level()
        work, now = self._work, self._work.retention
        if now.point(command.name) is not None:
            if command.if_not_exists:
                return self._answer(changed=False)
            raise QueryArgumentError(f"there is a restore point `{command.name}` already")
        if len(now.points) >= RESTORE_POINTS_MAX:
            raise QueryArgumentError(
                f"{RESTORE_POINTS_MAX:,} restore points exist, which is the limit",
                hint="DROP RESTORE POINT",
            )
        version = command.version
        if not 0 < version <= work.version:
            raise TimeOutOfRange(f"there is no version {version} to keep")
        if not Horizons(now).whole(version):
            raise TimeOutOfRange(
                f"version {version} cannot be kept as a whole: some of it was vacuumed",
                hint="SHOW RETENTION tells what can be read",
            )
        point = RestorePoint(command.name, version, self._time(version), command.by)
        points = tuple(sorted((*now.points, point), key=lambda one: (one.version, one.name)))
        work.put_retention(replace(now, points=points))
        return self._answer(changed=True)

    def drop_point(self, command: c.DropRestorePoint) -> c.SchemaChanged:
        """:raises QueryArgumentError: there is no such restore point."""
        self._check_level()
        now = self._work.retention
        if now.point(command.name) is None:
            if command.if_exists:
                return self._answer(changed=False)
            raise QueryArgumentError(
                f"there is no restore point `{command.name}`", hint="SHOW RESTORE POINTS"
            )
        points = tuple(one for one in now.points if one.name != command.name)
        self._work.put_retention(replace(now, points=points))
        return self._answer(changed=True)

    def _time(self, version: int) -> int:
        value = self._work.layer.get(journal_key(version))
        if value is None:
            raise CorruptData(f"commit {version} is missing in the journal")
        return decode_record(value).header.time

    # --- horizons ---

    def raise_horizon(self, command: c.RaiseHorizon) -> c.Done:
        """``more``: something moved.

        :raises PreconditionFailed: the rules were changed since they were looked at.
        """
        self._check_level()
        work, now = self._work, self._work.retention
        if command.revision != now.revision:
            raise PreconditionFailed("the rules of retention were changed meanwhile")
        limit = self._highest()
        raised = {(one.entity, one.name): one for one in now.horizons}
        database = Horizon("", "", now.version, now.time)
        for wanted in command.horizons:
            key = (wanted.entity, wanted.name)
            own = database if key == ("", "") else raised.get(key)
            version = min(wanted.version, limit)
            if own is None or version <= own.version:
                continue
            moved = replace(wanted, version=version, time=self._time(version))
            if key == ("", ""):
                database = moved
            else:
                raised[key] = moved
        changed = replace(
            now,
            version=database.version,
            time=database.time,
            horizons=tuple(raised[key] for key in sorted(raised)),
        )
        if changed == now:
            return c.Done()
        highest = Horizons(changed).highest
        work.put_retention(replace(changed, journal_floor=max(now.journal_floor, highest)))
        return c.Done(more=True)

    def _highest(self) -> int:
        """Whatever is being built reads the record as of the version it began at."""
        work = self._work
        definitions: list[IndexDefinition | ConstraintDefinition]
        definitions = [*work.catalog.indexes.values(), *work.catalog.constraints.values()]
        building = [one for one in definitions if one.state is IndexState.BUILDING]
        return min([work.version, *(begun_at(work, one) for one in building)])


def _name(one: Rule | Horizon) -> tuple[str, str]:
    return one.entity, one.name
