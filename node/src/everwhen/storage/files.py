"""Helpers over the file port: whole writes, files that are new or whole, and notes of a few lines."""

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


def read_note(disk: Disk, path: Path, bytes_max: int) -> str | None:
    """The text of a small file, None where there is none. What is no UTF-8 is replaced.

    :raises DiskFailed: it cannot be read.
    """
    try:
        if not disk.exists(path):
            return None
        file = disk.open_read(path)
        try:
            return file.pread(bytes_max, 0).decode("utf-8", "replace")
        finally:
            file.close()
    except OSError as error:
        raise disk_failed(f"reading {path}", error) from error


def write_note(disk: Disk, path: Path, text: str) -> None:
    """Durable on return.

    :raises DiskFailed: it may or may not be there.
    """

    def fill(file: File) -> None:
        write_all(file, text.encode(), 0)

    try:
        create_durable(disk, path, fill).close()
    except OSError as error:
        raise disk_failed(f"writing {path}", error) from error


def remove_note(disk: Disk, path: Path) -> None:
    """Gone for good on return; fine if it was not there.

    :raises DiskFailed: it may or may not be gone.
    """
    try:
        if disk.exists(path):
            disk.remove(path)
            disk.sync_directory(path.parent)
    except OSError as error:
        raise disk_failed(f"removing {path}", error) from error


def disk_failed(doing: str, error: OSError) -> DiskFailed:
    """The fault that a failed write or sync becomes."""
    return DiskFailed(
        f"{doing} failed: {error}",
        hint="the process ends now; check the volume (space, health, mount), then start again: "
        "everything acknowledged is on disk and what was under way is decided at start",
    )
