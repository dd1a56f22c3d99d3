"""Whether history is what was committed: the journal's chain, and everything written against it.

The chain of headers binds every commit's content (``codec.journal``); the content says every entry
that the commit must have written (``mvcc.replay``), and no other may be there: so a changed byte of
a journal record, a piece, a segment, the time table or an entry of any version is found, and so is
one that was taken away, added or exchanged for another, even where it was written through the store
and all checksums of files are right. Whoever rewrites the whole record *consistently*, from some
commit on, is found out only by a chain hash kept elsewhere: :class:`AuditHead`.

Of a commit whose content was forgotten only the header remains: it is still chained, and what it
wrote cannot be judged any more; the answer says where that is so.

Pure over a state at rest or in use: commits, chunks and folding may go on meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from everwhen.codec import journal, parse, records
from everwhen.codec.audit_head import AuditHead
from everwhen.codec.instants import text_of
from everwhen.codec.journal import GENESIS, Header, Piece, Sealed
from everwhen.codec.keys import (
    TOMBSTONE,
    Kind,
    Space,
    after,
    journal_key,
    kind_range,
    piece_prefix,
)
from everwhen.codec.records import RecordHead, SegmentEntry
from everwhen.codec.segments import NodeSegment, Segment, decode_segment, pieces
from everwhen.errors import AuditHeadInvalid, CorruptData, FormatUnsupported
from everwhen.limits import AUDIT_CHANGES_SHARE, AUDIT_TICK_EVERY
from everwhen.model.audit import ERASED, PROBLEM, UNDER_WAY, VERIFIED, Finding
from everwhen.mvcc.audit_entries import Comparison, newest_version
from everwhen.mvcc.entities import Entities
from everwhen.mvcc.erased import UnderWay
from everwhen.mvcc.forgotten import in_time_table, taken_away
from everwhen.mvcc.replay import Entries, Replay, replay_pieces
from everwhen.mvcc.row_entries import row_points
from everwhen.mvcc.segments import SegmentRef, entry_of, read_segment
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.tokens import Tokens
from everwhen.mvcc.versioned import Versioned


class Range(NamedTuple):
    """The commits that are looked at."""

    first: int
    last: int


class Auditor:
    """One verification. ``secret`` (16 bytes nobody could guess) keys the sums that are compared;
    ``tick`` is called often and may raise to end it."""

    def __init__(self, state: RecordState, secret: bytes, tick: Callable[[], None]) -> None:
        self._state = state
        self._store = state.store
        self._tick = tick
        self._published = state.current
        self._taken = sum(one.keys for one in state.erased.all.values())
        self._record = Versioned(state.store, self._published.runs)
        segments = self._published.segments
        self._entities = Entities(self._record, state.tokens, segments, state.cache, 0)
        self._going = UnderWay(state.erased)
        self._comparison = Comparison(state, self._going, secret, tick)
        #: segment -> (version, salt, digest) of those that commits published
        self._segments: dict[int, tuple[int, bytes, bytes]] = {}
        self._range = Range(1, 0)
        self._erased: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)

    def run(self, first: int, last: int) -> Iterator[Finding]:
        """Problems as they are found, then what is erased or being erased, then the sum."""
        head = self._published.head
        first, last = max(first, 1), min(last, head.version)
        self._range = Range(first, last)
        if last < first:
            yield Finding(VERIFIED, first, last, "no commit in this range")
            return
        self._erased = np.zeros(last - first + 1, np.bool_)
        self._comparison.start(first, last)
        found = 0
        try:
            for finding in self._checks(head):
                found += 1
                yield finding
        except (CorruptData, FormatUnsupported) as error:
            # said here, not raised: whoever asks whether history is whole has the answer
            found += 1
            yield Finding(PROBLEM, first, last, f"{error.message}: the rest was not looked at")
        if self._moved(head):
            found += 1
            what = "commits were forgotten while this ran: run it again"
            yield Finding(PROBLEM, first, last, what)
        yield from self._gaps()
        for note in self._going.notes:
            yield Finding(UNDER_WAY, first, last, note)
        counted = f"{last - first + 1} commits, {self._comparison.entries} entries"
        counted += f", {len(self._segments)} segments"
        yield Finding(VERIFIED, first, last, f"{counted}: {found or 'no'} problems")

    def _checks(self, head: RecordHead) -> Iterator[Finding]:
        times = np.full(self._range.last - self._range.first + 1, -1, np.int64)
        yield from self._check_times(times)
        yield from self._check_journal(head, times)
        yield from self._check_entries()
        yield from self._check_segments()

    def _moved(self, head: RecordHead) -> bool:
        now, then = self._state.current, self._published
        return (
            head.oldest_version != now.head.oldest_version
            or now.retention.journal_floor != then.retention.journal_floor
            or now.vacuum.keys_before + now.vacuum.keys
            != then.vacuum.keys_before + then.vacuum.keys
            or sum(one.keys for one in self._state.erased.all.values()) != self._taken
        )

    def _gaps(self) -> Iterator[Finding]:
        """Ranges of commits without content."""
        edges = np.flatnonzero(np.diff(self._erased, prepend=False, append=False)).tolist()
        first = self._range.first
        for low, high in zip(edges[::2], edges[1::2], strict=True):
            yield Finding(
                ERASED,
                first + low,
                first + high - 1,
                "chained, but their content was forgotten: what they wrote is verifiable only "
                f"from version {first + high} on",
            )

    # --- the time table ---

    def _check_times(self, times: npt.NDArray[np.int64]) -> Iterator[Finding]:
        first, last = self._range
        before = 0
        for at, (key, value) in enumerate(self._store.scan(*kind_range(Kind.TIME))):
            if at % AUDIT_TICK_EVERY == 0:
                self._tick()
            time, version = parse.decode_time(key).time, records.decode_version(value)
            if version <= before:
                yield self._problem(version, f"the time table has it after commit {before}")
            before = max(before, version)
            if first <= version <= last:
                times[version - first] = time
        newest = newest_version(self._store)
        if not self._published.head.version <= before <= newest:
            yield self._problem(before, f"the time table ends here, the record at {newest}")

    def _problem(self, version: int, detail: str, last: int | None = None) -> Finding:
        return Finding(PROBLEM, version, version if last is None else last, detail)

    # --- the journal ---

    def _check_journal(self, head: RecordHead, times: npt.NDArray[np.int64]) -> Iterator[Finding]:
        first, last = self._range
        previous = self._chain_before(first)
        expected = first
        low, high = kind_range(Kind.JOURNAL)
        beyond = self._store.last(journal_key(last + 1), high)
        newest = 0 if beyond is None else parse.decode_journal(beyond[0]).version
        if newest > newest_version(self._store):
            yield self._problem(newest, "the journal has it, but no such commit was made")
        start = low if first == 1 else journal_key(first)
        for key, value in self._store.scan(start, journal_key(last + 1)):
            if expected % AUDIT_TICK_EVERY == 0:
                self._tick()
            version = parse.decode_journal(key).version
            if version != expected:
                yield self._problem(expected, "missing in the journal", version - 1)
                self._erased[expected - first : version - first] = True
                previous = None
            expected = version + 1
            try:
                sealed, header = journal.decode_sealed(value)
                yield from self._check_commit(version, sealed, header, previous)
            except (CorruptData, FormatUnsupported) as error:
                yield self._problem(version, error.message)
                self._erased[version - first] = True
                previous = None
                continue
            previous = sealed.chain
            time = int(times[version - first])
            if time != header.time and (
                time >= 0 or in_time_table(self._published.horizons, version)
            ):
                said = "nothing" if time < 0 else text_of(time)
                detail = f"it was at {text_of(header.time)}; the time table says {said}"
                yield self._problem(version, detail)
        if expected <= last:
            yield self._problem(expected, "missing in the journal", last)
            self._erased[expected - first :] = True
        elif last == head.version and previous is not None and previous != head.chain:
            yield self._problem(last, "its chain hash is not the one in the record's head")

    def _chain_before(self, first: int) -> bytes | None:
        if first == 1:
            return GENESIS
        value = self._store.get(journal_key(first - 1))
        return None if value is None else journal.decode_sealed(value)[0].chain

    def _check_commit(
        self, version: int, sealed: Sealed, header: Header, previous: bytes | None
    ) -> Iterator[Finding]:
        salt = header.origin.salt
        digests = []
        if header.pieces and sealed.content:
            digests = [journal.digest(salt, value) for value in self._pieces(header)]
        wrong = journal.sealed_problems(sealed, header, previous, digests)
        if header.version != version:
            wrong.append(f"the journal has commit {header.version} in its place")
        for problem in wrong:
            yield self._problem(version, problem.removeprefix(f"commit {version}: "))
        if not sealed.content:
            self._erased[version - self._range.first] = True
            if not taken_away(self._state, version, sealed.erasure):
                yield self._problem(version, "its content is missing, and nothing forgot it")
            return
        if header.pieces:
            self._note_segments(version, header)
        for entries in self._expected(version, sealed, header):
            self._comparison.expect(version, entries)

    def _expected(self, version: int, sealed: Sealed, header: Header) -> Iterator[Entries]:
        """The entries that a commit must have written."""
        changes = journal.decode_changes(version, sealed.content)
        if not header.pieces:
            yield Replay().run(changes)
            return

        before = self._entities.as_of(version - 1)

        def older(stem: bytes) -> bool:
            if self._record.at(stem, version - 1) is not None or row_points(before, stem):
                return True
            # vacuum took what a tombstone of this commit hid, if there was something
            vacuumed = self._published.retention.journal_floor
            return bool(vacuumed) and self._record.at(stem, version) == (version, TOMBSTONE)

        def read() -> Iterator[Piece]:
            for value in self._pieces(header):
                self._tick()
                yield journal.decode_piece(value)

        yield from replay_pieces(read, older, AUDIT_CHANGES_SHARE)

    def _pieces(self, header: Header) -> Iterator[bytes]:
        prefix = piece_prefix(header.transaction)
        return (value for _, value in self._store.scan(prefix, after(prefix)))

    def _note_segments(self, version: int, header: Header) -> None:
        for value in self._pieces(header):
            for one in journal.decode_piece(value).segments:
                self._segments[one.id] = (version, header.origin.salt, one.digest)

    def expected_again(self, version: int) -> Iterator[Entries]:
        """The same, read once more: for the comparison, where sums differ."""
        value = self._store.get(journal_key(version))
        if value is None or self._erased[version - self._range.first]:
            return
        sealed, header = journal.decode_sealed(value)
        yield from self._expected(version, sealed, header)

    # --- entries and segments ---

    def _check_entries(self) -> Iterator[Finding]:
        comparison = self._comparison
        comparison.scan(self._erased)
        for version, detail in comparison.differences(self.expected_again, self._erased):
            yield self._problem(version, detail)

    def _check_segments(self) -> Iterator[Finding]:
        first, last = self._range
        listed = dict(self._segments)
        for key, value in self._store.scan(*kind_range(Kind.SEGREF)):
            self._tick()
            version, segment = parse.decode_segref(key)
            if self._has_versions(value):
                problem = self._segment_problem(segment, value, version)
                if problem is not None:
                    yield self._problem(version, f"segment {segment}: {problem}")
                continue
            if not first <= version <= last or self._erased[version - first]:
                continue
            published = listed.pop(segment, None)
            if published is None or published[0] != version:
                yield self._problem(version, f"segment {segment} is listed; it did not publish it")
                continue
            problem = self._segment_problem(segment, value, version, published)
            if problem is not None:
                yield self._problem(version, f"segment {segment}: {problem}")
        for segment, (version, _, _) in sorted(listed.items()):
            yield self._problem(version, f"segment {segment} is not in the directory")

    @staticmethod
    def _has_versions(filed: bytes) -> bool:
        """Whether no commit published the segment: its rows are compared as entries."""
        try:
            return bool(records.decode_segment_entry(filed).last_version)
        except CorruptData:
            return False

    def _segment_problem(
        self,
        number: int,
        filed: bytes,
        version: int,
        published: tuple[int, bytes, bytes] | None = None,
    ) -> str | None:
        try:
            ref = SegmentRef(number, version, records.decode_segment_entry(filed))
            data = read_segment(self._store, ref)
            if published is not None and journal.digest(published[1], data) != published[2]:
                return "its bytes are not those of the commit"
            segment = decode_segment(data)
            if (segment.versions is None) != (published is not None):
                return "it and its entry do not agree on whether its rows have versions"
            said = _entry(segment, data, self._state.tokens)
        except (CorruptData, FormatUnsupported) as error:
            return error.message
        same = records.encode_segment_entry(said) == filed
        return None if same else f"its entry says {ref.entry}, it holds {said}"


def _entry(segment: Segment, data: bytes, tokens: Tokens) -> SegmentEntry:
    if isinstance(segment, NodeSegment):
        mine = sorted(tokens.labels.ids.get(name, -1) for name in segment.labels)
    else:
        mine = [tokens.types.ids.get(segment.type, -1)]
    return entry_of(segment, mine, len(pieces(data)), len(data))


# --- heads ----------------------------------------------------------------------------------


def head_of(state: RecordState) -> AuditHead:
    """The head of a record as it is now."""
    published = state.current
    head, cluster, tokens = published.head, published.cluster, state.tokens
    counts = (len(tokens.labels.names), len(tokens.types.names), len(tokens.keys.names))
    return AuditHead(
        cluster.cluster_id.hex(),
        cluster.history_id,
        head.version,
        head.time,
        head.chain,
        counts,
        _names_digest(tokens, counts),
    )


def _names_digest(tokens: Tokens, counts: tuple[int, int, int]) -> bytes:
    names = [
        name.encode()
        for space, count in zip(Space, counts, strict=True)
        for name in tokens.table(space).names[:count]
    ]
    return journal.digest(b"", *(count.to_bytes(4, "big") for count in counts), *names)


def head_problems(state: RecordState, kept: AuditHead) -> Iterator[Finding]:
    """What contradicts a head that was kept elsewhere.

    :raises AuditHeadInvalid: it is the head of another cluster.
    """
    now = head_of(state)
    if kept.cluster != now.cluster:
        raise AuditHeadInvalid(
            f"the head is of cluster {kept.cluster}, this record of {now.cluster}"
        )
    at = kept.version
    if at > now.version:
        what = f"the record ends at {now.version}: commits up to {at} were there, and are gone"
        yield Finding(PROBLEM, now.version + 1, at, what)
    elif at:
        value = state.store.get(journal_key(at))
        if value is None or journal.decode_sealed(value)[0].chain != kept.chain:
            what = "its chain hash is not the one kept: this commit or one before it was altered"
            yield Finding(PROBLEM, 1, at, what)
    if kept.names_digest != _names_digest(state.tokens, kept.names):
        what = "labels, types or property keys have other names than in the head that was kept"
        yield Finding(PROBLEM, 1, at, what)
