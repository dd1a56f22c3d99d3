"""Large transactions between their first chunk and their end: what is staged, and who meets whom.

Layout under STAGE(transaction, part, number):

==== ============ =========================================================
part number       value
==== ============ =========================================================
0    0            :class:`StageHeader`
1    chunk        merge keys and read keys of the chunk (msgpack)
2    chunk        digest of the chunk's journal piece
3    segment id   directory entry of a staged segment (``codec.records``)
4    from 0 on    a deleted node not looked through yet (``apply.detaching``, msgpack)
==== ============ =========================================================

The changes themselves lie in the run (RUN keys, id = transaction), the journal pieces in PIECE
keys, segments in SEGMENT keys. Nobody reads any of them before the commit entry publishes them.

Conflicts with what commits meanwhile are found when *that* commit is applied: it looks its few
mutations up in the run of every open staging and *dooms* those it meets. So the commit entry of a
large transaction need not look at its changes again. Two open stagings that meet remember each
other; the first to commit dooms the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from everwhen.apply.attempt import Attempt
from everwhen.apply.detaching import Noted
from everwhen.apply.layered import Layered
from everwhen.apply.work import Counts, Work
from everwhen.codec.keys import (
    SUB_LABELS,
    SUB_PROPERTY,
    VERSION_MAX,
    Kind,
    adjacency_prefix,
    after,
    index_prefix,
    kind_range,
    node_prefix,
    node_stem,
    relationship_prefix,
    relationship_stem,
    run_key,
    run_prefix,
    stage_key,
)
from everwhen.codec.origin import Origin
from everwhen.codec.parse import decode_stage
from everwhen.codec.records import SegmentEntry, decode_segment_entry
from everwhen.codec.segments import RELATIONSHIPS
from everwhen.errors import CorruptData
from everwhen.mvcc.segments import SegmentRef
from everwhen.mvcc.store import Store
from everwhen.txn import commands as c

PART_HEADER: Final = 0
PART_CHECKS: Final = 1
PART_DIGEST: Final = 2
PART_SEGMENT: Final = 3
PART_NOTED: Final = 4


class StageHeader(msgspec.Struct, array_like=True):
    """What is known of a large transaction as a whole; rewritten with each chunk."""

    read_version: int
    origin: Origin
    chunks: int = 0
    #: (counter, token, difference) for the statistics
    counts: list[tuple[int, int, int]] = []
    #: the seven numbers of the journal's ``Counts``
    numbers: list[int] = msgspec.field(default_factory=lambda: [0] * 7)
    #: (is a node, id) of entities whose post-image was not right when they were last looked at
    unresolved: list[tuple[bool, int]] = []
    #: why it can no longer commit; empty while it can
    doomed: str = ""
    #: open stagings that this one meets
    meets: list[int] = []
    #: the statements' texts, where they are kept
    texts: list[str] = []


class StageChecks(msgspec.Struct, array_like=True):
    merges: list[bytes]
    reads: list[bytes]


_ENCODE = msgspec.msgpack.Encoder().encode
_HEADER = msgspec.msgpack.Decoder(StageHeader)
_CHECKS = msgspec.msgpack.Decoder(StageChecks)
_NOTED = msgspec.msgpack.Decoder(Noted)


class Staging:
    """One large transaction."""

    __slots__ = (
        "counts", "digests", "header", "heard", "merges", "noted", "reads", "refs", "transaction"
    )  # fmt: skip

    def __init__(self, transaction: int, header: StageHeader) -> None:
        self.transaction = transaction
        self.header = header
        self.counts: Counts = {(one, token): by for one, token, by in header.counts}
        self.digests: list[bytes] = []
        self.merges: dict[bytes, None] = {}
        self.reads: dict[bytes, None] = {}
        #: staged segments, as newer than everything
        self.refs: list[SegmentRef] = []
        #: deleted nodes not looked through yet, by number, which ascends
        self.noted: dict[int, Noted] = {}
        #: grows with every entry that was about it; nobody else's business than this process's
        self.heard = header.chunks

    def save(self, layer: Layered) -> None:
        """Write the header."""
        self.header.counts = [(*key, by) for key, by in sorted(self.counts.items()) if by]
        layer.put(stage_key(self.transaction, PART_HEADER, 0), _ENCODE(self.header))

    def add_chunk(self, layer: Layered, checks: c.Checks, digest: bytes) -> None:
        """Note a chunk's checks and digest; the header is saved by the caller."""
        number = self.header.chunks
        if checks.merges or checks.reads:
            self.merges.update(dict.fromkeys(checks.merges))
            self.reads.update(dict.fromkeys(checks.reads))
            value = _ENCODE(StageChecks(checks.merges, checks.reads))
            layer.put(stage_key(self.transaction, PART_CHECKS, number), value)
        self.digests.append(digest)
        layer.put(stage_key(self.transaction, PART_DIGEST, number), digest)
        self.header.chunks = number + 1
        self.heard += 1

    def add_segment(self, layer: Layered, segment: int, entry: SegmentEntry, raw: bytes) -> None:
        self.refs.append(SegmentRef(segment, VERSION_MAX, entry))
        layer.put(stage_key(self.transaction, PART_SEGMENT, segment), raw)

    def note(self, layer: Layered, noted: Iterable[Noted]) -> None:
        """These are to be looked at again."""
        for one in noted:
            self._put_noted(layer, next(reversed(self.noted), -1) + 1, one)

    def _put_noted(self, layer: Layered, number: int, noted: Noted) -> None:
        self.noted[number] = noted
        layer.put(stage_key(self.transaction, PART_NOTED, number), _ENCODE(noted))

    def noted_again(self, layer: Layered, number: int, noted: Noted | None) -> None:
        """One of them was looked at; None: all of it."""
        if noted is not None:
            self._put_noted(layer, number, noted)
        else:
            del self.noted[number]
            layer.delete(stage_key(self.transaction, PART_NOTED, number))

    def doom(self, layer: Layered, reason: str) -> None:
        """It can no longer commit."""
        if not self.header.doomed:
            self.header.doomed = reason
            self.save(layer)


