"""Verification of what lies beside the entities: journal, time table, segments, names."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final

import numpy as np
import numpy.typing as npt

from everwhen.codec import journal, parse, records
from everwhen.codec.keys import SUB_HEAD, Kind, after, kind_range, piece_prefix, run_prefix
from everwhen.codec.segments import NodeSegment, decode_segment
from everwhen.errors import CorruptData, FormatUnsupported
from everwhen.mvcc.entities import Entities
from everwhen.mvcc.erased import UnderWay
from everwhen.mvcc.forgotten import in_time_table, taken_away
from everwhen.mvcc.report import Report
from everwhen.mvcc.segments import SegmentRef, read_segment
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.versioned import Versioned

_NODE: Final = Struct(">QI")


def check_history(state: RecordState, going: UnderWay, report: Report) -> None:
    """Journal chain, time table, segments; ``going``: what may dangle, because it is being erased."""
    times = _check_times(state, report)
    _check_journal(state, report, times)
    refs = state.current.segments.refs
    for note in going.notes:
        report.note(note)
    ends = _Ends(state, going, report) if refs else None
    for ref in refs:
        _check_segment(state, ref, report, ends)


def _check_times(state: RecordState, report: Report) -> dict[int, int]:
    """The time of every version, as the time table has it."""
    times: dict[int, int] = {}
    head = state.current.head
    last = 0
    for key, value in state.store.scan(*kind_range(Kind.TIME)):
        report.looked("times")
        time, version = parse.decode_time(key).time, records.decode_version(value)
        if version <= last:
            report.add(f"time table: commit {version} at {time} stands after commit {last}")
        last = version
        times[version] = time
    if times and last != head.version:
        report.add(f"time table: ends at commit {last}, the record at {head.version}")
    if times and times.get(last) != head.time:
        report.add(f"the newest commit was at {times.get(last)}; the head says {head.time}")
    if head.closed_time < head.time:
        report.add(f"time is closed up to {head.closed_time}, before the newest commit")
    return times


def _check_journal(state: RecordState, report: Report, times: dict[int, int]) -> None:
    head = state.current.head
    previous: bytes | None = None
    expected: int | None = None
    for key, value in state.store.scan(*kind_range(Kind.JOURNAL)):
        report.looked("commits")
        version = parse.decode_journal(key).version
        record = journal.decode_record(value)
        if expected is None:
            previous = journal.GENESIS if version == 1 else None
        elif version != expected:
            report.add(f"journal: commit {version} follows commit {expected - 1}")
        expected = version + 1
        if record.header.version != version:
            report.add(f"journal: commit {version} says it is {record.header.version}")
        if (version in times or in_time_table(state.current.horizons, version)) and (
            times.get(version) != record.header.time
        ):
            report.add(
                f"journal: commit {version} was at {record.header.time}; the time table says "
                f"{times.get(version)}"
            )
        _check_content(state, record, report)
        digests = _piece_digests(state, record)
        for problem in journal.problems_of(record, previous, digests):
            report.add(f"journal: {problem}")
        previous = record.chain
    if expected is None:
        if head.version:
            report.add(f"journal: empty, but the record is at version {head.version}")
        return
    if expected - 1 != head.version:
        report.add(f"journal: ends at commit {expected - 1}, the record at {head.version}")
    if previous != head.chain:
        report.add("journal: the newest chain hash is not the one in the head")


def _check_content(state: RecordState, record: journal.Record, report: Report) -> None:
    """What is gone must have been taken away."""
    version = record.header.version
    if not record.content and not taken_away(state, version, record.erasure):
        report.add(f"journal: the content of commit {version} is gone, and nothing took it away")


def _piece_digests(state: RecordState, record: journal.Record) -> list[bytes]:
    header = record.header
    if not header.pieces:
        return []
    prefix = piece_prefix(header.transaction)
    return [
        journal.digest(header.origin.salt, value)
        for _, value in state.store.scan(prefix, after(prefix))
    ]


def _check_segment(state: RecordState, ref: SegmentRef, report: Report, ends: _Ends | None) -> None:
    report.looked("segments")
    try:
        segment = decode_segment(read_segment(state.store, ref))
    except (CorruptData, FormatUnsupported) as error:
        report.add(f"segment {ref.id}: {error.message}")
        return
    entry, tokens = ref.entry, state.tokens
    ids = segment.ids.whole()
    said = (entry.count, entry.first_id, entry.last_id)
    there = (len(segment), int(ids.min()), int(ids.max())) if len(ids) else (0, 0, 0)
    if said != there:
        report.add(f"segment {ref.id}: its entry says {said}, it holds {there}")
    for key in segment.columns:
        if tokens.keys.find(key) is None:
            report.add(f"segment {ref.id}: property {key!r} has no token")
    if isinstance(segment, NodeSegment):
        found = sorted(tokens.labels.ids.get(name, -1) for name in segment.labels)
    else:
        found = [tokens.types.ids.get(segment.type, -1)]
        if ends is not None and ref.version > state.current.horizons.highest:
            ends.check(ref, segment.starts.whole())
            ends.check(ref, segment.ends.whole())
    if found != entry.tokens:
        report.add(f"segment {ref.id}: its entry says tokens {entry.tokens}, its names {found}")


class _Ends:
    """Whether the end nodes of relationship segments are there, mostly many at a time."""

    def __init__(self, state: RecordState, going: UnderWay, report: Report) -> None:
        self._state = state
        self._going = going
        self._report = report
        #: nodes that keys say something about: these are looked at one by one
        self._keyed = np.fromiter(_nodes_with_heads(state), np.int64)

    def check(self, ref: SegmentRef, nodes: npt.NDArray[np.int64]) -> None:
        """All of ``nodes`` must be alive at the segment's version."""
        published = self._state.current
        wanted = np.unique(nodes)
        for other in published.segments.nodes(ref.version):
            low, high = other.entry.first_id, other.entry.last_id
            if len(wanted) and low <= wanted[-1] and high >= wanted[0]:
                ids = self._state.cache.node(other).ids.whole()
                wanted = wanted[~np.isin(wanted, np.setdiff1d(ids, self._keyed))]
        record = Versioned(self._state.store, published.runs)
        view = Entities(
            record, self._state.tokens, published.segments, self._state.cache, ref.version
        )
        for node in wanted.tolist():
            if node in self._going.nodes:
                continue
            found = view.node_head(node)
            if found is None or not found[1]:
                self._report.add(f"segment {ref.id}: dangling: node {node} is not there")


def _nodes_with_heads(state: RecordState) -> Iterator[int]:
    low, high = kind_range(Kind.NODE)
    ranges = [(low, high, 0)]
    for run in state.current.runs:
        prefix = run_prefix(run.id)
        ranges.append((run_prefix(run.id, low), run_prefix(run.id, high), len(prefix) - 2))
    for start, end, shift in ranges:
        for key, _ in state.store.scan(start, end):
            node, sub = _NODE.unpack_from(key, 3 + shift)
            if sub == SUB_HEAD:
                yield node
