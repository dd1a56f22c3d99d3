"""Small helpers over the file port: whole writes, and files that are new or whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from everwhen.errors import DiskFailed
from everwhen.ports import Disk, File


def write_all(file: File, data: bytes | memoryview, offset: int) -> None:
    """Write all of ``data``, going on where the system took only a part."""
    taken = file.pwrite(data, offset)
    while taken < len(data):
        more = file.pwrite(memoryview(data)[taken:], offset + taken)
        if more == 0:
            raise OSError(f"{file.path}: the system takes no more bytes")
        taken += more


def create_durable(disk: Disk, path: Path, fill: Callable[[File], None]) -> File:
    """Make a file that is either wholly there or not at all, whenever the power goes.

    It is filled and synced under another name first. A leftover of that name from an earlier
    attempt is thrown away.
    """
    temporary = path.with_name(path.name + ".new")
    if disk.exists(temporary):
        disk.remove(temporary)
    file = disk.open(temporary, create=True)
    fill(file)
    file.sync()
    file.close()
    disk.rename(temporary, path)
    disk.sync_directory(path.parent)
    return disk.open(path)


def disk_failed(doing: str, error: OSError) -> DiskFailed:
    """The fault that a failed write or sync becomes."""
    return DiskFailed(
        f"{doing} failed: {error}",
        hint="the process ends now; check the volume (space, health, mount), then start again: "
        "everything acknowledged is on disk and what was under way is decided at start",
    )
