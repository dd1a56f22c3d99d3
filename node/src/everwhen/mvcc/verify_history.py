"""Verification of what lies beside the entities: journal, time table, segments, names."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final

import numpy as np
import numpy.typing as npt

from everwhen.codec import journal, parse, records
from everwhen.codec.integers import Ints
from everwhen.codec.keys import (
    PRESENT,
    SUB_HEAD,
    Kind,
    after,
    at_version,
    kind_range,
    piece_prefix,
    run_prefix,
)
from everwhen.codec.segments import NodeSegment, RelationshipSegment, Segment, decode_segment
from everwhen.errors import CorruptData, FormatUnsupported
from everwhen.mvcc.entities import Entities
from everwhen.mvcc.erased import UnderWay
from everwhen.mvcc.forgotten import in_time_table, taken_away
from everwhen.mvcc.report import Report
from everwhen.mvcc.row_entries import head_of, pictured, pointers, rows_of
from everwhen.mvcc.segments import SegmentRef, read_segment
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.versioned import Versioned

Ids = npt.NDArray[np.int64]

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
    _check_versions(state, ref, segment, report)
    for key in segment.columns:
        if tokens.keys.find(key) is None:
            report.add(f"segment {ref.id}: property {key!r} has no token")
    if isinstance(segment, NodeSegment):
        found = sorted(tokens.labels.ids.get(name, -1) for name in segment.labels)
    else:
        found = [tokens.types.ids.get(segment.type, -1)]
        if ends is not None:
            ends.check(ref, segment, segment.starts)
            ends.check(ref, segment, segment.ends)
    if found != entry.tokens:
        report.add(f"segment {ref.id}: its entry says tokens {entry.tokens}, its names {found}")


def _check_versions(state: RecordState, ref: SegmentRef, segment: Segment, report: Report) -> None:
    """Rows with versions of their own: what keys say of the same is the same."""
    versions = segment.versions
    if not len(segment):
        return
    newest = 0 if versions is None else int(versions.whole().max())
    if newest != ref.entry.last_version or int(ref.versions_of(segment).min()) < ref.version:
        report.add(f"segment {ref.id}: its entry does not say of which versions its rows are")
    if versions is None:
        return
    horizon = state.current.horizons.highest
    for identity, row in rows_of(ref, segment):
        stem, value = head_of(state.tokens, identity, row)
        if state.store.get(at_version(stem, row.version)) not in (None, value):
            report.add(f"segment {ref.id}: the row of {identity} is not what its key says")
        for one in pointers(identity, pictured(state.tokens, row)):
            if row.version > horizon and state.store.get(at_version(one, row.version)) != PRESENT:
                report.add(f"segment {ref.id}: no label or adjacency entry for row of {identity}")


class _Ends:
    """Whether the end nodes of relationship segments are there, mostly many at a time."""

    def __init__(self, state: RecordState, going: UnderWay, report: Report) -> None:
        self._state = state
        self._going = going
        self._report = report
        #: nodes that keys say something about: these are looked at one by one
        self._keyed = np.fromiter(_nodes_with_heads(state), np.int64)
        self._record = Versioned(state.store, state.current.runs)

    def check(self, ref: SegmentRef, segment: RelationshipSegment, nodes: Ints) -> None:
        """All of ``nodes`` must be alive at the versions of their rows."""
        published, record = self._state.current, self._record
        born = ref.versions_of(segment)
        judged = born > published.horizons.highest
        wanted, born = nodes.whole()[judged], born[judged]
        for other in published.segments.nodes(ref.last_version):
            low, high = other.entry.first_id, other.entry.last_id
            if len(wanted) and low <= wanted.max() and high >= wanted.min():
                left = ~self._among(other, wanted, born)
                wanted, born = wanted[left], born[left]
        view = Entities(record, self._state.tokens, published.segments, self._state.cache, 0)
        for node, version in sorted(set(zip(wanted.tolist(), born.tolist(), strict=True))):
            if node in self._going.nodes:
                continue
            found = view.as_of(version).node_head(node)
            if found is None or not found[1]:
                self._report.add(f"segment {ref.id}: dangling: node {node} is not there")

    def _among(self, ref: SegmentRef, nodes: Ids, versions: Ids) -> npt.NDArray[np.bool_]:
        """Which nodes a segment has a row of that is not newer, and keys say nothing about."""
        segment = self._state.cache.node(ref)
        ids = segment.ids.whole()
        at = np.minimum(np.searchsorted(ids, nodes), len(ids) - 1)
        there = (ids[at] == nodes) & (ref.versions_of(segment)[at] <= versions)
        alone: npt.NDArray[np.bool_] = there & ~np.isin(nodes, self._keyed)
        return alone


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
