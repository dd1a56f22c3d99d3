"""What the replicated state knows of keeping and forgetting: rules, horizons, restore points, the
round of vacuum under way, and what was erased.

A *rule* says how long versions are kept; a *horizon* is what has come of it: the oldest version
that can be read. Rules are wishes and move freely; horizons only rise. Both have one for the
database and one for each label or type that has a rule of its own.
"""

from __future__ import annotations

from collections.abc import Collection
from struct import pack, unpack
from typing import Final, Literal, Protocol, TypeVar

import msgspec

from everwhen.codec.origin import Origin
from everwhen.errors import CorruptData, FormatUnsupported

FORMAT: Final = 1
#: META names
META_RETENTION: Final = "retention"
META_VACUUM: Final = "vacuum"
#: with the number of the erasure, ten digits
META_ERASURE: Final = "erasure:"
#: relationships that an erasure found at its nodes, with its number and how many it found before
#: these, ten and twenty digits
META_ERASED: Final = "erased:"
#: ids of one segment found dead, with segment and first id, twenty digits each
META_DEAD: Final = "dead:"

#: ``Rule.keep`` of versions that are never forgotten
FOR_EVER: Final = 0

Entity = Literal["", "NODE", "RELATIONSHIP"]
"""Whose rule or horizon it is: the database's, a label's, a relationship type's."""


class Rule(msgspec.Struct, frozen=True, array_like=True):
    """How long versions are kept, in µs; ``FOR_EVER``: they are never forgotten."""

    entity: Entity
    name: str
    keep: int


class Horizon(msgspec.Struct, frozen=True, array_like=True):
    """The oldest version that can be read, and its commit time (0: the beginning)."""

    entity: Entity
    name: str
    version: int
    time: int


class RestorePoint(msgspec.Struct, frozen=True, array_like=True):
    """A version that stays readable as a whole. ``time``: of its commit; ``by``: who named it."""

    name: str
    version: int
    time: int
    by: str = ""


class Retention(msgspec.Struct, frozen=True, array_like=True):
    """Rules and what has come of them."""

    format: int = FORMAT
    #: moves with every change of a rule, so that a horizon meant for older rules is refused
    revision: int = 0
    #: the database's own
    keep: int = FOR_EVER
    version: int = 0
    time: int = 0
    #: of labels and types; ascending by entity and name
    rules: tuple[Rule, ...] = ()
    horizons: tuple[Horizon, ...] = ()
    #: ascending by version and name
    points: tuple[RestorePoint, ...] = ()
    #: contents of commits up to this version may be gone from the journal
    journal_floor: int = 0
    #: the newest erasure's commit: what was written up to it may be missing in the journal too
    erased_upto: int = 0

    def rule(self, entity: Entity, name: str) -> Rule | None:
        """A label's or type's own rule."""
        return next((r for r in self.rules if r.entity == entity and r.name == name), None)

    def point(self, name: str) -> RestorePoint | None:
        """A restore point by name."""
        return next((p for p in self.points if p.name == name), None)

    @property
    def pinned(self) -> tuple[int, ...]:
        """Versions that restore points keep, ascending, each once."""
        return tuple(sorted({point.version for point in self.points}))


class Retired(msgspec.Struct, frozen=True, array_like=True):
    """A segment that was replaced at the entry ``index``. Its bytes stay until nobody reads by
    the directory of before."""

    segment: int
    version: int
    index: int
    #: its directory entry: codec.records
    entry: bytes


class Vacuum(msgspec.Struct, frozen=True, array_like=True):
    """Vacuum as far as it came. A round takes away what the horizons of its beginning allow."""

    format: int = FORMAT
    #: rounds begun
    round: int = 0
    #: 0: no round is under way; else the kind of keys it looks at (``apply.vacuum``)
    phase: int = 0
    #: where its next step goes on
    position: bytes = b""
    #: the horizons that the newest round began with
    seen: Retention = Retention()
    #: of this round, then of all rounds: keys and bytes taken away
    keys: int = 0
    size: int = 0
    keys_before: int = 0
    size_before: int = 0
    retired: tuple[Retired, ...] = ()
    #: contents of commits up to this version are gone from the journal
    emptied: int = 0
    #: the round before took what this one may from the contents of commits up to this version
    judged: int = 0


