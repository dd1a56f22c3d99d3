"""Which versions can be read of what: the horizons that rules of retention have come to.

A node is kept as long as the longest of its labels asks; a label without a rule asks for what the
database's rule says, and so does a node without labels. A relationship is kept as its type asks,
its end nodes at least as long. So a statement that scans a label at a version at or above the
label's horizon misses nothing, whatever else those nodes carry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from everwhen.codec.instants import text_of
from everwhen.codec.retention import Entity, Horizon, Retention
from everwhen.errors import TimeOutOfRange


class Horizons:
    """The effective ones of one published state."""

    __slots__ = ("_floor", "_labels", "_types", "highest", "lowest", "pinned")

    def __init__(self, retention: Retention) -> None:
        self._floor = Horizon("", "", retention.version, retention.time)
        self._labels: dict[str, Horizon] = {}
        self._types: dict[str, Horizon] = {}
        for horizon in retention.horizons:
            table = self._labels if horizon.entity == "NODE" else self._types
            ruled = retention.rule(horizon.entity, horizon.name) is not None
            # where a rule was dropped, what it made go stays gone
            if ruled or horizon.version > retention.version:
                table[horizon.name] = horizon
        every = [self._floor, *self._labels.values(), *self._types.values()]
        #: versions from here on can be read as a whole; below the lowest one nothing can
        self.highest = max(one.version for one in every)
        self.lowest = min(one.version for one in every)
        self.pinned = frozenset(retention.pinned)

    @property
    def plain(self) -> bool:
        """Whether one horizon holds for everything."""
        return not self._labels and not self._types

    @property
    def lowest_time(self) -> int:
        """The commit time of the lowest one."""
        return min((self._floor, *self._labels.values(), *self._types.values()), key=_version).time

    def whole(self, version: int) -> bool:
        """Whether everything of a version can be read."""
        return version >= self.highest or version in self.pinned

    def passed(self, before: Horizons, version: int) -> bool:
        """Whether something of a version could be read by the horizons ``before``, and can not
        by these."""
        if self.whole(version):
            return False
        if version in before.pinned:
            return True
        return any(old <= version < new for old, new in self._moves(before))

    def unmoved(self, before: Horizons) -> int:
        """Up to this version the horizons ``before`` let the same go as these."""
        moved = [min(old, new) for old, new in self._moves(before) if old != new]
        return min(moved, default=self.highest)

    def _moves(self, before: Horizons) -> Iterator[tuple[int, int]]:
        """Each horizon's version before and now."""
        yield before._floor.version, self._floor.version
        for name in {**before._labels, **self._labels}:
            yield before.label(name).version, self.label(name).version
        for name in {**before._types, **self._types}:
            yield before.type(name).version, self.type(name).version

    def label(self, name: str) -> Horizon:
        """A label's."""
        return self._labels.get(name, self._floor)

    def type(self, name: str) -> Horizon:
        """A relationship type's."""
        return self._types.get(name, self._floor)

    def of(self, entity: Entity, name: str) -> Horizon:
        """A label's, a type's or the database's own."""
        if entity == "":
            return self._floor
        return self.label(name) if entity == "NODE" else self.type(name)

    def node(self, labels: Iterable[str], types: Iterable[str] = ()) -> int:
        """From which version on a node is kept that carried some labels (none at times: pass "")
        and had relationships of some types."""
        kept = [self.label(name).version for name in labels]
        kept += [self.type(name).version for name in types]
        return min(kept, default=self._floor.version)

    def check_since(self, version: int) -> None:
        """:raises TimeOutOfRange: not everything since a version is there; a restore point below
        stands alone, so what came after it is not."""
        if version < self.highest:
            every = (self._floor, *self._labels.values(), *self._types.values())
            worst = max(every, key=_version)
            raise TimeOutOfRange(
                f"what was since version {version} cannot be told: versions before {worst.version} "
                f"({text_of(worst.time)}) were vacuumed",
                hint="begin the range later",
            )

    # --- what a reader may touch ---

    def check_whole(self, version: int) -> None:
        """:raises TimeOutOfRange: something of a version may be gone."""
        self.check_labels(version, None)
        self.check_types(version, None)

    def check_labels(self, version: int, labels: Sequence[str] | None) -> None:
        """:raises TimeOutOfRange: nodes with one of the labels (None: any) may be gone."""
        if self.whole(version):
            return
        if labels is None:
            worst = max((self._floor, *self._labels.values()), key=_version)
        else:
            worst = max(map(self.label, labels), key=_version, default=self._floor)
        _check(version, worst, "nodes", labels)

    def check_types(self, version: int, types: Sequence[str] | None) -> None:
        """:raises TimeOutOfRange: relationships of one of the types (None: any) may be gone."""
        if self.whole(version):
            return
        if types is None:
            worst = max((self._floor, *self._types.values()), key=_version)
        else:
            worst = max(map(self.type, types), key=_version, default=self._floor)
        _check(version, worst, "relationships", types)


def _version(horizon: Horizon) -> int:
    return horizon.version


def _check(version: int, worst: Horizon, what: str, asked: Sequence[str] | None) -> None:
    if version >= worst.version:
        return
    named = f":{worst.name}" if worst.name else what
    touched = "" if asked is not None or not worst.name else f" (a statement about all {what})"
    raise TimeOutOfRange(
        f"version {version} cannot be read here: {named} of before "
        f"{text_of(worst.time)} (version {worst.version}) were vacuumed{touched}",
        hint="ask for a later time, or name labels and types that are kept for longer",
    )
