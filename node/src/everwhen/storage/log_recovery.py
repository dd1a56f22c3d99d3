"""Reading a log as it was left: what is there, what is a torn tail, what is damage.

Nothing is changed here; ``log_segments.py`` acts on the result, ``everwhen verify`` and ``dump``
only report it. The rules (research/raft.md P43, P44, P46):

* frames are replayed in the order they were written, replacements included;
* an end that is not a whole frame is a torn tail only in the last segment, only if no later frame
  was begun after it, and only if the meta file does not say that it had been synced. It was then
  never acknowledged, and is cut;
* everything else that does not fit is damage: acknowledged entries would be lost by going on.

One case cannot be told from a torn tail: damage to the very last synced frame when the meta file has
not noted it yet. The meta file notes it at every clean stop, compaction and new segment.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from everwhen.errors import CorruptData, FormatUnsupported
from everwhen.ports import Disk
from everwhen.storage.files import disk_failed
from everwhen.storage.frames import (
    FORMAT,
    HEADER_BYTES,
    Frame,
    HeaderDamaged,
    SegmentHeader,
    decode_frame,
    decode_header,
    later_frame,
)
from everwhen.storage.meta import Meta

SUFFIX: Final = ".log"
_RESTORE: Final = (
    "acknowledged commits are damaged, so nothing was changed; restore this data directory from "
    "a backup, or replace this node by an empty one under a new id"
)


def segment_name(sequence: int, first_index: int) -> str:
    """The file name of a segment; sorts by sequence."""
    return f"{sequence:010d}-{first_index:020d}{SUFFIX}"


@dataclass(slots=True)
class Index:
    """Where the live entries are: the frames that hold them, and the runs of equal term."""

    #: index and term of the entry before the first one
    base_index: int = 0
    base_term: int = 0
    last_index: int = 0
    #: first live index of each frame, ascending; a frame's entries end where the next one's begin
    firsts: array[int] = field(default_factory=lambda: array("Q"))
    #: sequence << 32 | offset of each frame
    places: array[int] = field(default_factory=lambda: array("Q"))
    #: first index and term of each run
    run_firsts: list[int] = field(default_factory=list)
    run_terms: list[int] = field(default_factory=list)

    def add(self, first: int, terms: list[int], place: int) -> None:
        """Take in a frame; it replaces what was known from ``first`` on."""
        if first <= self.last_index:
            self.cut_from(first)
        self.firsts.append(first)
        self.places.append(place)
        # terms do not decrease, so equal ends mean that all are equal
        starts = terms if terms[0] != terms[-1] else terms[:1]
        for index, term in enumerate(starts, first):
            if not self.run_terms or self.run_terms[-1] != term:
                self.run_firsts.append(index)
                self.run_terms.append(term)
        self.last_index = first + len(terms) - 1

    def cut_from(self, first: int) -> None:
        """Forget the entries from ``first`` on."""
        del self.firsts[bisect_left(self.firsts, first) :]
        del self.places[len(self.firsts) :]
        keep = bisect_left(self.run_firsts, first)
        del self.run_firsts[keep:], self.run_terms[keep:]
        self.last_index = first - 1

    def cut_before(self, base_index: int, base_term: int) -> None:
        """Forget the entries up to ``base_index``, which ends a frame."""
        del self.places[: bisect_right(self.firsts, base_index)]
        del self.firsts[: bisect_right(self.firsts, base_index)]
        run = bisect_right(self.run_firsts, base_index + 1) - 1
        if base_index >= self.last_index:
            del self.run_firsts[:], self.run_terms[:]
        elif run >= 0:
            del self.run_firsts[:run], self.run_terms[:run]
            self.run_firsts[0] = base_index + 1
        self.base_index, self.base_term = base_index, base_term
        self.last_index = max(self.last_index, base_index)

    def restart(self, base_index: int, base_term: int) -> None:
        """Forget everything and begin after ``base_index``."""
        for each in (self.firsts, self.places, self.run_firsts, self.run_terms):
            del each[:]
        self.base_index = self.last_index = base_index
        self.base_term = base_term

    def term(self, index: int) -> int | None:
        """The term of an entry, of the one before the first, or None if not known."""
        if index == self.base_index:
            return self.base_term
        if not self.base_index < index <= self.last_index:
            return None
        return self.run_terms[bisect_right(self.run_firsts, index) - 1]


@dataclass(frozen=True, slots=True)
class FoundSegment:
    """A segment file that counts."""

    path: Path
    header: SegmentHeader
    #: where its frames end
    end: int


@dataclass(frozen=True, slots=True)
class TornTail:
    """The end of the last segment that was never acknowledged."""

    path: Path
    offset: int
    #: from there to the last byte that is not zero
    bytes: int


@dataclass(slots=True)
class FoundLog:
    """What a folder of segments holds."""

    segments: list[FoundSegment] = field(default_factory=list)
    index: Index = field(default_factory=Index)
    #: number and checksum of the last whole frame
    last_frame: int = 0
    last_checksum: int = 0
    torn: TornTail | None = None
    #: files that count no more: half-made segments, and ones that a compaction left behind
    leftovers: list[Path] = field(default_factory=list)


def read_log(disk: Disk, folder: Path, meta: Meta) -> FoundLog:
    """Read all segments in ``folder``; raises :class:`CorruptData` on damage."""
    found = FoundLog()
    expected = meta.first_segment
    paths: list[Path] = []
    for name in disk.names(folder):
        sequence = name.partition("-")[0]
        if not name.endswith(SUFFIX) or not sequence.isdigit() or int(sequence) < expected:
            found.leftovers.append(folder / name)
            continue
        if int(sequence) != expected + len(paths):
            raise CorruptData(
                f"{folder}: log segment {expected + len(paths)} is missing before {name}",
                hint=_RESTORE,
            )
        paths.append(folder / name)
    for path in paths:
        _read_segment(disk, path, meta, found, is_last=path == paths[-1])
    _check_against_meta(folder, meta, found)
    return found


def _check_against_meta(folder: Path, meta: Meta, found: FoundLog) -> None:
    if found.last_frame < meta.synced_frame:
        raise CorruptData(
            f"{folder}: the log ends at frame {found.last_frame}, but frame {meta.synced_frame} "
            "had been synced",
            hint=_RESTORE,
        )
    if found.index.last_index < meta.commit:
        raise CorruptData(
            f"{folder}: the log ends at entry {found.index.last_index}, but entry {meta.commit} "
            "had been committed",
            hint=_RESTORE,
        )


def _read_segment(disk: Disk, path: Path, meta: Meta, found: FoundLog, *, is_last: bool) -> None:
    """Replay one segment into ``found``."""
    file = disk.open_read(path)
    try:
        data = file.pread(file.size(), 0)
    except OSError as error:
        raise disk_failed(f"reading {path}", error) from error
    finally:
        file.close()
    header = _header(data, path, meta, found)
    if header.voids_before or not found.segments:
        found.index.restart(header.first_index - 1, header.previous_term)
    found.last_frame, found.last_checksum = header.first_frame - 1, header.previous_checksum
    at = HEADER_BYTES
    while True:
        frame = decode_frame(data, at, header.salt)
        if frame is None or frame.number <= found.last_frame:
            break
        _replay(frame, at, path, header, found)
        at = frame.end
    found.segments.append(FoundSegment(path, header, at))
    rest = len(data[at:].rstrip(b"\x00"))
    if rest:
        _judge_end(data, at, path, header, meta, found, is_last=is_last)
        found.torn = TornTail(path, at, rest)


def _judge_end(
    data: bytes,
    at: int,
    path: Path,
    header: SegmentHeader,
    meta: Meta,
    found: FoundLog,
    *,
    is_last: bool,
) -> None:
    """Raise unless what stands at ``at`` may be a torn tail."""
    number = found.last_frame + 1
    later = later_frame(data, at, header.salt, number)
    if later is not None:
        reason = f"a later frame at offset {later} was begun only after it had been synced"
    elif not is_last:
        reason = "the next segment was begun only after it had been synced"
    elif number <= meta.synced_frame:
        reason = "the meta file says that it had been synced"
    else:
        return
    raise CorruptData(f"{path}: damaged at offset {at}, frame {number}: {reason}", hint=_RESTORE)


def _header(data: bytes, path: Path, meta: Meta, found: FoundLog) -> SegmentHeader:
    """The segment's header, checked against what came before."""
    try:
        number, header = decode_header(data)
    except HeaderDamaged as error:
        raise CorruptData(f"{path}: {error}", hint=_RESTORE) from error
    if header is None:
        raise FormatUnsupported(f"{path} has log format {number}; this build knows {FORMAT}")
    if header.cluster_id != meta.cluster_id:
        raise CorruptData(
            f"{path} belongs to cluster {header.cluster_id}, this data directory to "
            f"{meta.cluster_id}",
            hint="the file was copied here from elsewhere; take it away",
        )
    if path.name != segment_name(header.sequence, header.first_index):
        raise CorruptData(
            f"{path}: the header says segment {header.sequence} from entry {header.first_index}",
            hint="the file was renamed; give it back its name",
        )
    if found.segments:
        _check_joint(path, header, found)
    return header


