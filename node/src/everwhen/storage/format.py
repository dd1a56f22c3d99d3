"""What a data directory consists of, and the number of its format.

======== ======= ===========================================================================
name     made by what it is
======== ======= ===========================================================================
LOCK     start   locked while a process uses the directory; its text names the process
FORMAT   last    the format number; a directory without it was never finished being made
BALLAST  start   reserved space, given back when the volume is full (``directory.py``)
meta     create  identity, term, vote, how far the log is synced (``meta.py``)
log/     create  the log's segments (``log_segments.py``)
record/  create  RocksDB (``rocks.py``)
CURRENT  install which folder the record is in, once a snapshot took the place of ``record/``
INCOMING install what of a snapshot is still to come (``snapshot_files.py``)
snapshots/       copies of the record for members that are far behind
ASKS     create  the node asked to be admitted and does not vote yet (``identity.py``)
FENCED   fence   the node is out of service, and why (``fence_file.py``)
IMAGE    later   a checkpoint of the graph in memory (``image_file.py``)
RECOVER  consent the next start goes on without the lost majority (``recovery_file.py``)
======== ======= ===========================================================================

The number changes when a build could no longer read what an older one wrote, or an older one would
misread what this one writes. The parts (meta, segments, keys and values) carry numbers of their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from everwhen.errors import CorruptData, DataDirectoryLocked, FormatUnsupported
from everwhen.ports import Disk, DiskLock, File
from everwhen.storage.files import create_durable, disk_failed, write_all

NUMBER: Final = 1
#: formats that this build opens
READABLE: Final = frozenset({1})

LOCK: Final = "LOCK"
FORMAT: Final = "FORMAT"
BALLAST: Final = "BALLAST"
META: Final = "meta"
LOG: Final = "log"
RECORD: Final = "record"
ASKS: Final = "ASKS"
CURRENT: Final = "CURRENT"
INCOMING: Final = "INCOMING"
SNAPSHOTS: Final = "snapshots"
FENCED: Final = "FENCED"
RECOVER: Final = "RECOVER"
IMAGE: Final = "IMAGE"
#: what may stand in a directory before it is finished; the last is the file system's own
_EXPECTED: Final = frozenset({LOCK, FORMAT, BALLAST, META, LOG, RECORD, ASKS, "lost+found"})

_TITLE: Final = "everwhen data directory"
_LENGTH_MAX: Final = 200


def take_lock(disk: Disk, root: Path, holder: str) -> DiskLock:
    """Keep other processes out; raises :class:`DataDirectoryLocked` if one is in."""
    try:
        return disk.lock(root / LOCK, holder)
    except BlockingIOError as error:
        present = error.strerror or "another process"
        raise DataDirectoryLocked(
            f"{root} is in use by {present}",
            hint="stop that process, or give this one another data directory",
        ) from error
    except OSError as error:
        raise disk_failed(f"locking {root}", error) from error


def read_format(disk: Disk, root: Path) -> int | None:
    """The format number; None for a directory that is empty or was not finished being made.

    Raises if the directory is something else, or of a format that this build does not know.
    """
    path = root / FORMAT
    if not disk.exists(path):
        strangers = [
            name for name in disk.names(root) if name.removesuffix(".new") not in _EXPECTED
        ]
        if strangers:
            raise CorruptData(
                f"{root} holds {strangers[0]!r} and no FORMAT file: it is not a data directory",
                hint="name an empty folder, or one that does not exist yet",
            )
        return None
    file = disk.open_read(path)
    try:
        text = file.pread(_LENGTH_MAX, 0).decode("ascii", "replace")
    finally:
        file.close()
    title, _, rest = text.partition("\n")
    word, _, number = rest.strip().partition(" ")
    if title != _TITLE or word != "format" or not number.isdecimal():
        raise CorruptData(
            f"{path} does not say which format the directory has",
            hint=f'if the directory is yours, its content is "{_TITLE}", a line break and '
            '"format 1"',
        )
    if int(number) not in READABLE:
        raise FormatUnsupported(
            f"{root} has format {number}; this build reads {sorted(READABLE)}",
            hint="use the version of Everwhen that wrote it, or a newer one",
        )
    return int(number)


def write_format(disk: Disk, root: Path) -> None:
    """Write the FORMAT file, which finishes the making of a directory."""
    text = f"{_TITLE}\nformat {NUMBER}\n".encode()

    def fill(file: File) -> None:
        write_all(file, text, 0)

    create_durable(disk, root / FORMAT, fill).close()
