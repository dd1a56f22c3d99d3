"""The part of the replicated vocabulary that is about keeping and forgetting."""

from __future__ import annotations

import msgspec

from everwhen.codec.origin import Origin
from everwhen.codec.retention import Entity, Horizon


class SetRetention(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=64):
    """A rule of the database (entity and name empty), a label or a type: how long versions are
    kept, in µs; 0 for ever, None: it has no rule of its own any more."""

    format: int
    entity: Entity
    name: str
    keep: int | None
    by: str = ""


class CreateRestorePoint(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=65):
    """Names a version, which stays readable until the name is dropped."""

    format: int
    name: str
    version: int
    if_not_exists: bool = False
    by: str = ""


class DropRestorePoint(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=66):
    """Forgets a name."""

    format: int
    name: str
    if_exists: bool = False
    by: str = ""


class RaiseHorizon(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=67):
    """From here on nothing below the horizons is read, except restore points. Refused if the
    rules have moved on from ``revision``; a horizon that would fall stays where it is."""

    format: int
    revision: int
    horizons: list[Horizon]


class VacuumStep(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=68):
    """One bounded step that takes away what no reader at or above the horizons and no restore
    point can see. ``settled``: no member reads by a state older than this entry any more.
    ``begin``: where no round is under way, a new one begins."""

    format: int
    limit: int
    settled: int
    begin: bool = False


class Erase(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=69):
    """The whole history of things that are not there any more is to go; a commit of its own, so
    that the journal says who asked."""

    format: int
    time: int
    nodes: list[int]
    relationships: list[int]
    origin: Origin
    #: although a restore point shows it, or a rule says to keep it for ever
    force: bool = False


class EraseStep(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=70):
    """One bounded step of the oldest erasure that is not done."""

    format: int
    limit: int
    settled: int