def _check_joint(path: Path, header: SegmentHeader, found: FoundLog) -> None:
    """Check that a segment continues the one before it."""
    if (header.first_frame, header.previous_checksum) != (
        found.last_frame + 1,
        found.last_checksum,
    ):
        raise CorruptData(
            f"{path} continues frame {header.first_frame - 1}, but the segment before it ends at "
            f"frame {found.last_frame}",
            hint=_RESTORE,
        )
    if header.voids_before:
        return
    # A segment that a crash left empty may name an entry that compaction has dropped since. Only
    # frames replace entries, and none of them reaches below the first one kept.
    known = found.index.term(header.first_index - 1)
    if header.first_index > found.index.base_index and known != header.previous_term:
        raise CorruptData(
            f"{path} continues entry {header.first_index - 1} of term {header.previous_term}, "
            f"but the log ends at {found.index.last_index} and has term {known} there",
            hint=_RESTORE,
        )


def _replay(frame: Frame, at: int, path: Path, header: SegmentHeader, found: FoundLog) -> None:
    """Take in one whole frame; raises if it does not fit the one before."""
    index = found.index
    terms = [head[0] for head in frame.heads]
    before = index.term(frame.first_index - 1)
    if (
        frame.number != found.last_frame + 1
        or frame.previous_checksum != found.last_checksum
        or not terms
        or before is None
        or before > terms[0]
        or sorted(terms) != terms
        or frame.first_index < header.first_index
    ):
        raise CorruptData(
            f"{path}: the frame at offset {at} (number {frame.number}, from entry "
            f"{frame.first_index}) does not continue frame {found.last_frame}",
            hint=_RESTORE,
        )
    index.add(frame.first_index, terms, header.sequence << 32 | at)
    found.last_frame, found.last_checksum = frame.number, frame.checksum
