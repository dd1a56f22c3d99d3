"""The log read after damage: every byte of it, missing files, files of others, torn tails."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from everwhen.errors import CorruptData, FormatUnsupported
from everwhen.storage import frames
from everwhen.storage.frames import FRAME_MAGIC, HEADER_BYTES, encode_frame
from everwhen.storage.log_recovery import read_log
from everwhen.storage.log_segments import Entry
from everwhen.storage.meta import MetaFile
from tests.unit.storage.log_world import FOLDER, META, World, batch, filled, paths, world


def used_bytes(of: World) -> list[tuple[Path, int]]:
    """Where each segment ends."""
    found = read_log(of.disk, FOLDER, of.meta.value)
    return [(segment.path, segment.end) for segment in found.segments]


@pytest.mark.parametrize("noted", [True, False], ids=["noted", "not-noted"])
def test_no_byte_can_rot_unnoticed(noted: bool) -> None:
    """Each byte in turn: damage is refused, or nothing was lost; the last frame is the exception
    that the module names, as long as the meta file has not noted it."""
    made = filled(noted)
    whole = made.content()
    ends = used_bytes(made)
    assert len(ends) == 3
    harmless = refused = cut = 0
    messages: set[str] = set()
    for path, end in ends:
        for offset in range(end):
            made.disk.rot(path, offset, 0x10)
            try:
                found = read_log(made.disk, FOLDER, made.meta.value)
            except (CorruptData, FormatUnsupported) as error:
                messages.add(re.sub(r".*/log/?|\d+", "", str(error)))
                refused += path.name in str(error) or "the log ends at frame" in str(error)
            else:
                if found.last_frame == 8:
                    assert found.index.last_index == whole.last
                    assert offset < HEADER_BYTES  # padding of a header
                    harmless += 1
                else:
                    assert found.last_frame == 7
                    assert found.torn is not None
                    assert (found.torn.path, path) == (ends[-1][0], ends[-1][0])
                    cut += 1
            made.disk.rot(path, offset, 0x10)
    assert refused > 1_000
    assert refused + harmless + cut == sum(end for _, end in ends)
    assert len(messages) >= 4
    assert 0 < harmless < 3 * HEADER_BYTES
    last_frame_bytes = 40 + 2 * 13 + 40 + len("7:16:")
    assert cut == (0 if noted else last_frame_bytes)


@pytest.mark.parametrize("noted", [True, False], ids=["noted", "not-noted"])
def test_no_end_of_a_file_can_be_lost_unnoticed(noted: bool) -> None:
    made = filled(noted)
    for path, end in used_bytes(made):
        is_last = path == paths(made)[-1]
        file = made.disk.open(path)
        content = file.pread(file.size(), 0)
        for length in range(0, end, 7):
            file.truncate(length)
            try:
                found = read_log(made.disk, FOLDER, made.meta.value)
            except CorruptData:
                pass
            else:
                # only whole frames at the very end can vanish without a trace
                assert is_last
                assert not noted
                assert found.last_frame < 8
            file.pwrite(content, 0)


def test_a_torn_tail_is_cut_and_reported() -> None:
    made = filled(noted=False)
    path, end = used_bytes(made)[-1]
    file = made.disk.open(path)
    entries = batch(made.log.last_index + 1, 9, [300])
    data, _ = encode_frame(entries, 9, made.log._last_checksum, salt_of(made, path))
    file.pwrite(data[:200], end)
    made.open()
    torn = made.log.torn
    assert torn is not None
    assert (torn.path, torn.offset, torn.bytes) == (path, end, 200)
    assert made.log.last_index == 16
    made.log.append(batch(17, 9, [5]))
    made.open()
    assert (made.log.torn, made.log.last_index) == (None, 17)


def salt_of(of: World, path: Path) -> int:
    segment = next(each for each in of.log._segments.values() if each.file.path == path)
    return segment.header.salt


def test_a_lost_write_in_the_middle_is_refused_with_file_and_offset() -> None:
    made = world(segment_bytes=100_000)
    offsets = []
    for number in range(5):
        offsets.append(made.log._newest().end)
        made.log.append(batch(number + 1, 1, [100]))
    path = paths(made)[0]
    made.disk.open(path).pwrite(bytes(offsets[3] - offsets[2]), offsets[2])
    with pytest.raises(CorruptData, match=rf"{path}: damaged at offset {offsets[2]}, frame 3"):
        made.open()


def test_a_missing_segment_is_refused() -> None:
    for number, message in [(0, "segment 1 is missing"), (1, "segment 2 is missing")]:
        made = filled(noted=True)
        made.disk.remove(paths(made)[number])
        with pytest.raises(CorruptData, match=message):
            made.open()
    made = filled(noted=True)
    made.disk.remove(paths(made)[2])
    with pytest.raises(CorruptData, match="the log ends at frame"):
        made.open()


def test_a_commit_beyond_the_log_is_refused() -> None:
    made = world()
    made.log.append(batch(1, 1, [5, 5, 5]))
    made.meta.save(replace(made.meta.value, commit=4))
    with pytest.raises(CorruptData, match="entry 4 had been committed"):
        made.open()


def test_files_of_others_are_refused() -> None:
    made = filled(noted=True)
    other = UUID(int=5)
    MetaFile.open(made.disk, META).save(replace(made.meta.value, cluster_id=other))
    with pytest.raises(CorruptData, match="belongs to cluster"):
        made.open()
    made = filled(noted=True)
    last = paths(made)[-1]
    made.disk.rename(last, last.with_name(last.name.replace("3-", "3-0")))
    with pytest.raises(CorruptData, match="was renamed"):
        made.open()


def test_a_segment_of_another_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "FORMAT", 2)
    made = world()
    made.log.append(batch(1, 1, [5]))
    monkeypatch.undo()
    with pytest.raises(FormatUnsupported, match="log format 2"):
        made.open()


def test_leftovers_of_a_compaction_or_of_a_half_made_segment_are_thrown_away() -> None:
    made = filled(noted=True)
    first = paths(made)[0]
    file = made.disk.open(first)
    content = file.pread(file.size(), 0)
    made.log.compact(16)
    assert not made.disk.exists(first)
    made.disk.open(first, create=True).pwrite(content, 0)
    made.disk.open(FOLDER / "0000000004-00000000000000000099.log.new", create=True)
    made.open()
    assert not made.disk.exists(first)
    assert len(paths(made)) == 1
    assert made.log.last_index == 16


def test_what_a_client_stores_cannot_pose_as_a_frame() -> None:
    """A torn write whose payload holds the bytes of later frames is still a torn write."""
    other = world(seed=2)
    other.log.append(batch(1, 1, [10]))
    other.log.append(batch(2, 1, [10]))
    other_path = paths(other)[0]
    forged = other.disk.open(other_path).pread(HEADER_BYTES * 2, HEADER_BYTES)
    made = world(segment_bytes=50_000)
    made.log.append([Entry(1, 1, 0, b"seed")])
    path, end = used_bytes(made)[0]
    made.log.append([Entry(2, 1, 0, forged * 3)])
    made.disk.rot(path, end + 45)
    made.meta.save(replace(made.meta.value, synced_frame=1))
    made.open()
    assert made.log.torn is not None
    assert made.log.last_index == 1


def test_a_torn_tail_full_of_frame_starts_is_judged_quickly() -> None:
    made = world(segment_bytes=8 << 20)
    made.log.append([Entry(1, 1, 0, b"seed")])
    path, end = used_bytes(made)[0]
    made.disk.open(path).pwrite(FRAME_MAGIC * (1 << 18), end)
    started = time.monotonic()
    made.open()
    assert time.monotonic() - started < 5.0
    assert made.log.last_index == 1


def test_a_frame_of_another_past_is_refused() -> None:
    """Same place, same number, whole, but it followed something else: the chain shows it."""
    made = world(segment_bytes=50_000)
    made.log.append(batch(1, 1, [20]))
    path = paths(made)[0]
    file = made.disk.open(path)
    before = file.pread(file.size(), 0)
    made.log.append(batch(2, 1, [20], mark=1))
    start = made.log._newest().end
    made.log.append(batch(3, 1, [20], mark=1))
    third = file.pread(made.log._newest().end - start, start)
    file.pwrite(before, 0)
    made.meta.save(replace(made.meta.value, synced_frame=1))
    made.open()
    made.log.append(batch(2, 1, [20], mark=2))
    assert made.log._newest().end == start
    made.disk.open(path).pwrite(third, start)
    with pytest.raises(CorruptData, match="does not continue frame 2"):
        made.open()
