"""The C library's allocator, kept from giving back what the next batch takes again.

Freed blocks of more than 128 KiB, and what is free behind the last block, go back to the system at
once; whoever takes as much again pays for every page of it anew. Columns of a batch are of that
size: a filtered aggregate over 200,000 nodes spent a third of its time so.
"""

from __future__ import annotations

import ctypes
from typing import Final

#: the options' numbers in <malloc.h>
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
#: blocks from this size on still go back at once: columns of the image
_LARGE_BYTES: Final = 4 << 20
#: free bytes kept behind the last block, in each of the allocator's arenas
_KEPT_BYTES: Final = 64 << 20


def keep_freed_blocks() -> None:
    """For the whole process. A C library without ``mallopt`` keeps its own ways."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
