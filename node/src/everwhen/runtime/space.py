"""Space given back to the disk after things were taken away; every node does it for itself."""

from __future__ import annotations

from typing import Final

from everwhen.mvcc.state import RecordState
from everwhen.mvcc.store import Store
from everwhen.runtime.pins import Pins

#: so many bytes taken away make it worth rewriting files, which is long work
_BYTES_MIN: Final = 32 << 20
#: or this share of what the store takes
_SHARE: Final = 0.1


class Space:
    """See the module. ``due`` is cheap; ``give_back`` belongs in a thread."""

    def __init__(self, state: RecordState, store: Store, pins: Pins) -> None:
        self._state = state
        self._store = store
        self._pins = pins
        self._taken = self._so_far()

    def _so_far(self) -> int:
        vacuum = self._state.current.vacuum
        return vacuum.size_before + vacuum.size

    def _erased(self) -> int:
        """The newest erasure up to which all are done."""
        upto = 0
        for number, erasure in sorted(self._state.erased.all.items()):
            if erasure.phase:
                break
            upto = number
        return upto

    def due(self) -> bool:
        """Whether enough was taken away since the last time, or something was erased."""
        if self._erased() > self._pins.erased_upto:
            return True
        vacuum = self._state.current.vacuum
        taken = self._so_far() - self._taken
        if vacuum.phase or vacuum.retired or not taken:
            return False
        if taken >= _BYTES_MIN:
            return True
        return taken >= _SHARE * self._store.approximate_size(b"", b"\xff" * 32)

    def give_back(self) -> None:
        """Rewrite the files without what is gone."""
        taken, erased = self._so_far(), self._erased()
        self._store.flush()
        self._store.compact()
        self._taken = taken
        self._pins.erased_upto = max(erased, self._pins.erased_upto)
