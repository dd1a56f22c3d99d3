"""The twins do what they promise: virtual time, chance by seed, a disk that forgets and fails."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from everwhen.ports import Disk, File
from everwhen.runtime.twins.disk import SECTOR, PowerCut, TwinDisk
from everwhen.runtime.twins.loop import Deadlock, run_virtual
from everwhen.runtime.twins.threads import InlineThreads
from everwhen.runtime.twins.time_and_chance import START_MICROS, SeededRandom, VirtualClock

ROOT = Path("/")


def disk(seed: int = 1, **options: int) -> TwinDisk:
    return TwinDisk(SeededRandom(seed), **options)


def write(file: File, data: bytes, offset: int = 0) -> None:
    while data:
        taken = file.pwrite(data, offset)
        data, offset = data[taken:], offset + taken


def make(on: Disk, name: str, data: bytes) -> File:
    file = on.open(ROOT / name, create=True)
    write(file, data)
    file.sync()
    on.sync_directory(ROOT)
    return file


# --- time and chance ---


def test_sleeping_takes_virtual_time_only() -> None:
    clock = VirtualClock()

    async def main() -> list[str]:
        order: list[str] = []

        async def sleeper(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            order.append(name)

        await asyncio.gather(sleeper("late", 86_400.0), sleeper("early", 3_600.0))
        return order

    assert run_virtual(main(), clock) == ["early", "late"]
    assert clock.monotonic() == pytest.approx(86_400.0)
    assert clock.now_micros() == START_MICROS + 86_400_000_000


def test_waiting_for_nothing_is_a_deadlock_not_a_hang() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock):
        run_virtual(main(), VirtualClock())


def test_the_wall_clock_jumps_and_the_other_does_not() -> None:
    clock = VirtualClock(1_000)
    clock.advance(1.0)
    clock.jump_wall(-2_000_000)
    assert clock.now_micros() == 1_000 + 1_000_000 - 2_000_000
    assert clock.monotonic() == 1.0
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1.0)


def test_chance_follows_from_the_seed_and_children_are_independent() -> None:
    one, two = SeededRandom(7), SeededRandom(7)
    two.child("other").bytes(100)
    assert [one.below(100) for _ in range(20)] == [two.below(100) for _ in range(20)]
    assert one.child("a").uuid() == two.child("a").uuid() != one.child("b").uuid()


def test_calls_in_serial_pools_keep_their_order() -> None:
    async def main() -> list[int]:
        threads = InlineThreads(SeededRandom(3), serial=frozenset({"log"}))
        order: list[int] = []
        await asyncio.gather(*(threads.run("log", order.append, each) for each in range(20)))
        return order

    assert run_virtual(main(), VirtualClock()) == list(range(20))


def test_calls_in_other_pools_run_in_a_seeded_order() -> None:
    async def main(seed: int) -> list[int]:
        threads = InlineThreads(SeededRandom(seed))
        order: list[int] = []
        await asyncio.gather(*(threads.run("query", order.append, each) for each in range(20)))
        return order

    first = run_virtual(main(1), VirtualClock())
    assert first == run_virtual(main(1), VirtualClock())
    assert first != run_virtual(main(2), VirtualClock())
    assert sorted(first) == list(range(20))


# --- the disk ---


def test_synced_content_under_a_synced_name_survives() -> None:
    for seed in range(20):
        before = disk(seed)
        make(before, "a", b"x" * 2_000)
        assert before.crash().open(ROOT / "a").pread(3_000, 0) == b"x" * 2_000


def test_what_was_not_synced_is_lost_kept_or_torn_by_sector() -> None:
    outcomes: set[str] = set()
    old, new = b"o" * (4 * SECTOR), b"n" * (4 * SECTOR)
    for seed in range(60):
        before = disk(seed)
        write(make(before, "a", old), new)
        found = before.crash().open(ROOT / "a").pread(1 << 20, 0)
        sectors = [found[at : at + SECTOR] for at in range(0, len(found), SECTOR)]
        assert all(each in (b"o" * SECTOR, b"n" * SECTOR) for each in sectors)
        outcomes.add("lost" if found == old else "kept" if found == new else "torn")
    assert outcomes == {"lost", "kept", "torn"}


def test_a_name_is_durable_only_after_its_folder_is_synced() -> None:
    seen: set[bool] = set()
    for seed in range(30):
        before = disk(seed)
        before.open(ROOT / "a", create=True).sync()
        seen.add(before.crash().exists(ROOT / "a"))
    assert seen == {True, False}


def test_a_rename_is_there_or_not_but_never_half() -> None:
    seen: set[bytes] = set()
    for seed in range(30):
        before = disk(seed)
        make(before, "meta", b"old")
        make(before, "meta.new", b"new")
        before.rename(ROOT / "meta.new", ROOT / "meta")
        seen.add(before.crash().open(ROOT / "meta").pread(10, 0))
    assert seen == {b"old", b"new"}


def test_a_failed_sync_lies_when_tried_again() -> None:
    lost = 0
    for seed in range(30):
        before = disk(seed)
        file = make(before, "a", b"old")
        write(file, b"new")
        before.fail_syncs()
        with pytest.raises(OSError, match="sync failed"):
            file.sync()
        file.sync()
        assert file.pread(3, 0) == b"new"
        lost += before.crash().open(ROOT / "a").pread(3, 0) == b"old"
    assert 0 < lost < 30


def test_short_writes_and_a_full_disk() -> None:
    on = disk(capacity=1_000)
    on.short_write_chance = 1.0
    file = on.open(ROOT / "a", create=True)
    assert 1 <= file.pwrite(b"x" * 100, 0) < 100
    on.short_write_chance = 0.0
    write(file, b"x" * 900)
    assert file.pwrite(b"y" * 200, 900) == 100
    assert on.free_bytes(ROOT) == 0
    with pytest.raises(OSError, match="no space"):
        file.pwrite(b"y", 1_000)
    with pytest.raises(OSError, match="no space"):
        file.allocate(2_000)


def test_rot_and_read_errors() -> None:
    on = disk()
    file = make(on, "a", b"\x00\x00")
    on.rot(ROOT / "a", 1, 0x80)
    assert file.pread(2, 0) == b"\x00\x80"
    on.fail_reads(ROOT / "a")
    with pytest.raises(OSError, match="read failed"):
        file.pread(2, 0)


def test_the_power_goes_at_the_operation_asked_for_and_stays_off() -> None:
    on = disk()
    file = make(on, "a", b"")
    on.power_cut_after(1)
    assert file.pwrite(b"x", 0) == 1
    for _ in range(2):
        with pytest.raises(PowerCut):
            file.sync()
    assert on.crash().exists(ROOT / "a")


def test_a_lock_is_held_until_released_or_until_the_process_ends() -> None:
    on = disk()
    held = on.lock(ROOT / "LOCK", "pid 1")
    with pytest.raises(BlockingIOError, match="pid 1"):
        on.lock(ROOT / "LOCK", "pid 2")
    held.release()
    on.lock(ROOT / "LOCK", "pid 2")
    on.reopen().lock(ROOT / "LOCK", "pid 3")


def test_a_read_only_or_closed_file_refuses() -> None:
    on = disk()
    make(on, "a", b"abc").close()
    file = on.open_read(ROOT / "a")
    assert bytes(file.map()) == b"abc"
    with pytest.raises(OSError, match="bad file"):
        file.pwrite(b"x", 0)
    file.close()
    with pytest.raises(OSError, match="bad file"):
        file.size()
