"""The real ports: this machine's clocks, random source, disk and threads."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import mmap
import os
import secrets
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar, TypeVarTuple
from uuid import UUID

from everwhen.ports import DiskLock, File

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


class SystemClock:
    """The system's clocks."""

    def now_micros(self) -> int:
        """Microseconds since 1970 by the wall clock."""
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        """Seconds on a clock that only goes forward."""
        return time.monotonic()


class SystemRandom:
    """The system's random source."""

    def bytes(self, count: int) -> bytes:
        """``count`` random bytes."""
        return secrets.token_bytes(count)

    def float(self) -> float:
        """A number in [0, 1)."""
        return secrets.randbits(53) / (1 << 53)

    def below(self, bound: int) -> int:
        """A number in [0, bound)."""
        return secrets.randbelow(bound)

    def uuid(self) -> UUID:
        """A random UUID."""
        return UUID(bytes=secrets.token_bytes(16), version=4)


class SystemFile:
    """A file descriptor."""

    __slots__ = ("_fd", "_path")

    def __init__(self, path: Path, flags: int) -> None:
        self._path = path
        self._fd = os.open(path, flags | os.O_CLOEXEC, 0o640)

    @property
    def path(self) -> Path:
        """Where it was opened."""
        return self._path

    def pread(self, length: int, offset: int) -> bytes:
        """Up to ``length`` bytes; fewer only at the end of the file."""
        data = os.pread(self._fd, length, offset)
        if len(data) == length or not data:
            return data
        parts = [data]  # a signal or a limit of the system cut the read short
        while data:
            length, offset = length - len(data), offset + len(data)
            data = os.pread(self._fd, length, offset) if length else b""
            parts.append(data)
        return b"".join(parts)

    def pwrite(self, data: bytes | memoryview, offset: int) -> int:
        """Write at ``offset``; returns how many bytes were taken."""
        return os.pwrite(self._fd, data, offset)

    def sync(self) -> None:
        """Make the content and the size durable."""
        os.fdatasync(self._fd)

    def size(self) -> int:
        """The length in bytes."""
        return os.fstat(self._fd).st_size

    def truncate(self, size: int) -> None:
        """Set the length."""
        os.ftruncate(self._fd, size)

    def allocate(self, size: int) -> None:
        """Reserve space up to ``size``; where the file system cannot, only the length is set."""
        try:
            os.posix_fallocate(self._fd, 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
            os.ftruncate(self._fd, max(size, self.size()))

    def map(self) -> memoryview:
        """The whole content, mapped."""
        if self.size() == 0:
            return memoryview(b"")
        return memoryview(mmap.mmap(self._fd, 0, prot=mmap.PROT_READ))

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._fd)


class _SystemLock:
    """A lock by ``flock``: the kernel drops it when the process ends, however it ends."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def release(self) -> None:
        """Unlock by closing."""
        os.close(self._fd)


class SystemDisk:
    """This machine's files."""

    def open(self, path: Path, *, create: bool = False) -> File:
        """Open for reading and writing."""
        return SystemFile(path, os.O_RDWR | (os.O_CREAT | os.O_EXCL if create else 0))

    def open_read(self, path: Path) -> File:
        """Open for reading only."""
        return SystemFile(path, os.O_RDONLY)

    def exists(self, path: Path) -> bool:
        """Whether there is a file or folder."""
        return path.exists()

    def names(self, path: Path) -> list[str]:
        """The names in a folder, sorted."""
        return sorted(os.listdir(path))

    def make_directory(self, path: Path) -> None:
        """Make a folder; fine if it exists."""
        path.mkdir(mode=0o750, exist_ok=True)

    def rename(self, old: Path, new: Path) -> None:
        """Rename, replacing ``new``."""
        os.replace(old, new)

    def remove(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()

    def remove_directory(self, path: Path) -> None:
        """Remove an empty folder."""
        path.rmdir()

    def sync_directory(self, path: Path) -> None:
        """Make the names in a folder durable."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def free_bytes(self, path: Path) -> int:
        """Space left for unprivileged processes on the volume of ``path``."""
        volume = os.statvfs(path)
        return volume.f_bavail * volume.f_frsize

    def lock(self, path: Path, holder: str) -> DiskLock:
        """Lock ``path`` against other processes and write ``holder`` into it."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            present = os.pread(fd, 200, 0).decode("utf-8", "replace").strip()
            os.close(fd)
            raise BlockingIOError(errno.EWOULDBLOCK, present) from error
        except BaseException:
            os.close(fd)
            raise
        os.ftruncate(fd, 0)
        os.pwrite(fd, holder.encode(), 0)
        return _SystemLock(fd)


class LoopThread:
    """An event loop in a thread of its own, for callers without one."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="loop", daemon=True)
        self._thread.start()

    def start(self, coroutine: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Run a coroutine there."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def serve(
        self, life: Callable[[Callable[[_T], object]], Coroutine[Any, Any, None]]
    ) -> tuple[_T, Future[None]]:
        """Start ``life`` and wait until it has called what it is given; that value, and the
        end of ``life``. What ``life`` raises before is raised here."""
        opened: Future[_T] = Future()
        ended = self.start(life(opened.set_result))
        either: list[Future[Any]] = [opened, ended]
        wait(either, return_when=FIRST_COMPLETED)
        if not opened.done():
            ended.result()
        return opened.result(), ended

    def call_soon(self, call: Callable[[], object]) -> None:
        """Call something there."""
        self._loop.call_soon_threadsafe(call)

    def close(self) -> None:
        """Stop the loop; nothing may run there any more."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _ended(running: Future[Any]) -> None:
    """Wait until a call has ended, whoever cancels that."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    running.add_done_callback(lambda _: loop.call_soon_threadsafe(ended.set))
    while not ended.is_set():
        with suppress(asyncio.CancelledError):
            await ended.wait()


class SystemThreads:
    """Thread pools by name, each with its own number of threads."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._pools = {
            name: ThreadPoolExecutor(size, thread_name_prefix=name) for name, size in sizes.items()
        }
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0

    async def run(
        self,
        pool: str,
        call: Callable[[*_Ts], _T],
        *arguments: *_Ts,
        stop: Callable[[], None] | None = None,
    ) -> _T:
        """Run ``call(*arguments)`` in a thread of ``pool``; see ``ports.Threads``."""
        loop = self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        running = self._pools[pool].submit(call, *arguments)
        try:
            return await asyncio.wrap_future(running, loop=loop)
        except asyncio.CancelledError:
            if stop is not None and not running.cancel():
                stop()
                await _ended(running)
            raise

    def wait_for(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run ``coroutine`` on the loop that started this call, and wait for it."""
        if self._loop is None:
            coroutine.close()
            raise RuntimeError("no call of a pool is running")
        if threading.get_ident() == self._loop_thread:
            coroutine.close()
            raise RuntimeError("the event loop cannot wait for itself")
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def close(self) -> None:
        """Wait for what runs, refuse what comes."""
        for pool in self._pools.values():
            pool.shutdown(wait=True, cancel_futures=True)
