"""The twin disk and the system's disk answer alike to the same calls."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from everwhen.ports import Disk
from everwhen.runtime.system import SystemClock, SystemDisk, SystemRandom, SystemThreads
from everwhen.runtime.twins.disk import TwinDisk
from everwhen.runtime.twins.time_and_chance import SeededRandom


@pytest.fixture(params=["twin", "system"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Disk, Path]:
    if request.param == "system":
        return SystemDisk(), tmp_path
    return TwinDisk(SeededRandom(0)), Path("/")


def test_files_and_folders(place: tuple[Disk, Path]) -> None:
    disk, root = place
    folder = root / "folder"
    disk.make_directory(folder)
    disk.make_directory(folder)
    with pytest.raises(FileNotFoundError):
        disk.open(folder / "a")
    file = disk.open(folder / "a", create=True)
    with pytest.raises(FileExistsError):
        disk.open(folder / "a", create=True)
    assert bytes(file.map()) == b""
    assert file.pwrite(b"hello", 3) == 5
    assert file.pread(100, 0) == b"\x00\x00\x00hello"
    assert file.pread(2, 3) == b"he"
    assert file.pread(2, 50) == b""
    file.truncate(4)
    file.allocate(10)
    assert file.size() == 10
    file.allocate(5)
    assert file.size() == 10
    assert bytes(file.map()) == b"\x00\x00\x00h" + bytes(6)
    file.sync()
    disk.sync_directory(folder)
    disk.open(folder / "b", create=True).close()
    assert disk.names(folder) == ["a", "b"]
    assert disk.names(root) == ["folder"]
    disk.rename(folder / "a", folder / "b")
    assert disk.names(folder) == ["b"]
    assert file.pread(1, 3) == b"h"
    disk.remove(folder / "b")
    assert not disk.exists(folder / "b")
    with pytest.raises(FileNotFoundError):
        disk.remove(folder / "b")
    assert disk.free_bytes(root) > 0


def test_locks(place: tuple[Disk, Path]) -> None:
    disk, root = place
    held = disk.lock(root / "LOCK", "first")
    with pytest.raises(BlockingIOError, match="first"):
        disk.lock(root / "LOCK", "second")
    held.release()
    disk.lock(root / "LOCK", "third").release()


def test_system_clock_and_chance() -> None:
    clock, chance = SystemClock(), SystemRandom()
    assert clock.now_micros() > 1_700_000_000_000_000
    assert clock.monotonic() <= clock.monotonic()
    assert len(chance.bytes(9)) == 9
    assert 0.0 <= chance.float() < 1.0
    assert chance.below(1) == 0
    assert chance.uuid().version == 4


def test_system_threads_run_elsewhere_and_are_bounded() -> None:
    async def main() -> None:
        threads = SystemThreads({"one": 1, "two": 2})
        assert await threads.run("one", pow, 2, 10) == 1024
        names = {await threads.run("one", lambda: threading.current_thread().name)}
        assert names == {"one_0"}
        with pytest.raises(KeyError):
            await threads.run("other", pow, 2, 10)
        with pytest.raises(ZeroDivisionError):
            await threads.run("two", divmod, 1, 0)
        threads.close()
        threads.close()
        with pytest.raises(RuntimeError):
            await threads.run("one", pow, 2, 10)

    asyncio.run(main())


def test_a_cancelled_wait_ends_with_its_call() -> None:
    async def main() -> None:
        threads = SystemThreads({"one": 1})
        loop, begun = asyncio.get_running_loop(), asyncio.Event()
        told, ended = threading.Event(), threading.Event()

        def call() -> None:
            loop.call_soon_threadsafe(begun.set)
            assert told.wait(60)
            ended.set()

        waiting = asyncio.create_task(threads.run("one", call, stop=told.set))
        behind = asyncio.create_task(threads.run("one", ended.clear, stop=told.set))
        await begun.wait()
        behind.cancel()
        with pytest.raises(asyncio.CancelledError):
            await behind
        assert not told.is_set(), "a call that has not begun is dropped at once"
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert ended.is_set()
        threads.close()
        assert ended.is_set()

    asyncio.run(main())
