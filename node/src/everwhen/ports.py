"""Ports: the only way to time, chance, files and threads.

``storage/`` and ``runtime/`` take these as arguments and never import ``time``, ``random``, ``os``
file calls or ``threading`` themselves, so that one test can run the whole node on twins
(``runtime/twins/``) where one seed decides everything. The real ones are in ``runtime/system.py``.
This module is types only and lies below every layer.

The file port is the system's own interface with its own sharp edges on purpose (short writes, data
that is not durable before ``sync``, names that are not durable before ``sync_directory``): what the
twin disk breaks is then what a real disk breaks.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol, TypeVar, TypeVarTuple
from uuid import UUID

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


class Clock(Protocol):
    """Two clocks: the wall's, which may jump, and one that only goes forward."""

    def now_micros(self) -> int:
        """Microseconds since 1970-01-01T00:00Z by the wall clock; may go backwards."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes backwards."""
        ...


class Random(Protocol):
    """Chance."""

    def bytes(self, count: int) -> bytes:
        """``count`` random bytes."""
        ...

    def float(self) -> float:
        """A number in [0, 1)."""
        ...

    def below(self, bound: int) -> int:
        """A number in [0, bound)."""
        ...

    def uuid(self) -> UUID:
        """A random (version 4) UUID."""
        ...


class File(Protocol):
    """An open file. Positions are given with every call: there is no current one."""

    @property
    def path(self) -> Path:
        """Where it was opened."""
        ...

    def pread(self, length: int, offset: int) -> bytes:
        """Up to ``length`` bytes; fewer only at the end of the file."""
        ...

    def pwrite(self, data: bytes | memoryview, offset: int) -> int:
        """Write at ``offset``; returns how many bytes were taken, which may be fewer."""
        ...

    def sync(self) -> None:
        """Make the content and the size durable (fdatasync)."""
        ...

    def size(self) -> int:
        """The length in bytes."""
        ...

    def truncate(self, size: int) -> None:
        """Set the length; what is added reads as zeros."""
        ...

    def allocate(self, size: int) -> None:
        """Reserve space up to ``size`` and extend the length to it; new bytes read as zeros."""
        ...

    def map(self) -> memoryview:
        """The whole content for reading, without copying it where that is possible."""
        ...

    def close(self) -> None:
        """Let go; not a sync."""
        ...


class DiskLock(Protocol):
    """A lock on a file, held until released or until the process ends."""

    def release(self) -> None:
        """Give it back."""
        ...


class Disk(Protocol):
    """Folders and files. Failures are ``OSError``, as the system reports them."""

    def open(self, path: Path, *, create: bool = False) -> File:
        """Open for reading and writing; ``create`` makes a new file and fails if one exists."""
        ...

    def open_read(self, path: Path) -> File:
        """Open for reading only."""
        ...

    def exists(self, path: Path) -> bool:
        """Whether there is a file or folder."""
        ...

    def names(self, path: Path) -> list[str]:
        """The names in a folder, sorted."""
        ...

    def make_directory(self, path: Path) -> None:
        """Make a folder; fine if it exists. The parent must exist."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """Rename a file within its folder, replacing ``new`` in one step."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file."""
        ...

    def remove_directory(self, path: Path) -> None:
        """Remove an empty folder."""
        ...

    def sync_directory(self, path: Path) -> None:
        """Make the names in a folder durable: after create, rename and remove."""
        ...

    def free_bytes(self, path: Path) -> int:
        """Space left for this process on the volume of ``path``."""
        ...

    def lock(self, path: Path, holder: str) -> DiskLock:
        """Lock ``path`` (made if missing) against other processes and write ``holder`` into it.

        Raises ``BlockingIOError`` if it is held; its text is what the present holder wrote.
        """
        ...


class Threads(Protocol):
    """Named, bounded pools of threads for what must not run on the event loop."""

    async def run(
        self,
        pool: str,
        call: Callable[[*_Ts], _T],
        *arguments: *_Ts,
        stop: Callable[[], None] | None = None,
    ) -> _T:
        """Run ``call(*arguments)`` in a thread of ``pool`` and await its result.

        Cancelling the wait does not end a call that has begun. With ``stop``, that is called then,
        to tell the call, and the wait ends only when the call has ended: what it used is free.
        """
        ...

    def wait_for(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """From inside a call: let the event loop run ``coroutine``, wait, return its result.

        Only in a thread of a pool; on the event loop itself it would wait for ever.
        """
        ...

    def close(self) -> None:
        """Wait for what runs, refuse what comes."""
        ...
