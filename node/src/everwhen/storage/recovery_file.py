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
from everwhen.ports import Disk
from everwhen.storage import format as layout
from everwhen.storage.files import read_note, remove_note, write_note

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
    text = read_note(disk, path, _BYTES_MAX)
    if text is None:
        return None
    index, _, history_id = text.strip().partition(" ")
    if not index.isdecimal() or not history_id:
        raise CorruptData(f"{path} is no order to recover", hint="remove it, and ask again")
    return Recovery(int(index), history_id)


def write_recovery(disk: Disk, root: Path, recovery: Recovery) -> None:
    """Durable on return.

    :raises DiskFailed: it may or may not be there.
    """
    write_note(disk, root / layout.RECOVER, f"{recovery.last_index} {recovery.history_id}\n")


def remove_recovery(disk: Disk, root: Path) -> None:
    """Done, or not wanted any more.

    :raises DiskFailed: it may or may not be gone.
    """
    remove_note(disk, root / layout.RECOVER)