class Erasure(msgspec.Struct, frozen=True, array_like=True):
    """Things whose whole history goes. The ids stay, so that nothing brings them back."""

    number: int
    #: ids, ascending, as the statement named them
    nodes: list[int]
    relationships: list[int]
    #: the audit line's commit
    version: int
    time: int
    origin: Origin
    #: 0: done; else where its next step goes on
    phase: int = 1
    place: int = 0
    position: bytes = b""
    keys: int = 0
    #: entries of the log up to this one may hold its content; 0 while it is not done
    log_index: int = 0
    format: int = FORMAT
    #: large commits whose pieces were gone through
    commits: list[int] = []
    #: other relationships that its nodes ever had, as far as they were gathered: META_ERASED
    found: int = 0

    @property
    def count(self) -> int:
        """Things that go, as far as they are known."""
        return len(self.nodes) + len(self.relationships) + self.found


class _Formatted(Protocol):
    @property
    def format(self) -> int: ...


_T = TypeVar("_T", bound=_Formatted)
_ENCODER = msgspec.msgpack.Encoder()
_RETENTION = msgspec.msgpack.Decoder(Retention)
_VACUUM = msgspec.msgpack.Decoder(Vacuum)
_ERASURE = msgspec.msgpack.Decoder(Erasure)


def erasure_name(number: int) -> str:
    """META name of an erasure."""
    return f"{META_ERASURE}{number:010}"


def erased_name(number: int, before: int) -> str:
    """META name of some relationships that an erasure found, ``before``: after so many others."""
    return f"{META_ERASED}{number:010}:{before:020}"


def parse_erased_name(name: str) -> tuple[int, int]:
    """Number and place of :func:`erased_name`."""
    number, before = name.removeprefix(META_ERASED).split(":")
    return int(number), int(before)


def dead_name(segment: int, first: int) -> str:
    """META name of some dead ids of a segment."""
    return f"{META_DEAD}{segment:020}:{first:020}"


def pack_ids(ids: Collection[int]) -> bytes:
    """The value of ``META_ERASED`` and ``META_DEAD``: 8 bytes each."""
    return pack(f">{len(ids)}Q", *ids)


def unpack_ids(value: bytes) -> tuple[int, ...]:
    """:raises CorruptData: bytes that are not whole ids."""
    if len(value) % 8:
        raise CorruptData("ids that are not whole")
    return unpack(f">{len(value) // 8}Q", value)


def encode(value: Retention | Vacuum | Erasure) -> bytes:
    """The value of one of the META keys."""
    return _ENCODER.encode(value)


def decode_retention(value: bytes) -> Retention:
    """:raises CorruptData: bytes that are none. :raises FormatUnsupported: a newer build's."""
    return decoded(_RETENTION, value, "retention")


def decode_vacuum(value: bytes) -> Vacuum:
    """:raises CorruptData: bytes that are none. :raises FormatUnsupported: a newer build's."""
    return decoded(_VACUUM, value, "vacuum")


def decode_erasure(value: bytes) -> Erasure:
    """:raises CorruptData: bytes that are none. :raises FormatUnsupported: a newer build's."""
    return decoded(_ERASURE, value, "erasure")


def decoded(
    decoder: msgspec.msgpack.Decoder[_T], value: bytes, what: str, newest: int = FORMAT
) -> _T:
    """A value of a format up to the ``newest`` that this build knows.

    :raises CorruptData: bytes that are none. :raises FormatUnsupported: a newer build's."""
    try:
        found = decoder.decode(value)
    except (ValueError, TypeError) as error:
        raise CorruptData(f"bytes that are no {what}: {error}") from error
    if found.format > newest:
        raise FormatUnsupported(f"a {what} of format {found.format}; this build knows {newest}")
    return found
