"""Where compiled kernels are found in an image: a folder that was filled when it was built.

numba takes a folder for its cache only if it can write there, and refuses to compile at all if it
finds none; the file systems of containers are read-only. ``NUMBA_CACHE_LOCATOR_CLASSES`` names the
class below for it (``node/Dockerfile``), ``NUMBA_CACHE_DIR`` the folder.
"""

from __future__ import annotations

from errno import EACCES, EPERM, EROFS
from typing import Final

from numba.core.caching import UserProvidedCacheLocator

_READ_ONLY: Final = frozenset({EACCES, EPERM, EROFS})


class Built(UserProvidedCacheLocator):
    """The folder, written to or not."""

    def ensure_cache_path(self) -> None:
        """There may be nothing to write: what is not in it is compiled, and kept nowhere, which
        numba reports as an error of the disk."""
        try:
            super().ensure_cache_path()  # type: ignore[no-untyped-call]
        except OSError as error:
            if error.errno not in _READ_ONLY:
                raise
