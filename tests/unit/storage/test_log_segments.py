"""The log in use: full disks and failing ones, misuse, and readers beside the writer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from everwhen.errors import CorruptData, DiskFailed
from everwhen.storage.frames import HEADER_BYTES
from everwhen.storage.log_segments import Entry, SegmentedLog
from everwhen.storage.meta import Meta
from tests.unit.storage.log_world import World, batch, filled, paths, world

# --- full disks and failing ones ---


def append_for_ever(to: World) -> None:
    while True:
        to.log.append(batch(to.log.last_index + 1, 1, [300]))


def test_a_full_disk_ends_the_log_and_leaves_it_readable() -> None:
    made = world(segment_bytes=2_000)
    made.disk.capacity = 20_000
    with pytest.raises(DiskFailed, match="the volume is full"):
        append_for_ever(made)
    acknowledged = made.log.last_index
    assert acknowledged > 5
    with pytest.raises(DiskFailed):
        made.log.append(batch(acknowledged + 1, 1, [1]))
    made.disk = made.disk.crash()
    made.disk.capacity = 100_000
    made.open()
    assert made.log.last_index == acknowledged
    made.log.append(batch(acknowledged + 1, 1, [300]))


def test_a_failed_sync_is_never_reported_as_success() -> None:
    made = world()
    made.disk.fail_syncs()
    with pytest.raises(DiskFailed, match="the process ends now"):
        made.log.append(batch(1, 1, [5]))
    assert made.log.last_index == 0
    for call in (
        lambda: made.log.append(batch(1, 1, [5])),
        made.log.note_synced,
        lambda: made.log.reset(5, 1),
    ):
        with pytest.raises(DiskFailed):
            call()
    made.log.close()


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("before", [0, 1])
def test_what_a_failed_sync_left_in_the_cache_is_not_relied_on(seed: int, before: int) -> None:
    """The system takes pages that it could not write for clean, and shows them until the power
    goes."""
    made = world(seed)
    for index in range(1, before + 1):
        made.log.append(batch(index, 1, [2_000]))
    made.disk.fail_syncs()
    with pytest.raises(DiskFailed):
        made.log.append(batch(before + 1, 1, [2_000]))
    made.disk.reopen()
    made.open()
    seen = made.log.last_index
    made.log.append(batch(seen + 1, 1, [2_000]))
    made.disk = made.disk.crash()
    made.open()
    assert made.log.last_index == seen + 1


@pytest.mark.parametrize("seed", range(20))
def test_the_name_of_a_segment_is_durable_before_it_is_relied_on(seed: int) -> None:
    made = world(seed, segment_bytes=2_000)
    made.log.append(batch(1, 1, [1_500]))
    fail_the_next_sync_of_a_folder(made)
    with pytest.raises(DiskFailed):
        made.log.append(batch(2, 1, [1_500]))
    made.disk.reopen()
    made.open()
    made.log.append(batch(2, 1, [1_500]))
    made.disk = made.disk.crash()
    made.open()
    assert made.log.last_index == 2


def fail_the_next_sync_of_a_folder(made: World) -> None:
    """Once."""
    sync = made.disk.sync_directory

    def fail(path: Path) -> None:
        made.disk.sync_directory = sync  # type: ignore[method-assign]
        made.disk.fail_syncs()
        sync(path)

    made.disk.sync_directory = fail  # type: ignore[method-assign]


def test_a_failed_save_of_the_meta_file_ends_the_log_too() -> None:
    made = world()
    made.log.append(batch(1, 1, [5]))
    made.disk.fail_syncs()
    with pytest.raises(DiskFailed, match="saving"):
        made.log.save_hard_state(term=1, vote=1, commit=1)
    with pytest.raises(DiskFailed, match="saving"):
        made.log.append(batch(2, 1, [5]))


def test_a_read_error_is_a_fault() -> None:
    made = world()
    made.log.append(batch(1, 1, [5]))
    made.disk.fail_reads(paths(made)[0])
    with pytest.raises(DiskFailed, match="read failed"):
        list(made.log.entries(1, 2))


def test_rot_while_running_is_found_when_read() -> None:
    made = world()
    made.log.append(batch(1, 1, [5]))
    made.disk.rot(paths(made)[0], HEADER_BYTES + 50)
    with pytest.raises(CorruptData, match=f"offset {HEADER_BYTES}"):
        list(made.log.entries(1, 2))


# --- use ---


def test_reading_ranges_across_batches_replacements_and_segments() -> None:
    made = world(segment_bytes=1_000)
    made.log.append(batch(1, 1, [100, 200, 300]))
    made.log.append(batch(4, 1, [400, 5_000]))
    made.log.append(batch(3, 2, [7, 8, 9], mark=9))
    assert [(entry.index, entry.term) for entry in made.log.entries(1, 6)] == [
        (1, 1),
        (2, 1),
        (3, 2),
        (4, 2),
        (5, 2),
    ]
    assert [len(entry.payload) for entry in made.log.entries(2, 4)] == [200, 7]
    assert list(made.log.entries(3, 3)) == []
    assert [made.log.term(index) for index in (0, 1, 3, 5, 6)] == [0, 1, 2, 2, None]


def test_reading_what_is_not_there() -> None:
    made = filled(noted=True)
    made.log.compact(made.log.last_index)
    first = made.log.first_index
    assert first > 1
    assert made.log.term(first - 1) is not None
    assert made.log.term(first - 2) is None
    for low, high in [(first - 1, first + 1), (first, made.log.last_index + 2)]:
        with pytest.raises(LookupError, match=f"the log has {first} to"):
            list(made.log.entries(low, high))


@pytest.mark.parametrize(
    "call",
    [
        lambda log: log.append(batch(5, 1, [1])),
        lambda log: log.append(batch(0, 1, [1])),
        lambda log: log.append([Entry(4, 1, 0, b""), Entry(6, 1, 0, b"")]),
        lambda log: log.append([Entry(4, 2, 0, b""), Entry(5, 1, 0, b"")]),
        lambda log: log.append([Entry(4, 0, 0, b"")]),
        lambda log: log.append([Entry(4, 1, 256, b"")]),
        lambda log: log.append(batch(2, 5, [1])),
        lambda log: log.save_hard_state(term=0, vote=0, commit=2),
        lambda log: log.save_hard_state(term=1, vote=2, commit=2),
        lambda log: log.save_hard_state(term=1, vote=1, commit=1),
        lambda log: log.save_hard_state(term=1, vote=1, commit=4),
        lambda log: log.reset(1, 1),
    ],
)
def test_misuse_is_refused_and_does_no_harm(call: Callable[[SegmentedLog], None]) -> None:
    """Gaps, falling terms, replacing what is committed, a second vote, a commit going back."""
    made = world()
    made.log.append(batch(1, 1, [1, 1, 1]))
    made.log.save_hard_state(term=1, vote=1, commit=2)
    with pytest.raises(ValueError, match=r"\d"):
        call(made.log)
    made.log.append(batch(4, 1, [1]))
    assert made.log.last_index == 4


def test_an_empty_batch_is_nothing() -> None:
    made = world()
    before = made.disk.operations
    made.log.append([])
    assert made.disk.operations == before


def test_one_batch_is_one_write_and_one_sync() -> None:
    made = world(segment_bytes=1 << 20)
    before = made.disk.operations
    made.log.append(batch(1, 1, [100] * 64))
    assert made.disk.operations == before + 2


def test_compaction_keeps_what_is_above() -> None:
    made = filled(noted=False)
    made.log.compact(0)
    assert made.log.first_index == 1
    made.log.compact(7)
    assert 1 < made.log.first_index <= 8
    made.open()
    assert 1 < made.log.first_index <= 8
    assert [entry.index for entry in made.log.entries(8, 17)] == list(range(8, 17))


def test_readers_beside_the_writer() -> None:
    made = world(segment_bytes=4_000)
    wrong: list[object] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            low, high = made.log.first_index, made.log.last_index + 1
            try:
                found = [entry.index for entry in made.log.entries(low, high)]
            except LookupError:
                continue  # compaction went past ``low`` meanwhile
            if found != list(range(low, high)):
                wrong.append((low, high, found))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(400):
        made.log.append(batch(made.log.last_index + 1, 1, [50] * 3))
        if number % 50 == 49:
            made.log.compact(made.log.last_index - 100)
    over.set()
    for reader in readers:
        reader.join()
    assert wrong == []


def test_a_reset_forgets_and_goes_on() -> None:
    made = filled(noted=True)
    made.log.reset(100, 7)
    for _ in range(2):
        assert (made.log.first_index, made.log.last_index) == (101, 100)
        assert made.log.term(100) == 7
        made.open()
    made.log.append(batch(101, 7, [5]))
    made.open()
    assert [entry.index for entry in made.log.entries(101, 102)] == [101]


def test_the_meta_file_says_where_it_belongs() -> None:
    made = world()
    assert made.meta.value == Meta(UUID(int=0xE0E0), node_id=1)


def test_an_append_is_quick_if_it_fits_and_nobody_else_writes() -> None:
    made = world(segment_bytes=2_000)
    assert made.log.is_quick(1_000)
    assert not made.log.is_quick(2_000)
    with made.log.writing:
        assert not made.log.is_quick(1_000)
    made.log.append(batch(1, 1, [1_500]))
    assert not made.log.is_quick(1_000)
