"""Making, opening and refusing data directories; the power may go at any operation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from everwhen.errors import (
    CorruptData,
    DataDirectoryLocked,
    DiskFailed,
    FormatUnsupported,
)
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.store import Batch, FileStore
from everwhen.ports import File
from everwhen.runtime.system import SystemDisk, SystemRandom
from everwhen.runtime.twins.disk import PowerCut, TwinDisk
from everwhen.runtime.twins.time_and_chance import SeededRandom
from everwhen.storage import format as layout
from everwhen.storage.directory import DataDirectory, inspect
from everwhen.storage.rocks import RocksStore
from everwhen.storage.snapshot_files import Manifest, switch
from tests.unit.storage.log_world import batch

ROOT = Path("/srv/data")


def memory(path: Path, create: bool) -> FileStore:
    return MemoryStore()


def rocks(path: Path, create: bool) -> FileStore:
    return RocksStore(path, create=create)


def open_twin(disk: TwinDisk, **options: int) -> DataDirectory:
    return DataDirectory.open(
        disk,
        ROOT,
        SeededRandom(5),
        memory,
        holder="process 1",
        segment_bytes=4_000,
        **{"ballast_bytes": 1_000, **options},
    )


def twin(seed: int = 1, **options: int) -> TwinDisk:
    return TwinDisk(SeededRandom(seed), **options)


def write(file: File, data: bytes) -> None:
    assert file.pwrite(data, 0) == len(data)
    file.sync()


def test_a_new_directory_is_made_and_found_again() -> None:
    disk = twin()
    first = open_twin(disk)
    assert first.opening.created
    assert sorted(disk.names(ROOT)) == ["BALLAST", "FORMAT", "LOCK", "log", "meta", "record"]
    first.log.append(batch(1, 1, [5]))
    cluster = first.meta.value.cluster_id
    first.close()
    second = open_twin(disk)
    assert not second.opening.created
    assert second.meta.value.cluster_id == cluster
    assert second.meta.value.incarnation == 2
    assert second.log.last_index == 1
    second.close()


@pytest.mark.parametrize(
    ("index", "term", "last"),
    [
        # what is behind it was promised to a leader: it may be committed by that promise
        (4, 2, 6),
        (6, 2, 6),
        # the log ends before it
        (9, 2, 9),
        # the entry there is another one, and so is all behind it
        (4, 3, 4),
    ],
)
def test_a_snapshot_takes_the_place_of_what_it_covers(index: int, term: int, last: int) -> None:
    """Raft paper, figure 13: entries behind a snapshot stay if the log has the entry it ends with."""
    disk = twin()
    first = open_twin(disk)
    first.log.append(batch(1, 2, [5, 5, 5, 5, 5, 5]))
    first.close()
    manifest = Manifest(1, index, term, [])
    disk.make_directory(ROOT / f"record-{manifest.name}")
    switch(disk, ROOT, manifest)
    for _ in range(2):
        second = open_twin(disk)
        assert second.log.last_index == last
        assert second.log.term(index) == term
        if last > index:
            assert [entry.index for entry in second.log.entries(index + 1, last + 1)] == [
                *range(index + 1, last + 1)
            ]
        second.close()


def test_a_second_process_is_kept_out_and_told_by_whom() -> None:
    disk = twin()
    first = open_twin(disk)
    with pytest.raises(DataDirectoryLocked, match="in use by process 1"):
        open_twin(disk)
    first.close()
    open_twin(disk).close()


def test_a_failed_opening_lets_go_of_the_lock() -> None:
    disk = twin()
    open_twin(disk).close()
    meta = disk.open(ROOT / "meta")
    meta.truncate(0)
    with pytest.raises(CorruptData, match="both copies"):
        open_twin(disk)
    with pytest.raises(CorruptData, match="both copies"):
        open_twin(disk)


@pytest.mark.parametrize("seed", range(6))
def test_power_may_go_at_any_moment_of_making_and_opening(seed: int) -> None:
    """Cut at each operation in turn, start again, cut again: in the end it opens, with its data."""
    cut = 0
    while True:
        disk = twin(seed * 1_000 + cut)
        cut += 1
        disk.power_cut_after(cut)
        try:
            open_twin(disk)
        except PowerCut:
            disk = disk.crash()
        else:
            break
        disk.power_cut_after(cut // 2)
        try:
            opened = open_twin(disk)
            opened.log.append(batch(1, 1, [9]))
        except PowerCut:
            acknowledged = 0
        else:
            acknowledged = 1
        disk = disk.crash()
        opened = open_twin(disk)
        assert opened.log.last_index >= acknowledged
        opened.close()
    assert cut > 30


def test_a_directory_without_its_format_file_keeps_its_data() -> None:
    disk = twin()
    first = open_twin(disk)
    first.log.append(batch(1, 1, [5, 5]))
    cluster = first.meta.value.cluster_id
    first.close()
    disk.remove(ROOT / "FORMAT")
    second = open_twin(disk)
    assert second.log.last_index == 2
    assert second.meta.value.cluster_id == cluster


def test_a_folder_of_something_else_is_refused_and_untouched() -> None:
    disk = twin()
    for path in (Path("/srv"), ROOT):
        disk.make_directory(path)
    write(disk.open(ROOT / "thesis.txt", create=True), b"years of work")
    with pytest.raises(CorruptData, match="thesis"):
        open_twin(disk)
    assert disk.names(ROOT) == ["LOCK", "thesis.txt"]


def test_other_formats_are_refused_by_name() -> None:
    disk = twin()
    open_twin(disk).close()
    file = disk.open(ROOT / "FORMAT")
    file.truncate(0)
    write(file, b"everwhen data directory\nformat 7\n")
    with pytest.raises(FormatUnsupported, match=r"format 7; this build reads \[1\]"):
        open_twin(disk)
    write(file, b"nonsense")
    with pytest.raises(CorruptData, match="does not say which format"):
        open_twin(disk)


def test_meta_of_another_format_is_refused() -> None:
    disk = twin()
    open_twin(disk).close()
    file = disk.open(ROOT / "meta")
    block = bytearray(file.pread(4096, 0))
    block[12] = 9
    import struct
    import zlib

    block[8:12] = struct.pack("<I", zlib.crc32(block[12:112]))
    write(file, bytes(block))
    with pytest.raises(FormatUnsupported, match="format 9"):
        open_twin(disk)


def test_one_rotten_copy_of_the_meta_file_loses_nothing() -> None:
    for offset in (30, 4096 + 30):
        disk = twin()
        first = open_twin(disk)
        first.log.append(batch(1, 3, [1]))
        first.log.save_hard_state(term=3, vote=2, commit=1)
        first.close()
        disk.rot(ROOT / "meta", offset)
        assert not inspect(disk, ROOT).meta_whole
        second = open_twin(disk)
        value = second.meta.value
        assert (value.term, value.vote, value.commit) == (3, 2, 1)
        assert inspect(disk, ROOT).meta_whole


def test_the_ballast_is_given_up_when_space_is_short_and_made_again_later() -> None:
    disk = twin(capacity=200_000)
    open_twin(disk, ballast_bytes=10_000).close()
    assert disk.exists(ROOT / "BALLAST")
    filler = disk.open(Path("/srv/filler"), create=True)
    filler.allocate(disk.free_bytes(ROOT) - 2_000)
    second = open_twin(disk, ballast_bytes=10_000)
    assert second.opening.ballast_given_up
    assert second.free_bytes() > 2_000
    second.close()
    filler.truncate(0)
    third = open_twin(disk, ballast_bytes=10_000)
    assert not third.opening.ballast_given_up
    assert disk.exists(ROOT / "BALLAST")


def test_a_full_volume_does_not_keep_a_node_from_starting() -> None:
    disk = twin(capacity=60_000)
    first = open_twin(disk)
    first.log.append(batch(1, 1, [100]))
    first.close()
    filler = disk.open(Path("/srv/filler"), create=True)
    filler.allocate(disk.free_bytes(ROOT))
    second = open_twin(disk)
    assert second.log.last_index == 1


def test_a_volume_that_fails_is_a_fault() -> None:
    disk = twin()
    disk.fail_syncs()
    with pytest.raises(DiskFailed, match="sync failed"):
        open_twin(disk)


def test_inspection_changes_nothing_and_refuses_the_unfinished() -> None:
    disk = twin()
    disk.make_directory(Path("/srv"))
    disk.make_directory(ROOT)
    with pytest.raises(CorruptData, match="not a finished"):
        inspect(disk, ROOT)
    opened = open_twin(disk)
    opened.log.append(batch(1, 1, [5]))
    found = inspect(disk, ROOT)
    assert (found.format, found.meta_whole, found.log.index.last_index) == (1, True, 1)


# --- on this machine's disk, with RocksDB ---


def open_here(root: Path) -> DataDirectory:
    return DataDirectory.open(
        SystemDisk(), root, SystemRandom(), rocks, holder=f"process {os.getpid()}", ballast_bytes=0
    )


def test_on_a_real_disk(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "data"
    opened = open_here(root)
    changes = Batch()
    changes.put(b"applied", b"1")
    opened.store.write(changes)
    opened.store.flush()
    opened.log.append(batch(1, 1, [100]))
    opened.close()
    opened = open_here(root)
    assert opened.store.get(b"applied") == b"1"
    assert opened.log.last_index == 1
    assert opened.free_bytes() > 0
    opened.close()
    reader = RocksStore(root / layout.RECORD, read_only=True)
    assert reader.get(b"applied") == b"1"
    with pytest.raises(DiskFailed):
        reader.write(changes)
    reader.close()


def test_a_missing_record_is_not_made_anew(tmp_path: Path) -> None:
    open_here(tmp_path / "data").close()
    (tmp_path / "data" / "record").rename(tmp_path / "elsewhere")
    with pytest.raises(DiskFailed, match="does not exist"):
        open_here(tmp_path / "data")


HOLD = """
import sys
from pathlib import Path
from everwhen.runtime.system import SystemDisk
from everwhen.storage.format import take_lock
lock = take_lock(SystemDisk(), Path(sys.argv[1]), "process 4711")
print("held", flush=True)
sys.stdin.read()
"""


def test_the_lock_holds_between_processes_and_ends_with_them(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(DataDirectoryLocked, match="process 4711"):
            open_here(tmp_path)
        other.kill()
        other.wait()
    open_here(tmp_path).close()
