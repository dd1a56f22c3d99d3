"""Making folders so that they are there after a crash."""

from __future__ import annotations

from pathlib import Path

from everwhen.ports import Disk


def make_folders(disk: Disk, path: Path) -> None:
    """Make the folder and those above it, durably; fine if they exist."""
    missing = [each for each in (path, *path.parents) if not disk.exists(each)]
    for each in reversed(missing):
        disk.make_directory(each)
        disk.sync_directory(each.parent)