class Stagings:
    """All open ones, ascending by transaction."""

    __slots__ = ("_open", "_work")

    def __init__(self, work: Work) -> None:
        self._work = work
        self._open: dict[int, Staging] = {}

    @classmethod
    def load(cls, store: Store, work: Work) -> Stagings:
        """Read back what is staged."""
        stagings = cls(work)
        for key, value in store.scan(*kind_range(Kind.STAGE)):
            transaction, part, number = decode_stage(key)
            if part == PART_HEADER:
                stagings._open[transaction] = Staging(transaction, _HEADER.decode(value))
                continue
            staging = stagings._open.get(transaction)
            if staging is None:
                raise CorruptData(f"staging of transaction {transaction} has no header")
            if part == PART_CHECKS:
                checks = _CHECKS.decode(value)
                staging.merges.update(dict.fromkeys(checks.merges))
                staging.reads.update(dict.fromkeys(checks.reads))
            elif part == PART_DIGEST:
                staging.digests.append(value)
            elif part == PART_NOTED:
                staging.noted[number] = _NOTED.decode(value)
            else:
                ref = SegmentRef(number, VERSION_MAX, decode_segment_entry(value))
                staging.refs.append(ref)
        return stagings

    def __bool__(self) -> bool:
        return bool(self._open)

    def __iter__(self) -> Iterator[Staging]:
        return iter(self._open.values())

    def get(self, transaction: int) -> Staging | None:
        return self._open.get(transaction)

    def begin(self, transaction: int, read_version: int, origin: Origin, texts: list[str]) -> None:
        staging = Staging(transaction, StageHeader(read_version, origin, texts=texts))
        staging.save(self._work.layer)
        self._open[transaction] = staging
        self._open = dict(sorted(self._open.items()))

    def end(self, transaction: int) -> Staging | None:
        """Forget one; its keys are the caller's business."""
        return self._open.pop(transaction, None)

    def doom_all(self, reason: str) -> None:
        for staging in self._open.values():
            staging.doom(self._work.layer, reason)

    # --- meetings ---

    def meet_erasure(self, nodes: Iterable[int], relationships: Iterable[int]) -> None:
        """Things that are not there are erased: doom every staging that would bring one back."""
        prefixes = [*map(node_prefix, nodes), *map(relationship_prefix, relationships)]
        for staging in self._open.values():
            if any(self._any(staging.transaction, prefix) for prefix in prefixes):
                staging.doom(self._work.layer, "what it brings back was erased meanwhile")

    def meet_commit(self, attempt: Attempt, merges: list[bytes]) -> None:
        """A small transaction commits: doom every staging it meets."""
        for staging in self._open.values():
            if not staging.header.doomed and self._meets(staging, attempt, merges):
                staging.doom(self._work.layer, "a transaction that committed first changed it too")

    def meet_chunk(self, mine: Staging, attempt: Attempt, merges: list[bytes]) -> None:
        """A chunk arrives: note every other staging it meets, on both sides."""
        for other in self._open.values():
            if other is mine or other.transaction in mine.header.meets:
                continue
            if self._meets(other, attempt, merges):
                self.note_meeting(mine, other)

    def note_meeting(self, mine: Staging, other: Staging) -> None:
        mine.header.meets = [*mine.header.meets, other.transaction]
        other.header.meets = [*other.header.meets, mine.transaction]
        other.save(self._work.layer)

    def committed(self, staging: Staging) -> None:
        """A large transaction was published: the stagings it meets cannot be any more."""
        for number in staging.header.meets:
            other = self._open.get(number)
            if other is not None:
                other.doom(self._work.layer, "a large transaction that committed first changed it")

    def _meets(self, staging: Staging, attempt: Attempt, merges: list[bytes]) -> bool:
        run = staging.transaction
        if any(key in staging.merges for key in merges):
            return True
        names = attempt.names
        for mutation in attempt.mutations:
            if isinstance(mutation, c.ReviveNode):
                if self._has(run, node_stem(mutation.id)):
                    return True
            elif isinstance(mutation, c.CreateRelationship | c.ReviveRelationship):
                if isinstance(mutation, c.ReviveRelationship) and self._has(
                    run, relationship_stem(mutation.id)
                ):
                    return True
                if self._deleted(run, mutation.start) or self._deleted(run, mutation.end):
                    return True
            elif isinstance(mutation, c.ChangeNode):
                if self._holds_any(run, node_stem(mutation.id), mutation.properties, names):
                    return True
            elif isinstance(mutation, c.ChangeRelationship):
                stem = relationship_stem(mutation.id)
                if self._holds_any(run, stem, mutation.properties, names):
                    return True
            elif isinstance(mutation, c.ChangeLabels):
                if self._has(run, node_stem(mutation.id)) or self._has(
                    run, node_stem(mutation.id, SUB_LABELS)
                ):
                    return True
            elif isinstance(mutation, c.DeleteRelationship):
                if self._any(run, relationship_prefix(mutation.id)):
                    return True
            elif isinstance(mutation, c.DeleteNode) and self._touches(staging, mutation.id):
                return True
        return any(
            edit.distinguishable
            and edit.new is not None
            and self._any(run, index_prefix(edit.rule.id, edit.new))
            for edit in attempt.edits
        )

    def _has(self, run: int, stem: bytes) -> bool:
        return self._work.layer.get(run_key(run, stem)) is not None

    def _any(self, run: int, prefix: bytes) -> bool:
        staged = run_prefix(run, prefix)
        return self._work.layer.first(staged, after(staged)) is not None

    def _deleted(self, run: int, node: int) -> bool:
        return self._work.layer.get(run_key(run, node_stem(node))) == b""

    def _holds_any(
        self, run: int, stem: bytes, properties: Iterable[int], names: list[str]
    ) -> bool:
        """Whether the run holds the head of an entity or one of these properties."""
        if self._has(run, stem):
            return True
        ids = self._work.tokens.keys.ids
        for at in properties:
            token = ids.get(names[at])
            if token is not None:
                sub = (SUB_PROPERTY + token).to_bytes(4, "big")
                if self._has(run, stem[:-4] + sub):
                    return True
        return False

    def _touches(self, staging: Staging, node: int) -> bool:
        """Whether a staging changes a node or gives it a relationship."""
        run = staging.transaction
        if self._any(run, node_prefix(node)):
            return True
        for kind in (Kind.OUT, Kind.IN):
            if self._any(run, adjacency_prefix(kind, node)):
                return True
        for ref in staging.refs:
            if ref.entry.kind == RELATIONSHIPS:
                segment = self._work.state.cache.relationship(ref)
                if len(segment.rows_of(node, True)) or len(segment.rows_of(node, False)):
                    return True
        return False
