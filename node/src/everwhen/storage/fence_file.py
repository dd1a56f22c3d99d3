"""The file that says a node is out of service, so that a restart does not bring it back unseen.

Its first line is who asked (``operator`` or ``divergence``), the rest is the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from everwhen.limits import FENCE_REASON_CHARS_MAX
from everwhen.ports import Disk
from everwhen.storage import format as layout
from everwhen.storage.files import read_note, remove_note, write_note

#: asked for through the admin interface
BY_OPERATOR: Final = "operator"
#: what this node computed differs from what a majority computed
BY_DIVERGENCE: Final = "divergence"
_BYTES_MAX: Final = 8 * FENCE_REASON_CHARS_MAX


@dataclass(frozen=True, slots=True)
class Fenced:
    """Out of service, and why."""

    by: str
    reason: str


def read_fence(disk: Disk, root: Path) -> Fenced | None:
    """Whether the node of this directory is fenced.

    :raises DiskFailed: the file cannot be read.
    """
    text = read_note(disk, root / layout.FENCED, _BYTES_MAX)
    if text is None:
        return None
    by, _, reason = text.partition("\n")
    return Fenced(by, reason)


def write_fence(disk: Disk, root: Path, fenced: Fenced) -> None:
    """Durable on return.

    :raises DiskFailed: it may or may not be there.
    """
    write_note(disk, root / layout.FENCED, f"{fenced.by}\n{fenced.reason}")


def remove_fence(disk: Disk, root: Path) -> None:
    """Back in service with the next start at the latest; fine if it was not fenced.

    :raises DiskFailed: it may or may not be gone.
    """
    remove_note(disk, root / layout.FENCED)
