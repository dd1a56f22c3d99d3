"""The file that says: with its next start this node goes on alone (``runtime.replica.recovery``).

It is written when somebody consents to lose what only the lost members have, and removed when the
log says the same. One line: the index at which the log ended, and the id of the history that
begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from everwhen.errors import CorruptData
from everwhen.ports import Disk, File
from everwhen.storage import format as layout
from everwhen.storage.files import create_durable, disk_failed, write_all

_BYTES_MAX: Final = 4_096


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was consented to."""

    #: where the log ended; what others had after it is lost
    last_index: int
    #: of the bookmarks from then on
    history_id: str


def read_recovery(disk: Disk, root: Path) -> Recovery | None:
    """What the next start has to do, None for nothing.

    :raises CorruptData: somebody else wrote the file.
    :raises DiskFailed: it cannot be read.
    """
    path = root / layout.RECOVER
    try:
        if not disk.exists(path):
            return None
        file = disk.open_read(path)
        try:
            text = file.pread(_BYTES_MAX, 0).decode("utf-8", "replace")
        finally:
            file.close()
    except OSError as error:
        raise disk_failed(f"reading {path}", error) from error
    index, _, history_id = text.strip().partition(" ")
    if not index.isdecimal() or not history_id:
        raise CorruptData(f"{path} is no order to recover", hint="remove it, and ask again")
    return Recovery(int(index), history_id)


def write_recovery(disk: Disk, root: Path, recovery: Recovery) -> None:
    """Durable on return.

    :raises DiskFailed: it may or may not be there.
    """

    def fill(file: File) -> None:
        write_all(file, f"{recovery.last_index} {recovery.history_id}\n".encode(), 0)

    try:
        create_durable(disk, root / layout.RECOVER, fill).close()
    except OSError as error:
        raise disk_failed(f"writing {root / layout.RECOVER}", error) from error


def remove_recovery(disk: Disk, root: Path) -> None:
    """Done, or not wanted any more.

    :raises DiskFailed: it may or may not be gone.
    """
    path = root / layout.RECOVER
    try:
        if disk.exists(path):
            disk.remove(path)
            disk.sync_directory(root)
    except OSError as error:
        raise disk_failed(f"removing {path}", error) from error
