"""The ports under the name that the runtime and its tests use; defined in :mod:`everwhen.ports`.

They are defined below all layers because ``storage/`` needs them too and may not import
``runtime/``.
"""

from __future__ import annotations

from everwhen.ports import Clock, Disk, DiskLock, File, Random, Threads

__all__ = ["Clock", "Disk", "DiskLock", "File", "Random", "Threads"]
