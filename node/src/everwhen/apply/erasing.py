"""Erasures: the whole history of things goes, from the record and from the journal.

The command is a commit of its own without changes, so that the journal says for ever who asked for
it, when, and which ids. Bounded steps then take away everything that names those ids; a node's
relationships of all times go with it. Commits keep their headers and with them the chain.

Rows of segments go last, so tombstones stand over them first, and are taken away when nobody reads
by the directory of before any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from msgspec.structs import replace

from everwhen.apply.commits import Commits
from everwhen.apply.compacting import Compactions
from everwhen.apply.erased_things import Found, Things, place_of
from everwhen.apply.segments import replaced
from everwhen.apply.vacuum import Vacuums
from everwhen.apply.work import Work
from everwhen.codec import journal
from everwhen.codec.cluster import LEVEL_RETENTION, check_level
from everwhen.codec.journal import SegmentDigest
from everwhen.codec.keys import journal_key, meta_key, piece_key
from everwhen.codec.retention import (
    FOR_EVER,
    Erasure,
    Retention,
    encode,
    erased_name,
    erasure_name,
    pack_ids,
)
from everwhen.codec.segments import NODES
from everwhen.errors import EraseRefused, QueryArgumentError, TransactionConflict
from everwhen.limits import ERASED_PER_STATEMENT_MAX
from everwhen.model.graph import EntityKind
from everwhen.mvcc.erased import REWRITING, TAKING, WAITING, found_by
from everwhen.mvcc.segments import SegmentRef
from everwhen.txn import commands as c

#: phases of an erasure: what belongs to the things is gathered, they are taken away, rows of
#: segments after them, readers of before are waited for, what stood over the rows is taken away
DONE: Final = 0
GATHERING: Final = 1
SEGMENTS: Final = REWRITING
SETTLING: Final = WAITING
UNCOVERING: Final = 4
ENTITIES: Final = TAKING
#: ids of segments that count for one key in a step's limit
_ROWS_PER_KEY: Final = 64


class Position(msgspec.Struct, array_like=True):
    """Where the next step goes on within one thing: stage, last key, pieces looked at."""

    stage: int = 0
    key: bytes = b""
    piece: int = 0


_ENCODE = msgspec.msgpack.encode
_POSITION = msgspec.msgpack.Decoder(Position)


class Erasures:
    """Applies erasures to the work at hand."""

    __slots__ = ("_commits", "_compactions", "_vacuums", "_work")

    def __init__(
        self, work: Work, commits: Commits, vacuums: Vacuums, compactions: Compactions
    ) -> None:
        self._work = work
        self._commits = commits
        self._vacuums = vacuums
        self._compactions = compactions

    def erase(self, command: c.Erase) -> c.Committed:
        """:raises TransactionConflict: one of them is there (again).
        :raises EraseRefused: it is kept, and not told to be erased all the same."""
        work = self._work
        check_level(work.cluster, LEVEL_RETENTION, "erasures")
        known = self._commits.repeated(command.origin)
        if known is not None:
            return known
        count = len(command.nodes) + len(command.relationships)
        if not 0 < count <= ERASED_PER_STATEMENT_MAX:
            raise QueryArgumentError(
                f"{count:,} things to erase; one statement erases 1 to "
                f"{ERASED_PER_STATEMENT_MAX:,}",
                hint="erase in portions: … WITH n LIMIT 1000 ERASE n",
            )
        self._commits.check_time(command.time, False)
        for kind, identity, found in things_of(work, command.nodes, command.relationships):
            if found.alive:
                raise TransactionConflict(
                    f"the {kind.value.lower()} {identity} to be erased is there",
                    hint="run the statement again",
                )
            if not command.force:
                check_kept(work.retention, kind, identity, found)
        self._commits.stagings.meet_erasure(command.nodes, command.relationships)
        version = work.version + 1
        record = journal.seal(
            version=version,
            time=command.time,
            own_time=False,
            read_version=work.version,
            origin=command.origin,
            counts=journal.Counts(),
            merges=[],
            previous=work.chain,
        )
        number = len(work.state.erased.all) + 1
        erasure = Erasure(
            number,
            sorted(set(command.nodes)),
            sorted(set(command.relationships)),
            version,
            command.time,
            msgspec.structs.replace(command.origin, salt=b""),
        )
        self._put(erasure)
        work.put_retention(replace(work.retention, erased_upto=version))
        return self._commits.enter(record)

    def _put(self, erasure: Erasure) -> None:
        work = self._work
        work.layer.put(meta_key(erasure_name(erasure.number)), encode(erasure))
        work.state.erased.put(erasure)

    # --- steps ---

    def step(self, command: c.EraseStep) -> c.Vacuumed:
        """One bounded step of the oldest erasure. ``more``: it is not done."""
        work = self._work
        check_level(work.cluster, LEVEL_RETENTION, "erasures")
        self._vacuums.let_go(command.settled)
        erasure = work.state.erased.next_open()
        if erasure is None:
            return c.Vacuumed(0, 0, False)
        if any(run.version <= erasure.version for run in work.runs):
            return c.Vacuumed(0, 0, True)  # large transactions are folded first
        if not self._compactions.give_way():
            return c.Vacuumed(0, 0, True)  # it ends soon
        if erasure.phase == GATHERING:
            return self._gather(erasure, command.limit)
        if erasure.phase == ENTITIES:
            return self._entities(erasure, command.limit)
        if erasure.phase == SEGMENTS:
            return self._segments(erasure, command.limit)
        if erasure.phase == SETTLING:
            if any(one.index > command.settled for one in work.vacuum.retired):
                return c.Vacuumed(0, 0, True)  # somebody may still read by them
            erasure = replace(erasure, phase=UNCOVERING, place=0)
        return self._uncover(erasure, command.limit)

    def _gather(self, erasure: Erasure, limit: int) -> c.Vacuumed:
        """The relationships that the nodes ever had."""
        work = self._work
        things = Things(work, limit=limit)
        known = work.state.erased.open[erasure.number].relationships
        fresh: dict[int, None] = {}
        position, place = _position(erasure), erasure.place
        while place < len(erasure.nodes) and not things.full:
            for one in things.relationships_of(erasure.nodes[place], position):
                if one not in known:
                    fresh[one] = None
            if not things.full:
                place, position = place + 1, Position()
        if fresh:
            name = erased_name(erasure.number, erasure.found)
            work.layer.put(meta_key(name), pack_ids(fresh))
            work.state.erased.take(erasure.number, fresh)
        ended = place >= len(erasure.nodes)
        self._put(
            replace(
                erasure,
                found=erasure.found + len(fresh),
                phase=ENTITIES if ended else GATHERING,
                place=0 if ended else place,
                position=b"" if ended else _ENCODE(position),
            )
        )
        return c.Vacuumed(0, 0, True)

    def _things(self, erasure: Erasure) -> Iterator[tuple[EntityKind, int]]:
        """All that go, from the place on where the last step stopped."""
        place = erasure.place
        for kind, ids in (
            (EntityKind.NODE, erasure.nodes),
            (EntityKind.RELATIONSHIP, erasure.relationships),
        ):
            yield from ((kind, one) for one in ids[place:])
            place = max(place - len(ids), 0)
        for one in found_by(self._work.layer, erasure.number, place):
            yield EntityKind.RELATIONSHIP, one

    def _entities(self, erasure: Erasure, limit: int) -> c.Vacuumed:
        things = Things(self._work, erasure, limit)
        position, place = _position(erasure), erasure.place
        for kind, identity in self._things(erasure):
            if things.full or not things.take_away(kind, identity, position):
                break
            place, position = place + 1, Position()
        ended = place >= erasure.count
        self._put(
            replace(
                erasure,
                phase=SEGMENTS if ended else ENTITIES,
                place=place,
                position=b"" if ended else _ENCODE(position),
                keys=erasure.keys + things.keys,
                commits=[] if ended else list(things.commits),
            )
        )
        return c.Vacuumed(things.keys, things.bytes, True)

    def _say(self, ref: SegmentRef, number: int) -> None:
        """The commit's record says already that not all of its content is there; the piece that
        names the segment names the new one."""
        layer = self._work.layer
        value = layer.get(journal_key(ref.version))
        if value is None:
            return
        record = journal.decode_record(value)
        for at in range(record.header.pieces):
            key = piece_key(record.header.transaction, at)
            raw = layer.get(key)
            piece = None if raw is None else journal.decode_piece(raw)
            if piece is not None and any(one.id == ref.id for one in piece.segments):
                named = [
                    SegmentDigest(number, one.digest) if one.id == ref.id else one
                    for one in piece.segments
                    if number or one.id != ref.id
                ]
                layer.put(key, journal.encode_piece(journal.Piece(piece.changes, named)))
                return

    def _segments(self, erasure: Erasure, limit: int) -> c.Vacuumed:
        """The next segment that has rows of it."""
        work = self._work
        refs = (ref for ref in work.segments.refs if ref.version <= erasure.version)
        for ref in sorted(refs, key=place_of):
            place = place_of(ref)
            if place <= erasure.position:
                continue
            if limit <= 0:
                return c.Vacuumed(0, 0, True)
            rows, looked = self._rows(erasure, ref)
            limit -= 1 + looked // _ROWS_PER_KEY
            erasure = replace(erasure, position=place)
            self._put(erasure)
            if rows:
                smaller = replaced(work, ref, rows)
                self._say(ref, smaller.id)
                return c.Vacuumed(len(rows), ref.entry.bytes - smaller.size, True)
        # nothing is left that can be read, except by what is kept in memory
        work.state.forget_erased()
        work.put_retention(replace(work.retention, erased_upto=work.version))
        self._put(replace(erasure, phase=SETTLING, position=b""))
        return c.Vacuumed(0, 0, True)

    def _rows(self, erasure: Erasure, ref: SegmentRef) -> tuple[list[int], int]:
        """The things that a segment has rows of, and how many ids were compared."""
        cache, entry = self._work.state.cache, ref.entry
        nodes, relationships = self._work.state.erased.open[erasure.number]
        ids = nodes if entry.kind == NODES else relationships
        if len(ids) > entry.count:
            return [one for one in cache.get(ref).ids.whole().tolist() if one in ids], entry.count
        near = sorted(one for one in ids if entry.first_id <= one <= entry.last_id)
        if not near:
            return [], len(ids)
        segment = cache.get(ref)
        return [one for one in near if segment.row(one) is not None], len(ids) + len(near)

    def _uncover(self, erasure: Erasure, limit: int) -> c.Vacuumed:
        """Nobody reads a row any more: what stands over them goes."""
        work = self._work
        things, place = Things(work, limit=limit), erasure.place
        if not work.vacuum.retired:
            place = erasure.count
        for kind, identity in self._things(replace(erasure, place=place)):
            if things.full:
                break
            things.uncover(kind, identity)
            place += 1
        erasure = replace(erasure, place=place, keys=erasure.keys + things.keys)
        if place >= erasure.count:
            # this entry's own index: it is noted as applied only after it is done
            erasure = replace(erasure, phase=DONE, log_index=work.applied_index + 1)
        self._put(erasure)
        return c.Vacuumed(things.keys, things.bytes, bool(erasure.phase))


def _position(erasure: Erasure) -> Position:
    return _POSITION.decode(erasure.position) if erasure.position else Position()


def things_of(
    work: Work, nodes: Iterable[int], relationships: Iterable[int]
) -> Iterator[tuple[EntityKind, int, Found]]:
    """What the record knows of each."""
    things = Things(work)
    for node in nodes:
        yield EntityKind.NODE, node, things.find(EntityKind.NODE, node)
    for one in relationships:
        yield EntityKind.RELATIONSHIP, one, things.find(EntityKind.RELATIONSHIP, one)


def check_kept(retention: Retention, kind: EntityKind, identity: int, found: Found) -> None:
    """:raises EraseRefused: a restore point shows it, or it is to be kept for ever."""
    what = kind.value.lower()
    for point in retention.points:
        if found.seen_at(point.version):
            raise EraseRefused(
                f"the restore point `{point.name}` shows the {what} {identity}",
                hint="DROP RESTORE POINT, or ERASE … FORCE erases it there too",
            )
    for rule in retention.rules:
        if rule.entity == kind.value and rule.keep == FOR_EVER and rule.name in found.names:
            raise EraseRefused(
                f"the {what} {identity} is kept for ever as :{rule.name}",
                hint="change the rule of retention, or write ERASE … FORCE",
            )
